/* The checks of the training ops' arguments. */
#include "device/arguments.h"
#include "device/logistic.h"

/* Rows by segment: order and starts of up to n rows. */
static pl_status need_segments(const pl__call *c, pl_view order, pl_view starts, size_t n)
{
    PL_TRY(pl__need(c, "order", order, 1, n, PL_I32));
    return pl__need(c, "starts", starts, 1, n + 1, PL_I32);
}

pl_status pl__check_embed_backward(const pl__call *c, const pl_embed_backward_args *a)
{
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_TOKENS));
    const size_t C = a->dx.columns, rows = pl__least_rows(a->dx.rows, a->batch->tokens.columns);
    PL_TRY(pl__need(c, "dx", a->dx, rows, C, PL_F32));
    PL_TRY(pl__need(c, "tokens", a->batch->tokens, 1, rows, PL_I32));
    PL_TRY(pl__need(c, "dtable", a->dtable, a->dtable.rows, C, PL_F32));
    PL_TRY(need_segments(c, a->order, a->starts, rows));
    if (!a->dposition_table.buffer) return PL_OK;
    if (a->position_offset > a->dposition_table.rows) {
        return pl_fail(PL_E_INTERNAL, "embed_backward: position_offset %zu is past the table's %zu rows",
                       a->position_offset, a->dposition_table.rows);
    }
    PL_TRY(pl__need(c, "dposition_table", a->dposition_table, a->dposition_table.rows, C, PL_F32));
    PL_TRY(need_segments(c, a->position_order, a->position_starts, rows));
    return pl__need(c, "positions", a->batch->positions, 1, rows, PL_I32);
}

pl_status pl__check_norm_backward(const pl__call *c, const pl_norm_backward_args *a)
{
    const size_t C = a->x.columns, rows = pl__least_rows(pl__least_rows(a->x.rows, a->dx.rows), a->dy.rows);
    PL_TRY(pl__need_counts(c, a->counts, a->count));
    PL_TRY(pl__need(c, "x", a->x, rows, C, PL_F32));
    PL_TRY(pl__need(c, "dy", a->dy, rows, C, pl__activation_type_of(c, a->dy)));
    PL_TRY(pl__need(c, "dx", a->dx, rows, C, PL_F32));
    PL_TRY(pl__may(c, "weight", a->weight, 1, C, PL_F32));
    PL_TRY(pl__may(c, "dweight", a->dweight, 1, C, PL_F32));
    PL_TRY(pl__may(c, "dbias", a->dbias, 1, C, PL_F32));
    return pl__need_workspace(c, a->workspace, c->ops->norm_backward_workspace_bytes(rows, C));
}

pl_status pl__check_head_norm_backward(const pl__call *c, const pl_head_norm_backward_args *a)
{
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_TOKENS));
    const size_t columns = a->first_column + a->n_heads * a->head_width, rows = pl__least_rows(a->x.rows, a->dy.rows);
    PL_TRY(pl__need(c, "x", a->x, rows, columns, pl__activation_type_of(c, a->x)));
    PL_TRY(pl__need(c, "dy", a->dy, rows, columns, a->x.dtype));
    const size_t n_weights = a->weight.rows > 1 ? a->n_heads : 1;
    PL_TRY(pl__may(c, "weight", a->weight, n_weights, a->head_width, PL_F32));
    PL_TRY(pl__may(c, "dweight", a->dweight, n_weights, a->head_width, PL_F32));
    PL_TRY(pl__may(c, "dbias", a->dbias, 1, a->head_width, PL_F32));
    return pl__need_workspace(c, a->workspace,
                              c->ops->head_norm_backward_workspace_bytes(rows, a->n_heads, a->head_width));
}

