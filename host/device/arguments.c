#include "device/arguments.h"

/* ---- Views ---- */

pl_status pl__need(const pl__call *c, const char *argument, pl_view v, size_t rows, size_t columns, pl_dtype dtype)
{
    if (!v.buffer) return pl_fail(PL_E_INTERNAL, "%s: %s is missing", c->op, argument);
    if (v.dtype != dtype) {
        return pl_fail(PL_E_INTERNAL, "%s: %s is %s, expected %s", c->op, argument, pl_dtype_name(v.dtype),
                       pl_dtype_name(dtype));
    }
    if (v.rows < rows || v.columns < columns || (v.rows > 1 && v.stride < v.columns)) {
        return pl_fail(PL_E_INTERNAL, "%s: %s is [%zu, %zu] with rows %zu apart, expected at least [%zu, %zu]", c->op,
                       argument, v.rows, v.columns, v.stride, rows, columns);
    }
    size_t limit = c->ops->buffer_bytes(v.buffer) / pl_dtype_bytes(dtype), end;
    if (!rows || !columns) return PL_OK;
    if (__builtin_mul_overflow(rows - 1, v.stride, &end) || __builtin_add_overflow(end, v.offset, &end) ||
        __builtin_add_overflow(end, columns, &end) || end > limit) {
        return pl_fail(PL_E_INTERNAL, "%s: %s ends outside its buffer of %zu elements", c->op, argument, limit);
    }
    return PL_OK;
}

pl_status pl__may(const pl__call *c, const char *argument, pl_view v, size_t rows, size_t columns, pl_dtype dtype)
{
    return v.buffer ? pl__need(c, argument, v, rows, columns, dtype) : PL_OK;
}

pl_status pl__need_whole(const pl__call *c, const char *argument, pl_view v)
{
    return pl__need(c, argument, v, v.rows, v.columns, v.dtype);
}

bool pl__is_half(pl_dtype dtype)
{
    return dtype == PL_BF16 || dtype == PL_F16;
}

pl_dtype pl__activation_type_of(const pl__call *c, pl_view v)
{
    return c->ops->halves && pl__is_half(v.dtype) ? v.dtype : PL_F32;
}

pl_dtype pl__activations_of(const pl__call *c, pl_dtype compute)
{
    return pl_activation_type(c->ops, compute);
}

size_t pl__least_rows(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- Batches, masks, workspaces ---- */

pl_status pl__need_counts(const pl__call *c, pl_view counts, pl_count which)
{
    if (which >= PL_COUNTS) return pl_fail(PL_E_INTERNAL, "%s: count %d does not exist", c->op, (int)which);
    return pl__need(c, "counts", counts, 1, (size_t)which + 1, PL_I32);
}

pl_status pl__need_batch(const pl__call *c, const pl_batch *batch, pl_count which)
{
    if (!batch) return pl_fail(PL_E_INTERNAL, "%s: no batch is given", c->op);
    return pl__need_counts(c, batch->counts, which);
}

pl_status pl__need_mask(const pl__call *c, const pl_dropout *d, size_t n_rows)
{
    if (d->probability == 0.0f) return PL_OK;
    if (!(d->probability > 0.0f && d->probability < 1.0f))
        return pl_fail(PL_E_INTERNAL, "%s: dropout of %g, expected 0 <= probability < 1", c->op,
                       (double)d->probability);
    PL_TRY(pl__need(c, "dropout key", d->key, 1, 3, PL_I32));
    return pl__need(c, "dropout examples", d->examples, 1, n_rows, PL_I32);
}

pl_status pl__need_attention_mask(const pl__call *c, const pl_dropout *d, size_t n_rows, size_t n_heads)
{
    if (d->probability != 0.0f && n_heads > 4096)
        return pl_fail(PL_E_INTERNAL, "%s: dropout over %zu heads, expected at most 4096", c->op, n_heads);
    return pl__need_mask(c, d, n_rows);
}

pl_status pl__need_workspace(const pl__call *c, pl_view workspace, size_t bytes)
{
    enum { ALIGNMENT = 16 };
    if (!bytes) return PL_OK;
    PL_TRY(pl__need(c, "workspace", workspace, 1, bytes, PL_U8));
    if (workspace.offset % ALIGNMENT)
        return pl_fail(PL_E_INTERNAL, "%s: workspace is not aligned to %d bytes", c->op, (int)ALIGNMENT);
    return PL_OK;
}
