/* Fragments of mma.sync in 16 bits by element type: the product, bits of numbers, two numbers as a word. */
#ifndef PLUMB_CUDA_FRAGMENT_CUH
#define PLUMB_CUDA_FRAGMENT_CUH

#include "kernel.cuh"
#include "ptx.cuh"

static constexpr float LOG2_E = 1.4426950408889634f;

__device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], __nv_bfloat16)
{
    mma_bf16(c, a, b);
}
__device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], __half)
{
    mma_f16(c, a, b);
}

__device__ __forceinline__ uint32_t bits_of(__nv_bfloat16 x)
{
    return __bfloat16_as_ushort(x);
}
__device__ __forceinline__ uint32_t bits_of(__half x)
{
    return __half_as_ushort(x);
}
__device__ __forceinline__ float value_of(uint32_t bits, __nv_bfloat16)
{
    return __bfloat162float(__ushort_as_bfloat16((unsigned short)bits));
}
__device__ __forceinline__ float value_of(uint32_t bits, __half)
{
    return __half2float(__ushort_as_half((unsigned short)bits));
}
/* The bits of the exponent, all set for inf and NaN. */
__device__ __forceinline__ uint32_t exponent_of(__nv_bfloat16)
{
    return 0x7f80u;
}
__device__ __forceinline__ uint32_t exponent_of(__half)
{
    return 0x7c00u;
}

/* Two numbers as a word, the first in the low half. */
template <class T> __device__ __forceinline__ uint32_t pack(float low, float high)
{
    return bits_of(pl__from_float<T>(low)) | bits_of(pl__from_float<T>(high)) << 16;
}
template <> __device__ __forceinline__ uint32_t pack<__nv_bfloat16>(float low, float high)
{
    __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return bits_of(both.x) | bits_of(both.y) << 16;
}
template <> __device__ __forceinline__ uint32_t pack<__half>(float low, float high)
{
    __half2 both = __floats2half2_rn(low, high);
    return bits_of(__low2half(both)) | bits_of(__high2half(both)) << 16;
}

#endif
