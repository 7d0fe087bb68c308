/* The one backward pass, for every family: the forward pass's blocks from the last to the first, by the same facts. The
 * gradient of the residual stream stands in one matrix, to which each branch adds; a branch's own gradients are written
 * and used up inside its block. */
#include "model/masters.h"
#include "model/pass.h"

/* One pass under way. */
typedef struct way {
    pl__step step;
    pl_view d[PL__GRAD_SLOTS]; /* gradients, as many rows as the batch may have */
    pl_view gradient;          /* of the parameters */
} way;

static const pl_processor *processor_of(const way *w)
{
    return &w->step.model->processor;
}

/* Where the gradient of a weight is added; absent when there is no such weight. A tied head adds to the embedding's. */
static pl_view parameter(const way *w, pl__slot slot, size_t layer)
{
    if (slot == PL__HEAD && w->step.config->tied) slot = PL__EMBED;
    pl_view v = pl__step_weight(&w->step, slot, layer)->view;
    if (!v.buffer) return v;
    v.buffer = w->gradient.buffer;
    v.offset += w->gradient.offset;
    return v;
}

/* Rows past the count, where a product would take them in. */
static pl_status clear_tail(const way *w, pl_count count, pl_view x)
{
    if (!processor_of(w)->ops->whole_capacity) return PL_OK;
    pl_zero_tail_args args = {.counts = w->step.batch->counts, .count = count, .x = x};
    return pl_op_zero_tail(processor_of(w), w->step.pass->stream, &args);
}

static pl_status norm_back(const way *w, pl_count count, pl__slot slot, size_t layer, pl_view x, double gain,
                           pl_view dy, pl_view dx)
{
    const pl_view weight = pl__step_weight(&w->step, slot, layer)->view;
    pl_norm_backward_args args = {
        .counts = w->step.batch->counts,
        .count = count,
        .kind = pl__norm_kind(&w->step, weight),
        .eps = (float)w->step.config->norm_eps,
        .x = x,
        .weight = weight,
        .dy = dy,
        .dx = dx,
        .dweight = parameter(w, slot, layer),
        .dbias = parameter(w, pl__bias_slot(slot), layer),
        .workspace = w->d[PL__GRAD_WORKSPACE],
        .gain = (float)gain,
    };
    return pl_op_norm_backward(processor_of(w), w->step.pass->stream, &args);
}

static pl_status linear_back(const way *w, pl__slot slot, size_t layer, pl_view x, pl_view dy, pl_view dx,
                             bool accumulate_dx)
{
    const pl__step *s = &w->step;
    pl_linear_backward_args args = {
        .counts = s->batch->counts,
        .count = PL_COUNT_TOKENS,
        .x = x,
        .dy = dy,
        .weight = pl__step_weight(s, slot, layer)->matrix,
        .positions = s->batch->positions,
        .dx = dx,
        .accumulate_dx = accumulate_dx,
        .dweight = parameter(w, slot, layer),
        .dbias = parameter(w, pl__bias_slot(slot), layer),
        .workspace = w->d[PL__GRAD_WORKSPACE],
    };
    if (slot == PL__UP && !s->config->family->gated) {
        args.activation = s->config->activation;
        args.pre = s->views[PL__ACT_UP];
    }
    if (slot == PL__OUT) args.dropout = pl__step_dropout(s, PL_DROPOUT_OUT, layer);
    if (slot == PL__DOWN) args.dropout = pl__step_dropout(s, PL_DROPOUT_DOWN, layer);
    PL_TRY(clear_tail(w, PL_COUNT_TOKENS, x));
    PL_TRY(clear_tail(w, PL_COUNT_TOKENS, dy));
    return pl_op_linear_backward(processor_of(w), s->pass->stream, &args);
}

