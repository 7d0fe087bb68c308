/* dx[rows[i]] += dy[i]. Rows are distinct, so each is one thread's. */
#include "device/cpu/cpu.h"

pl_status pl__gather_backward(pl_stream *stream, const pl_gather_backward_args *args)
{
    size_t n, C = args->dx.columns;
    PL_TRY(pl__read_count("gather_backward", &n, args->counts, args->count, args->rows.columns));
    PL_TRY(pl__check_ids("gather_backward", "rows", args->rows, n, args->dx.rows));
    const int32_t *rows = pl__i32(args->rows, 0);
#pragma omp parallel for num_threads(pl__threads(stream, n *C)) schedule(static)
    for (size_t i = 0; i < n; i++) {
        float *to = pl__f32(args->dx, (size_t)rows[i]);
        const float *from = pl__f32(args->dy, i);
        for (size_t c = 0; c < C; c++) to[c] += from[c];
    }
    return PL_OK;
}
