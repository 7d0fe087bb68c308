/* How large a primary contrast (spec key `primary`) will be: what plan says that it can detect depends on it. */
#ifndef PLUMB_EXPERIMENT_PRIMARY_SIZE_H
#define PLUMB_EXPERIMENT_PRIMARY_SIZE_H

#include "experiment/plan.h"

typedef struct pl_primary_size {
    size_t items, clusters; /* clusters: groups of items (plumb.group); items where there are none */
    size_t templates;       /* wordings of the role: variants of label words are one */
    size_t draws;           /* that both sides have, or of the one that has some */
    bool drawn;             /* a side has shots, or learns: draws are of many */
    bool found;             /* each side is an arm of the experiment */
} pl_primary_size;

/* Of the index-th contrast of plan->spec->primary, for the first model. best_prompt counts as the prompting arm with
 * the most draws. */
pl_status pl_primary_size_of(pl_primary_size *out, const pl_plan *plan, size_t index);

#endif
