/* Planning: the largest step first, and of it the pages that it can use; then fewer pages, then smaller steps. */
#include "engine/budget.h"

/* Steps are not made smaller than this while pages could be fewer instead: products lose their speed. */
enum { SMALL_STEP = 256, SMALLEST_STEP = 16 };

static size_t view_bytes(pl_view v)
{
    return v.rows * v.columns * pl_dtype_bytes(v.dtype);
}

static size_t page_bytes(const pl_engine *engine)
{
    const pl_config *c = engine->config;
    return engine->processor->ops->kv_page_bytes(
        c->L, c->G, c->D, pl_activation_type(engine->processor->ops, pl_model_compute(engine->model)));
}

/* What the engine holds already and this call may use again, or give back. */
static size_t held_bytes(const pl_engine *engine)
{
    size_t bytes = engine->pages.n_pages * page_bytes(engine);
    if (engine->activations)
        bytes += pl_activations_bytes(engine->model, engine->n_rows, engine->n_rows, engine->with_logits);
    for (size_t p = 0; p < PL__KEPT; p++)
        for (size_t l = 0; l < engine->n_layers[p]; l++) bytes += view_bytes(engine->states[p][l]);
    size_t device, host;
    pl__outlet_held(&engine->outlet, &device, &host);
    return bytes + device + (engine->processor->ops->shares_memory ? host : 0);
}

/* Memory of a step of n rows that is not pages. */
static size_t step_bytes(const pl_engine *engine, const pl__demand *d, size_t n)
{
    return pl_activations_bytes(engine->model, n, n, d->logits) + n * d->bytes_a_row;
}

static pl_status refuse(const pl_engine *engine, const pl__demand *d, size_t n_rows, size_t pages, size_t available,
                        const char *device)
{
    size_t steps = step_bytes(engine, d, n_rows), kv = pages * page_bytes(engine);
    return pl_fail(PL_E_MEMORY,
                   "not enough memory: captured states of %zu rows need %zu MiB, steps of %zu tokens %zu MiB, keys and "
                   "values of the longest path (%zu tokens) %zu MiB; %zu MiB are free beside the weights (%zu MiB) on "
                   "%s; keep fewer layers, positions or items, shorten the prompts, or free memory",
                   d->state_rows, d->state_bytes >> 20, n_rows, steps >> 20, pages * PL_PAGE, kv >> 20, available >> 20,
                   pl_model_bytes(engine->model) >> 20, device);
}

pl_status pl__memory_plan(pl__memory *out, const pl_engine *engine, const pl__demand *d)
{
    size_t fixed = engine->options.kv_tokens / PL_PAGE, page = page_bytes(engine);
    size_t least = d->least_pages ? d->least_pages : 1;
    if (engine->options.kv_tokens && fixed < least)
        return pl_fail(PL_E_INPUT,
                       "kv_tokens %zu: the longest path needs %zu tokens of keys and values; raise kv_tokens or "
                       "shorten the prompts",
                       engine->options.kv_tokens, least * PL_PAGE);
    pl_device_facts facts;
    PL_TRY(engine->processor->ops->facts(engine->processor->device, &facts));
    size_t available = facts.free_bytes + held_bytes(engine);
    bool shared = engine->processor->ops->shares_memory;
    /* A few per cent stay free on a device (the driver's own needs); in the host's memory others live as well. */
    if (!shared) available -= available / 32;
    *out = (pl__memory){.n_rows = d->n_rows};
    for (;; out->n_rows = (out->n_rows + 1) / 2) {
        size_t n = out->n_rows, needs = d->state_bytes + step_bytes(engine, d, n);
        size_t left = available > needs ? available - needs : 0;
        size_t wanted = 2 * d->deepest_pages + 4 * pl__pages_between(0, n), most = left / page;
        if (wanted > d->total_pages) wanted = d->total_pages;
        if (wanted < least) wanted = least;
        if (fixed) wanted = fixed;
        size_t soft = shared ? most / 2 : most, enough = n > SMALL_STEP ? d->deepest_pages : least;
        if (enough < least) enough = least;
        if (enough > wanted || fixed) enough = wanted;
        out->n_pages = wanted <= soft ? wanted : soft > enough ? soft : enough;
        if (out->n_pages <= most) {
            out->tight = n < d->n_rows || out->n_pages < wanted;
            return PL_OK;
        }
        if (n <= SMALLEST_STEP) return refuse(engine, d, n, fixed ? fixed : least, available, facts.name);
    }
}

pl_status pl__memory_reserve(pl_engine *engine, const pl__memory *memory, bool logits)
{
    /* What shrinks goes first. */
    for (size_t p = 0; memory->tight && p < PL__KEPT; p++) pl__engine_release_states(engine, (pl__kept)p);
    if (memory->tight) pl__outlet_release(&engine->outlet);
    bool fewer = engine->pages.n_pages > memory->n_pages, exact = memory->tight || engine->options.kv_tokens;
    if (fewer) PL_TRY(pl__engine_reserve_pages(engine, memory->n_pages, exact));
    PL_TRY(pl__engine_reserve(engine, memory->n_rows, logits, memory->tight));
    return pl__engine_reserve_pages(engine, memory->n_pages, exact);
}
