/* Inside of the memory of a forward pass: activations.c makes it, forward.c uses it. */
#ifndef PLUMB_MODEL_ACTIVATIONS_H
#define PLUMB_MODEL_ACTIVATIONS_H

#include "model/weights.h"

/* An absent view (buffer NULL) is one that the model or the pass does not need. Slots before TOKENS have a row a token,
 * those behind one a gathered row. Those from KEPT to END are a tape's alone. */
typedef enum pl__activation_slot {
    PL__ACT_STREAM,   /* x [N, C] f32: the residual stream */
    PL__ACT_NORMED,   /* [N, C] */
    PL__ACT_NORMED_2, /* [N, C]: the second norm of a parallel block, and on a tape */
    PL__ACT_QKV,      /* [N, (H + 2G) D] */
    PL__ACT_ATTENDED, /* [N, H D] */
    PL__ACT_UP,       /* [N, F], or [N, 2F] when gated */
    PL__ACT_BRANCH,   /* [N, C] f32: a branch before the norm behind it; on a tape the attention's */
    PL__ACT_KEPT,
    PL__ACT_INPUT = PL__ACT_KEPT, /* [N, C] f32: x as the block found it */
    PL__ACT_MIDDLE,  /* [N, C] f32: x before the second norm of a block that is not parallel, or the norm behind the sum
                      */
    PL__ACT_QKV_RAW, /* [N, (H + 2G) D]: before norms of heads, where the family has them */
    PL__ACT_LSE,     /* [N, H] f32 */
    PL__ACT_HIDDEN,  /* [N, F]: what DOWN reads; UP then holds what the activation or gate found */
    PL__ACT_BRANCH_2,     /* [N, C] f32: the feed-forward's */
    PL__ACT_END,          /* [N, C] f32: x before the norm behind the second sum */
    PL__ACT_FINAL,        /* [N, E] f32: what the head reads, of all rows, where NORMED is not that */
    PL__ACT_EMBEDDED,     /* [N, E] f32: embeddings before their projection */
    PL__ACT_EMBEDDED_LOW, /* [N, E]: the same as a product reads them */
    PL__ACT_TOKENS,
    PL__ACT_ROWS = PL__ACT_TOKENS, /* [R, C] f32: gathered rows of x */
    PL__ACT_ROWS_NORM,             /* [R, C] */
    PL__ACT_ROWS_OUT,              /* [R, E]: their projection */
    PL__ACT_LOGITS,                /* [R, V] f32 */
    PL__ACT_WORKSPACE,             /* bytes */
    PL__ACT_SLOTS
} pl__activation_slot;

struct pl_activations {
    pl_processor processor;
    size_t n_tokens, n_rows;
    pl_view views[PL__ACT_SLOTS];
};

/* The sizes of the views of one pass: N tokens, R rows; buffers are NULL. With `tape` all that the backward pass needs
 * of one block is apart. */
void pl__activations_plan(pl_view out[PL__ACT_SLOTS], const pl_backend *ops, const pl_config *config, pl_dtype compute,
                          size_t N, size_t R, bool tape);

#endif
