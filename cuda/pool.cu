/* y[slot] += row after row of its ranges, one addition after another in the order of the ranges, so that a sum that is
 * spread over several batches has the same bits. A thread owns a column; it reads a few rows ahead of its additions. */
#include "cuda.h"
#include "vector.cuh"

enum { AHEAD = 16 };

static __global__ void pool_slots(const int32_t *__restrict__ n_slots, int capacity, const int32_t *__restrict__ indptr,
                                  const int32_t *__restrict__ ranges, size_t ranges_stride,
                                  const int32_t *__restrict__ slots, const float *__restrict__ x, size_t x_stride,
                                  float *__restrict__ y, size_t y_stride, size_t columns)
{
    const int slot = pl__own_row();
    if (slot >= pl__rows(n_slots, capacity)) return;
    y += (size_t)slots[slot] * y_stride;
    for (size_t c = pl__first_piece(); c < columns; c += pl__piece_step()) {
        float sum = y[c];
        for (int32_t j = indptr[slot]; j < indptr[slot + 1]; j++) {
            const int32_t *range = ranges + (size_t)j * ranges_stride;
            const int32_t first = range[0], n = range[1];
            for (int32_t at = 0; at < n; at += AHEAD) {
                float ahead[AHEAD]; /* past the end: the last row again, without a branch, and not added */
#pragma unroll
                for (int i = 0; i < AHEAD; i++) ahead[i] = x[(size_t)(first + min(at + i, n - 1)) * x_stride + c];
#pragma unroll
                for (int i = 0; i < AHEAD; i++) sum = at + i < n ? __fadd_rn(sum, ahead[i]) : sum;
            }
        }
        y[c] = sum;
    }
}

extern "C" pl_status pl__pool(pl_stream *stream, const pl_pool_args *args)
{
    const pl_view x = args->x, y = args->y;
    const size_t n = args->slots.columns, C = x.columns;
    if (!n || !C) return PL_OK;
    const pl__row_grid g = pl__cover_rows(n, C);
    CU_LAUNCH(pool_slots, g.grid, g.block, 0, stream->handle, (const int32_t *)pl__at(args->n_slots, 0), (int)n,
              (const int32_t *)pl__at(args->indptr, 0), (const int32_t *)pl__at(args->ranges, 0), args->ranges.stride,
              (const int32_t *)pl__at(args->slots, 0), (const float *)pl__at(x, 0), x.stride, (float *)pl__at(y, 0),
              y.stride, C);
    PL_LAUNCHED(stream, "pool");
    return PL_OK;
}