/* Of y = W x of a matrix of the whole model: dx is written, the weight's gradient added to. */
static pl_status project_back(const way *w, pl_count count, pl__slot slot, pl_view x, pl_view dy, pl_view dx)
{
    const pl_linear_backward_args args = {.counts = w->step.batch->counts,
                                          .count = count,
                                          .x = x,
                                          .dy = dy,
                                          .weight = pl__step_weight(&w->step, slot, 0)->matrix,
                                          .dx = dx,
                                          .dweight = parameter(w, slot, 0),
                                          .workspace = w->d[PL__GRAD_WORKSPACE]};
    PL_TRY(clear_tail(w, count, x));
    PL_TRY(clear_tail(w, count, dy));
    return pl_op_linear_backward(processor_of(w), w->step.pass->stream, &args);
}

/* The head: its loss, and the gradient of the residual stream begins with the rows that carry loss. */
static pl_status head_back(const way *w)
{
    const pl__step *s = &w->step;
    const pl_pass *p = s->pass;
    pl_view rows = w->d[PL__GRAD_ROWS], x = w->d[PL__GRAD_STREAM], dnormed = w->d[PL__GRAD_ROWS_NORM];
    const bool projected = w->d[PL__GRAD_ROWS_OUT].buffer != NULL;
    pl_score_backward_args score = {
        .counts = s->batch->counts,
        .x = s->views[pl__head_slot(s)],
        .weight = pl__step_weight(s, PL__HEAD, 0)->matrix,
        .bias = pl__step_weight(s, pl__bias_slot(PL__HEAD), 0)->view,
        .softcap = pl__head_softcap(s->config),
        .target_tokens = p->target_tokens,
        .loss_weights = p->training->loss_weights,
        .log_probability = p->log_probability,
        .dx = projected ? w->d[PL__GRAD_ROWS_OUT] : dnormed,
        .dweight = parameter(w, PL__HEAD, 0),
        .dbias = parameter(w, pl__bias_slot(PL__HEAD), 0),
        .workspace = w->d[PL__GRAD_WORKSPACE],
    };
    PL_TRY(clear_tail(w, PL_COUNT_ROWS, score.x));
    PL_TRY(pl_op_score_backward(processor_of(w), p->stream, &score));
    if (projected)
        PL_TRY(project_back(w, PL_COUNT_ROWS, PL__PROJECT_OUT, s->views[PL__ACT_ROWS_NORM], score.dx, dnormed));
    PL_TRY(pl_fill_zero(processor_of(w), p->stream, rows));
    PL_TRY(norm_back(w, PL_COUNT_ROWS, PL__FINAL_NORM, 0, s->views[PL__ACT_ROWS], (double)pl__head_gain(s->config),
                     dnormed, rows));
    PL_TRY(pl_fill_zero(processor_of(w), p->stream, x));
    pl_gather_backward_args gather = {
        .counts = s->batch->counts, .count = PL_COUNT_ROWS, .rows = p->head_rows, .dy = rows, .dx = x};
    return pl_op_gather_backward(processor_of(w), p->stream, &gather);
}

/* *out = the gradient of a branch: that of the residual stream, through the scale and the norm behind the branch where
 * there are any. */
static pl_status branch_back(const way *w, pl__slot after, size_t layer, pl_view branch, pl_view *out)
{
    pl_view x = w->d[PL__GRAD_STREAM];
    const double scale = w->step.config->residual_scale;
    *out = x;
    if (scale == 1 && !pl__step_weight(&w->step, after, layer)->view.buffer) return PL_OK;
    *out = w->d[PL__GRAD_BRANCH];
    PL_TRY(pl_fill_zero(processor_of(w), w->step.pass->stream, *out));
    return norm_back(w, PL_COUNT_TOKENS, after, layer, branch, scale, x, *out);
}

/* The gradient of a sum, from that of the norm behind it, where the family has one. */
static pl_status norm_sum_back(const way *w, pl__slot slot, size_t layer, pl_view sum)
{
    pl_view x = w->d[PL__GRAD_STREAM], dsum = w->d[PL__GRAD_BRANCH];
    if (!pl__step_weight(&w->step, slot, layer)->view.buffer) return PL_OK;
    const pl_copy_args copy = {.from = dsum, .to = x};
    PL_TRY(pl_fill_zero(processor_of(w), w->step.pass->stream, dsum));
    PL_TRY(norm_back(w, PL_COUNT_TOKENS, slot, layer, sum, 1, x, dsum));
    return pl_op_copy(processor_of(w), w->step.pass->stream, &copy);
}