pl_status pl__check_linear_backward(const pl__call *c, const pl_linear_backward_args *a)
{
    if (!a->weight) return pl_fail(PL_E_INTERNAL, "linear_backward: no weight is given");
    const pl_weight_shape w = c->ops->weight_shape(a->weight);
    const pl_dtype storage = pl__activations_of(c, w.compute);
    const size_t rows = pl__least_rows(a->x.rows, a->dy.rows);
    PL_TRY(pl__need_counts(c, a->counts, a->count));
    PL_TRY(pl__need(c, "x", a->x, rows, w.n_in, storage));
    PL_TRY(pl__need(c, "dy", a->dy, rows, w.n_out, a->dy.dtype == PL_F32 ? PL_F32 : storage));
    if (a->activation != PL_ACT_NONE) PL_TRY(pl__need(c, "pre", a->pre, rows, w.n_out, storage));
    PL_TRY(pl__may(c, "dx", a->dx, rows, w.n_in, storage));
    PL_TRY(pl__may(c, "dweight", a->dweight, w.n_out, w.n_in, PL_F32));
    PL_TRY(pl__may(c, "dbias", a->dbias, 1, w.n_out, PL_F32));
    if (a->dropout.probability != 0.0f) PL_TRY(pl__need(c, "positions", a->positions, 1, rows, PL_I32));
    PL_TRY(pl__need_mask(c, &a->dropout, rows));
    return pl__need_workspace(c, a->workspace,
                              c->ops->linear_backward_workspace_bytes(rows, w.n_out, w.n_in, w.compute));
}

pl_status pl__check_gate_backward(const pl__call *c, const pl_gate_backward_args *a)
{
    const size_t F = a->dy.columns, rows = pl__least_rows(pl__least_rows(a->x.rows, a->dy.rows), a->dx.rows);
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(pl__need(c, "dy", a->dy, rows, F, pl__activation_type_of(c, a->dy)));
    PL_TRY(pl__need(c, "x", a->x, rows, 2 * F, a->dy.dtype));
    return pl__need(c, "dx", a->dx, rows, 2 * F, a->dy.dtype);
}

pl_status pl__check_rotary_backward(const pl__call *c, const pl_rotary_backward_args *a)
{
    return pl__check_rotary(c, a);
}

pl_status pl__check_attention_backward(const pl__call *c, const pl_attention_backward_args *a)
{
    const size_t H = a->n_heads, G = a->n_kv_heads, D = a->head_width;
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_TOKENS));
    if (!H || !G || H % G)
        return pl_fail(PL_E_INTERNAL, "attention_backward: %zu heads for %zu key/value heads, expected a multiple", H,
                       G);
    const size_t rows =
        pl__least_rows(pl__least_rows(a->qkv.rows, a->dqkv.rows), pl__least_rows(a->y.rows, a->dy.rows));
    const pl_dtype type = pl__activation_type_of(c, a->qkv);
    PL_TRY(pl__need(c, "n_sequences", a->n_sequences, 1, 1, PL_I32));
    PL_TRY(pl__need(c, "sequences", a->sequences, a->sequences.rows, 2, PL_I32));
    PL_TRY(pl__need(c, "qkv", a->qkv, rows, (H + 2 * G) * D, type));
    PL_TRY(pl__need(c, "dqkv", a->dqkv, rows, (H + 2 * G) * D, type));
    PL_TRY(pl__need(c, "y", a->y, rows, H * D, type));
    PL_TRY(pl__need(c, "dy", a->dy, rows, H * D, type));
    PL_TRY(pl__need(c, "lse", a->lse, rows, H, PL_F32));
    PL_TRY(pl__may(c, "alibi", a->alibi, 1, H, PL_F32));
    PL_TRY(pl__need_attention_mask(c, &a->dropout, rows, H));
    PL_TRY(pl__need(c, "positions", a->batch->positions, 1, pl__least_rows(rows, a->batch->positions.columns), PL_I32));
    return pl__need_workspace(c, a->workspace, c->ops->attention_backward_workspace_bytes(rows, H, G, D));
}

pl_status pl__check_gather_backward(const pl__call *c, const pl_gather_backward_args *a)
{
    const size_t n = a->rows.columns, C = a->dx.columns;
    PL_TRY(pl__need_counts(c, a->counts, a->count));
    PL_TRY(pl__need(c, "rows", a->rows, 1, n, PL_I32));
    PL_TRY(pl__need(c, "dy", a->dy, n, C, PL_F32));
    return pl__need(c, "dx", a->dx, a->dx.rows, C, PL_F32);
}

