/* Inside of a pass under way: forward.c goes over the blocks, backward.c goes back and runs a block again. */
#ifndef PLUMB_MODEL_PASS_H
#define PLUMB_MODEL_PASS_H

#include "model/activations.h"
#include "model/trainable.h"

typedef struct pl__step {
    pl_model *model;
    const pl_config *config;
    const pl_pass *pass;
    const pl_batch *batch;
    bool again;                   /* a block for the backward pass: from its kept input, without its last product */
    pl_view views[PL__ACT_SLOTS]; /* by slot, as many rows as the batch may have; on a tape those of one layer */
} pl__step;

pl_status pl__step_begin(pl__step *s, pl_model *model, const pl_pass *pass);
/* The views cut to the batch's capacities, so that products do not run over memory that this batch has no use for. A
 * batch larger than its memory would write past it: an error. */
pl_status pl__step_cut(pl__step *s, const pl_view views[PL__ACT_SLOTS], size_t n_tokens, size_t n_rows);
/* x = the embeddings with their projection, before their norm and dropout. */
pl_status pl__step_embed(const pl__step *s);
/* x = the block of x. */
pl_status pl__step_block(const pl__step *s, size_t layer);
/* Of a training pass; else none. */
pl_dropout pl__step_dropout(const pl__step *s, pl_dropout_site site, size_t layer);

static inline const pl__bound_weight *pl__step_weight(const pl__step *s, pl__slot slot, size_t layer)
{
    return pl__model_weight(s->model, slot, layer);
}

/* A block without a norm before a branch reads the residual stream itself, in the activations' type. */
static inline pl_norm_kind pl__norm_kind(const pl__step *s, pl_view weight)
{
    return weight.buffer ? s->config->norm : PL_NORM_NONE;
}

/* The weights of a norm of heads as its op takes them: a row a head where each has its own. */
static inline pl_view pl__heads_of(const pl_config *config, pl_view weight)
{
    if (!config->family->own_norms || !weight.buffer) return weight;
    weight.rows = weight.columns / config->D;
    weight.columns = weight.stride = config->D;
    return weight;
}

/* What the head's product reads. */
static inline pl__activation_slot pl__head_slot(const pl__step *s)
{
    return s->views[PL__ACT_ROWS_OUT].buffer ? PL__ACT_ROWS_OUT : PL__ACT_ROWS_NORM;
}

/* Tokens whose ids are their positions: rows of the position table are found as those of the embedding. */
static inline pl_batch pl__by_position(const pl__step *s)
{
    pl_batch batch = *s->batch;
    batch.tokens = batch.positions;
    return batch;
}
/* A position table from the row of position 0 on. */
static inline pl_view pl__position_rows(const pl_config *config, pl_view table)
{
    const size_t offset = config->family->position_offset;
    return pl_view_rows(table, offset, table.rows - offset);
}

/* pl_attention_args.alibi_scale. */
static inline float pl__alibi_scale(const pl_config *config)
{
    return config->alibi && config->family->alibi_rounded ? (float)config->attention_scale : 0;
}

/* Branches are scaled or normed before they are added: they need memory of their own. */
static inline bool pl__has_branches(const pl_config *config)
{
    return config->residual_scale != 1 || pl__config_has(config, PL__AFTER_1);
}

/* Of the gathered rows' norm, and the cap of logits: a classifier's scores are as they come. */
static inline float pl__head_gain(const pl_config *config)
{
    return config->n_labels ? 1.0F : (float)(1 / config->logit_divisor);
}
static inline float pl__head_softcap(const pl_config *config)
{
    return config->n_labels ? 0.0F : (float)config->logit_softcap;
}

/* ---- The tape ---- */

/* Gradients on the way back. */
typedef enum pl__gradient_slot {
    PL__GRAD_STREAM,       /* [N, C] f32: of the residual stream */
    PL__GRAD_NORMED,       /* [N, C] */
    PL__GRAD_NORMED_2,     /* [N, C]: a parallel block with two norms */
    PL__GRAD_QKV,          /* [N, (H + 2G) D] */
    PL__GRAD_ATTENDED,     /* [N, H D] */
    PL__GRAD_UP,           /* [N, 2F] when gated */
    PL__GRAD_HIDDEN,       /* [N, F] */
    PL__GRAD_BRANCH,       /* [N, C] f32: of a branch or sum before the norm behind it; of embeddings before theirs */
    PL__GRAD_EMBEDDED,     /* [N, E] f32: of embeddings before their projection */
    PL__GRAD_EMBEDDED_LOW, /* [N, E]: the same as a product leaves it */
    PL__GRAD_TOKENS,       /* those before have a row a token, those behind one a gathered row */
    PL__GRAD_ROWS = PL__GRAD_TOKENS, /* [R, C] f32 */
    PL__GRAD_ROWS_NORM,              /* [R, C] */
    PL__GRAD_ROWS_OUT,               /* [R, E] */
    PL__GRAD_WORKSPACE,              /* bytes */
    PL__GRAD_SLOTS
} pl__gradient_slot;

struct pl_tape {
    pl_processor processor;
    size_t n_tokens, n_rows, n_layers;
    bool checkpointing;
    pl_view shared[PL__ACT_SLOTS];    /* what all layers use one after another, and the gathered rows */
    pl_view (*layers)[PL__ACT_SLOTS]; /* [n_layers]: what is kept of each */
    pl_view gradients[PL__GRAD_SLOTS];
};

/* s->views = those of a layer. */
pl_status pl__tape_cut(pl__step *s, size_t layer);

#endif
