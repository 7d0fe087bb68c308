/* Values that are no numbers: which items of a unit have NaN or infinity, and in which captured layer they begin. */
#ifndef PLUMB_EXPERIMENT_FINITE_H
#define PLUMB_EXPERIMENT_FINITE_H

#include "engine/engine.h"

typedef struct pl_not_finite {
    size_t n;     /* requests with a value that is not finite in a captured state (`last`, or `mean` over some token) */
    size_t first; /* the first of them; SIZE_MAX: none */
    size_t layer; /* place in the capture's layers where the first one's begin; SIZE_MAX: none */
} pl_not_finite;

/* Whether an item has a state at a position: a mean over no token and the label of no label are NaN by definition. */
bool pl_state_exists(const pl_request *request, unsigned position);

/* Looks through the states `last` and `mean` of a call; `label` stands on the path that was scored. */
pl_not_finite pl_states_not_finite(const pl_results *results, const pl_request *requests);

#endif
