#include "experiment/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_build.h"
#include "experiment/finite.h"
#include "experiment/item.h"
#include "experiment/states.h"

/* ---- the engine's part ---- */

/* The engine takes the requests of a unit as one run; content-free ones come last. */
static pl_status gather_requests(const pl__items *items, pl_request **out)
{
    PL_TRY(pl_arena_new(items->arena, out, items->n + items->n_content_free));
    for (size_t i = 0; i < items->n; i++) (*out)[i] = items->items[i].encoded.request;
    for (size_t i = 0; i < items->n_content_free; i++) (*out)[items->n + i] = items->content_free[i].encoded.request;
    return PL_OK;
}

/* States of all tokens are written into `file` meanwhile. */
static pl_status score(const pl_unit_job *job, pl__items *items, const pl_request *requests, pl_states_file *file,
                       pl_results **results)
{
    const pl_plan *plan = job->plan;
    const pl_plan_unit *unit = job->unit;
    const pl_plan_model *model = &plan->models[unit->model];
    pl_capture capture = {0};
    if (unit->captures)
        capture =
            (pl_capture){.n_layers = model->n_layers, .layers = model->layers, .positions = plan->spec->positions};
    PL_TRY(pl_states_file_open(file, job->path, &capture, &model->checkpoint->config, items->n, plan->spec->storage));
    size_t n = items->n + items->n_content_free;
    if (job->linear)
        PL_TRY(pl_linear_score(results, job->linear, unit, job->kept, job->engine, requests, n));
    else
        PL_TRY(pl_engine_score(job->engine, requests, n, &capture, NULL, results));
    PL_TRY(unit->readout == PL_READOUT_LOGLIKELIHOOD ? pl__items_score(items, *results) : PL_OK);
    (*results)->n_requests = items->n; /* the rows of the file: content-free ones have none */
    return PL_OK;
}

static pl_status generate(pl__items *items, const pl_plan *plan, const pl_plan_unit *unit, pl_engine *engine,
                          const pl_request *requests, pl_unit_cost *cost)
{
    const pl_plan_model *model = &plan->models[unit->model];
    const pl_task *t = plan->tasks[unit->task].task;
    pl_generation *generations = NULL;
    pl_status status;
    PL_GOTO(status, done,
            pl_engine_generate(engine, model->tokenizer, requests, items->n, t->max_gen_toks, t->until, t->n_until,
                               model->stops.data, model->stops.n, NULL, &generations));
    for (size_t i = 0; i < items->n; i++) cost->generated_tokens += generations[i].ids.n;
    status = pl__items_answer(items, t, generations);
done:
    pl_generations_free(generations, items->n);
    return status;
}

/* ---- the file ---- */

pl_status pl_unit_write_config(pl_unit_writer *writer, const pl_plan *plan, const pl_plan_unit *unit,
                               const char *numerics_key, json_t *entries)
{
    const pl_plan_model *model = &plan->models[unit->model];
    pl_json_builder b;
    json_t *attributes = NULL;
    pl_bytes identity = {0};
    pl_status status;
    pl_json_begin(&b);
    pl_json_put_text(&b, "unit_id", unit->id);
    pl_json_put_text(&b, "numerics_key", numerics_key);
    pl_json_put_text(&b, "compute_type", pl_dtype_name(model->spec->compute));
    pl_json_put_text(&b, "storage_type", pl_dtype_name(plan->spec->storage));
    pl_json_put_text(&b, "weights_digest", model->digest);
    pl_json_put_size(&b, "numerics_version", PL_NUMERICS_VERSION);
    pl_json_put_text(&b, "model_type", model->checkpoint->config.model_type);
    PL_GOTO(status, done, pl_json_end(&b, &attributes, "a unit's attributes"));
    if (entries && json_object_update(attributes, entries) != 0) {
        status = pl_fail(PL_E_MEMORY, "out of memory while writing unit %s", unit->id);
        goto done;
    }
    PL_GOTO(status, done, pl_plan_identity(&identity, plan, unit));
    status = pl_unit_put_config(writer, identity.data, attributes);
done:
    pl_bytes_free(&identity);
    json_decref(attributes);
    return status;
}

