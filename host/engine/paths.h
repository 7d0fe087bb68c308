/* The plan of a scoring call: which token paths run, and what each token's row is wanted for.
 *
 * A request contributes its prompt (when it has no choices or a state of it is kept) and one path per choice; a choice
 * runs without its last token unless that token's own state is wanted, since the token is scored from the row before.
 * Each path is far or near by its own tokens that run, as if it were alone (pl_config.border). Wants are grouped by
 * tree node: points (one row each) and ranges (rows of a node). Borrowed: requests, capture, config. */
#ifndef PLUMB_ENGINE_PATHS_H
#define PLUMB_ENGINE_PATHS_H

#include "engine/engine.h"
#include "engine/tree.h"

typedef enum pl__want {
    PL__WANT_TARGET, /* log p of `token`, into target `slot` */
    PL__WANT_HEAD,   /* the whole row of the head: logits or arg max, for row `slot` */
    PL__WANT_LAST,   /* the state, into row `slot` of `last` */
    PL__WANT_LABEL,
    PL__WANT_SUFFIX
} pl__want;

/* Both begin with their node: they are grouped by one function. */
typedef struct pl__point {
    uint32_t node, position;
    pl__want want;
    int32_t token;
    uint32_t slot, order;
} pl__point;

typedef struct pl__token_range {
    uint32_t node, first, n; /* positions first..first + n - 1 of the node */
    uint32_t slot;           /* means: the request; all: the row of `first`, the next tokens follow it */
} pl__token_range;

/* A growing list, sorted by node: those of node i are indptr[i]..indptr[i + 1]. */
typedef struct pl__points {
    pl__point *data;
    size_t n, capacity;
    size_t *indptr;
} pl__points;

typedef struct pl__token_ranges {
    pl__token_range *data;
    size_t n, capacity;
    size_t *indptr;
} pl__token_ranges;

typedef struct pl__paths {
    const pl_request *requests;
    size_t n;
    const pl_capture *capture;
    const pl_config *config;
    bool alone;                             /* every path by itself */
    pl__tree tree;                          /* what runs */
    uint32_t *prompt_end;                   /* [n]; PL__NONE: the prompt is not run for itself */
    uint32_t *choice_end;                   /* [choices], of the paths that they are scored on */
    uint32_t *state_end;                    /* [choices]: with the last token's state, where that is wanted */
    uint32_t *suffix_end;                   /* [n]; PL__NONE: none is run */
    uint64_t *choice_indptr, *token_indptr; /* as in pl_results */
    pl__points points;
    pl__token_ranges means, all;
    /* The rows of `all`: the shared tree in pre-order, whether or not it is what runs. */
    pl__tree shared;      /* used when alone */
    uint32_t *shared_end; /* [2 n + 2 choices] when alone: prompt, suffix, choices, states, request by request */
    size_t n_all;
    uint64_t *all_indptr;
    pl__token_ranges ranges; /* first, n: pairs of pl_results.all_ranges */
    size_t n_targets, tokens_in_requests;
} pl__paths;

/* PL_E_INPUT names request, position and what is wrong: an id that is no token, a scored one without a logit. */
pl_status pl__paths_open(pl__paths *plan, const pl_request *requests, size_t n, const pl_capture *capture,
                         const pl_config *config, bool alone); /* from {0} */
void pl__paths_close(pl__paths *plan);                         /* takes {0} */

/* Tokens whose mean is taken: from..n - 1, without position 0. */
size_t pl__mean_first(const pl_request *request);

/* A request's ids, each in [0, V), and n at most max_positions. */
pl_status pl__request_check_ids(const int32_t *ids, size_t n, size_t V, size_t request, const char *what);
pl_status pl__request_check_length(size_t n, size_t max_positions, size_t request, const char *what);

pl_status pl__points_add(pl__points *points, pl__point point);
pl_status pl__points_group(pl__points *points, size_t n_nodes);
void pl__points_free(pl__points *points); /* takes {0} */

#endif
