/* y[slots[i]] = x[rows[i]]. */
#include <string.h>

#include "device/cpu/cpu.h"

pl_status pl__gather(pl_stream *stream, const pl_gather_args *args)
{
    size_t n, C = args->x.columns;
    PL_TRY(pl__read_count("gather", &n, args->counts, args->count, args->rows.columns));
    PL_TRY(pl__check_ids("gather", "rows", args->rows, n, args->x.rows));
    if (args->slots.buffer) PL_TRY(pl__check_ids("gather", "slots", args->slots, n, args->y.rows));
    const int32_t *rows = pl__i32(args->rows, 0), *slots = args->slots.buffer ? pl__i32(args->slots, 0) : NULL;
#pragma omp parallel for num_threads(pl__threads(stream, n *C)) schedule(static)
    for (size_t i = 0; i < n; i++) {
        memcpy(pl__f32(args->y, slots ? (size_t)slots[i] : i), pl__f32(args->x, (size_t)rows[i]), C * sizeof(float));
    }
    return PL_OK;
}
