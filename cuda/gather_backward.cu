/* dx[rows[i]] += dy[i]. Rows are distinct, so each is one thread's. */
#include "cuda.h"
#include "vector.cuh"

enum { COLUMNS = 4 };

template <bool packed>
static __global__ void scatter_rows(const int32_t *__restrict__ count, int capacity, const int32_t *__restrict__ rows,
                                    const float *__restrict__ dy, size_t dy_stride, float *__restrict__ dx,
                                    size_t dx_stride, size_t C)
{
    const int i = pl__own_row();
    if (i >= pl__rows(count, capacity)) return;
    dy += (size_t)i * dy_stride;
    dx += (size_t)rows[i] * dx_stride;
    for (size_t piece = pl__first_piece(); piece * COLUMNS < C; piece += pl__piece_step()) {
        const size_t c = piece * COLUMNS;
        const int left = (int)min(C - c, (size_t)COLUMNS);
        float to[COLUMNS], from[COLUMNS];
        pl__load<packed>(to, dx + c, left);
        pl__load<packed>(from, dy + c, left);
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) to[j] = __fadd_rn(to[j], from[j]);
        pl__store<packed>(dx + c, to, left);
    }
}

extern "C" pl_status pl__gather_backward(pl_stream *stream, const pl_gather_backward_args *args)
{
    const pl_view dy = args->dy, dx = args->dx;
    const size_t n = args->rows.columns, C = dx.columns;
    if (!n || !C) return PL_OK;
    const pl__row_grid g = pl__cover_rows(n, pl__ceil_div(C, COLUMNS));
    pl__with_packed(pl__packs(dy, C, COLUMNS) && pl__packs(dx, C, COLUMNS), [&](auto flag) {
        constexpr bool packed = decltype(flag)::value;
        CU_LAUNCH(scatter_rows<packed>, g.grid, g.block, 0, stream->handle, pl__count_at(args->counts, args->count),
                  (int)n, (const int32_t *)pl__at(args->rows, 0), (const float *)pl__at(dy, 0), dy.stride,
                  (float *)pl__at(dx, 0), dx.stride, C);
    });
    PL_LAUNCHED(stream, "gather_backward");
    return PL_OK;
}
