/* The one forward pass, for every family: what differs is in the facts (which slots are there, gated, parallel, learned
 * or rotary positions). Everything goes through the device's ops; nothing here waits or reads a result. */
#include "model/activations.h"
#include "model/model.h"

/* One pass under way. */
typedef struct step {
    pl_model *model;
    const pl_config *config;
    const pl_pass *pass;
    const pl_batch *batch;
    pl_view views[PL__ACT_SLOTS]; /* of the activations, by slot, as many rows as the batch may have */
} step;

static const pl__bound_weight *weight(const step *s, pl__slot slot, size_t layer)
{
    return pl__model_weight(s->model, slot, layer);
}

static pl_status norm(const step *s, pl_count count, pl__slot slot, size_t layer, pl_view x, pl_view y)
{
    pl_norm_args args = {
        .counts = s->batch->counts,
        .count = count,
        .kind = s->config->norm,
        .eps = (float)s->config->norm_eps,
        .x = x,
        .weight = weight(s, slot, layer)->view,
        .bias = weight(s, pl__bias_slot(slot), layer)->view,
        .y = y,
    };
    return pl_op_norm(&s->model->processor, s->pass->stream, &args);
}

static pl_status linear(const step *s, pl__slot slot, size_t layer, pl_view x, pl_activation activation,
                        bool accumulate, pl_view y)
{
    pl_linear_args args = {
        .counts = s->batch->counts,
        .count = PL_COUNT_TOKENS,
        .x = x,
        .weight = weight(s, slot, layer)->matrix,
        .bias = weight(s, pl__bias_slot(slot), layer)->view,
        .activation = activation,
        .accumulate = accumulate,
        .y = y,
    };
    return pl_op_linear(&s->model->processor, s->pass->stream, &args);
}

static pl_status embed(const step *s)
{
    pl_embed_args args = {
        .batch = s->batch,
        .table = weight(s, PL__EMBED, 0)->view,
        .position_table = weight(s, PL__POSITIONS, 0)->view,
        .position_offset = s->config->family->position_offset,
        .scale = (float)s->config->embed_scale,
        .x = s->views[PL__ACT_STREAM],
    };
    return pl_op_embed(&s->model->processor, s->pass->stream, &args);
}

/* Norm over each query or key head, where the family has one. */
static pl_status head_norm(const step *s, pl__slot slot, size_t layer, size_t n_heads, size_t first_column)
{
    if (!weight(s, slot, layer)->view.buffer) return PL_OK;
    pl_head_norm_args args = {
        .batch = s->batch,
        .kind = s->config->norm,
        .eps = (float)s->config->norm_eps,
        .n_heads = n_heads,
        .head_width = s->config->D,
        .first_column = first_column,
        .weight = weight(s, slot, layer)->view,
        .x = s->views[PL__ACT_QKV],
    };
    return pl_op_head_norm(&s->model->processor, s->pass->stream, &args);
}

static pl_status rotate(const step *s)
{
    const pl_config *c = s->config;
    if (c->rope.kind == PL_ROPE_NONE) return PL_OK;
    pl_rotary_args args = {
        .batch = s->batch,
        .n_heads = c->H,
        .n_kv_heads = c->G,
        .head_width = c->D,
        .width = c->rope.width,
        .interleaved = c->rope.interleaved,
        .cosine = s->model->cosine,
        .sine = s->model->sine,
        .qkv = s->views[PL__ACT_QKV],
    };
    return pl_op_rotary(&s->model->processor, s->pass->stream, &args);
}

