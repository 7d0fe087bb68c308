/* What kernels are written with: launches, dynamic shared memory, element types, reductions in a fixed tree.
 *
 * Under nvcc the launch macro is CUDA's own syntax; in the emulated build (PL_CUDA_EMULATED, tests/cuemu) the stand-in
 * cuda_runtime.h has defined it already. */
#ifndef PLUMB_CUDA_KERNEL_CUH
#define PLUMB_CUDA_KERNEL_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <stdint.h>

#ifndef PL_CUDA_EMULATED
#define CU_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                      \
    kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__)
#define CU_DYN_SHARED(T, name)                                                                                         \
    extern __shared__ __align__(16) unsigned char pl_dynamic_shared_[];                                                \
    T *name = reinterpret_cast<T *>(pl_dynamic_shared_)
#endif

enum { PL__WARP = 32 };

/* ---- Element types: float, __nv_bfloat16, __half; rounding to nearest even ---- */

__device__ __forceinline__ float pl__to_float(float x)
{
    return x;
}
__device__ __forceinline__ float pl__to_float(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}
__device__ __forceinline__ float pl__to_float(__half x)
{
    return __half2float(x);
}

template <class T> __device__ __forceinline__ T pl__from_float(float x);
template <> __device__ __forceinline__ float pl__from_float<float>(float x)
{
    return x;
}
template <> __device__ __forceinline__ __nv_bfloat16 pl__from_float<__nv_bfloat16>(float x)
{
    return __float2bfloat16(x);
}
template <> __device__ __forceinline__ __half pl__from_float<__half>(float x)
{
    return __float2half(x);
}

/* A number of TF32: 10 bits of fraction, to nearest even; infinities and NaN stay. */
__device__ __forceinline__ float pl__rounded_tf32(float x)
{
    const uint32_t bits = __float_as_uint(x);
    if ((bits & 0x7f800000u) == 0x7f800000u) return x;
    return __uint_as_float((bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu);
}

/* Calls launch(T{}) for the element type; a launcher's way from a pl_dtype to a template. False: no such type. */
template <class F> static inline bool pl__with_type(pl_dtype dtype, F launch)
{
    switch (dtype) {
    case PL_F32:
        launch(float{});
        return true;
    case PL_BF16:
        launch(__nv_bfloat16{});
        return true;
    case PL_F16:
        launch(__half{});
        return true;
    default:
        return false;
    }
}

/* ---- Reductions: the same tree whatever runs beside them ---- */

/* All lanes of the warp get the sum. */
__device__ __forceinline__ float pl__warp_sum(float x)
{
    for (int lane = PL__WARP / 2; lane; lane /= 2) x += __shfl_xor_sync(0xffffffffu, x, lane);
    return x;
}
__device__ __forceinline__ float pl__warp_max(float x)
{
    for (int lane = PL__WARP / 2; lane; lane /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, lane));
    return x;
}

/* All threads of the block get the sum; scratch: 32 floats of shared memory, free again after the call. The block's
 * size is a multiple of a warp. */
__device__ __forceinline__ float pl__block_sum(float x, float *scratch)
{
    const int lane = (int)threadIdx.x % PL__WARP, warp = (int)threadIdx.x / PL__WARP;
    const int n_warps = (int)blockDim.x / PL__WARP;
    x = pl__warp_sum(x);
    if (lane == 0) scratch[warp] = x;
    __syncthreads();
    float sum = pl__warp_sum(lane < n_warps ? scratch[lane] : 0.0f);
    __syncthreads();
    return sum;
}

/* min(counts, capacity), read from the device. */
__device__ __forceinline__ int pl__rows(const int32_t *count, int capacity)
{
    return *count < capacity ? *count : capacity;
}

#endif