/* d normed = the way back of the feed-forward branch. */
static pl_status feed_forward_back(const way *w, size_t layer, pl_view normed, pl_view dnormed)
{
    const pl__step *s = &w->step;
    pl_view hidden = w->d[PL__GRAD_HIDDEN], up = hidden, dbranch;
    PL_TRY(branch_back(w, PL__AFTER_2, layer, s->views[PL__ACT_BRANCH_2], &dbranch));
    PL_TRY(linear_back(w, PL__DOWN, layer, s->views[PL__ACT_HIDDEN], dbranch, hidden, false));
    if (s->config->family->gated) {
        up = w->d[PL__GRAD_UP];
        pl_gate_backward_args args = {
            .batch = s->batch, .activation = s->config->activation, .x = s->views[PL__ACT_UP], .dy = hidden, .dx = up};
        PL_TRY(pl_op_gate_backward(processor_of(w), s->pass->stream, &args));
    }
    return linear_back(w, PL__UP, layer, normed, up, dnormed, false);
}

static pl_status head_norm_back(const way *w, pl__slot slot, size_t layer, size_t n_heads, size_t first_column)
{
    const pl__step *s = &w->step;
    if (!pl__step_weight(s, slot, layer)->view.buffer) return PL_OK;
    const bool wide = s->config->family->wide_norms;
    pl_head_norm_backward_args args = {
        .batch = s->batch,
        .kind = s->config->norm,
        .eps = (float)s->config->norm_eps,
        .n_heads = wide ? 1 : n_heads,
        .head_width = wide ? n_heads * s->config->D : s->config->D,
        .first_column = first_column,
        .weight = pl__heads_of(s->config, pl__step_weight(s, slot, layer)->view),
        .x = s->views[PL__ACT_QKV_RAW],
        .dy = w->d[PL__GRAD_QKV],
        .dweight = pl__heads_of(s->config, parameter(w, slot, layer)),
        .dbias = parameter(w, pl__bias_slot(slot), layer),
        .workspace = w->d[PL__GRAD_WORKSPACE],
    };
    return pl_op_head_norm_backward(processor_of(w), s->pass->stream, &args);
}

static pl_status rotate_back(const way *w, size_t layer)
{
    const pl_config *c = w->step.config;
    const pl_rope *rope = pl_config_rope(c, layer);
    if (!rope) return PL_OK;
    pl_rotary_backward_args args = {
        .batch = w->step.batch,
        .n_heads = c->H,
        .n_kv_heads = c->G,
        .head_width = c->D,
        .width = rope->width,
        .interleaved = rope->interleaved,
        .cosine = pl__model_turn(w->step.model, layer)->cosine,
        .sine = pl__model_turn(w->step.model, layer)->sine,
        .qkv = w->d[PL__GRAD_QKV],
    };
    return pl_op_rotary_backward(processor_of(w), w->step.pass->stream, &args);
}

