/* Layer norm and RMS norm of rows: a warp for a row of up to 1,024 columns, a block for a longer one; how many threads
 * share a row depends on its length alone. Longer rows than registers hold, and rows that cannot be read 16 bytes at a
 * time, are read again from cache. */
#include "cuda.h"
#include "norm.cuh"

enum { WARPS = 8 };

template <int keep, bool packed, class Y>
static __global__ void __launch_bounds__(PL__WARP *WARPS)
    norm_by_warps(const int32_t *__restrict__ count, int capacity, const float *x, size_t x_stride, Y *y,
                  size_t y_stride, pl__norm_of of)
{
    const int row = (int)(blockIdx.x * WARPS + threadIdx.x / PL__WARP);
    if (row >= pl__rows(count, capacity)) return;
    pl__norm_row<keep, packed>(y + (size_t)row * y_stride, x + (size_t)row * x_stride, of, pl__warp_group{});
}

template <int keep, bool packed, int threads, class Y>
static __global__ void __launch_bounds__(threads)
    norm_by_blocks(const int32_t *__restrict__ count, int capacity, const float *x, size_t x_stride, Y *y,
                   size_t y_stride, pl__norm_of of)
{
    __shared__ double scratch[PL__WARP];
    const int row = (int)blockIdx.x;
    if (row >= pl__rows(count, capacity)) return;
    pl__norm_row<keep, packed>(y + (size_t)row * y_stride, x + (size_t)row * x_stride, of, pl__block_group{scratch});
}

typedef struct launch {
    cudaStream_t stream;
    const int32_t *count;
    int capacity;
    const float *x;
    size_t x_stride;
    void *y;
    size_t y_stride;
    pl__norm_of of;
} launch;

template <class Y, int keep, bool packed> static void by_warps(const launch &l)
{
    CU_LAUNCH((norm_by_warps<keep, packed, Y>), dim3((unsigned)((l.capacity + WARPS - 1) / WARPS)),
              dim3(PL__WARP * WARPS), 0, l.stream, l.count, l.capacity, l.x, l.x_stride, (Y *)l.y, l.y_stride, l.of);
}
template <class Y, int keep, bool packed, int threads> static void by_blocks(const launch &l)
{
    CU_LAUNCH((norm_by_blocks<keep, packed, threads, Y>), dim3((unsigned)l.capacity), dim3(threads), 0, l.stream,
              l.count, l.capacity, l.x, l.x_stride, (Y *)l.y, l.y_stride, l.of);
}

/* Threads of a row: 32 up to 1,024 columns, 256 up to 8,192, 1,024 beyond. */
template <class Y> static void launch_packed(const launch &l)
{
    const int n = l.of.n;
    if (n <= 256)
        by_warps<Y, 2, true>(l);
    else if (n <= 512)
        by_warps<Y, 4, true>(l);
    else if (n <= 768)
        by_warps<Y, 6, true>(l);
    else if (n <= 1024)
        by_warps<Y, 8, true>(l);
    else if (n <= 2048)
        by_blocks<Y, 2, true, 256>(l);
    else if (n <= 4096)
        by_blocks<Y, 4, true, 256>(l);
    else if (n <= 8192)
        by_blocks<Y, 8, true, 256>(l);
    else if (n <= 16384)
        by_blocks<Y, 4, true, 1024>(l);
    else
        by_blocks<Y, 0, true, 1024>(l);
}
template <class Y> static void launch_plain(const launch &l)
{
    if (l.of.n <= 1024)
        by_warps<Y, 0, false>(l);
    else if (l.of.n <= 8192)
        by_blocks<Y, 0, false, 256>(l);
    else
        by_blocks<Y, 0, false, 1024>(l);
}

extern "C" pl_status pl__norm(pl_stream *stream, const pl_norm_args *args)
{
    const pl_view x = args->x, y = args->y;
    const size_t C = x.columns, rows = x.rows < y.rows ? x.rows : y.rows;
    if (!rows || !C) return PL_OK;
    const pl__norm_of of = {args->kind,
                            args->eps,
                            (const float *)pl__at(args->weight, 0),
                            (const float *)pl__at(args->bias, 0),
                            (int)C,
                            args->accumulate,
                            pl__gain(args->gain)};
    const launch l = {stream->handle, pl__count_at(args->counts, args->count),
                      (int)rows,      (const float *)pl__at(x, 0),
                      x.stride,       pl__at(y, 0),
                      y.stride,       of};
    const size_t n = PL__NORM_OWN;
    const bool packs =
        pl__packs(x, C, n) && pl__packs(y, C, n) && pl__packs(args->weight, C, n) && pl__packs(args->bias, C, n);
    pl__with_type(y.dtype, [&](auto t) {
        if (packs)
            launch_packed<decltype(t)>(l);
        else
            launch_plain<decltype(t)>(l);
    });
    PL_LAUNCHED(stream, "norm");
    return PL_OK;
}
