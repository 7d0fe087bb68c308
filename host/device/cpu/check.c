/* Argument checks of the ops: cheap (no pass over numbers), and enough that a wrong argument is an error with a name
 * instead of a write outside a buffer. */
#include "device/cpu/cpu.h"

pl_status pl__check_view(const char *op, const char *argument, pl_view v, size_t rows, size_t columns, pl_dtype dtype)
{
    if (!v.buffer) return pl_fail(PL_E_INTERNAL, "%s: %s is missing", op, argument);
    if (v.dtype != dtype) {
        return pl_fail(PL_E_INTERNAL, "%s: %s is %s, expected %s", op, argument, pl_dtype_name(v.dtype),
                       pl_dtype_name(dtype));
    }
    if (v.rows < rows || v.columns < columns || (v.rows > 1 && v.stride < v.columns)) {
        return pl_fail(PL_E_INTERNAL, "%s: %s is [%zu, %zu] with rows %zu apart, expected at least [%zu, %zu]", op,
                       argument, v.rows, v.columns, v.stride, rows, columns);
    }
    size_t limit = v.buffer->bytes / pl_dtype_bytes(dtype), span;
    if (!rows || !columns) return PL_OK;
    if (__builtin_mul_overflow(rows - 1, v.stride, &span) || __builtin_add_overflow(span, v.offset, &span) ||
        __builtin_add_overflow(span, columns, &span) || span > limit) {
        return pl_fail(PL_E_INTERNAL, "%s: %s ends outside its buffer of %zu elements", op, argument, limit);
    }
    return PL_OK;
}

pl_status pl__check_optional(const char *op, const char *argument, pl_view v, size_t rows, size_t columns,
                             pl_dtype dtype)
{
    return v.buffer ? pl__check_view(op, argument, v, rows, columns, dtype) : PL_OK;
}

pl_status pl__check_count(const char *op, size_t *out, pl_view counts, pl_count which, size_t limit)
{
    if (which >= PL_COUNTS) return pl_fail(PL_E_INTERNAL, "%s: count %d does not exist", op, (int)which);
    PL_TRY(pl__check_view(op, "counts", counts, 1, (size_t)which + 1, PL_I32));
    int32_t n = pl__i32(counts, 0)[which];
    if (n < 0 || (size_t)n > limit) {
        return pl_fail(PL_E_INTERNAL, "%s: count %d is %d, expected 0 to %zu", op, (int)which, (int)n, limit);
    }
    *out = (size_t)n;
    return PL_OK;
}

pl_status pl__check_ids(const char *op, const char *argument, pl_view ids, size_t n, size_t limit)
{
    PL_TRY(pl__check_view(op, argument, ids, 1, n, PL_I32));
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
    PL_TRY(pl__check_view(op, "page_table", batch->page_table, path + 1, pages, PL_I32));
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
    PL_TRY(pl__check_count(op, n_runs, batch->counts, PL_COUNT_RUNS, batch->runs.rows));
    PL_TRY(pl__check_view(op, "runs", batch->runs, *n_runs, 2, PL_I32));
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