pl_status pl__check_score_backward(const pl__call *c, const pl_score_backward_args *a)
{
    if (!a->weight) return pl_fail(PL_E_INTERNAL, "score_backward: no weight is given");
    const pl_weight_shape w = c->ops->weight_shape(a->weight);
    const pl_dtype storage = pl__activations_of(c, w.compute);
    const size_t rows = a->x.rows, V = w.n_out;
    PL_TRY(pl__need_counts(c, a->counts, PL_COUNT_ROWS));
    PL_TRY(pl__need(c, "x", a->x, rows, w.n_in, storage));
    PL_TRY(pl__may(c, "bias", a->bias, 1, V, PL_F32));
    PL_TRY(pl__need(c, "target_tokens", a->target_tokens, 1, rows, PL_I32));
    PL_TRY(pl__need(c, "loss_weights", a->loss_weights, 1, rows, PL_F32));
    PL_TRY(pl__need(c, "log_probability", a->log_probability, 1, rows, PL_F32));
    PL_TRY(pl__may(c, "dx", a->dx, rows, w.n_in, storage));
    PL_TRY(pl__may(c, "dweight", a->dweight, V, w.n_in, PL_F32));
    PL_TRY(pl__may(c, "dbias", a->dbias, 1, V, PL_F32));
    return pl__need_workspace(c, a->workspace, c->ops->score_backward_workspace_bytes(rows, V, w.n_in, w.compute));
}

pl_status pl__check_dropout(const pl__call *c, const pl_dropout_args *a)
{
    const size_t C = a->y.columns, rows = pl__least_rows(a->x.rows, a->y.rows);
    PL_TRY(pl__need_batch(c, a->batch, PL_COUNT_TOKENS));
    PL_TRY(pl__need(c, "y", a->y, rows, C, pl__activation_type_of(c, a->y)));
    PL_TRY(pl__need(c, "x", a->x, rows, C, a->y.dtype));
    PL_TRY(pl__need(c, "positions", a->batch->positions, 1, rows, PL_I32));
    return pl__need_mask(c, &a->dropout, rows);
}

pl_status pl__check_zero_tail(const pl__call *c, const pl_zero_tail_args *a)
{
    PL_TRY(pl__need_counts(c, a->counts, a->count));
    return pl__need(c, "x", a->x, a->x.rows, a->x.columns, pl__activation_type_of(c, a->x));
}

pl_status pl__check_reduce_lanes(const pl__call *c, const pl_reduce_lanes_args *a)
{
    PL_TRY(pl__need(c, "sum", a->sum, 1, a->sum.columns, PL_F32));
    return pl__need(c, "lanes", a->lanes, a->lanes.rows, a->sum.columns, PL_F32);
}

pl_status pl__check_gradient_norm(const pl__call *c, const pl_gradient_norm_args *a)
{
    if (!a->parameters) return pl_fail(PL_E_INTERNAL, "gradient_norm: no parameters are given");
    PL_TRY(pl__need(c, "factors", a->factors, 1, PL_FACTORS, PL_F32));
    return pl__need_workspace(c, a->workspace, c->ops->gradient_norm_workspace_bytes(a->parameters));
}

pl_status pl__check_adamw(const pl__call *c, const pl_adamw_args *a)
{
    if (!a->parameters) return pl_fail(PL_E_INTERNAL, "adamw: no parameters are given");
    return pl__need(c, "factors", a->factors, 1, PL_FACTORS, PL_F32);
}

