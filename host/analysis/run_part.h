/* Halves of a run, so that what is decided on one can be scored on the other (stability.md E.5-4): they have no cluster
 * of items and no ood wording in common. Id and dev templates are the deciding half's alone. */
#ifndef PLUMB_ANALYSIS_RUN_PART_H
#define PLUMB_ANALYSIS_RUN_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/role.h"
#include "store/plan_file.h"

typedef enum pl_run_half { PL_RUN_WHOLE, PL_RUN_DECIDES, PL_RUN_SCORES } pl_run_half;

typedef struct pl_run_part {
    pl_run_half half;
    bool swapped; /* the items and ood wordings that score and those that decide, the other way round */
} pl_run_part;

/* Ood wordings by turns in the order of the task; templates of one wording together. */
bool pl__part_sees_template(pl_run_part part, const pl_planned_task *task, const char *name, pl_role role);
/* An item by the number of its cluster, or its own where it has none. */
bool pl__part_sees_item(pl_run_part part, uint64_t cluster);

#endif
