/* y[slot] += row after row of its ranges, one addition after another in the order of the ranges, so that a sum that is
 * spread over several batches has the same bits. Slots are work items. */
#include "device/cpu/cpu.h"

static pl_status check(const pl_pool_args *a, size_t *n)
{
    int32_t count = pl__i32(a->n_slots, 0)[0];
    if (count < 0 || (size_t)count > a->slots.columns) {
        return pl_fail(PL_E_INTERNAL, "pool: n_slots is %d, expected 0 to %zu", (int)count, a->slots.columns);
    }
    *n = (size_t)count;
    PL_TRY(pl__check_ids("pool", "slots", a->slots, *n, a->y.rows));
    const int32_t *indptr = pl__i32(a->indptr, 0);
    for (size_t i = 0; i < *n; i++) {
        if (indptr[0] != 0 || indptr[i + 1] < indptr[i]) return pl_fail(PL_E_INTERNAL, "pool: indptr is not in order");
    }
    size_t m = *n ? (size_t)indptr[*n] : 0;
    const size_t n_ranges = a->ranges.buffer ? a->ranges.rows : 0;
    if (m > n_ranges) return pl_fail(PL_E_INTERNAL, "pool: indptr ends at %zu of %zu ranges", m, n_ranges);
    for (size_t j = 0; j < m; j++) {
        const int32_t *range = pl__i32(a->ranges, j);
        if (range[0] < 0 || range[1] < 0 || (size_t)range[0] + (size_t)range[1] > a->x.rows) {
            return pl_fail(PL_E_INTERNAL, "pool: range %zu is rows %d..+%d of %zu", j, (int)range[0], (int)range[1],
                           a->x.rows);
        }
    }
    return PL_OK;
}

pl_status pl__pool(pl_stream *stream, const pl_pool_args *args)
{
    size_t n, C = args->x.columns;
    PL_TRY(check(args, &n));
    if (!n) return PL_OK;
    const int32_t *slots = pl__i32(args->slots, 0), *indptr = pl__i32(args->indptr, 0);
#pragma omp parallel for num_threads(stream->device->n_threads) schedule(dynamic)
    for (size_t i = 0; i < n; i++) {
        float *y = pl__f32(args->y, (size_t)slots[i]);
        for (int32_t j = indptr[i]; j < indptr[i + 1]; j++) {
            const int32_t *range = pl__i32(args->ranges, (size_t)j);
            for (int32_t k = 0; k < range[1]; k++) {
                const float *x = pl__f32(args->x, (size_t)range[0] + (size_t)k);
                for (size_t c = 0; c < C; c++) y[c] += x[c];
            }
        }
    }
    return PL_OK;
}