/* d normed (+)= the way back of the attention branch. */
static pl_status attention_back(const way *w, size_t layer, pl_view normed, pl_view dnormed, bool accumulate)
{
    const pl__step *s = &w->step;
    const pl_config *c = s->config;
    pl_view dbranch;
    PL_TRY(branch_back(w, PL__AFTER_1, layer, s->views[PL__ACT_BRANCH], &dbranch));
    PL_TRY(linear_back(w, PL__OUT, layer, s->views[PL__ACT_ATTENDED], dbranch, w->d[PL__GRAD_ATTENDED], false));
    pl_attention_backward_args args = {
        .batch = s->batch,
        .n_sequences = s->pass->training->n_sequences,
        .sequences = s->pass->training->sequences,
        .n_heads = c->H,
        .n_kv_heads = c->G,
        .head_width = c->D,
        .scale = (float)c->attention_scale,
        .softcap = (float)c->attention_softcap,
        .window = pl_config_layer(c, layer)->window,
        .alibi = s->model->slopes,
        .alibi_scale = pl__alibi_scale(c),
        .dropout = pl__step_dropout(s, PL_DROPOUT_ATTENTION, layer),
        .qkv = s->views[PL__ACT_QKV],
        .y = s->views[PL__ACT_ATTENDED],
        .lse = s->views[PL__ACT_LSE],
        .dy = w->d[PL__GRAD_ATTENDED],
        .dqkv = w->d[PL__GRAD_QKV],
        .workspace = w->d[PL__GRAD_WORKSPACE],
    };
    PL_TRY(pl_op_attention_backward(processor_of(w), s->pass->stream, &args));
    PL_TRY(rotate_back(w, layer));
    PL_TRY(head_norm_back(w, PL__Q_NORM, layer, c->H, 0));
    PL_TRY(head_norm_back(w, PL__K_NORM, layer, c->G, c->H * c->D));
    return linear_back(w, PL__QKV, layer, normed, w->d[PL__GRAD_QKV], dnormed, accumulate);
}

static pl_status block_back(const way *w, size_t layer)
{
    const pl__step *s = &w->step;
    pl_view x = w->d[PL__GRAD_STREAM], dnormed = w->d[PL__GRAD_NORMED], dsecond = w->d[PL__GRAD_NORMED_2];
    pl_view input = s->views[PL__ACT_INPUT], normed = s->views[PL__ACT_NORMED], second = s->views[PL__ACT_NORMED_2];
    PL_TRY(norm_sum_back(w, PL__SUM_2, layer, s->views[PL__ACT_END]));
    if (!s->config->parallel) {
        PL_TRY(feed_forward_back(w, layer, second, dnormed));
        PL_TRY(norm_back(w, PL_COUNT_TOKENS, PL__NORM_2, layer, s->views[PL__ACT_MIDDLE], 1, dnormed, x));
        PL_TRY(norm_sum_back(w, PL__SUM_1, layer, s->views[PL__ACT_MIDDLE]));
        PL_TRY(attention_back(w, layer, normed, dnormed, false));
        return norm_back(w, PL_COUNT_TOKENS, PL__NORM_1, layer, input, 1, dnormed, x);
    }
    /* Both branches read the stream's gradient before either norm adds to it. */
    if (!second.buffer) { /* and share one norm */
        PL_TRY(feed_forward_back(w, layer, normed, dnormed));
        PL_TRY(attention_back(w, layer, normed, dnormed, true));
        return norm_back(w, PL_COUNT_TOKENS, PL__NORM_1, layer, input, 1, dnormed, x);
    }
    PL_TRY(feed_forward_back(w, layer, second, dsecond));
    PL_TRY(attention_back(w, layer, normed, dnormed, false));
    PL_TRY(norm_back(w, PL_COUNT_TOKENS, PL__NORM_2, layer, input, 1, dsecond, x));
    return norm_back(w, PL_COUNT_TOKENS, PL__NORM_1, layer, input, 1, dnormed, x);
}

/* The block once more, from its kept input. */
static pl_status run_again(way *w, size_t layer)
{
    pl_copy_args args = {.from = w->step.views[PL__ACT_INPUT], .to = w->step.views[PL__ACT_STREAM]};
    PL_TRY(pl_op_copy(processor_of(w), w->step.pass->stream, &args));
    return pl__step_block(&w->step, layer);
}

