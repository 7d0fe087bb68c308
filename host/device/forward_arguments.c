/* The checks of the forward ops' arguments. */
#include "device/arguments.h"

/* The type that a table of a checkpoint must have: its own where that is a float type. */
static pl_dtype table_type(pl_view v)
{
    return pl__is_half(v.dtype) ? v.dtype : PL_F32;
}

/* Tokens' positions and paths, runs and page table, of up to n_rows rows. */
static pl_status need_runs(const pl__call *c, const pl_batch *batch, size_t n_rows)
{
    PL_TRY(pl__need_counts(c, batch->counts, PL_COUNT_RUNS));
    PL_TRY(pl__need(c, "positions", batch->positions, 1, n_rows, PL_I32));
    PL_TRY(pl__need(c, "paths", batch->paths, 1, n_rows, PL_I32));
    PL_TRY(pl__need(c, "runs", batch->runs, batch->runs.rows, 2, PL_I32));
    const pl_view table = batch->page_table;
    return pl__need(c, "page_table", table, table.rows, table.columns, PL_I32);
}

static pl_status need_layer(const pl__call *c, const pl_kv *kv, size_t layer, pl_kv_shape *shape)
{
    if (!kv) return pl_fail(PL_E_INTERNAL, "%s: no pages are given", c->op);
    *shape = c->ops->kv_shape(kv);
    if (layer >= shape->n_layers) return pl_fail(PL_E_INTERNAL, "%s: layer %zu of %zu", c->op, layer, shape->n_layers);
    return PL_OK;
}

pl_status pl__check_embed(const pl__call *c, const pl_embed_args *a)
{
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_TOKENS));
    const size_t C = a->x.columns, rows = pl__least_rows(a->x.rows, a->batch->tokens.columns);
    PL_TRY(pl__need(c, "x", a->x, rows, C, PL_F32));
    PL_TRY(pl__need(c, "tokens", a->batch->tokens, 1, rows, PL_I32));
    PL_TRY(pl__need(c, "table", a->table, a->table.rows, C, table_type(a->table)));
    if (!a->position_table.buffer) return PL_OK;
    PL_TRY(pl__need(c, "position_table", a->position_table, a->position_table.rows, C, table_type(a->position_table)));
    if (a->position_offset > a->position_table.rows) {
        return pl_fail(PL_E_INTERNAL, "embed: position_offset %zu is past the table's %zu rows", a->position_offset,
                       a->position_table.rows);
    }
    return pl__need(c, "positions", a->batch->positions, 1, rows, PL_I32);
}

pl_status pl__check_norm(const pl__call *c, const pl_norm_args *a)
{
    const size_t C = a->x.columns, rows = pl__least_rows(a->x.rows, a->y.rows);
    PL_TRY(pl__need_counts(c, a->counts, a->count));
    PL_TRY(pl__need(c, "x", a->x, rows, C, PL_F32));
    PL_TRY(pl__need(c, "y", a->y, rows, C, a->accumulate ? PL_F32 : pl__activation_type_of(c, a->y)));
    PL_TRY(pl__may(c, "weight", a->weight, 1, C, PL_F32));
    return pl__may(c, "bias", a->bias, 1, C, PL_F32);
}

pl_status pl__check_head_norm(const pl__call *c, const pl_head_norm_args *a)
{
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(pl__need(c, "x", a->x, a->x.rows, a->first_column + a->n_heads * a->head_width,
                    pl__activation_type_of(c, a->x)));
    PL_TRY(pl__may(c, "weight", a->weight, a->weight.rows > 1 ? a->n_heads : 1, a->head_width, PL_F32));
    return pl__may(c, "bias", a->bias, 1, a->head_width, PL_F32);
}