/* Each prompt's tokens behind description and shots, which token overlap is measured of (analysis/calibrated.c). */
static pl_status put_own_tokens(pl_unit_writer *writer, const pl_request *requests, size_t n, pl_arena *arena)
{
    uint64_t *indptr;
    int32_t *ids;
    PL_TRY(pl_arena_new(arena, &indptr, n + 1));
    for (size_t i = 0; i < n; i++) indptr[i + 1] = indptr[i] + requests[i].n - requests[i].own_first;
    PL_TRY(pl_arena_new(arena, &ids, (size_t)indptr[n]));
    for (size_t i = 0; i < n; i++)
        for (size_t k = requests[i].own_first; k < requests[i].n; k++)
            ids[indptr[i] + k - requests[i].own_first] = requests[i].ids[k];
    return pl_unit_put_tokens(writer, indptr, n, ids);
}

static pl_status write_unit(pl_unit_writer **out, const pl_unit_job *job, const pl__items *items,
                            const pl_results *results, const pl_request *requests, pl_states_file *file,
                            pl_unit_losses *losses)
{
    const pl_plan *plan = job->plan;
    const pl_plan_unit *unit = job->unit;
    const pl_plan_model *model = &plan->models[unit->model];
    const pl__head head = {job->checkpoint, job->linear ? &job->linear->model : NULL};
    pl_unit_writer *writer = NULL;
    pl_status status;
    PL_TRY(pl_states_file_writer(file, &writer));
    PL_GOTO(status, failed, pl__items_write(items, plan, unit, &head, results, writer));
    if (results && unit->captures)
        PL_GOTO(status, failed,
                pl_states_write(writer, results, requests, model->layers, model->checkpoint->config.L,
                                plan->spec->capture_items, plan->spec->storage,
                                plan->spec->positions & PL_POSITION_ALL));
    if (results && unit->captures) PL_GOTO(status, failed, put_own_tokens(writer, requests, items->n, items->arena));
    PL_GOTO(status, failed, pl_unit_write_config(writer, plan, unit, job->numerics_key, NULL));
    PL_GOTO(status, failed, pl_unit_count_losses(writer, losses));
    PL_GOTO(status, failed, pl_unit_seal(writer));
    *out = writer;
    return PL_OK;
failed:
    pl_unit_discard(writer);
    return status;
}

struct pl_unit_prompts {
    pl_arena *arena;
    pl__items items;
    pl_request *requests;
    double seconds; /* that making them took */
};

pl_status pl_unit_prompts_create(pl_unit_prompts **out, const pl_plan *plan, const pl_plan_unit *unit)
{
    pl_unit_prompts *p;
    double start = pl_clock_s();
    *out = NULL;
    PL_TRY(pl_new(&p, 1));
    pl_status status;
    PL_GOTO(status, failed, pl_arena_create(&p->arena));
    PL_GOTO(status, failed, pl__items_build(&p->items, plan, unit, p->arena));
    PL_GOTO(status, failed, gather_requests(&p->items, &p->requests));
    p->seconds = pl_clock_s() - start;
    *out = p;
    return PL_OK;
failed:
    pl_unit_prompts_free(p);
    return status;
}

void pl_unit_prompts_free(pl_unit_prompts *prompts)
{
    if (!prompts) return;
    pl_arena_free(prompts->arena);
    free(prompts);
}

static void count_not_finite(pl_unit_cost *cost, const pl__items *items, const pl_plan_model *model,
                             const pl_results *results, const pl_request *requests)
{
    cost->n_not_finite = items->n_not_finite;
    cost->first_not_finite = items->n_not_finite ? items->first_not_finite : SIZE_MAX;
    cost->layer_not_finite = SIZE_MAX;
    if (!results || !results->n_layers) return;
    pl_not_finite states = pl_states_not_finite(results, requests);
    cost->n_states_not_finite = states.n;
    if (!states.n) return;
    cost->layer_not_finite = model->layers[states.layer];
    if (items->items[states.first].index < cost->first_not_finite)
        cost->first_not_finite = items->items[states.first].index;
}

