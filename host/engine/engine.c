/* Making and releasing an engine. Memory that depends on the call comes with the first call. */
#include "engine/engine.h"
#include "engine/workspace.h"

#include <stdlib.h>

pl_status pl_engine_create(pl_engine **out, pl_model *model, const pl_engine_options *options)
{
    *out = NULL;
    pl_engine *engine;
    PL_TRY(pl_new(&engine, 1));
    engine->model = model;
    engine->processor = pl_model_processor(model);
    engine->config = pl_model_config(model);
    if (options) engine->options = *options;
    pl_status status = engine->processor->ops->stream_create(engine->processor->device, &engine->stream);
    engine->batch.border = engine->config->border;
    engine->batch.bucketed = engine->processor->ops->record_begin != NULL;
    if (status == PL_OK) status = pl_graphs_open(&engine->graphs, engine->processor);
    if (status == PL_OK)
        *out = engine;
    else
        pl_engine_free(engine);
    return status;
}

void pl_engine_free(pl_engine *engine)
{
    if (!engine) return;
    const pl_backend *ops = engine->processor->ops;
    if (engine->stream) {
        (void)ops->stream_wait(engine->stream); /* nothing below may still be in use */
    }
    pl_graphs_close(&engine->graphs);
    if (engine->stream) ops->stream_free(engine->stream);
    pl__outlet_close(&engine->outlet);
    for (size_t p = 0; p < PL__KEPT; p++) {
        for (size_t l = 0; l < engine->n_layers[p]; l++) pl_view_free(engine->processor, &engine->states[p][l]);
        free(engine->states[p]);
    }
    pl__packed_free(&engine->batch, engine->processor);
    pl_activations_free(engine->activations);
    pl_view_free(engine->processor, &engine->arg_max);
    pl_view_free(engine->processor, &engine->log_probability);
    pl_view_free(engine->processor, &engine->target_greedy);
    if (engine->kv) ops->kv_free(engine->kv);
    pl__pages_close(&engine->pages);
    free(engine);
}
