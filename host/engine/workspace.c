/* Memory of an engine, and the call of the forward pass. */
#include "engine/workspace.h"

#include <stdlib.h>
#include <string.h>

/* Tokens of a step by default. On the CPU more change nothing; a device that replays steps wants them large. */
enum { DEFAULT_BATCH_TOKENS = 1024, DEVICE_BATCH_TOKENS = 8192 };
/* Logits of a step, [rows, V] f32, stay below this. */
static const size_t logits_bytes = (size_t)128 << 20;

size_t pl__engine_capacity(const pl_engine *engine, size_t n_tokens, bool logits)
{
    size_t rows = engine->options.batch_tokens, most = logits_bytes / sizeof(float) / pl_config_outputs(engine->config);
    if (!rows) rows = engine->batch.bucketed ? DEVICE_BATCH_TOKENS : DEFAULT_BATCH_TOKENS;
    if (logits && rows > most) rows = most ? most : 1;
    if (n_tokens < rows) rows = engine->batch.bucketed ? pl__bucket(n_tokens, rows) : n_tokens;
    return rows ? rows : 1;
}

/* Before memory goes that a pass may name. */
static pl_status forget_passes(pl_engine *engine)
{
    PL_TRY(engine->processor->ops->stream_wait(engine->stream));
    pl_graphs_clear(&engine->graphs);
    return PL_OK;
}

pl_status pl__engine_reserve(pl_engine *engine, size_t n_rows, bool logits, bool tight)
{
    bool enough = engine->n_rows >= n_rows && (engine->with_logits || !logits);
    if (enough && (!tight || engine->n_rows == n_rows)) return PL_OK;
    if (n_rows < engine->n_rows && !logits && !tight) n_rows = engine->n_rows;
    PL_TRY(forget_passes(engine));
    pl_activations_free(engine->activations);
    engine->activations = NULL;
    engine->n_rows = engine->batch.limit = 0;
    pl_view_free(engine->processor, &engine->arg_max);
    PL_TRY(pl_activations_create(&engine->activations, engine->model, n_rows, n_rows, logits));
    PL_TRY(pl_view_create(engine->processor, &engine->arg_max, 1, n_rows, PL_I32));
    engine->n_rows = engine->batch.limit = n_rows;
    engine->with_logits = logits;
    return PL_OK;
}

pl_status pl__engine_reserve_pages(pl_engine *engine, size_t n_pages, bool exact)
{
    const pl_backend *ops = engine->processor->ops;
    const pl_config *c = engine->config;
    size_t have = engine->pages.n_pages;
    if (engine->kv && (have == n_pages || (!exact && have > n_pages))) return PL_OK;
    PL_TRY(forget_passes(engine));
    if (engine->kv) ops->kv_free(engine->kv);
    engine->kv = NULL;
    pl__pages_close(&engine->pages);
    PL_TRY(ops->kv_create(engine->processor->device, &engine->kv, c->L, c->G, c->D, n_pages,
                          pl_activation_type(engine->processor->ops, pl_model_compute(engine->model))));
    return pl__pages_open(&engine->pages, n_pages);
}

/* A new view of rows x columns under the same name from now on. */
static pl_status renew_view(pl_engine *engine, pl_view *view, size_t rows, size_t columns, pl_dtype dtype)
{
    PL_TRY(forget_passes(engine));
    pl_view_free(engine->processor, view);
    return pl_view_create(engine->processor, view, rows, columns, dtype);
}

/* A view of at least rows x columns. */
static pl_status grow_view(pl_engine *engine, pl_view *view, size_t rows, size_t columns, pl_dtype dtype)
{
    if (view->buffer && view->rows >= rows && view->columns >= columns) return PL_OK;
    return renew_view(engine, view, rows, columns, dtype);
}

pl_status pl__engine_reserve_states(pl_engine *engine, pl__kept kept, const pl_capture *capture, size_t n_rows)
{
    const size_t n_layers = capture->n_layers;
    if (n_layers > engine->n_layers[kept]) {
        pl_view *wider;
        PL_TRY(pl_new(&wider, n_layers));
        if (engine->n_layers[kept]) memcpy(wider, engine->states[kept], engine->n_layers[kept] * sizeof *wider);
        free(engine->states[kept]);
        engine->states[kept] = wider;
        engine->n_layers[kept] = n_layers;
    }
    for (size_t l = 0; l < n_layers; l++) {
        pl_view *view = &engine->states[kept][l];
        const size_t width = pl_config_state_width(engine->config, capture->layers[l]);
        if (view->buffer && view->rows >= n_rows && view->columns == width) continue;
        PL_TRY(renew_view(engine, view, n_rows, width, PL_F32));
    }
    return PL_OK;
}

void pl__engine_release_states(pl_engine *engine, pl__kept kept)
{
    if (!engine->states[kept]) return;
    (void)engine->processor->ops->stream_wait(engine->stream); /* a failure is told by what comes next */
    pl_graphs_clear(&engine->graphs);
    for (size_t l = 0; l < engine->n_layers[kept]; l++) pl_view_free(engine->processor, &engine->states[kept][l]);
    free(engine->states[kept]);
    engine->states[kept] = NULL;
    engine->n_layers[kept] = 0;
}

static pl_status forward(void *model, const pl_pass *pass)
{
    return pl_model_forward((pl_model *)model, pass);
}

pl_status pl__engine_run(pl_engine *engine, pl_pass *pass)
{
    pl__packed *batch = &engine->batch;
    const pl__list *lists = batch->lists;
    size_t n_moved = batch->n_moved + engine->outlet.n_moved;
    if (engine->n_moved != n_moved) { /* the views of recorded passes are void */
        PL_TRY(forget_passes(engine));
        engine->n_moved = n_moved;
    }
    pass->stream = engine->stream;
    pass->batch = pl__packed_view(batch);
    pass->kv = engine->kv;
    pass->activations = engine->activations;
    if (lists[PL__HEAD_ROWS].n) {
        pass->head_rows = lists[PL__HEAD_ROWS].view;
        pass->target_rows = lists[PL__TARGET_ROWS].view;
        pass->target_tokens = lists[PL__TARGET_TOKENS].view;
        size_t rows = pass->head_rows.columns, n = pass->target_rows.columns;
        if (n) {
            size_t room = n > engine->n_rows ? n : engine->n_rows;
            PL_TRY(grow_view(engine, &engine->log_probability, 1, room, PL_F32));
            PL_TRY(grow_view(engine, &engine->target_greedy, 1, room, PL_I32));
            pass->log_probability = pl_view_columns(engine->log_probability, 0, n);
            pass->target_greedy = pl_view_columns(engine->target_greedy, 0, n);
        }
        if (pass->greedy.buffer) pass->greedy = pl_view_columns(engine->arg_max, 0, rows);
        if (pass->logits.buffer) pass->logits = pl_view_rows(pass->logits, 0, rows);
    }
    return pl_graphs_run(&engine->graphs, pass, 0, forward, engine->model);
}
