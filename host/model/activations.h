/* Inside of the memory of a forward pass: activations.c makes it, forward.c uses it. */
#ifndef PLUMB_MODEL_ACTIVATIONS_H
#define PLUMB_MODEL_ACTIVATIONS_H

#include "model/weights.h"

/* An absent view (buffer NULL) is one that the model or the pass does not need. Slots up to FINAL have a row a token,
 * ROWS and ROWS_NORM one a gathered row. */
typedef enum pl__activation_slot {
    PL__ACT_STREAM,    /* x [N, C] f32: the residual stream */
    PL__ACT_NORMED,    /* [N, C] */
    PL__ACT_NORMED_2,  /* [N, C]: the second norm of a parallel block */
    PL__ACT_QKV,       /* [N, (H + 2G) D] */
    PL__ACT_ATTENDED,  /* [N, H D] */
    PL__ACT_UP,        /* [N, F], or [N, 2F] when gated */
    PL__ACT_FINAL,     /* [N, C] f32: the final norm of all rows, where NORMED holds 16 bits */
    PL__ACT_ROWS,      /* [R, C] f32: gathered rows of x */
    PL__ACT_ROWS_NORM, /* [R, C] */
    PL__ACT_LOGITS,    /* [R, V] f32 */
    PL__ACT_WORKSPACE, /* bytes */
    PL__ACT_SLOTS
} pl__activation_slot;

struct pl_activations {
    pl_processor processor;
    size_t n_tokens, n_rows;
    pl_view views[PL__ACT_SLOTS];
};

#endif
