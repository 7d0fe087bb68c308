/* Greedy generation in groups of prompts whose pages fit the pool together. The prompts of a group run as a tree; then
 * each step runs one token of every continuation that is still going. Those that come to the model's border go on in
 * further groups: all that they have so far is a far prompt there, since its keys and values are others. */
#include "engine/budget.h"
#include "engine/continuation.h"
#include "engine/workspace.h"

#include <stdlib.h>
#include <string.h>

/* Continuations of a group at most: products over this many rows are near their best speed on the CPU, and a group's
 * pages stay few. A device that replays steps has more to do at once. */
enum { GROUP = 64, DEVICE_GROUP = 256 };

typedef struct call {
    pl_engine *engine;
    const pl__ending *ending;
    const pl_request *prompts;       /* without choices */
    pl_generation **out;             /* [prompts] */
    pl__continuation *continuations; /* [DEVICE_GROUP] */
    int32_t *greedy;                 /* [rows of a step] */
    size_t rows;                     /* of a step, at most */
} call;

/* Pages that a group never exceeds when it grows by one prompt: new tokens (a node begins and ends inside a page, and
 * cuts another), and the continuation's own, its copy of the shared page among them. */
static size_t pages_for(const call *g, size_t prompt, size_t new_tokens)
{
    const size_t n = g->prompts[prompt].n;
    return new_tokens / PL_PAGE + 3 + pl__pages_between(n, n + pl__ending_limit(g->ending, n, g->out[prompt]->ids.n)) +
           1;
}

/* *end: how many prompts from `first` on make a group; *pages: what it needs. At least one. */
static pl_status find_group(const call *g, size_t first, size_t n, size_t most_pages, size_t *end, size_t *pages)
{
    pl__tree tree;
    size_t most = g->engine->batch.bucketed ? DEVICE_GROUP : GROUP;
    if (most > g->rows) most = g->rows;
    PL_TRY(pl__tree_open(&tree));
    pl_status status = PL_OK;
    *pages = 0;
    for (*end = first; *end < n && *end - first < most && status == PL_OK; (*end)++) {
        uint32_t node;
        size_t before = tree.n_tokens, length = g->prompts[*end].n;
        const pl__sharing sharing = {.alone = g->engine->options.no_sharing,
                                     .far = pl_is_far(g->engine->config->border, length)};
        status = pl__tree_insert(&tree, g->prompts[*end].ids, length, sharing, &node);
        size_t more = pages_for(g, *end, tree.n_tokens - before);
        if (*end > first && *pages + more > most_pages) break;
        *pages += more;
    }
    pl__tree_close(&tree);
    return status;
}

/* Sends the batch, runs it, and hands each wanted head row's arg max to its continuation. */
static pl_status run(call *g)
{
    pl_engine *engine = g->engine;
    const pl_backend *ops = engine->processor->ops;
    size_t n_rows = engine->batch.lists[PL__HEAD_ROWS].n;
    PL_TRY(pl__packed_send(&engine->batch, engine->processor, engine->stream));
    pl_pass pass = {.greedy = engine->arg_max};
    PL_TRY(pl__engine_run(engine, &pass));
    if (!n_rows) return PL_OK;
    PL_TRY(pl_download(engine->processor, engine->stream, g->greedy, pl_view_columns(engine->arg_max, 0, n_rows)));
    PL_TRY(ops->stream_wait(engine->stream));
    const pl__list *heads = &engine->batch.heads;
    for (size_t i = 0; i < heads->n; i += 2) {
        pl__continuation *c = &g->continuations[heads->data[i + 1]];
        PL_TRY(pl__continuation_accept(c, g->ending, g->greedy[heads->data[i]]));
        if (!c->active) pl__continuation_close(c, &engine->pages);
    }
    return PL_OK;
}

/* Runs the prompts of a group. A continuation takes hold of its pages when its last prompt token is planned. */
static pl_status run_prompts(call *g, const pl__paths *plan, pl__schedule *schedule)
{
    pl__packed *batch = &g->engine->batch;
    for (;;) {
        PL_TRY(pl__schedule_next(schedule));
        if (!schedule->step.n_rows) return PL_OK;
        pl__packed_clear(batch, schedule->longest);
        PL_TRY(pl__packed_step(batch, schedule));
        for (size_t i = 0; i < schedule->step.n_chunks; i++)
            PL_TRY(pl__packed_wants(batch, plan, &schedule->step.chunks[i]));
        for (size_t i = 1; i < batch->heads.n; i += 2) {
            size_t slot = (size_t)batch->heads.data[i];
            pl__continuation *c = &g->continuations[slot];
            pl__schedule_path(schedule, plan->prompt_end[slot], c->length, c->pages);
            c->n_pages = pl__pages_between(0, c->length);
            for (size_t p = 0; p < c->n_pages; p++) pl__pages_hold(&g->engine->pages, c->pages[p]);
        }
        PL_TRY(run(g));
    }
}

