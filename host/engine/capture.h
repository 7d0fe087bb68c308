/* Where a scoring call's results stand on the device: rows of states by position and layer, log-probabilities. They are
 * filled by the steps and downloaded once, at the end; what a sink takes leaves step by step (outlet.h). */
#ifndef PLUMB_ENGINE_CAPTURE_H
#define PLUMB_ENGINE_CAPTURE_H

#include "engine/paths.h"
#include "engine/workspace.h"

typedef struct pl__captured {
    pl_engine *engine;
    const pl_capture *capture;
    size_t n_rows[PL__KEPT];
    bool keeps[PL__KEPT];    /* the rows of this position stay on the device until the end, in engine->states */
    pl_view log_probability; /* [1, targets] f32, in the order in which the steps score them */
    pl_view target_greedy;   /* [1, targets] i32 */
    int32_t *target_slots;   /* [targets]: which target of the plan that is */
    size_t n_targets;        /* scored so far */
    pl_tap taps[PL__KEPT];
} pl__captured;

/* Layers ascending and at most L + 1. */
pl_status pl__capture_check(const pl_capture *capture, size_t L);
/* Rows, over all positions, and bytes of what stays on the device until the end. */
pl_status pl__capture_size(size_t *rows, size_t *bytes, const pl__paths *plan, const pl_config *config);

pl_status pl__captured_open(pl__captured *captured, const pl__paths *plan, pl_engine *engine);
void pl__captured_close(pl__captured *captured); /* takes {0} */

/* Points a pass at the batch's wants. Call it after the batch is laid out. streamed: where the rows of `all` go when a
 * sink takes them, else NULL. */
void pl__captured_aim(pl__captured *captured, const pl__packed *batch, const pl_view *streamed, pl_pass *pass);
/* Takes the targets' results of the step that was just run. */
pl_status pl__captured_take(pl__captured *captured, const pl__packed *batch);
/* Downloads everything into results, whose arrays are there, and waits for it. */
pl_status pl__captured_fetch(pl__captured *captured, const pl__paths *plan, pl_results *results);

#endif
