/* Counts, ids and pages of a batch, which the CPU can look at: a wrong one is an error with a name instead of a read or
 * write outside a buffer. Views have been checked (host/device/arguments.h). */
#include "device/cpu/cpu.h"

pl_status pl__read_count(const char *op, size_t *out, pl_view counts, pl_count which, size_t limit)
{
    int32_t n = pl__i32(counts, 0)[which];
    if (n < 0 || (size_t)n > limit) {
        return pl_fail(PL_E_INTERNAL, "%s: count %d is %d, expected 0 to %zu", op, (int)which, (int)n, limit);
    }
    *out = (size_t)n;
    return PL_OK;
}

pl_status pl__check_ids(const char *op, const char *argument, pl_view ids, size_t n, size_t limit)
{
    const int32_t *id = pl__i32(ids, 0);
    for (size_t i = 0; i < n; i++) {
        if (id[i] < 0 || (size_t)id[i] >= limit) {
            return pl_fail(PL_E_INTERNAL, "%s: %s[%zu] is %d, expected 0 to %zu", op, argument, i, (int)id[i],
                           limit ? limit - 1 : 0);
        }
    }
    return PL_OK;
}

/* Pages that rows first..first + n of one run may touch: all from position 0 to its last. */
static pl_status check_run(const char *op, const pl_batch *batch, size_t run, size_t n_pages)
{
    size_t first = (size_t)pl__i32(batch->runs, run)[0], n = (size_t)pl__i32(batch->runs, run)[1];
    size_t path = (size_t)pl__i32(batch->paths, 0)[first], position = (size_t)pl__i32(batch->positions, 0)[first];
    size_t pages = (position + n - 1) / PL_PAGE + 1;
    if (path >= batch->page_table.rows || pages > batch->page_table.columns) {
        return pl_fail(PL_E_INTERNAL, "%s: run %zu needs path %zu and %zu pages, the page table is [%zu, %zu]", op, run,
                       path, pages, batch->page_table.rows, batch->page_table.columns);
    }
    const int32_t *table = pl__i32(batch->page_table, path);
    for (size_t p = 0; p < pages; p++) {
        if (table[p] < 0 || (size_t)table[p] >= n_pages) {
            return pl_fail(PL_E_INTERNAL, "%s: page %zu of path %zu is %d, expected 0 to %zu", op, p, path,
                           (int)table[p], n_pages - 1);
        }
    }
    return PL_OK;
}

pl_status pl__check_runs(const char *op, size_t *n_runs, const pl_batch *batch, size_t n_rows, size_t n_pages)
{
    PL_TRY(pl__read_count(op, n_runs, batch->counts, PL_COUNT_RUNS, batch->runs.rows));
    PL_TRY(pl__check_ids(op, "positions", batch->positions, n_rows, INT32_MAX));
    PL_TRY(pl__check_ids(op, "paths", batch->paths, n_rows, INT32_MAX));
    size_t next = 0;
    for (size_t i = 0; i < *n_runs; i++) {
        const int32_t *run = pl__i32(batch->runs, i);
        if (run[0] < 0 || run[1] < 1 || (size_t)run[0] < next || (size_t)run[0] + (size_t)run[1] > n_rows) {
            return pl_fail(PL_E_INTERNAL, "%s: run %zu is rows %d..+%d, expected runs in order within %zu rows", op, i,
                           (int)run[0], (int)run[1], n_rows);
        }
        next = (size_t)run[0] + (size_t)run[1];
        PL_TRY(check_run(op, batch, i, n_pages));
    }
    return PL_OK;
}