/* views[ATTENDED] = attention of views[NORMED], before the output product. */
static pl_status attend(const step *s, size_t layer)
{
    const pl_config *c = s->config;
    pl_view qkv = s->views[PL__ACT_QKV];
    PL_TRY(linear(s, PL__QKV, layer, s->views[PL__ACT_NORMED], PL_ACT_NONE, false, qkv));
    PL_TRY(head_norm(s, PL__Q_NORM, layer, c->H, 0));
    PL_TRY(head_norm(s, PL__K_NORM, layer, c->G, c->H * c->D));
    PL_TRY(rotate(s));
    pl_kv_write_args write = {.batch = s->batch, .kv = s->pass->kv, .layer = layer, .qkv = qkv};
    PL_TRY(pl_op_kv_write(&s->model->processor, s->pass->stream, &write));
    pl_attention_args args = {
        .batch = s->batch,
        .kv = s->pass->kv,
        .layer = layer,
        .n_heads = c->H,
        .scale = (float)c->attention_scale,
        .softcap = (float)c->attention_softcap,
        .qkv = qkv,
        .y = s->views[PL__ACT_ATTENDED],
    };
    return pl_op_attention(&s->model->processor, s->pass->stream, &args);
}

/* x += mlp(normed). */
static pl_status feed_forward(const step *s, size_t layer, pl_view normed)
{
    pl_view up = s->views[PL__ACT_UP], x = s->views[PL__ACT_STREAM];
    if (!s->config->family->gated) {
        PL_TRY(linear(s, PL__UP, layer, normed, s->config->activation, false, up));
        return linear(s, PL__DOWN, layer, up, PL_ACT_NONE, true, x);
    }
    PL_TRY(linear(s, PL__UP, layer, normed, PL_ACT_NONE, false, up));
    pl_view half = pl_view_columns(up, 0, s->config->F);
    pl_gate_args args = {.batch = s->batch, .activation = s->config->activation, .x = up, .y = half};
    PL_TRY(pl_op_gate(&s->model->processor, s->pass->stream, &args));
    return linear(s, PL__DOWN, layer, half, PL_ACT_NONE, true, x);
}

static pl_status block(const step *s, size_t layer)
{
    pl_view x = s->views[PL__ACT_STREAM], normed = s->views[PL__ACT_NORMED], second = normed;
    PL_TRY(norm(s, PL_COUNT_TOKENS, PL__NORM_1, layer, x, normed));
    /* A parallel block's second norm reads x as the block found it. */
    if (s->config->parallel && s->views[PL__ACT_NORMED_2].buffer) {
        second = s->views[PL__ACT_NORMED_2];
        PL_TRY(norm(s, PL_COUNT_TOKENS, PL__NORM_2, layer, x, second));
    }
    PL_TRY(attend(s, layer));
    PL_TRY(linear(s, PL__OUT, layer, s->views[PL__ACT_ATTENDED], PL_ACT_NONE, true, x));
    if (!s->config->parallel) PL_TRY(norm(s, PL_COUNT_TOKENS, PL__NORM_2, layer, x, second));
    return feed_forward(s, layer, second);
}

/* One layer of one tap. */
static pl_status keep(const step *s, const pl_tap *tap, pl_view states, pl_view into)
{
    if (tap->kind == PL_TAP_WHOLE) {
        pl_convert_args args = {.x = states, .y = pl_view_rows(into, 0, states.rows)};
        return pl_op_convert(&s->model->processor, s->pass->stream, &args);
    }
    if (tap->kind == PL_TAP_POOL) {
        pl_pool_args args = {.n_slots = tap->counts,
                             .indptr = tap->indptr,
                             .ranges = tap->ranges,
                             .slots = tap->slots,
                             .x = states,
                             .y = into};
        return pl_op_pool(&s->model->processor, s->pass->stream, &args);
    }
    pl_gather_args args = {
        .counts = tap->counts, .count = PL_COUNT_ROWS, .rows = tap->rows, .slots = tap->slots, .x = states, .y = into};
    return pl_op_gather(&s->model->processor, s->pass->stream, &args);
}

/* Keeps `layer` of `states` [N, C] for every tap that asks for it. */
static pl_status tap(const step *s, size_t layer, pl_view states)
{
    for (size_t t = 0; t < s->pass->n_taps; t++) {
        const pl_tap *tap = &s->pass->taps[t];
        for (size_t i = 0; i < tap->n_layers; i++)
            if (tap->layers[i] == layer) PL_TRY(keep(s, tap, states, tap->into[i]));
    }
    return PL_OK;
}

