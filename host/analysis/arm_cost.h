/* What an arm cost, from the sidecars of its units. */
#ifndef PLUMB_ANALYSIS_ARM_COST_H
#define PLUMB_ANALYSIS_ARM_COST_H

#include "analysis/arms.h"

/* Fills the row's costs: learning of the group's draws, and items under templates of the role: tokens that ran, shared
 * ones once. Content-free inputs count where the row is calibrated by them only. Tokens of dev items are
 * told by the file of what learned. What nothing tells stays NaN. */
pl_status pl__arm_cost(pl_arm_row *row, pl_run_view *view, const pl_run_unit *group, bool calibrated, pl_role role);

/* The sidecar of a unit: when it was finished, and what it cost. One that is not there, or is no JSON, costs its own
 * numbers only: *out is NULL then, else a new reference. */
pl_status pl_run_sidecar(json_t **out, const pl_run_view *view, const char *id);

#endif
