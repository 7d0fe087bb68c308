/* The checks of arguments, once for every backend, and the calls that come after them.
 *
 * Shapes, types and that views end inside their buffers: what depends on the arguments alone. What is in the device's
 * memory (counts, ids, pages) is not looked at, because that would make the host wait for the device; the CPU backend
 * looks at it itself. A check costs no pass over numbers, and makes a wrong argument an error with a name instead of a
 * write outside a buffer: PL_E_INTERNAL, because the program's own code is wrong when one fails. */
#include <stdbool.h>

#include "device/device.h"

/* A call under check: the backend that has the buffers, and the op's name for the error. */
typedef struct call {
    const pl_backend *ops;
    const char *op;
} call;

/* ---- Views ---- */

static pl_status need(const call *c, const char *argument, pl_view v, size_t rows, size_t columns, pl_dtype dtype)
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

static pl_status may(const call *c, const char *argument, pl_view v, size_t rows, size_t columns, pl_dtype dtype)
{
    return v.buffer ? need(c, argument, v, rows, columns, dtype) : PL_OK;
}

static pl_status need_whole(const call *c, const char *argument, pl_view v)
{
    return need(c, argument, v, v.rows, v.columns, v.dtype);
}

static bool is_half(pl_dtype dtype)
{
    return dtype == PL_BF16 || dtype == PL_F16;
}

/* The type that a table of a checkpoint must have: its own where that is a float type. */
static pl_dtype table_type(pl_view v)
{
    return is_half(v.dtype) ? v.dtype : PL_F32;
}

/* The same of activations, which a backend may keep in float32 alone. */
static pl_dtype activation_type(const call *c, pl_view v)
{
    return c->ops->halves && is_half(v.dtype) ? v.dtype : PL_F32;
}

