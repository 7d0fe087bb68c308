/* What an engine keeps over calls: stream, batch, activations, key/value pages, captured states, recorded passes.
 * Everything grows to what the largest call needs and is used again, so that no step allocates and recorded passes stay
 * valid from call to call. */
#ifndef PLUMB_ENGINE_WORKSPACE_H
#define PLUMB_ENGINE_WORKSPACE_H

#include "engine/batch.h"
#include "engine/engine.h"
#include "engine/graphs.h"
#include "engine/outlet.h"

typedef enum pl__kept {
    PL__KEPT_LAST,
    PL__KEPT_LABEL,
    PL__KEPT_MEAN,
    PL__KEPT_ALL,
    PL__KEPT_SUFFIX,
    PL__KEPT
} pl__kept;

struct pl_engine {
    pl_model *model; /* borrowed */
    const pl_processor *processor;
    const pl_config *config;
    pl_engine_options options;
    pl_stream *stream;
    pl__packed batch;
    pl_graphs graphs;
    pl__outlet outlet;
    size_t n_moved; /* of the batch's block and the outlet's buffers, when the recordings were made */
    pl_activations *activations;
    size_t n_rows;                          /* tokens, and head rows, that the activations hold */
    bool with_logits;                       /* they hold logits too */
    pl_view arg_max;                        /* [1, n_rows] i32 */
    pl_view log_probability, target_greedy; /* [1, targets of a step]: one place for all steps */
    pl_view *states[PL__KEPT];              /* [n_layers[kept]]: [rows, width] f32 */
    size_t n_layers[PL__KEPT];
    pl_kv *kv;
    pl__pages pages;
};

/* Rows of a step for n_tokens in all: batch_tokens, fewer when whole rows of logits are kept or when there are fewer.
 */
size_t pl__engine_capacity(const pl_engine *engine, size_t n_tokens, bool logits);

/* Activations for steps of n_rows tokens; exactly so many, and no more memory than that, when `tight`. */
pl_status pl__engine_reserve(pl_engine *engine, size_t n_rows, bool logits, bool tight);
/* A pool of n_pages pages or more; exactly so many when `exact`. All pages of an existing pool must be free. */
pl_status pl__engine_reserve_pages(pl_engine *engine, size_t n_pages, bool exact);
/* Room for n_rows states at n_layers layers, in engine->states[kept]. */
pl_status pl__engine_reserve_states(pl_engine *engine, pl__kept kept, const pl_capture *capture, size_t n_rows);
/* Waits for the stream and gives the memory of a position back (for what is too large to be kept). */
void pl__engine_release_states(pl_engine *engine, pl__kept kept);

/* Runs the engine's batch, which was sent. In `pass` the caller sets taps and where the head's results go;
 * stream, batch, pages, activations, head rows and targets are set here. Targets' results are in
 * engine->log_probability and target_greedy until the next run. */
pl_status pl__engine_run(pl_engine *engine, pl_pass *pass);

#endif
