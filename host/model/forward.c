/* The one forward pass, for every family: what differs is in the facts (which slots are there, gated, parallel, learned
 * or rotary positions). Everything goes through the device's ops; nothing here waits or reads a result. */
#include "model/pass.h"

static pl_status norm(const pl__step *s, pl_count count, pl__slot slot, size_t layer, pl_view x, bool accumulate,
                      double gain, pl_view y)
{
    const pl_view weight = pl__step_weight(s, slot, layer)->view;
    pl_norm_args args = {
        .counts = s->batch->counts,
        .count = count,
        .kind = pl__norm_kind(s, weight),
        .eps = (float)s->config->norm_eps,
        .x = x,
        .weight = weight,
        .bias = pl__step_weight(s, pl__bias_slot(slot), layer)->view,
        .y = y,
        .accumulate = accumulate,
        .gain = (float)gain,
    };
    return pl_op_norm(&s->model->processor, s->pass->stream, &args);
}

static pl_status linear(const pl__step *s, pl__slot slot, size_t layer, pl_view x, pl_activation activation,
                        bool accumulate, pl_view y)
{
    pl_linear_args args = {
        .counts = s->batch->counts,
        .count = PL_COUNT_TOKENS,
        .x = x,
        .weight = pl__step_weight(s, slot, layer)->matrix,
        .bias = pl__step_weight(s, pl__bias_slot(slot), layer)->view,
        .activation = activation,
        .accumulate = accumulate,
        .y = y,
        .positions = s->batch->positions,
    };
    if (accumulate) args.dropout = pl__step_dropout(s, slot == PL__OUT ? PL_DROPOUT_OUT : PL_DROPOUT_DOWN, layer);
    if (activation != PL_ACT_NONE && s->views[PL__ACT_HIDDEN].buffer) args.pre = s->views[PL__ACT_UP];
    return pl_op_linear(&s->model->processor, s->pass->stream, &args);
}

/* y = W x, or y += W x, of a matrix of the whole model without bias. */
static pl_status project(const pl__step *s, pl_count count, pl__slot slot, pl_view x, bool accumulate, pl_view y)
{
    const pl_linear_args args = {.counts = s->batch->counts,
                                 .count = count,
                                 .x = x,
                                 .weight = pl__step_weight(s, slot, 0)->matrix,
                                 .accumulate = accumulate,
                                 .y = y};
    return pl_op_linear(&s->model->processor, s->pass->stream, &args);
}

/* x = positions + W embeddings. */
static pl_status embed_projected(const pl__step *s, const pl_embed_args *plain)
{
    const pl_processor *processor = &s->model->processor;
    const pl_view x = s->views[PL__ACT_STREAM], narrow = s->views[PL__ACT_EMBEDDED],
                  low = s->views[PL__ACT_EMBEDDED_LOW];
    const pl_batch by_position = pl__by_position(s);
    const pl_embed_args positions = {.batch = &by_position,
                                     .table = pl__position_rows(s->config, plain->position_table),
                                     .scale = 1,
                                     .x = x},
                        embeddings = {.batch = s->batch, .table = plain->table, .scale = plain->scale, .x = narrow};
    const pl_convert_args convert = {.x = narrow, .y = low};
    PL_TRY(pl_op_embed(processor, s->pass->stream, &positions));
    PL_TRY(pl_op_embed(processor, s->pass->stream, &embeddings));
    PL_TRY(pl_op_convert(processor, s->pass->stream, &convert));
    return project(s, PL_COUNT_TOKENS, PL__PROJECT_IN, low, true, x);
}

pl_status pl__step_embed(const pl__step *s)
{
    const pl_embed_args args = {
        .batch = s->batch,
        .table = pl__step_weight(s, PL__EMBED, 0)->view,
        .position_table = pl__step_weight(s, PL__POSITIONS, 0)->view,
        .position_offset = s->config->family->position_offset,
        .scale = (float)s->config->embed_scale,
        .x = s->views[PL__ACT_STREAM],
    };
    if (pl__step_weight(s, PL__PROJECT_IN, 0)->matrix) return embed_projected(s, &args);
    return pl_op_embed(&s->model->processor, s->pass->stream, &args);
}

static pl_status embed(const pl__step *s)
{
    pl_view x = s->views[PL__ACT_STREAM];
    PL_TRY(pl__step_embed(s));
    if (pl__step_weight(s, PL__EMBED_NORM, 0)->view.buffer)
        PL_TRY(norm(s, PL_COUNT_TOKENS, PL__EMBED_NORM, 0, x, false, 1, x));
    pl_dropout_args drop = {.batch = s->batch, .dropout = pl__step_dropout(s, PL_DROPOUT_EMBED, 0), .x = x, .y = x};
    if (drop.dropout.probability == 0.0F) return PL_OK;
    return pl_op_dropout(&s->model->processor, s->pass->stream, &drop);
}

