/* y = x in y's type: between float32 and the 16-bit types, rounding to nearest even, four columns a thread. Values that
 * float16 cannot hold become infinite and are counted, infinities included; the count is whole, so that the order of
 * its additions changes nothing. */
#include "cuda.h"
#include "vector.cuh"

enum { COLUMNS = 4 };

/* *count += n, up to INT32_MAX. The plain addition is safe while the sum is far from that: fewer than 2^30 numbers are
 * under way at any time. */
__device__ __forceinline__ void add_count(int32_t *count, int32_t n)
{
    if (!n) return;
    int32_t old = *(volatile int32_t *)count;
    if (old >= 0 && old < 1 << 30) {
        atomicAdd(count, n);
        return;
    }
    for (;;) {
        const int32_t from = old < 0 ? 0 : old, sum = from > INT32_MAX - n ? INT32_MAX : from + n;
        const int32_t seen = atomicCAS(count, old, sum);
        if (seen == old) return;
        old = seen;
    }
}

template <class X, class Y, bool packed>
static __global__ void convert_rows(size_t rows, const X *__restrict__ x, size_t x_stride, Y *__restrict__ y,
                                    size_t y_stride, size_t columns, int32_t *overflow)
{
    __shared__ int32_t beyond;
    const bool counts = overflow && std::is_same<Y, __half>::value;
    const size_t row = (size_t)blockIdx.x * blockDim.y + threadIdx.y;
    if (counts) {
        if (threadIdx.x == 0 && threadIdx.y == 0) beyond = 0;
        __syncthreads();
    }
    if (row < rows) {
        x += row * x_stride;
        y += row * y_stride;
        int n = 0;
        for (size_t piece = pl__first_piece(); piece * COLUMNS < columns; piece += pl__piece_step()) {
            const size_t c = piece * COLUMNS;
            const int left = (int)min(columns - c, (size_t)COLUMNS);
            float v[COLUMNS];
            pl__load<packed>(v, x + c, left);
            pl__store<packed>(y + c, v, left);
            /* 65,520 and more round to infinity */
            for (int i = 0; i < COLUMNS; i++) n += fabsf(v[i]) >= 65520.0f;
        }
        if (counts && n) atomicAdd(&beyond, n);
    }
    if (counts) {
        __syncthreads();
        if (threadIdx.x == 0 && threadIdx.y == 0) add_count(overflow, beyond);
    }
}

extern "C" pl_status pl__convert(pl_stream *stream, const pl_convert_args *args)
{
    const pl_view x = args->x, y = args->y;
    const size_t rows = x.rows, C = x.columns;
    if (!rows || !C) return PL_OK;
    const pl__row_grid g = pl__cover_rows(rows, pl__ceil_div(C, COLUMNS));
    pl__with_type(x.dtype, [&](auto from) {
        pl__with_type(y.dtype, [&](auto to) {
            pl__with_packed(pl__packs(x, C, COLUMNS) && pl__packs(y, C, COLUMNS), [&](auto flag) {
                using X = decltype(from);
                using Y = decltype(to);
                constexpr bool packed = decltype(flag)::value;
                CU_LAUNCH((convert_rows<X, Y, packed>), g.grid, g.block, 0, stream->handle, rows,
                          (const X *)pl__at(x, 0), x.stride, (Y *)pl__at(y, 0), y.stride, C,
                          (int32_t *)pl__at(args->overflow, 0));
            });
        });
    });
    PL_LAUNCHED(stream, "convert");
    return PL_OK;
}
