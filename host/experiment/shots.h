/* The shots of one item: the first of a draw that neither give its answer away nor belong to its group. */
#ifndef PLUMB_EXPERIMENT_SHOTS_H
#define PLUMB_EXPERIMENT_SHOTS_H

#include "experiment/plan.h"

/* The shots of a cell for one item: the first k of the draw that are not the item itself (nor of its group). */
pl_status pl_shots_choose(const pl_plan_task *task, const pl_plan_unit *unit, uint64_t seed, const size_t *permutation,
                          size_t item, size_t *shots);

#endif