/* Runs one token of every active continuation. Of those that share a partly filled page the last one keeps it: the
 * others copied it, and copies run before all writes of a step. */
static pl_status extend(call *g, size_t n, size_t width, int32_t *row)
{
    pl__packed *batch = &g->engine->batch;
    pl__packed_clear(batch, width);
    for (size_t i = 0, path = 0; i < n; i++) {
        pl__continuation *c = &g->continuations[i];
        if (!c->active) continue;
        int32_t copy[2], head[2] = {0, (int32_t)i};
        bool copies;
        const bool far = pl_is_far(g->engine->config->border, c->length + 1);
        PL_TRY(pl__packed_row(batch, c->next, c->length, path, far));
        PL_TRY(pl__continuation_extend(c, &g->engine->pages, copy, &copies));
        if (copies) PL_TRY(pl__packed_add(batch, PL__COPIES, copy, 2));
        PL_TRY(pl__packed_add(batch, PL__RUNS, (const int32_t[]){(int32_t)path, 1}, 2));
        memset(row, 0, batch->width * sizeof *row);
        memcpy(row, c->pages, c->n_pages * sizeof *row);
        PL_TRY(pl__packed_add(batch, PL__PAGE_TABLE, row, batch->width));
        PL_TRY(pl__packed_head(batch, path++, &head[0]));
        PL_TRY(pl__packed_heads(batch, head));
    }
    return batch->heads.n ? run(g) : PL_OK;
}

static size_t count_active(const call *g, size_t n)
{
    size_t active = 0;
    for (size_t i = 0; i < n; i++) active += g->continuations[i].active;
    return active;
}

/* Those of prompts first..first + n - 1 that go on later, on far paths. */
static size_t count_crossing(const call *g, size_t first, size_t n)
{
    size_t crossing = 0;
    for (size_t i = first; i < first + n; i++) crossing += pl__ending_crosses(g->ending, g->prompts[i].n, g->out[i]);
    return crossing;
}

static pl_status run_group(call *g, size_t first, size_t n, pl_progress *progress)
{
    const pl_config *config = g->engine->config;
    static const pl_capture last = {.logits_last = true};
    pl__paths plan = {0};
    pl__schedule schedule = {0};
    int32_t *row = NULL;
    size_t width = 0, done = progress ? progress->done : 0;
    pl_status status;
    PL_GOTO(status, end, pl__paths_open(&plan, g->prompts + first, n, &last, config, g->engine->options.no_sharing));
    PL_GOTO(status, end,
            pl__schedule_open(&schedule, &plan.tree, &g->engine->pages, g->rows, g->engine->options.shuffle_seed));
    for (size_t i = 0; i < n; i++) {
        PL_GOTO(status, end,
                pl__continuation_open(&g->continuations[i], g->ending, g->prompts[first + i].n, g->out[first + i]));
        const size_t more = g->continuations[i].limit - g->out[first + i]->ids.n;
        size_t pages = pl__pages_between(0, g->prompts[first + i].n + more);
        if (pages > width) width = pages;
    }
    pl__packed_clear(&g->engine->batch, width); /* rows as wide as the batch makes them */
    width = g->engine->batch.width;
    PL_GOTO(status, end, pl_new(&row, width));
    PL_GOTO(status, end, run_prompts(g, &plan, &schedule));
    pl__schedule_close(&schedule);
    for (size_t active = count_active(g, n); active; active = count_active(g, n)) {
        if (progress) pl_progress_set(progress, done + n - active - count_crossing(g, first, n));
        PL_GOTO(status, end, extend(g, n, width, row));
    }
    if (progress) pl_progress_set(progress, done + n - count_crossing(g, first, n));
end:
    if (status != PL_OK) (void)g->engine->processor->ops->stream_wait(g->engine->stream);
    for (size_t i = 0; i < n; i++) pl__continuation_close(&g->continuations[i], &g->engine->pages);
    pl__schedule_close(&schedule);
    pl__paths_close(&plan);
    free(row);
    return status;
}

static pl_status run_groups(call *g, size_t n, pl_progress *progress)
{
    size_t end, pages, most = 0, least = 0;
    g->rows = pl__engine_capacity(g->engine, SIZE_MAX, false);
    for (size_t i = 0; i < n; i++) {
        pages = pages_for(g, i, g->prompts[i].n);
        if (pages > least) least = pages;
    }
    for (size_t first = 0; first < n; first = end) {
        PL_TRY(find_group(g, first, n, SIZE_MAX, &end, &pages));
        if (pages > most) most = pages;
    }
    pl__memory memory;
    const pl__demand demand = {.n_rows = g->rows, .least_pages = least, .deepest_pages = most, .total_pages = most};
    PL_TRY(pl__memory_plan(&memory, g->engine, &demand));
    PL_TRY(pl__memory_reserve(g->engine, &memory, false));
    g->rows = memory.n_rows;
    free(g->greedy);
    g->greedy = NULL;
    PL_TRY(pl_new(&g->greedy, g->rows));
    for (size_t first = 0; first < n; first = end) {
        PL_TRY(find_group(g, first, n, g->engine->pages.n_pages, &end, &pages));
        PL_TRY(run_group(g, first, end - first, progress));
    }
    return PL_OK;
}