pl_status pl__check_linear(const pl__call *c, const pl_linear_args *a)
{
    if (!a->weight) return pl_fail(PL_E_INTERNAL, "linear: no weight is given");
    const pl_weight_shape w = c->ops->weight_shape(a->weight);
    const pl_dtype storage = pl__activations_of(c, w.compute);
    const size_t rows = pl__least_rows(a->x.rows, a->y.rows);
    PL_TRY(pl__need_counts(c, a->counts, a->count));
    PL_TRY(pl__need(c, "x", a->x, rows, w.n_in, storage));
    PL_TRY(pl__need(c, "y", a->y, rows, w.n_out, a->accumulate ? PL_F32 : storage));
    PL_TRY(pl__may(c, "bias", a->bias, 1, w.n_out, PL_F32));
    if (a->accumulate && a->activation != PL_ACT_NONE)
        return pl_fail(PL_E_INTERNAL, "linear: an activation cannot be added to the residual stream");
    PL_TRY(pl__may(c, "pre", a->pre, rows, w.n_out, storage));
    if (a->dropout.probability == 0.0f) return PL_OK;
    if (!a->accumulate) return pl_fail(PL_E_INTERNAL, "linear: dropout is of what is added to the residual stream");
    PL_TRY(pl__need(c, "positions", a->positions, 1, rows, PL_I32));
    return pl__need_mask(c, &a->dropout, rows);
}

pl_status pl__check_gate(const pl__call *c, const pl_gate_args *a)
{
    const size_t F = a->y.columns, rows = pl__least_rows(a->x.rows, a->y.rows);
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(pl__need(c, "y", a->y, rows, F, pl__activation_type_of(c, a->y)));
    return pl__need(c, "x", a->x, rows, 2 * F, a->y.dtype);
}

pl_status pl__check_rotary(const pl__call *c, const pl_rotary_args *a)
{
    const size_t D = a->head_width, n_rows = pl__least_rows(a->cosine.rows, a->sine.rows);
    if (a->width % 2 || a->width > D) {
        return pl_fail(PL_E_INTERNAL, "rotary: width %zu, expected an even number up to the head width %zu", a->width,
                       D);
    }
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_TOKENS));
    const size_t rows = pl__least_rows(a->qkv.rows, a->batch->positions.columns);
    PL_TRY(pl__need(c, "qkv", a->qkv, rows, (a->n_heads + 2 * a->n_kv_heads) * D, pl__activation_type_of(c, a->qkv)));
    PL_TRY(pl__need(c, "cosine", a->cosine, n_rows, a->width / 2, PL_F32));
    PL_TRY(pl__need(c, "sine", a->sine, n_rows, a->width / 2, PL_F32));
    PL_TRY(pl__may(c, "turns", a->batch->turns, 1, rows, PL_I32));
    return pl__need(c, "positions", a->batch->positions, 1, rows, PL_I32);
}

pl_status pl__check_kv_copy(const pl__call *c, const pl_kv_copy_args *a)
{
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_COPIES));
    if (!a->kv) return pl_fail(PL_E_INTERNAL, "kv_copy: no pages are given");
    return pl__may(c, "copies", a->batch->copies, a->batch->copies.rows, 2, PL_I32);
}

pl_status pl__check_kv_write(const pl__call *c, const pl_kv_write_args *a)
{
    pl_kv_shape kv;
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(need_layer(c, a->kv, a->layer, &kv));
    const size_t columns = a->qkv.columns, own = 2 * kv.n_kv_heads * kv.head_width;
    if (columns <= own || columns % kv.head_width) {
        return pl_fail(PL_E_INTERNAL, "kv_write: qkv has %zu columns, expected queries before %zu of keys and values",
                       columns, own);
    }
    const size_t rows = pl__least_rows(a->qkv.rows, a->batch->positions.columns);
    PL_TRY(pl__need(c, "qkv", a->qkv, rows, columns, kv.dtype));
    return need_runs(c, a->batch, rows);
}

pl_status pl__check_attention(const pl__call *c, const pl_attention_args *a)
{
    pl_kv_shape kv;
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(need_layer(c, a->kv, a->layer, &kv));
    if (!a->n_heads || !kv.n_kv_heads || a->n_heads % kv.n_kv_heads) {
        return pl_fail(PL_E_INTERNAL, "attention: %zu heads for %zu key/value heads, expected a multiple", a->n_heads,
                       kv.n_kv_heads);
    }
    const size_t width = a->n_heads * kv.head_width;
    const size_t rows = pl__least_rows(pl__least_rows(a->qkv.rows, a->y.rows), a->batch->positions.columns);
    PL_TRY(pl__need(c, "qkv", a->qkv, rows, width, kv.dtype));
    PL_TRY(pl__need(c, "y", a->y, rows, width, kv.dtype));
    PL_TRY(pl__may(c, "alibi", a->alibi, 1, a->n_heads, PL_F32));
    PL_TRY(pl__may(c, "lse", a->lse, rows, a->n_heads, PL_F32));
    PL_TRY(pl__need_attention_mask(c, &a->dropout, rows, a->n_heads));
    return need_runs(c, a->batch, rows);
}

