/* Memory of an engine, and the call of the forward pass. */
#include "engine/workspace.h"

enum { DEFAULT_BATCH_TOKENS = 1024 };
/* Logits of a step, [rows, V] f32, stay below this. */
static const size_t logits_bytes = (size_t)128 << 20;

size_t pl__engine_capacity(const pl_engine *engine, bool logits)
{
    size_t rows = engine->options.batch_tokens ? engine->options.batch_tokens : DEFAULT_BATCH_TOKENS;
    size_t most = logits_bytes / sizeof(float) / engine->config->V;
    if (logits && rows > most) rows = most ? most : 1;
    return rows;
}

pl_status pl__engine_reserve(pl_engine *engine, size_t n_rows, bool logits)
{
    if (engine->n_rows >= n_rows && (engine->with_logits || !logits)) return PL_OK;
    if (n_rows < engine->n_rows && !logits) n_rows = engine->n_rows;
    pl_activations_free(engine->activations);
    engine->activations = NULL;
    engine->n_rows = 0;
    pl_view_free(engine->gear, &engine->arg_max);
    PL_TRY(pl_activations_create(&engine->activations, engine->model, n_rows, n_rows, logits));
    PL_TRY(pl_view_create(engine->gear, &engine->arg_max, 1, n_rows, PL_I32));
    engine->n_rows = n_rows;
    engine->with_logits = logits;
    return PL_OK;
}

pl_status pl__engine_reserve_pages(pl_engine *engine, size_t least, size_t wanted)
{
    const pl_backend *ops = engine->gear->ops;
    const pl_config *c = engine->config;
    size_t page_bytes = ops->kv_page_bytes(c->L, c->G, c->D, PL_F32);
    if (wanted < least) wanted = least;
    if (engine->options.kv_tokens) {
        size_t limit = engine->options.kv_tokens / PL_PAGE;
        if (limit < least)
            return pl_fail(PL_E_INPUT,
                           "kv_tokens %zu: the longest path needs %zu tokens of keys and values; raise kv_tokens or "
                           "shorten the prompts",
                           engine->options.kv_tokens, least * PL_PAGE);
        wanted = limit;
    }
    if (engine->kv &&
        (engine->pages.n_pages == wanted || (!engine->options.kv_tokens && engine->pages.n_pages > wanted)))
        return PL_OK;
    if (engine->kv) ops->kv_free(engine->kv);
    engine->kv = NULL;
    pl__pages_close(&engine->pages);
    pl_device_facts facts;
    PL_TRY(ops->facts(engine->gear->device, &facts));
    size_t affordable = facts.free_bytes / 2 / page_bytes; /* half: others live on this machine too */
    if (wanted > affordable && !engine->options.kv_tokens) wanted = affordable > least ? affordable : least;
    if (wanted > facts.free_bytes / page_bytes)
        return pl_fail(PL_E_INPUT,
                       "key/value pages: %zu tokens need %zu MiB, %zu MiB are free; shorten the prompts or lower "
                       "kv_tokens",
                       wanted * PL_PAGE, (wanted * page_bytes) >> 20, facts.free_bytes >> 20);
    PL_TRY(ops->kv_create(engine->gear->device, &engine->kv, c->L, c->G, c->D, wanted, PL_F32));
    return pl__pages_open(&engine->pages, wanted);
}

pl_status pl__engine_run(pl_engine *engine, pl_pass *pass)
{
    pl__batch *batch = &engine->batch;
    pass->stream = engine->stream;
    pass->batch = pl__batch_view(batch);
    pass->kv = engine->kv;
    pass->activations = engine->activations;
    if (batch->lists[PL__HEAD_ROWS].n) {
        pass->head_rows = batch->lists[PL__HEAD_ROWS].view;
        pass->target_rows = batch->lists[PL__TARGET_ROWS].view;
        pass->target_tokens = batch->lists[PL__TARGET_TOKENS].view;
    }
    return pl_model_forward(engine->model, pass);
}
