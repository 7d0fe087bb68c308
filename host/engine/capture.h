/* Where a scoring call's results stand on the device: rows of states by position and layer, log-probabilities. They are
 * filled by the steps and downloaded once, at the end. */
#ifndef PLUMB_ENGINE_CAPTURE_H
#define PLUMB_ENGINE_CAPTURE_H

#include "engine/batch.h"
#include "engine/engine.h"
#include "engine/plan.h"

typedef enum pl__kept { PL__KEPT_LAST, PL__KEPT_LABEL, PL__KEPT_MEAN, PL__KEPT_ALL, PL__KEPT } pl__kept;

typedef struct pl__captured {
    const pl_gear *gear;
    const pl_capture *capture;
    size_t C, n_rows[PL__KEPT];
    pl_view *states[PL__KEPT]; /* [n_layers]: [n_rows, C] f32; NULL where not kept */
    pl_view log_probability;   /* [1, targets] f32, in the order in which the steps score them */
    pl_view target_greedy;     /* [1, targets] i32 */
    int32_t *target_slots;     /* [targets]: which target of the plan that is */
    size_t n_targets;          /* scored so far */
    pl_tap taps[PL__KEPT];
} pl__captured;

/* Layers ascending and at most L + 1. What does not fit into free memory is PL_E_INPUT. */
pl_status pl__captured_open(pl__captured *captured, const pl__plan *plan, const pl_gear *gear, size_t C, size_t L);
void pl__captured_close(pl__captured *captured); /* takes {0} */

/* Points a pass at the batch's wants: taps, and the next targets. Call it after the batch is sent. */
pl_status pl__captured_aim(pl__captured *captured, const pl__batch *batch, pl_pass *pass);
/* Downloads everything into results, whose arrays are there, and waits for it. */
pl_status pl__captured_fetch(pl__captured *captured, const pl__plan *plan, pl_stream *stream, pl_results *results);

#endif