static bool is_tapped(const step *s, size_t layer)
{
    for (size_t t = 0; t < s->pass->n_taps; t++)
        for (size_t i = 0; i < s->pass->taps[t].n_layers; i++)
            if (s->pass->taps[t].layers[i] == layer) return true;
    return false;
}

/* The vocabulary head on gathered rows of x. */
static pl_status head(const step *s)
{
    const pl_pass *p = s->pass;
    pl_view rows = s->views[PL__ACT_ROWS], normed = s->views[PL__ACT_ROWS_NORM];
    pl_gather_args gather = {.counts = s->batch->counts,
                             .count = PL_COUNT_ROWS,
                             .rows = p->head_rows,
                             .x = s->views[PL__ACT_STREAM],
                             .y = rows};
    PL_TRY(pl_op_gather(&s->model->processor, p->stream, &gather));
    PL_TRY(norm(s, PL_COUNT_ROWS, PL__FINAL_NORM, 0, rows, normed));
    pl_score_args score = {
        .counts = s->batch->counts,
        .x = normed,
        .weight = weight(s, PL__HEAD, 0)->matrix,
        .bias = weight(s, pl__bias_slot(PL__HEAD), 0)->view,
        .softcap = (float)s->config->logit_softcap,
        .target_rows = p->target_rows,
        .target_tokens = p->target_tokens,
        .log_probability = p->log_probability,
        .target_greedy = p->target_greedy,
        .greedy = p->greedy,
        .logits = p->logits,
        .workspace = s->views[PL__ACT_WORKSPACE],
    };
    return pl_op_score(&s->model->processor, p->stream, &score);
}

/* The activations cut to the batch's capacities, so that products do not run over memory that this batch has no use
 * for. A batch larger than its memory would write past it. */
static pl_status cut_views(step *s)
{
    const pl_activations *a = s->pass->activations;
    size_t N = s->batch->tokens.columns, R = s->pass->head_rows.columns;
    if (N > a->n_tokens || R > a->n_rows)
        return pl_fail(PL_E_INTERNAL, "forward: a batch of %zu tokens and %zu rows in activations for %zu and %zu", N,
                       R, a->n_tokens, a->n_rows);
    for (size_t i = 0; i < PL__ACT_SLOTS; i++) {
        s->views[i] = a->views[i];
        if (!s->views[i].buffer) continue;
        if (i <= PL__ACT_FINAL) s->views[i].rows = N;
        if (i == PL__ACT_ROWS || i == PL__ACT_ROWS_NORM) s->views[i].rows = R;
    }
    return PL_OK;
}

pl_status pl_model_forward(pl_model *model, const pl_pass *pass)
{
    step s = {.model = model, .config = &model->config, .pass = pass, .batch = &pass->batch};
    PL_TRY(cut_views(&s));
    const size_t L = model->config.L;
    pl_view x = s.views[PL__ACT_STREAM];

    pl_kv_copy_args copy = {.batch = s.batch, .kv = pass->kv};
    PL_TRY(pl_op_kv_copy(&model->processor, pass->stream, &copy));
    PL_TRY(embed(&s));
    PL_TRY(tap(&s, 0, x));
    for (size_t l = 0; l < L; l++) {
        PL_TRY(block(&s, l));
        PL_TRY(tap(&s, l + 1, x));
    }
    if (is_tapped(&s, L + 1)) {
        pl_view y = s.views[s.views[PL__ACT_FINAL].buffer ? PL__ACT_FINAL : PL__ACT_NORMED];
        PL_TRY(norm(&s, PL_COUNT_TOKENS, PL__FINAL_NORM, 0, x, y));
        PL_TRY(tap(&s, L + 1, y));
    }
    return pass->head_rows.buffer ? head(&s) : PL_OK;
}