pl_status pl__check_logistic(const pl__call *c, const pl_logistic_args *a)
{
    const size_t n = a->problems.rows, n_strengths = a->strengths.columns;
    PL_TRY(pl__need(c, "problems", a->problems, n, PL_LOGISTIC_FACTS, PL_I32));
    PL_TRY(pl__need(c, "strengths", a->strengths, 1, n_strengths, PL_F64));
    PL_TRY(pl__need(c, "z", a->z, 1, a->z.columns, PL_F64));
    PL_TRY(pl__need(c, "labels", a->labels, 1, a->labels.columns, PL_I32));
    PL_TRY(pl__need(c, "theta", a->theta, 1, a->theta.columns, PL_F64));
    PL_TRY(pl__need(c, "distance", a->distance, n, n_strengths, PL_F64));
    return pl__need_workspace(c, a->workspace,
                              c->ops->logistic_workspace_bytes(n, a->most_rows, a->most_width, a->most_classes));
}

/* Points stand as pairs in one row. */
static pl_status need_points(const pl__call *c, pl_view y, size_t *n)
{
    *n = y.columns / 2;
    if (y.columns % 2 || *n < 1 || *n > PL_MAP_POINTS_MOST)
        return pl_fail(PL_E_INTERNAL, "%s: y has %zu numbers: expected two for each of 1 to %d points", c->op,
                       y.columns, (int)PL_MAP_POINTS_MOST);
    return pl__need(c, "y", y, 1, 2 * *n, PL_F32);
}

pl_status pl__check_repulsion(const pl__call *c, const pl_repulsion_args *a)
{
    size_t n;
    PL_TRY(need_points(c, a->y, &n));
    PL_TRY(pl__need(c, "force", a->force, 1, 2 * n, PL_F32));
    PL_TRY(pl__need(c, "z", a->z, 1, 1, PL_F64));
    return pl__need_workspace(c, a->workspace, c->ops->repulsion_workspace_bytes(n));
}

pl_status pl__check_map_step(const pl__call *c, const pl_map_step_args *a)
{
    size_t n;
    PL_TRY(need_points(c, a->y, &n));
    PL_TRY(pl__need(c, "start", a->start, 1, n + 1, PL_I32));
    PL_TRY(pl__need(c, "column", a->column, 1, a->column.columns, PL_I32));
    PL_TRY(pl__need(c, "value", a->value, 1, a->column.columns, PL_F32));
    PL_TRY(pl__need(c, "force", a->force, 1, 2 * n, PL_F32));
    PL_TRY(pl__need(c, "z", a->z, 1, 1, PL_F64));
    PL_TRY(pl__need(c, "update", a->update, 1, 2 * n, PL_F32));
    PL_TRY(pl__need(c, "gain", a->gain, 1, 2 * n, PL_F32));
    PL_TRY(pl__need(c, "mean", a->mean, 1, 2, PL_F64));
    return pl__need_workspace(c, a->workspace, c->ops->map_step_workspace_bytes(n));
}

pl_status pl__check_pairwise(const pl__call *c, const pl_pairwise_args *a)
{
    const size_t n_sets = a->mean.rows, m = a->products.columns, n = n_sets ? a->products.rows / n_sets : 0;
    const size_t width = a->columns ? a->x.rows : a->mean.columns;
    if (n_sets * n != a->products.rows)
        return pl_fail(PL_E_INTERNAL, "pairwise: %zu rows of products for %zu sets", a->products.rows, n_sets);
    if (a->columns) {
        if (n_sets > 1 || n != m || a->x.buffer != a->y.buffer || a->x.offset != a->y.offset ||
            a->x.stride != a->y.stride)
            return pl_fail(PL_E_INTERNAL, "pairwise: of columns, expected one set and those of one x with themselves");
        PL_TRY(pl__need(c, "x", a->x, width, n, PL_F32));
        PL_TRY(pl__need(c, "mean", a->mean, 1, n, PL_F64));
    } else {
        PL_TRY(pl__need(c, "x", a->x, n_sets * n, width, PL_F32));
        PL_TRY(pl__need(c, "y", a->y, n_sets * m, width, PL_F32));
        PL_TRY(pl__need(c, "mean", a->mean, n_sets, width, PL_F64));
    }
    PL_TRY(pl__need(c, "products", a->products, n_sets * n, m, PL_F64));
    return pl__need_workspace(c, a->workspace, c->ops->pairwise_workspace_bytes(n_sets, n, m, width));
}
