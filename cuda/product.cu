/* The kernels of the probe of products (probe.h): random numbers, and comparisons that leave a mark. */
#include "probe.h"

#include "kernel.cuh"
#include "vector.cuh"

enum { THREADS = 256, EACH = 16, MOST_BLOCKS = 4096 };

static __device__ __forceinline__ unsigned mixed(unsigned u)
{
    u = (u ^ u >> 16) * 0x85ebca6bu;
    u = (u ^ u >> 13) * 0xc2b2ae35u;
    return u ^ u >> 16;
}

template <class T> static __global__ void fill(T *to, size_t first, size_t n, float scale, unsigned seed)
{
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += (size_t)gridDim.x * THREADS) {
        const unsigned u = mixed((unsigned)(first + i) * 0x9e3779b9u + seed);
        to[i] = pl__from_float<T>(((float)(u >> 8) * 0x1p-23f - 1.0f) * scale);
    }
}

static __global__ void find_bits(const uint32_t *a, const uint32_t *b, size_t n, int *found)
{
    bool differs = false;
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += (size_t)gridDim.x * THREADS)
        differs |= a[i] != b[i];
    if (differs) atomicOr(found, 1);
}

template <class T> static __global__ void find_values(const T *a, const T *b, size_t n, float tolerance, int *found)
{
    bool differs = false;
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += (size_t)gridDim.x * THREADS)
        differs |= !(fabsf(pl__to_float(a[i]) - pl__to_float(b[i])) <= tolerance);
    if (differs) atomicOr(found, 1);
}

static dim3 blocks(size_t n)
{
    const size_t most = MOST_BLOCKS, b = pl__ceil_div(n, (size_t)THREADS * EACH);
    return dim3((unsigned)(b < most ? b : most));
}

extern "C" pl_status pl__probe_fill(pl_stream *stream, void *to, pl_dtype dtype, size_t first, size_t n, float scale,
                                    unsigned seed)
{
    pl__with_type(dtype, [&](auto type) {
        typedef decltype(type) T;
        auto kernel = fill<T>;
        CU_LAUNCH(kernel, blocks(n), dim3(THREADS), 0, stream->handle, (T *)to, first, n, scale, seed);
    });
    PL_LAUNCHED(stream, "probing a product");
    return PL_OK;
}

extern "C" pl_status pl__probe_bits(pl_stream *stream, const void *a, const void *b, size_t bytes, int *found)
{
    const size_t n = bytes / sizeof(uint32_t);
    CU_LAUNCH(find_bits, blocks(n), dim3(THREADS), 0, stream->handle, (const uint32_t *)a, (const uint32_t *)b, n,
              found);
    PL_LAUNCHED(stream, "probing a product");
    return PL_OK;
}

extern "C" pl_status pl__probe_values(pl_stream *stream, const void *a, const void *b, pl_dtype dtype, size_t n,
                                      float tolerance, int *found)
{
    pl__with_type(dtype, [&](auto type) {
        typedef decltype(type) T;
        auto kernel = find_values<T>;
        CU_LAUNCH(kernel, blocks(n), dim3(THREADS), 0, stream->handle, (const T *)a, (const T *)b, n, tolerance, found);
    });
    PL_LAUNCHED(stream, "probing a product");
    return PL_OK;
}
