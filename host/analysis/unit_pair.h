/* Two units of one task and readout whose states are compared, item by item. */
#ifndef PLUMB_ANALYSIS_UNIT_PAIR_H
#define PLUMB_ANALYSIS_UNIT_PAIR_H

#include "analysis/group.h"

typedef struct pl__unit_pair {
    const pl_run_unit *a, *b;
} pl__unit_pair;

/* Pairs of finished units, b's of one group. */
typedef struct pl__unit_pairs {
    pl_run_view *view;
    size_t first; /* the group's first unit */
    pl__unit_pair *list;
    size_t n, capacity;
} pl__unit_pairs;

/* Each of these empties the list first. */
/* The group's units, and under the same template the checkpoint as it is: arm prompt without shots. */
pl_status pl__pairs_with_base(pl__unit_pairs *pairs);
/* Two draws of the group under the same template. */
pl_status pl__pairs_of_draws(pl__unit_pairs *pairs);

/* Two templates of a member that follow one another in the plan. */
pl_status pl__pairs_of_templates(pl__unit_pairs *pairs);
/* Each of the group's units with itself. */
pl_status pl__pairs_with_itself(pl__unit_pairs *pairs);
/* The group's units, and those of another model that differ in nothing else. */
pl_status pl__pairs_with_model(pl__unit_pairs *pairs, const char *model);

/* The items that both units of a pair have. */
typedef struct pl__compared {
    pl__group group;   /* view, unit, items, clusters */
    pl__member member; /* both units */
    pl__cell cells[2];
    pl_unit_reader *readers[2];
    size_t n_taken;
} pl__compared;

pl_status pl__compared_open(pl__compared *out, pl_run_view *view, const pl__unit_pair *pair);
void pl__compared_close(pl__compared *compared);

#endif