/* to = from, where a tape keeps it. */
static pl_status keep_copy(const pl__step *s, pl_view from, pl_view to)
{
    if (!to.buffer) return PL_OK;
    pl_copy_args args = {.from = from, .to = to};
    return pl_op_copy(&s->model->processor, s->pass->stream, &args);
}

/* Norm over each query or key head, or over all of them, where the family has one. */
static pl_status head_norm(const pl__step *s, pl__slot slot, size_t layer, size_t n_heads, size_t first_column)
{
    if (!pl__step_weight(s, slot, layer)->view.buffer) return PL_OK;
    const bool wide = s->config->family->wide_norms;
    pl_head_norm_args args = {
        .batch = s->batch,
        .kind = s->config->norm,
        .eps = (float)s->config->norm_eps,
        .n_heads = wide ? 1 : n_heads,
        .head_width = wide ? n_heads * s->config->D : s->config->D,
        .first_column = first_column,
        .weight = pl__heads_of(s->config, pl__step_weight(s, slot, layer)->view),
        .bias = pl__step_weight(s, pl__bias_slot(slot), layer)->view,
        .x = s->views[PL__ACT_QKV],
    };
    return pl_op_head_norm(&s->model->processor, s->pass->stream, &args);
}

static pl_status rotate(const pl__step *s, size_t layer)
{
    const pl_config *c = s->config;
    const pl_rope *rope = pl_config_rope(c, layer);
    if (!rope) return PL_OK;
    pl_rotary_args args = {
        .batch = s->batch,
        .n_heads = c->H,
        .n_kv_heads = c->G,
        .head_width = c->D,
        .width = rope->width,
        .interleaved = rope->interleaved,
        .cosine = pl__model_turn(s->model, layer)->cosine,
        .sine = pl__model_turn(s->model, layer)->sine,
        .qkv = s->views[PL__ACT_QKV],
    };
    return pl_op_rotary(&s->model->processor, s->pass->stream, &args);
}

/* views[ATTENDED] = attention of views[NORMED], before the output product. */
static pl_status attend(const pl__step *s, size_t layer)
{
    const pl_config *c = s->config;
    pl_view qkv = s->views[PL__ACT_QKV];
    PL_TRY(linear(s, PL__QKV, layer, s->views[PL__ACT_NORMED], PL_ACT_NONE, false, qkv));
    PL_TRY(keep_copy(s, qkv, s->views[PL__ACT_QKV_RAW]));
    PL_TRY(head_norm(s, PL__Q_NORM, layer, c->H, 0));
    PL_TRY(head_norm(s, PL__K_NORM, layer, c->G, c->H * c->D));
    PL_TRY(rotate(s, layer));
    const size_t pages = s->pass->tape ? 0 : layer; /* nothing later reads a training pass's keys and values */
    pl_kv_write_args write = {.batch = s->batch, .kv = s->pass->kv, .layer = pages, .qkv = qkv};
    PL_TRY(pl_op_kv_write(&s->model->processor, s->pass->stream, &write));
    pl_attention_args args = {
        .batch = s->batch,
        .kv = s->pass->kv,
        .layer = pages,
        .n_heads = c->H,
        .scale = (float)c->attention_scale,
        .softcap = (float)c->attention_softcap,
        .window = pl_config_layer(c, layer)->window,
        .alibi = s->model->slopes,
        .alibi_scale = pl__alibi_scale(c),
        .qkv = qkv,
        .y = s->views[PL__ACT_ATTENDED],
        .lse = s->views[PL__ACT_LSE],
        .dropout = pl__step_dropout(s, PL_DROPOUT_ATTENTION, layer),
    };
    return pl_op_attention(&s->model->processor, s->pass->stream, &args);
}

/* x += scale (from W^T + bias), or scale times the norm of it, where the family has one behind the branch (`after`). */
static pl_status add_branch(const pl__step *s, pl__slot slot, pl__slot after, size_t layer, pl_view from, pl_view kept)
{
    pl_view x = s->views[PL__ACT_STREAM], branch = kept.buffer ? kept : s->views[PL__ACT_BRANCH];
    const double scale = s->config->residual_scale;
    const bool normed = pl__step_weight(s, after, layer)->view.buffer != NULL;
    /* Run again for the backward pass, a block's own result is of no use. */
    const bool useless = s->again && slot == PL__DOWN && !s->views[PL__ACT_END].buffer;
    if (useless && !normed) return PL_OK;
    if (!normed && scale == 1) return linear(s, slot, layer, from, PL_ACT_NONE, true, x);
    PL_TRY(pl_fill_zero(&s->model->processor, s->pass->stream, branch));
    PL_TRY(linear(s, slot, layer, from, PL_ACT_NONE, true, branch));
    return useless ? PL_OK : norm(s, PL_COUNT_TOKENS, after, layer, branch, true, scale, x);
}

