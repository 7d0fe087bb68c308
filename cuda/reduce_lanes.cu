/* sum = lanes[0] + lanes[1] + ..., from left to right: an element is one thread's, which adds with all roundings. The
 * sum may stand where lane 0 stands. */
#include "cuda.h"
#include "vector.cuh"

enum { COLUMNS = 4 };

template <bool packed>
static __global__ void add_lanes(const float *lanes, size_t stride, int n_lanes, bool accumulate, float *sum, size_t n)
{
    for (size_t piece = pl__first_piece(); piece * COLUMNS < n; piece += pl__piece_step()) {
        const size_t c = piece * COLUMNS;
        const int left = (int)min(n - c, (size_t)COLUMNS);
        float v[COLUMNS];
        pl__load<packed>(v, accumulate ? sum + c : lanes + c, left);
#pragma unroll 4
        for (int lane = accumulate ? 0 : 1; lane < n_lanes; lane++) {
            float part[COLUMNS];
            pl__load<packed>(part, lanes + (size_t)lane * stride + c, left);
#pragma unroll
            for (int i = 0; i < COLUMNS; i++) v[i] = __fadd_rn(v[i], part[i]);
        }
        pl__store<packed>(sum + c, v, left);
    }
}

extern "C" pl_status pl__reduce_lanes(pl_stream *stream, const pl_reduce_lanes_args *args)
{
    const pl_view lanes = args->lanes, sum = args->sum;
    const size_t n = sum.columns;
    if (!n || !lanes.rows) return PL_OK;
    const pl__row_grid g = pl__cover_rows(1, pl__ceil_div(n, COLUMNS));
    pl__with_packed(pl__packs(lanes, n, COLUMNS) && pl__packs(sum, n, COLUMNS), [&](auto flag) {
        constexpr bool packed = decltype(flag)::value;
        CU_LAUNCH(add_lanes<packed>, g.grid, g.block, 0, stream->handle, (const float *)pl__at(lanes, 0), lanes.stride,
                  (int)lanes.rows, args->accumulate, (float *)pl__at(sum, 0), n);
    });
    PL_LAUNCHED(stream, "reduce_lanes");
    return PL_OK;
}