/* Of x = positions + W embeddings, which are looked up once more. */
static pl_status projected_back(const way *w, const pl_embed_backward_args *plain)
{
    const pl__step *s = &w->step;
    const pl_batch by_position = pl__by_position(s);
    const pl_view low = w->d[PL__GRAD_EMBEDDED_LOW];
    pl_embed_backward_args positions = {.batch = &by_position,
                                        .scale = 1,
                                        .dx = plain->dx,
                                        .dtable = pl__position_rows(s->config, plain->dposition_table),
                                        .order = plain->position_order,
                                        .starts = plain->position_starts},
                           embeddings = *plain;
    embeddings.dx = w->d[PL__GRAD_EMBEDDED];
    embeddings.dposition_table = (pl_view){0};
    const pl_convert_args convert = {.x = low, .y = embeddings.dx};
    PL_TRY(pl_op_embed_backward(processor_of(w), s->pass->stream, &positions));
    PL_TRY(pl__step_embed(s));
    PL_TRY(project_back(w, PL_COUNT_TOKENS, PL__PROJECT_IN, s->views[PL__ACT_EMBEDDED_LOW], plain->dx, low));
    PL_TRY(pl_op_convert(processor_of(w), s->pass->stream, &convert));
    return pl_op_embed_backward(processor_of(w), s->pass->stream, &embeddings);
}

static pl_status embed_back(const way *w)
{
    const pl__step *s = &w->step;
    const pl_training *t = s->pass->training;
    pl_view dx = w->d[PL__GRAD_STREAM];
    pl_dropout_args drop = {.batch = s->batch, .dropout = pl__step_dropout(s, PL_DROPOUT_EMBED, 0), .x = dx, .y = dx};
    if (drop.dropout.probability != 0.0F) PL_TRY(pl_op_dropout(processor_of(w), s->pass->stream, &drop));
    if (pl__step_weight(s, PL__EMBED_NORM, 0)->view.buffer) { /* of embeddings that are made once more */
        dx = w->d[PL__GRAD_BRANCH];
        PL_TRY(pl__step_embed(s));
        PL_TRY(pl_fill_zero(processor_of(w), s->pass->stream, dx));
        PL_TRY(
            norm_back(w, PL_COUNT_TOKENS, PL__EMBED_NORM, 0, s->views[PL__ACT_STREAM], 1, w->d[PL__GRAD_STREAM], dx));
    }
    pl_embed_backward_args args = {
        .batch = s->batch,
        .scale = (float)s->config->embed_scale,
        .position_offset = s->config->family->position_offset,
        .has_padding = s->config->has_padding,
        .padding = s->config->padding,
        .dx = dx,
        .dtable = parameter(w, PL__EMBED, 0),
        .dposition_table = parameter(w, PL__POSITIONS, 0),
        .order = t->order,
        .starts = t->starts,
        .position_order = t->position_order,
        .position_starts = t->position_starts,
    };
    if (pl__step_weight(s, PL__PROJECT_IN, 0)->matrix) return projected_back(w, &args);
    return pl_op_embed_backward(processor_of(w), s->pass->stream, &args);
}

pl_status pl_model_backward_part(pl_trainable *trainable, const pl_pass *pass, size_t first, size_t end)
{
    way w = {.gradient = pass->training->gradient};
    PL_TRY(pl__step_begin(&w.step, trainable->model, pass));
    const pl_tape *tape = pass->tape;
    for (size_t i = 0; i < PL__GRAD_SLOTS; i++) {
        w.d[i] = tape->gradients[i];
        if (i < PL__GRAD_TOKENS && w.d[i].buffer) w.d[i].rows = pass->batch.tokens.columns;
        if (i >= PL__GRAD_TOKENS && i < PL__GRAD_WORKSPACE) w.d[i].rows = pass->head_rows.columns;
    }
    w.step.again = true;
    if (end == trainable->model->config.L) PL_TRY(head_back(&w));
    for (size_t l = end; l-- > first;) {
        PL_TRY(pl__tape_cut(&w.step, l));
        if (tape->checkpointing) PL_TRY(run_again(&w, l));
        PL_TRY(block_back(&w, l));
    }
    return first == 0 ? embed_back(&w) : PL_OK;
}

pl_status pl_model_backward(pl_trainable *trainable, const pl_pass *pass)
{
    return pl_model_backward_part(trainable, pass, 0, trainable->model->config.L);
}