/* x = the norm of x, a sum that a tape keeps, where the family has one behind the sum. */
static pl_status norm_sum(const pl__step *s, pl__slot slot, size_t layer, pl_view kept)
{
    pl_view x = s->views[PL__ACT_STREAM];
    PL_TRY(keep_copy(s, x, kept));
    if (!pl__step_weight(s, slot, layer)->view.buffer) return PL_OK;
    return norm(s, PL_COUNT_TOKENS, slot, layer, x, false, 1, x);
}

/* x += mlp(normed). */
static pl_status feed_forward(const pl__step *s, size_t layer, pl_view normed)
{
    const pl_config *c = s->config;
    pl_view up = s->views[PL__ACT_UP], hidden = s->views[PL__ACT_HIDDEN];
    if (!hidden.buffer) hidden = pl_view_columns(up, 0, c->F);
    if (!c->family->gated) {
        PL_TRY(linear(s, PL__UP, layer, normed, c->activation, false, hidden));
    } else {
        PL_TRY(linear(s, PL__UP, layer, normed, PL_ACT_NONE, false, up));
        pl_gate_args args = {.batch = s->batch, .activation = c->activation, .x = up, .y = hidden};
        PL_TRY(pl_op_gate(&s->model->processor, s->pass->stream, &args));
    }
    return add_branch(s, PL__DOWN, PL__AFTER_2, layer, hidden, s->views[PL__ACT_BRANCH_2]);
}

pl_status pl__step_block(const pl__step *s, size_t layer)
{
    pl_view x = s->views[PL__ACT_STREAM], normed = s->views[PL__ACT_NORMED], second = s->views[PL__ACT_NORMED_2];
    const bool two_norms = second.buffer != NULL;
    if (!two_norms) second = normed;
    PL_TRY(norm(s, PL_COUNT_TOKENS, PL__NORM_1, layer, x, false, 1, normed));
    /* A parallel block's second norm reads x as the block found it. */
    if (s->config->parallel && two_norms) PL_TRY(norm(s, PL_COUNT_TOKENS, PL__NORM_2, layer, x, false, 1, second));
    PL_TRY(attend(s, layer));
    PL_TRY(add_branch(s, PL__OUT, PL__AFTER_1, layer, s->views[PL__ACT_ATTENDED], s->views[PL__ACT_BRANCH]));
    if (!s->config->parallel) {
        PL_TRY(norm_sum(s, PL__SUM_1, layer, s->views[PL__ACT_MIDDLE]));
        PL_TRY(norm(s, PL_COUNT_TOKENS, PL__NORM_2, layer, x, false, 1, second));
    }
    PL_TRY(feed_forward(s, layer, second));
    return norm_sum(s, PL__SUM_2, layer, s->views[PL__ACT_END]);
}

/* One layer of one tap. */
static pl_status keep(const pl__step *s, const pl_tap *tap, pl_view states, pl_view into)
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

/* Keeps `layer` of `states` [N, width] for every tap that asks for it. */
static pl_status tap(const pl__step *s, size_t layer, pl_view states)
{
    for (size_t t = 0; t < s->pass->n_taps; t++) {
        const pl_tap *tap = &s->pass->taps[t];
        for (size_t i = 0; i < tap->n_layers; i++)
            if (tap->layers[i] == layer) PL_TRY(keep(s, tap, states, tap->into[i]));
    }
    return PL_OK;
}

static bool is_tapped(const pl__step *s, size_t layer)
{
    for (size_t t = 0; t < s->pass->n_taps; t++)
        for (size_t i = 0; i < s->pass->taps[t].n_layers; i++)
            if (s->pass->taps[t].layers[i] == layer) return true;
    return false;
}

/* *y = what the head reads, in float32, of all rows. */
static pl_status finish(const pl__step *s, pl_view *y)
{
    const pl_view x = s->views[PL__ACT_STREAM], normed = s->views[PL__ACT_NORMED], final = s->views[PL__ACT_FINAL];
    const bool projected = pl__step_weight(s, PL__PROJECT_OUT, 0)->matrix != NULL;
    *y = final.buffer ? final : normed;
    PL_TRY(norm(s, PL_COUNT_TOKENS, PL__FINAL_NORM, 0, x, false, 1, projected ? normed : *y));
    if (!projected) return PL_OK;
    PL_TRY(pl_fill_zero(&s->model->processor, s->pass->stream, final));
    return project(s, PL_COUNT_TOKENS, PL__PROJECT_OUT, normed, true, final);
}

