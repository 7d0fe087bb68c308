/* What an engine keeps over calls: stream, batch, activations, key/value pages. Everything grows to what the largest
 * call needs and is used again, so that no step allocates. */
#ifndef PLUMB_ENGINE_WORKSPACE_H
#define PLUMB_ENGINE_WORKSPACE_H

#include "engine/batch.h"
#include "engine/engine.h"

struct pl_engine {
    pl_model *model; /* borrowed */
    const pl_gear *gear;
    const pl_config *config;
    pl_engine_options options;
    pl_stream *stream;
    pl__batch batch;
    pl_activations *activations;
    size_t n_rows;    /* tokens, and head rows, that the activations hold */
    bool with_logits; /* they hold logits too */
    pl_view arg_max;  /* [1, n_rows] i32 */
    pl_kv *kv;
    pl__pages pages;
};

/* Rows of a step: batch_tokens, fewer when whole rows of logits are kept. */
size_t pl__engine_capacity(const pl_engine *engine, bool logits);
/* Activations for steps of n_rows tokens. */
pl_status pl__engine_reserve(pl_engine *engine, size_t n_rows, bool logits);
/* A page pool of `wanted` pages, or what memory and options allow, but `least` at the least (PL_E_INPUT). All pages of
 * an existing pool must be free. */
pl_status pl__engine_reserve_pages(pl_engine *engine, size_t least, size_t wanted);

/* Runs the engine's batch, which is sent here. In `pass` the caller sets taps and where the head's results go; stream,
 * batch, pages, activations, head rows and targets are set here. */
pl_status pl__engine_run(pl_engine *engine, pl_pass *pass);

#endif
