/* What the primary contrasts of a planned experiment will be able to show, for `plumb plan`. Shared inside the folder.
 */
#ifndef PLUMB_CLI_PLAN_POWER_H
#define PLUMB_CLI_PLAN_POWER_H

#include <stdio.h>

#include "base/json_build.h"
#include "experiment/plan.h"

typedef struct pl__plan_power pl__plan_power;

/* One line a contrast; with `from`, an earlier run of the experiment, one a contrast and model, and the variance is
 * that of the run's outcomes. half_width: what it is said how to reach; 0: PL_HALF_WIDTH_PERCENT. Texts are the plan's,
 * which must outlive it. */
pl_status pl__plan_power_create(pl__plan_power **out, const pl_plan *plan, const char *from, double half_width);
void pl__plan_power_free(pl__plan_power *power); /* takes NULL */
void pl__plan_power_print(FILE *out, const pl__plan_power *power);
void pl__plan_power_json(pl_json_builder *b, const pl__plan_power *power); /* the list "primary" */

#endif