/* The vocabulary head on gathered rows of x; in training the backward pass runs its product. */
static pl_status head(const pl__step *s)
{
    const pl_pass *p = s->pass;
    pl_view rows = s->views[PL__ACT_ROWS], normed = s->views[PL__ACT_ROWS_NORM];
    pl_gather_args gather = {.counts = s->batch->counts,
                             .count = PL_COUNT_ROWS,
                             .rows = p->head_rows,
                             .x = s->views[PL__ACT_STREAM],
                             .y = rows};
    PL_TRY(pl_op_gather(&s->model->processor, p->stream, &gather));
    PL_TRY(norm(s, PL_COUNT_ROWS, PL__FINAL_NORM, 0, rows, false, (double)pl__head_gain(s->config), normed));
    if (s->views[PL__ACT_ROWS_OUT].buffer)
        PL_TRY(project(s, PL_COUNT_ROWS, PL__PROJECT_OUT, normed, false, s->views[PL__ACT_ROWS_OUT]));
    if (p->tape) return PL_OK;
    pl_score_args score = {
        .counts = s->batch->counts,
        .x = s->views[pl__head_slot(s)],
        .weight = pl__step_weight(s, PL__HEAD, 0)->matrix,
        .bias = pl__step_weight(s, pl__bias_slot(PL__HEAD), 0)->view,
        .softcap = pl__head_softcap(s->config),
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

pl_status pl__step_begin(pl__step *s, pl_model *model, const pl_pass *pass)
{
    *s = (pl__step){.model = model, .config = &model->config, .pass = pass, .batch = &pass->batch};
    if (pass->tape && pass->n_taps) return pl_fail(PL_E_INTERNAL, "forward: a training pass has no taps");
    if (pass->tape) return pl__tape_cut(s, 0);
    const pl_activations *a = pass->activations;
    return pl__step_cut(s, a->views, a->n_tokens, a->n_rows);
}

pl_status pl__step_cut(pl__step *s, const pl_view views[PL__ACT_SLOTS], size_t n_tokens, size_t n_rows)
{
    const size_t N = s->batch->tokens.columns, R = s->pass->head_rows.columns;
    if (N > n_tokens || R > n_rows)
        return pl_fail(PL_E_INTERNAL, "forward: a batch of %zu tokens and %zu rows in activations for %zu and %zu", N,
                       R, n_tokens, n_rows);
    for (size_t i = 0; i < PL__ACT_SLOTS; i++) {
        s->views[i] = views[i];
        if (!s->views[i].buffer) continue;
        if (i < PL__ACT_TOKENS) s->views[i].rows = N;
        if (i >= PL__ACT_ROWS && i <= PL__ACT_ROWS_OUT) s->views[i].rows = R;
    }
    return PL_OK;
}

pl_dropout pl__step_dropout(const pl__step *s, pl_dropout_site site, size_t layer)
{
    const pl_training *t = s->pass->training;
    if (!s->pass->tape || !t) return (pl_dropout){0};
    const double probability = site == PL_DROPOUT_EMBED       ? t->embed_dropout
                               : site == PL_DROPOUT_ATTENTION ? t->attention_dropout
                                                              : t->residual_dropout;
    return (pl_dropout){.probability = (float)probability,
                        .layer = (uint32_t)layer,
                        .site = site,
                        .key = t->key,
                        .examples = t->examples};
}

pl_status pl_model_forward(pl_model *model, const pl_pass *pass)
{
    pl__step s;
    PL_TRY(pl__step_begin(&s, model, pass));
    const size_t L = model->config.L;
    pl_view x = s.views[PL__ACT_STREAM];

    pl_kv_copy_args copy = {.batch = s.batch, .kv = pass->kv};
    PL_TRY(pl_op_kv_copy(&model->processor, pass->stream, &copy));
    PL_TRY(embed(&s));
    PL_TRY(tap(&s, 0, x));
    for (size_t l = 0; l < L; l++) {
        if (pass->tape) PL_TRY(pl__tape_cut(&s, l));
        PL_TRY(keep_copy(&s, x, s.views[PL__ACT_INPUT]));
        PL_TRY(pl__step_block(&s, l));
        PL_TRY(tap(&s, l + 1, x));
    }
    if (is_tapped(&s, L + 1)) {
        pl_view y;
        PL_TRY(finish(&s, &y));
        PL_TRY(tap(&s, L + 1, y));
    }
    return pass->head_rows.buffer ? head(&s) : PL_OK;
}