static pl_status check(const pl__ending *ending, const pl_request *requests, size_t n, size_t V)
{
    for (size_t i = 0; i < ending->n_stops; i++)
        if (!*ending->stops[i]) return pl_fail(PL_E_INPUT, "generate: stop text %zu is empty; leave it out", i);
    if (ending->n_stops && !ending->tokenizer) return pl_fail(PL_E_INPUT, "generate: stop texts need a tokenizer");
    for (size_t i = 0; i < n; i++) {
        if (!requests[i].n) return pl_fail(PL_E_INPUT, "request %zu: the prompt has no token to run", i);
        PL_TRY(pl__request_check_length(requests[i].n, ending->max_positions, i, "prompt"));
        PL_TRY(pl__request_check_ids(requests[i].ids, requests[i].n, V, i, "prompt"));
    }
    return PL_OK;
}

/* The generations that came to the border go on: prompts[0..n) become what those have, and out theirs. */
static pl_status cross(call *g, pl_request *prompts, size_t n, pl_progress *progress)
{
    size_t crossing = 0;
    pl_arena *texts;
    PL_TRY(pl_arena_create(&texts));
    pl_status status = PL_OK;
    for (size_t i = 0; i < n; i++) {
        pl_generation *out = g->out[i];
        const size_t m = prompts[i].n, total = m + out->ids.n;
        if (!pl__ending_crosses(g->ending, m, out)) continue;
        int32_t *ids;
        PL_GOTO(status, done, pl_arena_new(texts, &ids, total));
        memcpy(ids, prompts[i].ids, m * sizeof *ids);
        memcpy(ids + m, out->ids.data, out->ids.n * sizeof *ids);
        prompts[crossing] = (pl_request){.ids = ids, .n = total, .gold = SIZE_MAX};
        g->out[crossing++] = out;
    }
    if (crossing) status = run_groups(g, crossing, progress);
done:
    pl_arena_free(texts);
    return status;
}

/* Nothing is asked for: texts are empty. */
static pl_status generate_nothing(pl_generation *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i].finite = true;
        PL_TRY(pl_copy_text(&out[i].text, ""));
    }
    return PL_OK;
}

pl_status pl_stop_ids(pl_ids *out, const pl_config *config, const pl_tokenizer *tokenizer)
{
    if (config->stops.said) return pl_ids_append(out, config->stops.ids, config->stops.n);
    int32_t eos = pl_tokenizer_eos(tokenizer);
    return eos >= 0 ? pl_ids_append(out, &eos, 1) : PL_OK;
}

pl_status pl_engine_generate(pl_engine *engine, const pl_tokenizer *tokenizer, const pl_request *requests, size_t n,
                             size_t max_tokens, const char *const *stops, size_t n_stops, const int32_t *eos,
                             size_t n_eos, pl_progress *progress, pl_generation **out)
{
    *out = NULL;
    const pl__ending ending = {
        tokenizer, stops, n_stops, max_tokens, engine->config->max_positions, eos, n_eos, engine->config->border};
    if (engine->config->n_labels)
        return pl_fail(PL_E_INPUT, "a sequence classifier of %zu labels generates no text", engine->config->n_labels);
    PL_TRY(check(&ending, requests, n, engine->config->V));
    call g = {.engine = engine, .ending = &ending};
    pl_request *prompts = NULL;
    pl_generation *generations = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&generations, n));
    PL_GOTO(status, done, pl_new(&g.out, n));
    PL_GOTO(status, done, pl_new(&prompts, n));
    PL_GOTO(status, done, pl_new(&g.continuations, DEVICE_GROUP));
    for (size_t i = 0; i < n; i++) {
        prompts[i] = (pl_request){.ids = requests[i].ids, .n = requests[i].n, .gold = SIZE_MAX};
        g.out[i] = &generations[i];
    }
    g.prompts = prompts;
    if (max_tokens) {
        PL_GOTO(status, done, run_groups(&g, n, progress));
        PL_GOTO(status, done, cross(&g, prompts, n, progress));
    } else
        PL_GOTO(status, done, generate_nothing(generations, n));
    *out = generations;
    generations = NULL;
done:
    pl_generations_free(generations, n);
    free(prompts);
    free(g.out);
    free(g.continuations);
    free(g.greedy);
    return status;
}

void pl_generations_free(pl_generation *generations, size_t n)
{
    for (size_t i = 0; generations && i < n; i++) {
        pl_ids_free(&generations[i].ids);
        free(generations[i].text);
    }
    free(generations);
}
