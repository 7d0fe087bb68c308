/* A look at a staged run (store/look.h, stability.md E.4): the best prompt-side arm of the stages that are finished, as
 * the verdict chooses and judges it, against what is required; and the template SD of the arm itself, against what that
 * may be. */
#ifndef PLUMB_ANALYSIS_LOOK_H
#define PLUMB_ANALYSIS_LOOK_H

#include "analysis/run_view.h"
#include "analysis/verdict.h"

/* Of a run folder whose units of that stage, and of the stages before it, are finished: the same from the same files,
 * whoever looks. */
pl_status pl_look_at_run(pl_look *out, const pl_run_folder *run, const pl_look_place *place);

/* The same of units that a view sees, whatever stages the run had; the arena is for scratch. */
pl_status pl__look(pl_look *out, pl_run_view *view, const pl_look_place *place, pl_arena *arena);

/* How the verdict on the unit's model, task and readout is to be given: what the plan says, and what looks decided. */
pl__verdict_rules pl__rules_of(const pl_run_view *view, const pl_run_unit *subject);

#endif