/* The type of activations beside weights of a compute type. */
static pl_dtype activations_of(const call *c, pl_dtype compute)
{
    return pl_activation_type(c->ops, compute);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- Batches ---- */

static pl_status need_counts(const call *c, pl_view counts, pl_count which)
{
    if (which >= PL_COUNTS) return pl_fail(PL_E_INTERNAL, "%s: count %d does not exist", c->op, (int)which);
    return need(c, "counts", counts, 1, (size_t)which + 1, PL_I32);
}

static pl_status need_batch(const call *c, const pl_batch *batch, pl_count which)
{
    if (!batch) return pl_fail(PL_E_INTERNAL, "%s: no batch is given", c->op);
    return need_counts(c, batch->counts, which);
}

/* Tokens' positions and paths, runs and page table, of up to n_rows rows. */
static pl_status need_runs(const call *c, const pl_batch *batch, size_t n_rows)
{
    PL_TRY(need_counts(c, batch->counts, PL_COUNT_RUNS));
    PL_TRY(need(c, "positions", batch->positions, 1, n_rows, PL_I32));
    PL_TRY(need(c, "paths", batch->paths, 1, n_rows, PL_I32));
    PL_TRY(need(c, "runs", batch->runs, batch->runs.rows, 2, PL_I32));
    const pl_view table = batch->page_table;
    return need(c, "page_table", table, table.rows, table.columns, PL_I32);
}

static pl_status need_layer(const call *c, const pl_kv *kv, size_t layer, pl_kv_shape *shape)
{
    if (!kv) return pl_fail(PL_E_INTERNAL, "%s: no pages are given", c->op);
    *shape = c->ops->kv_shape(kv);
    if (layer >= shape->n_layers) return pl_fail(PL_E_INTERNAL, "%s: layer %zu of %zu", c->op, layer, shape->n_layers);
    return PL_OK;
}

/* ---- The ops: check_<op> ---- */

static pl_status check_embed(const call *c, const pl_embed_args *a)
{
    PL_TRY(need_batch(c, a->batch, PL_COUNT_TOKENS));
    const size_t C = a->x.columns, rows = least(a->x.rows, a->batch->tokens.columns);
    PL_TRY(need(c, "x", a->x, rows, C, PL_F32));
    PL_TRY(need(c, "tokens", a->batch->tokens, 1, rows, PL_I32));
    PL_TRY(need(c, "table", a->table, a->table.rows, C, table_type(a->table)));
    if (!a->position_table.buffer) return PL_OK;
    PL_TRY(need(c, "position_table", a->position_table, a->position_table.rows, C, table_type(a->position_table)));
    if (a->position_offset > a->position_table.rows) {
        return pl_fail(PL_E_INTERNAL, "embed: position_offset %zu is past the table's %zu rows", a->position_offset,
                       a->position_table.rows);
    }
    return need(c, "positions", a->batch->positions, 1, rows, PL_I32);
}

static pl_status check_norm(const call *c, const pl_norm_args *a)
{
    const size_t C = a->x.columns, rows = least(a->x.rows, a->y.rows);
    PL_TRY(need_counts(c, a->counts, a->count));
    PL_TRY(need(c, "x", a->x, rows, C, PL_F32));
    PL_TRY(need(c, "y", a->y, rows, C, activation_type(c, a->y)));
    PL_TRY(may(c, "weight", a->weight, 1, C, PL_F32));
    return may(c, "bias", a->bias, 1, C, PL_F32);
}

static pl_status check_head_norm(const call *c, const pl_head_norm_args *a)
{
    PL_TRY(need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(need(c, "x", a->x, a->x.rows, a->first_column + a->n_heads * a->head_width, activation_type(c, a->x)));
    return may(c, "weight", a->weight, 1, a->head_width, PL_F32);
}

/* A mask's key and the examples of up to n_rows rows. */
static pl_status check_mask(const call *c, const pl_dropout *d, size_t n_rows)
{
    if (d->probability == 0.0f) return PL_OK;
    if (!(d->probability > 0.0f && d->probability < 1.0f))
        return pl_fail(PL_E_INTERNAL, "%s: dropout of %g, expected 0 <= probability < 1", c->op,
                       (double)d->probability);
    PL_TRY(need(c, "dropout key", d->key, 1, 3, PL_I32));
    return need(c, "dropout examples", d->examples, 1, n_rows, PL_I32);
}

static pl_status check_linear(const call *c, const pl_linear_args *a)
{
    if (!a->weight) return pl_fail(PL_E_INTERNAL, "linear: no weight is given");
    const pl_weight_shape w = c->ops->weight_shape(a->weight);
    const pl_dtype storage = activations_of(c, w.compute);
    const size_t rows = least(a->x.rows, a->y.rows);
    PL_TRY(need_counts(c, a->counts, a->count));
    PL_TRY(need(c, "x", a->x, rows, w.n_in, storage));
    PL_TRY(need(c, "y", a->y, rows, w.n_out, a->accumulate ? PL_F32 : storage));
    PL_TRY(may(c, "bias", a->bias, 1, w.n_out, PL_F32));
    if (a->accumulate && a->activation != PL_ACT_NONE)
        return pl_fail(PL_E_INTERNAL, "linear: an activation cannot be added to the residual stream");
    PL_TRY(may(c, "pre", a->pre, rows, w.n_out, storage));
    if (a->dropout.probability == 0.0f) return PL_OK;
    if (!a->accumulate) return pl_fail(PL_E_INTERNAL, "linear: dropout is of what is added to the residual stream");
    PL_TRY(need(c, "positions", a->positions, 1, rows, PL_I32));
    return check_mask(c, &a->dropout, rows);
}

static pl_status check_gate(const call *c, const pl_gate_args *a)
{
    const size_t F = a->y.columns, rows = least(a->x.rows, a->y.rows);
    PL_TRY(need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(need(c, "y", a->y, rows, F, activation_type(c, a->y)));
    return need(c, "x", a->x, rows, 2 * F, a->y.dtype);
}

static pl_status check_rotary(const call *c, const pl_rotary_args *a)
{
    const size_t D = a->head_width, n_positions = least(a->cosine.rows, a->sine.rows);
    if (a->width % 2 || a->width > D) {
        return pl_fail(PL_E_INTERNAL, "rotary: width %zu, expected an even number up to the head width %zu", a->width,
                       D);
    }
    PL_TRY(need_batch(c, a->batch, PL_COUNT_TOKENS));
    const size_t rows = least(a->qkv.rows, a->batch->positions.columns);
    PL_TRY(need(c, "qkv", a->qkv, rows, (a->n_heads + 2 * a->n_kv_heads) * D, activation_type(c, a->qkv)));
    PL_TRY(need(c, "cosine", a->cosine, n_positions, a->width / 2, PL_F32));
    PL_TRY(need(c, "sine", a->sine, n_positions, a->width / 2, PL_F32));
    return need(c, "positions", a->batch->positions, 1, rows, PL_I32);
}

static pl_status check_kv_copy(const call *c, const pl_kv_copy_args *a)
{
    PL_TRY(need_batch(c, a->batch, PL_COUNT_COPIES));
    if (!a->kv) return pl_fail(PL_E_INTERNAL, "kv_copy: no pages are given");
    return may(c, "copies", a->batch->copies, a->batch->copies.rows, 2, PL_I32);
}

static pl_status check_kv_write(const call *c, const pl_kv_write_args *a)
{
    pl_kv_shape kv;
    PL_TRY(need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(need_layer(c, a->kv, a->layer, &kv));
    const size_t columns = a->qkv.columns, own = 2 * kv.n_kv_heads * kv.head_width;
    if (columns <= own || columns % kv.head_width) {
        return pl_fail(PL_E_INTERNAL, "kv_write: qkv has %zu columns, expected queries before %zu of keys and values",
                       columns, own);
    }
    const size_t rows = least(a->qkv.rows, a->batch->positions.columns);
    PL_TRY(need(c, "qkv", a->qkv, rows, columns, kv.dtype));
    return need_runs(c, a->batch, rows);
}

/* A channel of attention's mask is head << 20 | key. */
static pl_status check_attention_mask(const call *c, const pl_dropout *d, size_t n_rows, size_t n_heads)
{
    if (d->probability != 0.0f && n_heads > 4096)
        return pl_fail(PL_E_INTERNAL, "%s: dropout over %zu heads, expected at most 4096", c->op, n_heads);
    return check_mask(c, d, n_rows);
}

static pl_status check_attention(const call *c, const pl_attention_args *a)
{
    pl_kv_shape kv;
    PL_TRY(need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(need_layer(c, a->kv, a->layer, &kv));
    if (!a->n_heads || !kv.n_kv_heads || a->n_heads % kv.n_kv_heads) {
        return pl_fail(PL_E_INTERNAL, "attention: %zu heads for %zu key/value heads, expected a multiple", a->n_heads,
                       kv.n_kv_heads);
    }
    const size_t width = a->n_heads * kv.head_width;
    const size_t rows = least(least(a->qkv.rows, a->y.rows), a->batch->positions.columns);
    PL_TRY(need(c, "qkv", a->qkv, rows, width, kv.dtype));
    PL_TRY(need(c, "y", a->y, rows, width, kv.dtype));
    PL_TRY(may(c, "alibi", a->alibi, 1, a->n_heads, PL_F32));
    PL_TRY(may(c, "lse", a->lse, rows, a->n_heads, PL_F32));
    PL_TRY(check_attention_mask(c, &a->dropout, rows, a->n_heads));
    return need_runs(c, a->batch, rows);
}

static pl_status check_gather(const call *c, const pl_gather_args *a)
{
    const size_t n = a->rows.columns, C = a->x.columns;
    PL_TRY(need_counts(c, a->counts, a->count));
    PL_TRY(need(c, "rows", a->rows, 1, n, PL_I32));
    PL_TRY(may(c, "slots", a->slots, 1, n, PL_I32));
    PL_TRY(need(c, "x", a->x, a->x.rows, C, PL_F32));
    return need(c, "y", a->y, a->slots.buffer ? a->y.rows : n, C, PL_F32);
}

static pl_status check_pool(const call *c, const pl_pool_args *a)
{
    const size_t n = a->slots.columns, C = a->x.columns;
    PL_TRY(need(c, "n_slots", a->n_slots, 1, 1, PL_I32));
    PL_TRY(need(c, "slots", a->slots, 1, n, PL_I32));
    PL_TRY(need(c, "indptr", a->indptr, 1, n + 1, PL_I32));
    PL_TRY(need(c, "x", a->x, a->x.rows, C, PL_F32));
    PL_TRY(need(c, "y", a->y, a->y.rows, C, PL_F32));
    return may(c, "ranges", a->ranges, a->ranges.rows, 2, PL_I32);
}

static pl_status check_targets(const call *c, const pl_score_args *a)
{
    const size_t n = a->target_rows.columns;
    if (!n) return PL_OK;
    PL_TRY(need(c, "target_rows", a->target_rows, 1, n, PL_I32));
    PL_TRY(need(c, "target_tokens", a->target_tokens, 1, n, PL_I32));
    PL_TRY(need(c, "log_probability", a->log_probability, 1, n, PL_F32));
    return may(c, "target_greedy", a->target_greedy, 1, n, PL_I32);
}

static pl_status need_workspace(const call *c, pl_view workspace, size_t bytes)
{
    enum { ALIGNMENT = 16 };
    if (!bytes) return PL_OK;
    PL_TRY(need(c, "workspace", workspace, 1, bytes, PL_U8));
    if (workspace.offset % ALIGNMENT)
        return pl_fail(PL_E_INTERNAL, "%s: workspace is not aligned to %d bytes", c->op, (int)ALIGNMENT);
    return PL_OK;
}

static pl_status check_score(const call *c, const pl_score_args *a)
{
    if (!a->weight) return pl_fail(PL_E_INTERNAL, "score: no weight is given");
    const pl_weight_shape w = c->ops->weight_shape(a->weight);
    const size_t rows = a->x.rows, V = w.n_out;
    PL_TRY(need_counts(c, a->counts, PL_COUNT_ROWS));
    PL_TRY(need_counts(c, a->counts, PL_COUNT_TARGETS));
    PL_TRY(need(c, "x", a->x, rows, w.n_in, activations_of(c, w.compute)));
    PL_TRY(may(c, "bias", a->bias, 1, V, PL_F32));
    PL_TRY(may(c, "greedy", a->greedy, 1, rows, PL_I32));
    PL_TRY(may(c, "logits", a->logits, rows, V, PL_F32));
    PL_TRY(check_targets(c, a));
    return need_workspace(c, a->workspace, c->ops->score_workspace_bytes(rows, V));
}

static pl_status check_copy(const call *c, const pl_copy_args *a)
{
    PL_TRY(need(c, "from", a->from, a->to.rows, a->to.columns, a->to.dtype));
    return need(c, "to", a->to, a->from.rows, a->from.columns, a->from.dtype);
}

static pl_status check_convert(const call *c, const pl_convert_args *a)
{
    const pl_dtype x = a->x.dtype, y = a->y.dtype;
    if ((x != PL_F32 && !is_half(x)) || (y != PL_F32 && !is_half(y))) {
        return pl_fail(PL_E_INTERNAL, "convert: %s to %s, expected float types", pl_dtype_name(x), pl_dtype_name(y));
    }
    PL_TRY(need(c, "x", a->x, a->x.rows, a->x.columns, x));
    PL_TRY(need(c, "y", a->y, a->x.rows, a->x.columns, y));
    return may(c, "overflow", a->overflow, 1, 1, PL_I32);
}

/* ---- Training ---- */

/* Rows by segment: order and starts of up to n rows. */
static pl_status need_segments(const call *c, pl_view order, pl_view starts, size_t n)
{
    PL_TRY(need(c, "order", order, 1, n, PL_I32));
    return need(c, "starts", starts, 1, n + 1, PL_I32);
}

static pl_status check_embed_backward(const call *c, const pl_embed_backward_args *a)
{
    PL_TRY(need_batch(c, a->batch, PL_COUNT_TOKENS));
    const size_t C = a->dx.columns, rows = least(a->dx.rows, a->batch->tokens.columns);
    PL_TRY(need(c, "dx", a->dx, rows, C, PL_F32));
    PL_TRY(need(c, "tokens", a->batch->tokens, 1, rows, PL_I32));
    PL_TRY(need(c, "dtable", a->dtable, a->dtable.rows, C, PL_F32));
    PL_TRY(need_segments(c, a->order, a->starts, rows));
    if (!a->dposition_table.buffer) return PL_OK;
    if (a->position_offset > a->dposition_table.rows) {
        return pl_fail(PL_E_INTERNAL, "embed_backward: position_offset %zu is past the table's %zu rows",
                       a->position_offset, a->dposition_table.rows);
    }
    PL_TRY(need(c, "dposition_table", a->dposition_table, a->dposition_table.rows, C, PL_F32));
    PL_TRY(need_segments(c, a->position_order, a->position_starts, rows));
    return need(c, "positions", a->batch->positions, 1, rows, PL_I32);
}

static pl_status check_norm_backward(const call *c, const pl_norm_backward_args *a)
{
    const size_t C = a->x.columns, rows = least(least(a->x.rows, a->dx.rows), a->dy.rows);
    PL_TRY(need_counts(c, a->counts, a->count));
    PL_TRY(need(c, "x", a->x, rows, C, PL_F32));
    PL_TRY(need(c, "dy", a->dy, rows, C, activation_type(c, a->dy)));
    PL_TRY(need(c, "dx", a->dx, rows, C, PL_F32));
    PL_TRY(may(c, "weight", a->weight, 1, C, PL_F32));
    PL_TRY(may(c, "dweight", a->dweight, 1, C, PL_F32));
    PL_TRY(may(c, "dbias", a->dbias, 1, C, PL_F32));
    return need_workspace(c, a->workspace, c->ops->norm_backward_workspace_bytes(rows, C));
}

static pl_status check_head_norm_backward(const call *c, const pl_head_norm_backward_args *a)
{
    PL_TRY(need_batch(c, a->batch, PL_COUNT_TOKENS));
    const size_t columns = a->first_column + a->n_heads * a->head_width, rows = least(a->x.rows, a->dy.rows);
    PL_TRY(need(c, "x", a->x, rows, columns, activation_type(c, a->x)));
    PL_TRY(need(c, "dy", a->dy, rows, columns, a->x.dtype));
    PL_TRY(may(c, "weight", a->weight, 1, a->head_width, PL_F32));
    PL_TRY(may(c, "dweight", a->dweight, 1, a->head_width, PL_F32));
    return need_workspace(c, a->workspace, c->ops->head_norm_backward_workspace_bytes(rows, a->n_heads, a->head_width));
}

static pl_status check_linear_backward(const call *c, const pl_linear_backward_args *a)
{
    if (!a->weight) return pl_fail(PL_E_INTERNAL, "linear_backward: no weight is given");
    const pl_weight_shape w = c->ops->weight_shape(a->weight);
    const pl_dtype storage = activations_of(c, w.compute);
    const size_t rows = least(a->x.rows, a->dy.rows);
    PL_TRY(need_counts(c, a->counts, a->count));
    PL_TRY(need(c, "x", a->x, rows, w.n_in, storage));
    PL_TRY(need(c, "dy", a->dy, rows, w.n_out, a->dy.dtype == PL_F32 ? PL_F32 : storage));
    if (a->activation != PL_ACT_NONE) PL_TRY(need(c, "pre", a->pre, rows, w.n_out, storage));
    PL_TRY(may(c, "dx", a->dx, rows, w.n_in, storage));
    PL_TRY(may(c, "dweight", a->dweight, w.n_out, w.n_in, PL_F32));
    PL_TRY(may(c, "dbias", a->dbias, 1, w.n_out, PL_F32));
    if (a->dropout.probability != 0.0f) PL_TRY(need(c, "positions", a->positions, 1, rows, PL_I32));
    PL_TRY(check_mask(c, &a->dropout, rows));
    return need_workspace(c, a->workspace, c->ops->linear_backward_workspace_bytes(rows, w.n_out, w.n_in, w.compute));
}

static pl_status check_gate_backward(const call *c, const pl_gate_backward_args *a)
{
    const size_t F = a->dy.columns, rows = least(least(a->x.rows, a->dy.rows), a->dx.rows);
    PL_TRY(need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(need(c, "dy", a->dy, rows, F, activation_type(c, a->dy)));
    PL_TRY(need(c, "x", a->x, rows, 2 * F, a->dy.dtype));
    return need(c, "dx", a->dx, rows, 2 * F, a->dy.dtype);
}

static pl_status check_rotary_backward(const call *c, const pl_rotary_backward_args *a)
{
    return check_rotary(c, a);
}

static pl_status check_attention_backward(const call *c, const pl_attention_backward_args *a)
{
    const size_t H = a->n_heads, G = a->n_kv_heads, D = a->head_width;
    PL_TRY(need_batch(c, a->batch, PL_COUNT_TOKENS));
    if (!H || !G || H % G)
        return pl_fail(PL_E_INTERNAL, "attention_backward: %zu heads for %zu key/value heads, expected a multiple", H,
                       G);
    const size_t rows = least(least(a->qkv.rows, a->dqkv.rows), least(a->y.rows, a->dy.rows));
    const pl_dtype type = activation_type(c, a->qkv);
    PL_TRY(need(c, "n_sequences", a->n_sequences, 1, 1, PL_I32));
    PL_TRY(need(c, "sequences", a->sequences, a->sequences.rows, 2, PL_I32));
    PL_TRY(need(c, "qkv", a->qkv, rows, (H + 2 * G) * D, type));
    PL_TRY(need(c, "dqkv", a->dqkv, rows, (H + 2 * G) * D, type));
    PL_TRY(need(c, "y", a->y, rows, H * D, type));
    PL_TRY(need(c, "dy", a->dy, rows, H * D, type));
    PL_TRY(need(c, "lse", a->lse, rows, H, PL_F32));
    PL_TRY(may(c, "alibi", a->alibi, 1, H, PL_F32));
    PL_TRY(check_attention_mask(c, &a->dropout, rows, H));
    PL_TRY(need(c, "positions", a->batch->positions, 1, least(rows, a->batch->positions.columns), PL_I32));
    return need_workspace(c, a->workspace, c->ops->attention_backward_workspace_bytes(rows, H, G, D));
}

static pl_status check_gather_backward(const call *c, const pl_gather_backward_args *a)
{
    const size_t n = a->rows.columns, C = a->dx.columns;
    PL_TRY(need_counts(c, a->counts, a->count));
    PL_TRY(need(c, "rows", a->rows, 1, n, PL_I32));
    PL_TRY(need(c, "dy", a->dy, n, C, PL_F32));
    return need(c, "dx", a->dx, a->dx.rows, C, PL_F32);
}

static pl_status check_score_backward(const call *c, const pl_score_backward_args *a)
{
    if (!a->weight) return pl_fail(PL_E_INTERNAL, "score_backward: no weight is given");
    const pl_weight_shape w = c->ops->weight_shape(a->weight);
    const pl_dtype storage = activations_of(c, w.compute);
    const size_t rows = a->x.rows, V = w.n_out;
    PL_TRY(need_counts(c, a->counts, PL_COUNT_ROWS));
    PL_TRY(need(c, "x", a->x, rows, w.n_in, storage));
    PL_TRY(may(c, "bias", a->bias, 1, V, PL_F32));
    PL_TRY(need(c, "target_tokens", a->target_tokens, 1, rows, PL_I32));
    PL_TRY(need(c, "loss_weights", a->loss_weights, 1, rows, PL_F32));
    PL_TRY(need(c, "log_probability", a->log_probability, 1, rows, PL_F32));
    PL_TRY(may(c, "dx", a->dx, rows, w.n_in, storage));
    PL_TRY(may(c, "dweight", a->dweight, V, w.n_in, PL_F32));
    PL_TRY(may(c, "dbias", a->dbias, 1, V, PL_F32));
    return need_workspace(c, a->workspace, c->ops->score_backward_workspace_bytes(rows, V, w.n_in, w.compute));
}

static pl_status check_dropout(const call *c, const pl_dropout_args *a)
{
    const size_t C = a->y.columns, rows = least(a->x.rows, a->y.rows);
    PL_TRY(need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(need(c, "y", a->y, rows, C, activation_type(c, a->y)));
    PL_TRY(need(c, "x", a->x, rows, C, a->y.dtype));
    PL_TRY(need(c, "positions", a->batch->positions, 1, rows, PL_I32));
    return check_mask(c, &a->dropout, rows);
}

static pl_status check_zero_tail(const call *c, const pl_zero_tail_args *a)
{
    PL_TRY(need_counts(c, a->counts, a->count));
    return need(c, "x", a->x, a->x.rows, a->x.columns, activation_type(c, a->x));
}

static pl_status check_reduce_lanes(const call *c, const pl_reduce_lanes_args *a)
{
    PL_TRY(need(c, "sum", a->sum, 1, a->sum.columns, PL_F32));
    return need(c, "lanes", a->lanes, a->lanes.rows, a->sum.columns, PL_F32);
}

static pl_status check_gradient_norm(const call *c, const pl_gradient_norm_args *a)
{
    if (!a->parameters) return pl_fail(PL_E_INTERNAL, "gradient_norm: no parameters are given");
    PL_TRY(need(c, "factors", a->factors, 1, PL_FACTORS, PL_F32));
    return need_workspace(c, a->workspace, c->ops->gradient_norm_workspace_bytes(a->parameters));
}

static pl_status check_adamw(const call *c, const pl_adamw_args *a)
{
    if (!a->parameters) return pl_fail(PL_E_INTERNAL, "adamw: no parameters are given");
    return need(c, "factors", a->factors, 1, PL_FACTORS, PL_F32);
}

/* ---- The calls ---- */

static pl_status lacks(const call *c)
{
    return pl_fail(PL_E_UNSUPPORTED, "%s: op '%s' is not supported", c->ops->name, c->op);
}

#define X(name)                                                                                                        \
    pl_status pl_op_##name(const pl_processor *processor, pl_stream *stream, const pl_##name##_args *args)             \
    {                                                                                                                  \
        const call c = {processor->ops, #name};                                                                        \
        if (!c.ops->unchecked.name) return lacks(&c);                                                                  \
        PL_TRY(check_##name(&c, args));                                                                                \
        return c.ops->unchecked.name(stream, args);                                                                    \
    }
PL_OPS(X)
#undef X

pl_status pl_upload(const pl_processor *processor, pl_stream *stream, pl_view to, const void *from)
{
    const call c = {processor->ops, "upload"};
    PL_TRY(need_whole(&c, "to", to));
    return c.ops->unchecked.upload(stream, to, from);
}

pl_status pl_download(const pl_processor *processor, pl_stream *stream, void *to, pl_view from)
{
    const call c = {processor->ops, "download"};
    PL_TRY(need_whole(&c, "from", from));
    return c.ops->unchecked.download(stream, to, from);
}

pl_status pl_fill_zero(const pl_processor *processor, pl_stream *stream, pl_view view)
{
    const call c = {processor->ops, "fill_zero"};
    PL_TRY(need_whole(&c, "view", view));
    return c.ops->unchecked.fill_zero(stream, view);
}

pl_status pl_weight_set(const pl_processor *processor, pl_stream *stream, pl_weight *weight, size_t first_out,
                        size_t n_out, const void *data, pl_dtype from, pl_layout layout)
{
    const pl_backend *ops = processor->ops;
    const size_t has = weight ? ops->weight_shape(weight).n_out : 0;
    if (!weight || first_out > has || n_out > has - first_out)
        return pl_fail(PL_E_INTERNAL, "weight_set: outputs %zu..+%zu of %zu", first_out, n_out, has);
    if (from != PL_F32 && !is_half(from)) {
        return pl_fail(PL_E_UNSUPPORTED, "a weight of type %s: expected float32, bfloat16 or float16",
                       pl_dtype_name(from));
    }
    return ops->unchecked.weight_set(stream, weight, first_out, n_out, data, from, layout);
}

pl_status pl_weight_refresh(const pl_processor *processor, pl_stream *stream, pl_weight *weight, pl_view from)
{
    const call c = {processor->ops, "weight_refresh"};
    if (!weight) return pl_fail(PL_E_INTERNAL, "weight_refresh: no weight is given");
    const pl_weight_shape w = c.ops->weight_shape(weight);
    PL_TRY(need(&c, "from", from, w.n_out, w.n_in, PL_F32));
    return c.ops->unchecked.weight_refresh(stream, weight, from);
}

pl_status pl_weight_attach(const pl_processor *processor, pl_weight **out, pl_view master, pl_dtype compute)
{
    const call c = {processor->ops, "weight_attach"};
    *out = NULL;
    if (!c.ops->weight_attach) return lacks(&c);
    PL_TRY(need(&c, "master", master, master.rows, master.columns, PL_F32));
    return c.ops->weight_attach(processor->device, out, master, compute);
}

static pl_status need_parameter(const call *c, const pl_parameter *p)
{
    const pl_view *views[] = {&p->master, &p->gradient, &p->first, &p->second};
    const char *names[] = {"master", "gradient", "first", "second"};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        PL_TRY(need(c, names[i], *views[i], p->master.rows, p->master.columns, PL_F32));
        if (views[i]->stride != p->master.columns)
            return pl_fail(PL_E_INTERNAL, "%s: rows of %s are %zu apart, expected %zu", c->op, names[i],
                           views[i]->stride, p->master.columns);
    }
    if (!p->weight) return PL_OK;
    const pl_weight_shape w = c->ops->weight_shape(p->weight);
    if (w.n_out == p->master.rows && w.n_in == p->master.columns) return PL_OK;
    return pl_fail(PL_E_INTERNAL, "%s: a weight of [%zu, %zu] attached to a master of [%zu, %zu]", c->op, w.n_out,
                   w.n_in, p->master.rows, p->master.columns);
}

pl_status pl_parameters_create(const pl_processor *processor, pl_parameters **out, const pl_parameter *list, size_t n)
{
    const call c = {processor->ops, "parameters_create"};
    *out = NULL;
    if (!c.ops->parameters_create) return lacks(&c);
    for (size_t i = 0; i < n; i++) PL_TRY(need_parameter(&c, &list[i]));
    return c.ops->parameters_create(processor->device, out, list, n);
}
