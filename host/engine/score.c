/* Scoring: plan, schedule, one forward pass a step, results at the end. */
#include "engine/budget.h"
#include "engine/capture.h"
#include "engine/results.h"
#include "engine/workspace.h"

/* Rows of the head that are kept whole. */
static pl_status fetch_logits(pl_engine *engine, pl_results *results)
{
    pl_view logits = pl_activations_logits(engine->activations);
    const pl__list *heads = &engine->batch.heads;
    for (size_t i = 0; i < heads->n; i += 2)
        PL_TRY(pl_download(engine->processor, engine->stream, results->logits + (size_t)heads->data[i + 1] * results->V,
                           pl_view_rows(logits, (size_t)heads->data[i], 1)));
    return PL_OK;
}

static pl_status run_step(pl_engine *engine, const pl__paths *plan, const pl__schedule *schedule,
                          pl__captured *captured, pl_results *results)
{
    pl__packed *batch = &engine->batch;
    pl__outlet *outlet = &engine->outlet;
    const pl_view *streamed = NULL;
    pl__packed_clear(batch, schedule->longest);
    batch->streamed = outlet->sink && outlet->n_layers;
    PL_TRY(pl__packed_step(batch, schedule));
    for (size_t i = 0; i < schedule->step.n_chunks; i++)
        PL_TRY(pl__packed_wants(batch, plan, &schedule->step.chunks[i]));
    PL_TRY(pl__packed_send(batch, engine->processor, engine->stream));
    if (outlet->sink) PL_TRY(pl__outlet_take(outlet, engine->stream, &streamed));
    pl_pass pass = {0};
    pl__captured_aim(captured, batch, batch->streamed ? streamed : NULL, &pass);
    if (batch->heads.n) pass.logits = pl_activations_logits(engine->activations);
    PL_TRY(pl__engine_run(engine, &pass));
    PL_TRY(pl__captured_take(captured, batch));
    if (outlet->sink) return pl__outlet_send(outlet, engine->stream, batch, pass.logits);
    return results->logits ? fetch_logits(engine, results) : PL_OK;
}

static pl_status run_steps(pl_engine *engine, const pl__paths *plan, pl__schedule *schedule, pl__captured *captured,
                           pl_progress *progress, pl_results *results)
{
    size_t done_before = progress ? progress->done : 0, useful;
    for (;;) {
        PL_TRY(pl__schedule_next(schedule));
        if (!schedule->step.n_rows) break;
        PL_TRY(run_step(engine, plan, schedule, captured, results));
        results->n_batches++;
        useful = schedule->n_ran - schedule->n_again;
        if (progress)
            pl_progress_set(progress,
                            done_before + (size_t)((double)plan->n * (double)useful / (double)plan->tree.n_tokens));
    }
    if (progress) pl_progress_set(progress, done_before + plan->n);
    results->tokens_computed = schedule->n_ran;
    return PL_OK;
}

/* What the call needs. Pages: depth-first order needs `deepest`; more lets siblings wait and short leaves fill a step.
 */
static pl_status demand_of(pl__demand *out, const pl_engine *engine, const pl__paths *plan)
{
    const pl_capture *capture = plan->capture;
    const pl_config *c = engine->config;
    bool logits = capture && (capture->logits_last || capture->logits_all);
    *out = (pl__demand){.logits = logits, .n_rows = pl__engine_capacity(engine, plan->tree.n_tokens, logits)};
    pl__schedule_pages(&plan->tree, &out->least_pages, &out->deepest_pages);
    for (size_t i = 0; i < plan->tree.n_nodes; i++)
        out->total_pages += pl__pages_between(plan->tree.nodes[i].first, pl__node_end(&plan->tree.nodes[i]));
    PL_TRY(pl__capture_size(&out->state_rows, &out->state_bytes, plan, c));
    out->bytes_a_row = pl__outlet_row_bytes(capture, c);
    if (!engine->processor->ops->shares_memory) {
        /* What waits to be written is in pinned memory, twice: steps of `all` are smaller rather than gigabytes. */
        const size_t most = (size_t)1 << 30, least = 256;
        if (out->bytes_a_row && out->n_rows > least && out->n_rows > most / out->bytes_a_row)
            out->n_rows = most / out->bytes_a_row > least ? most / out->bytes_a_row : least;
        return PL_OK;
    }
    /* There the results, and what waits to be written, are in the same memory. */
    out->bytes_a_row *= 2;
    return pl_mul_size(&out->state_bytes, out->state_bytes, 2, "captured states");
}

/* The steps of a plan, with what they need. */
static pl_status run_plan(pl_engine *engine, const pl__paths *plan, pl_progress *progress, pl_results *results)
{
    const pl_config *c = engine->config;
    pl__schedule schedule = {0};
    pl__captured captured = {0};
    pl__demand demand;
    pl__memory memory;
    pl_status status;
    PL_TRY(demand_of(&demand, engine, plan));
    PL_TRY(pl__memory_plan(&memory, engine, &demand));
    PL_TRY(pl__memory_reserve(engine, &memory, demand.logits));
    PL_GOTO(status, done, pl__captured_open(&captured, plan, engine));
    if (pl__outlet_wanted(plan->capture))
        PL_GOTO(status, done,
                pl__outlet_open(&engine->outlet, engine->processor, plan->capture, c, memory.n_rows, plan->n_all));
    PL_GOTO(status, done,
            pl__schedule_open(&schedule, &plan->tree, &engine->pages, memory.n_rows, engine->options.shuffle_seed));
    PL_GOTO(status, done, run_steps(engine, plan, &schedule, &captured, progress, results));
    PL_GOTO(status, done, pl__captured_fetch(&captured, plan, results));
done:
    if (status != PL_OK)
        (void)engine->processor->ops->stream_wait(engine->stream); /* the first error is the one to tell */
    pl_status last = pl__outlet_finish(&engine->outlet);
    pl__schedule_close(&schedule);
    pl__captured_close(&captured);
    return status == PL_OK ? last : status;
}

pl_status pl_engine_score(pl_engine *engine, const pl_request *requests, size_t n, const pl_capture *capture,
                          pl_progress *progress, pl_results **out)
{
    *out = NULL;
    const pl_config *c = engine->config;
    pl__paths plan = {0};
    pl_results *results = NULL;
    pl_status status;
    PL_TRY(pl__capture_check(capture, c->L));
    PL_TRY(pl__paths_open(&plan, requests, n, capture, c, engine->options.no_sharing));
    PL_GOTO(status, done, pl__results_create(&results, &plan, c));
    PL_GOTO(status, done, run_plan(engine, &plan, progress, results));
    *out = results;
    results = NULL;
done:
    pl_results_free(results);
    pl__paths_close(&plan);
    return status;
}
