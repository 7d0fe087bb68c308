/* Scoring: plan, schedule, one forward pass a step, results at the end. */
#include "engine/capture.h"
#include "engine/results.h"
#include "engine/workspace.h"

/* Rows of the head that are kept whole. */
static pl_status fetch_logits(pl_engine *engine, pl_results *results)
{
    pl_view logits = pl_activations_logits(engine->activations);
    const pl__list *heads = &engine->batch.heads;
    for (size_t i = 0; i < heads->n; i += 2)
        PL_TRY(engine->gear->ops->download(engine->stream, results->logits + (size_t)heads->data[i + 1] * results->V,
                                           pl_view_rows(logits, (size_t)heads->data[i], 1)));
    return PL_OK;
}

static pl_status run_step(pl_engine *engine, const pl__plan *plan, const pl__schedule *schedule, pl__captured *captured,
                          pl_results *results)
{
    pl__batch *batch = &engine->batch;
    pl__batch_clear(batch, schedule->longest);
    PL_TRY(pl__batch_step(batch, schedule));
    for (size_t i = 0; i < schedule->step.n_chunks; i++)
        PL_TRY(pl__batch_wants(batch, plan, &schedule->step.chunks[i]));
    PL_TRY(pl__batch_send(batch, engine->gear, engine->stream));
    pl_pass pass = {0};
    PL_TRY(pl__captured_aim(captured, batch, &pass));
    if (batch->heads.n) pass.logits = pl_activations_logits(engine->activations);
    PL_TRY(pl__engine_run(engine, &pass));
    return results->logits ? fetch_logits(engine, results) : PL_OK;
}

static pl_status run_steps(pl_engine *engine, const pl__plan *plan, pl__schedule *schedule, pl__captured *captured,
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

/* Pages: depth-first order needs `deepest`; a few steps' worth more lets siblings wait and short leaves fill a step. */
static pl_status reserve(pl_engine *engine, const pl__plan *plan, size_t *capacity)
{
    bool logits = plan->capture && (plan->capture->logits_last || plan->capture->logits_all);
    size_t n_tokens = plan->tree.n_tokens, longest, deepest, total = 0;
    *capacity = pl__engine_capacity(engine, logits);
    if (*capacity > n_tokens) *capacity = n_tokens ? n_tokens : 1;
    PL_TRY(pl__engine_reserve(engine, *capacity, logits));
    pl__schedule_pages(&plan->tree, &longest, &deepest);
    for (size_t i = 0; i < plan->tree.n_nodes; i++)
        total += pl__pages_between(plan->tree.nodes[i].first, pl__node_end(&plan->tree.nodes[i]));
    size_t wanted = 2 * deepest + 4 * pl__pages_between(0, *capacity);
    return pl__engine_reserve_pages(engine, longest ? longest : 1, wanted < total ? wanted : total);
}

pl_status pl_engine_score(pl_engine *engine, const pl_request *requests, size_t n, const pl_capture *capture,
                          pl_progress *progress, pl_results **out)
{
    *out = NULL;
    const pl_config *c = engine->config;
    pl__plan plan = {0};
    pl__schedule schedule = {0};
    pl__captured captured = {0};
    pl_results *results = NULL;
    size_t capacity;
    pl_status status;
    PL_GOTO(status, done,
            pl__plan_open(&plan, requests, n, capture, c->V, c->max_positions, engine->options.no_sharing));
    PL_GOTO(status, done, pl__captured_open(&captured, &plan, engine->gear, c->C, c->L));
    PL_GOTO(status, done, pl__results_create(&results, &plan, c->C, c->V));
    PL_GOTO(status, done, reserve(engine, &plan, &capacity));
    PL_GOTO(status, done,
            pl__schedule_open(&schedule, &plan.tree, &engine->pages, capacity, engine->options.shuffle_seed));
    PL_GOTO(status, done, run_steps(engine, &plan, &schedule, &captured, progress, results));
    PL_GOTO(status, done, pl__captured_fetch(&captured, &plan, engine->stream, results));
    *out = results;
    results = NULL;
done:
    if (status != PL_OK) (void)engine->gear->ops->stream_wait(engine->stream); /* the first error is the one to tell */
    pl_results_free(results);
    pl__schedule_close(&schedule);
    pl__captured_close(&captured);
    pl__plan_close(&plan);
    return status;
}