pl_status pl__check_gather(const pl__call *c, const pl_gather_args *a)
{
    const size_t n = a->rows.columns, C = a->x.columns;
    PL_TRY(pl__need_counts(c, a->counts, a->count));
    PL_TRY(pl__need(c, "rows", a->rows, 1, n, PL_I32));
    PL_TRY(pl__may(c, "slots", a->slots, 1, n, PL_I32));
    PL_TRY(pl__need(c, "x", a->x, a->x.rows, C, PL_F32));
    return pl__need(c, "y", a->y, a->slots.buffer ? a->y.rows : n, C, PL_F32);
}

pl_status pl__check_pool(const pl__call *c, const pl_pool_args *a)
{
    const size_t n = a->slots.columns, C = a->x.columns;
    PL_TRY(pl__need(c, "n_slots", a->n_slots, 1, 1, PL_I32));
    PL_TRY(pl__need(c, "slots", a->slots, 1, n, PL_I32));
    PL_TRY(pl__need(c, "indptr", a->indptr, 1, n + 1, PL_I32));
    PL_TRY(pl__need(c, "x", a->x, a->x.rows, C, PL_F32));
    PL_TRY(pl__need(c, "y", a->y, a->y.rows, C, PL_F32));
    return pl__may(c, "ranges", a->ranges, a->ranges.rows, 2, PL_I32);
}

static pl_status check_targets(const pl__call *c, const pl_score_args *a)
{
    const size_t n = a->target_rows.columns;
    if (!n) return PL_OK;
    PL_TRY(pl__need(c, "target_rows", a->target_rows, 1, n, PL_I32));
    PL_TRY(pl__need(c, "target_tokens", a->target_tokens, 1, n, PL_I32));
    PL_TRY(pl__need(c, "log_probability", a->log_probability, 1, n, PL_F32));
    return pl__may(c, "target_greedy", a->target_greedy, 1, n, PL_I32);
}

pl_status pl__check_score(const pl__call *c, const pl_score_args *a)
{
    if (!a->weight) return pl_fail(PL_E_INTERNAL, "score: no weight is given");
    const pl_weight_shape w = c->ops->weight_shape(a->weight);
    const size_t rows = a->x.rows, V = w.n_out;
    PL_TRY(pl__need_counts(c, a->counts, PL_COUNT_ROWS));
    PL_TRY(pl__need_counts(c, a->counts, PL_COUNT_TARGETS));
    PL_TRY(pl__need(c, "x", a->x, rows, w.n_in, pl__activations_of(c, w.compute)));
    PL_TRY(pl__may(c, "bias", a->bias, 1, V, PL_F32));
    PL_TRY(pl__may(c, "greedy", a->greedy, 1, rows, PL_I32));
    PL_TRY(pl__may(c, "logits", a->logits, rows, V, PL_F32));
    PL_TRY(check_targets(c, a));
    return pl__need_workspace(c, a->workspace, c->ops->score_workspace_bytes(rows, V));
}

pl_status pl__check_copy(const pl__call *c, const pl_copy_args *a)
{
    PL_TRY(pl__need(c, "from", a->from, a->to.rows, a->to.columns, a->to.dtype));
    return pl__need(c, "to", a->to, a->from.rows, a->from.columns, a->from.dtype);
}

pl_status pl__check_convert(const pl__call *c, const pl_convert_args *a)
{
    const pl_dtype x = a->x.dtype, y = a->y.dtype;
    if ((x != PL_F32 && !pl__is_half(x)) || (y != PL_F32 && !pl__is_half(y))) {
        return pl_fail(PL_E_INTERNAL, "convert: %s to %s, expected float types", pl_dtype_name(x), pl_dtype_name(y));
    }
    PL_TRY(pl__need(c, "x", a->x, a->x.rows, a->x.columns, x));
    PL_TRY(pl__need(c, "y", a->y, a->x.rows, a->x.columns, y));
    return pl__may(c, "overflow", a->overflow, 1, 1, PL_I32);
}
