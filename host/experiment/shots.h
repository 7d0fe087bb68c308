/* The shots of one item: the first of a draw that neither give its answer away nor belong to its group. */
#ifndef PLUMB_EXPERIMENT_SHOTS_H
#define PLUMB_EXPERIMENT_SHOTS_H

#include "experiment/plan.h"

/* The shots of a cell for one item: the first k rows of the draw that may stand before it (pl_rows_give_away), in the
 * unit's order. *set_aside: rows of the draw that were passed over. seed: from pl_draw_seed. */
pl_status pl_shots_choose(size_t *shots, size_t *set_aside, const pl_plan_task *task, const pl_plan_unit *unit,
                          uint64_t seed, const size_t *permutation, size_t item);

#endif