/* A unit in which nothing is a number measures nothing. */
static pl_status refuse_nothing_finite(const pl_plan *plan, const pl_plan_unit *unit, const pl_unit_cost *cost,
                                       const pl__items *items)
{
    char layer[64] = "";
    if (!items->n || cost->n_not_finite < items->n) return PL_OK;
    if (cost->layer_not_finite != SIZE_MAX)
        snprintf(layer, sizeof layer, ", in the states from layer %zu on", cost->layer_not_finite);
    return pl_fail(
        PL_E_INPUT,
        "model %s, task %s, template %s: all %zu items are NaN or infinite%s; expected finite numbers: check "
        "the weights, or compute in float32",
        plan->models[unit->model].spec->name, plan->tasks[unit->task].task->name, unit->template->name, items->n,
        layer);
}

/* Tokens that a choice makes run (its last is scored and never run) beyond those that the one before it ran. */
static size_t choice_tokens(const pl_choice *choice, const pl_choice *before)
{
    size_t n = choice->n - 1, shared = choice->first;
    while (before && shared < n && shared < before->n - 1 && choice->ids[shared] == before->ids[shared]) shared++;
    return n > shared ? n - shared : 0;
}

/* Description and shots are the items' too; choices are sorted, so that those which begin alike are neighbours. */
static size_t count_free_tokens(const pl__items *items)
{
    size_t n = 0;
    for (size_t i = 0; i < items->n_content_free; i++) {
        const pl_request *r = &items->content_free[i].encoded.request;
        n += r->n - r->own_first;
        for (size_t c = 0; c < r->n_choices; c++) n += choice_tokens(&r->choices[c], c ? &r->choices[c - 1] : NULL);
    }
    return n;
}

pl_status pl_unit_run(pl_unit_writer **writer, const pl_unit_job *job, pl_unit_cost *cost)
{
    const pl_plan *plan = job->plan;
    const pl_plan_unit *unit = job->unit;
    pl_results *results = NULL;
    pl_states_file file = {.path = job->path};
    pl__items *items = &job->prompts->items;
    const pl_request *requests = job->prompts->requests;
    *writer = NULL;
    pl_status status = PL_OK;
    double start = pl_clock_s();
    *cost = (pl_unit_cost){.prompts_s = job->prompts->seconds};
    if (unit->captures || unit->readout == PL_READOUT_LOGLIKELIHOOD)
        PL_GOTO(status, done, score(job, items, requests, &file, &results));
    if (unit->readout == PL_READOUT_GENERATE)
        PL_GOTO(status, done, generate(items, plan, unit, job->engine, requests, cost));
    cost->engine_s = pl_clock_s() - start;
    count_not_finite(cost, items, &plan->models[unit->model], results, requests);
    PL_GOTO(status, done, refuse_nothing_finite(plan, unit, cost, items));
    start = pl_clock_s();
    PL_GOTO(status, done, write_unit(writer, job, items, results, requests, &file, &cost->losses));
    cost->write_s = pl_clock_s() - start;
    cost->n_items = items->n;
    cost->n_skipped = items->n_skipped;
    cost->n_set_aside = items->n_set_aside;
    for (size_t i = 0; i < items->n; i++) {
        cost->n_merged += items->items[i].encoded.merged;
        cost->n_truncated += items->items[i].encoded.tokens_cut > 0 || items->items[i].encoded.shots_dropped > 0;
    }
    if (results) {
        cost->tokens_in_requests = results->tokens_in_requests;
        cost->tokens_computed = results->tokens_computed;
        cost->free_tokens = count_free_tokens(items);
        cost->n_batches = results->n_batches;
    }
done:
    pl_states_file_close(&file);
    pl_results_free(results);
    return status;
}
