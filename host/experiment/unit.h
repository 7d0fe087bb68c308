/* Running one unit: prompts → engine → rows → one file in the run folder. */
#ifndef PLUMB_EXPERIMENT_UNIT_H
#define PLUMB_EXPERIMENT_UNIT_H

#include "experiment/encode.h"

/* What a unit cost; goes into its sidecar. */
typedef struct pl_unit_cost {
    size_t tokens_in_requests, tokens_computed, n_batches, generated_tokens;
    double prompts_s, engine_s, write_s;
    size_t n_items, n_skipped, n_merged, n_truncated;
} pl_unit_cost;

/* Writes `path` whole, or fails and leaves nothing there. The engine holds the unit's model. */
pl_status pl_unit_run(const pl_plan *plan, const pl_plan_unit *unit, pl_engine *engine, const char *path,
                      pl_progress *progress, pl_unit_cost *cost);

#endif
