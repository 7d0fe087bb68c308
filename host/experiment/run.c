#include "experiment/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/certificate.h"
#include "experiment/ahead.h"
#include "experiment/unit.h"

/* All that one run holds; released in reverse by close_runner. */
typedef struct runner {
    const pl_spec *spec;
    const pl_run_options *options;
    pl_run_summary *summary;
    pl_processor processor;
    pl_device_facts device;
    pl_plan *plan;
    bool *mine;
    size_t loaded; /* index of the loaded model; SIZE_MAX: none */
    pl_model *model;
    pl_engine *engine;
    bool certified; /* promise 1 was tried on this device with the loaded model */
    pl_ahead ahead;
    pl_progress progress; /* counts prompts */
    size_t prompts_done;
    double started_s;
} runner;

typedef struct dealt {
    double cost;
    size_t unit;
} dealt;

static int dearest_first(const void *a, const void *b)
{
    const dealt *x = a, *y = b;
    if (x->cost != y->cost) return x->cost < y->cost ? 1 : -1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

pl_status pl_run_share(bool *mine, const pl_plan *plan, size_t shard, size_t n_shards)
{
    dealt *order = NULL;
    PL_TRY(pl_new(&order, plan->n_units));
    for (size_t u = 0; u < plan->n_units; u++) order[u] = (dealt){plan->units[u].cost, u};
    qsort(order, plan->n_units, sizeof *order, dearest_first);
    for (size_t i = 0; i < plan->n_units; i++) mine[order[i].unit] = n_shards == 0 || i % n_shards == shard;
    free(order);
    return PL_OK;
}

/* ---- status.json ---- */

static pl_status write_status(const runner *r, const char *state, const char *unit_id)
{
    char now[32], host[128], shard[48] = "";
    const pl_run_summary *s = r->summary;
    pl_time_text(now);
    pl_host_name(host);
    if (r->options->n_shards) snprintf(shard, sizeof shard, "%zu-of-%zu", r->options->shard, r->options->n_shards);
    double elapsed = pl_clock_s() - r->started_s;
    size_t done = s->n_found + s->n_adopted + s->n_computed, left = s->n_share - done - s->n_failed - s->n_elsewhere;
    double rate = elapsed > 0 ? (double)s->n_computed / elapsed : 0;
    json_t *json = json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s*,s:f,s:f,s:s,s:s,s:i}", "state", state, "shard",
                             shard, "units", (json_int_t)s->n_share, "found", (json_int_t)s->n_found, "adopted",
                             (json_int_t)s->n_adopted, "computed", (json_int_t)s->n_computed, "failed",
                             (json_int_t)s->n_failed, "elsewhere", (json_int_t)s->n_elsewhere, "left", (json_int_t)left,
                             "running", unit_id, "units_per_s", rate, "seconds_left",
                             rate > 0 ? (double)left / rate : 0.0, "updated", now, "host", host, "pid", (int)getpid());
    if (!json) return pl_fail(PL_E_MEMORY, "out of memory while writing status.json");
    pl_status status = pl_run_folder_status(&s->folder, r->options->n_shards ? shard : NULL, json);
    json_decref(json);
    return status;
}

/* ---- one unit ---- */

/* A backend whose products are exact needs no trial: the tests are it. */
static pl_status certify(runner *r, const char *name)
{
    pl_certificate certificate;
    r->certified = !r->processor.ops->exact;
    if (!r->certified) return PL_OK;
    PL_TRY(pl_certify(&certificate, r->model));
    return pl_run_folder_log(&r->summary->folder,
                             "model %s certified on %s: %zu paths of %zu tokens, the same bits in any batch, %.2f s",
                             name, r->device.name, certificate.n_paths, certificate.n_tokens, certificate.seconds);
}

static pl_status load_model(runner *r, size_t index)
{
    if (r->loaded == index) return PL_OK;
    pl_engine_free(r->engine);
    pl_model_free(r->model);
    r->engine = NULL;
    r->model = NULL;
    r->loaded = SIZE_MAX;
    const pl_plan_model *m = &r->plan->models[index];
    double start = pl_clock_s();
    PL_TRY(pl_model_load(&r->model, &r->processor, m->checkpoint, m->spec->compute));
    for (size_t i = 0; i < m->checkpoint->n_notes; i++)
        PL_TRY(pl_run_folder_log(&r->summary->folder, "model %s: %s", m->spec->name, m->checkpoint->notes[i]));
    PL_TRY(r->processor.ops->facts(r->processor.device, &r->device)); /* the weights' products are known now */
    PL_TRY(certify(r, m->spec->name));
    pl_engine_options options = {.batch_tokens = r->options->batch_tokens, .no_sharing = r->options->no_sharing};
    PL_TRY(pl_engine_create(&r->engine, r->model, &options));
    r->loaded = index;
    return pl_run_folder_log(&r->summary->folder, "model %s loaded in %.2f s", m->spec->name, pl_clock_s() - start);
}

static pl_status write_sidecar(const runner *r, const pl_plan_unit *unit, const pl_unit_cost *cost, double wall_s)
{
    char now[32], host[128];
    pl_time_text(now);
    pl_host_name(host);
    json_t *json = json_pack(
        "{s:s,s:s,s:s,s:s,s:i,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:f,s:f,s:f}", "unit",
        unit->id, "finished", now, "host", host, "device", r->device.name, "threads", r->device.n_threads, "plumb",
        PLUMB_VERSION, "certificate", r->certified ? "passed" : "not needed: products are exact by construction",
        "products", r->device.makers, "items", (json_int_t)cost->n_items, "items_skipped", (json_int_t)cost->n_skipped,
        "items_merged", (json_int_t)cost->n_merged, "items_truncated", (json_int_t)cost->n_truncated,
        "items_not_finite", (json_int_t)cost->n_not_finite, "items_states_not_finite",
        (json_int_t)cost->n_states_not_finite, "tokens_in_requests", (json_int_t)cost->tokens_in_requests,
        "tokens_computed", (json_int_t)cost->tokens_computed, "tokens_generated", (json_int_t)cost->generated_tokens,
        "batches", (json_int_t)cost->n_batches, "prompts_s", cost->prompts_s, "engine_s", cost->engine_s, "write_s",
        cost->write_s, "wall_s", wall_s, "tokens_per_s",
        cost->engine_s > 0 ? (double)(cost->tokens_computed + cost->generated_tokens) / cost->engine_s : 0.0);
    if (!json) return pl_fail(PL_E_MEMORY, "out of memory while writing the sidecar of unit %s", unit->id);
    pl_status status = pl_run_folder_sidecar(&r->summary->folder, unit->id, json);
    json_decref(json);
    return status;
}

/* A failure that the next unit would meet as well ends the run; others are recorded and the run goes on. */
static bool ends_the_run(pl_status status)
{
    return status == PL_E_IO || status == PL_E_DEVICE || status == PL_E_INTERNAL;
}

/* The next unit that this process will most likely run. */
static const pl_plan_unit *next_unit(const runner *r, const pl_plan_unit *unit)
{
    for (size_t u = (size_t)(unit - r->plan->units) + 1; u < r->plan->n_units; u++)
        if (r->mine[u] && !pl_run_folder_has(&r->summary->folder, r->plan->units[u].id)) return &r->plan->units[u];
    return NULL;
}

/* Runs a unit while the prompts of the next one are built. */
static pl_status run_ahead(runner *r, const pl_plan_unit *unit, const char *path, pl_unit_cost *cost)
{
    pl_unit_prompts *prompts;
    PL_TRY(pl_ahead_take(&r->ahead, r->plan, unit, &prompts));
    const pl_plan_unit *next = next_unit(r, unit);
    if (next) pl_ahead_start(&r->ahead, r->plan, next);
    pl_status status = pl_unit_run(r->plan, unit, prompts, r->engine, path, NULL, cost);
    pl_unit_prompts_free(prompts);
    return status;
}

/* Says in the log that a unit has values that are no numbers, and keeps the first for the screen. */
static pl_status report_not_finite(runner *r, const pl_plan_unit *unit, const pl_unit_cost *cost)
{
    pl_run_summary *s = r->summary;
    char text[sizeof s->first_not_finite], layer[48] = "";
    size_t n = cost->n_not_finite > cost->n_states_not_finite ? cost->n_not_finite : cost->n_states_not_finite;
    if (!n) return PL_OK;
    if (cost->layer_not_finite != SIZE_MAX)
        snprintf(layer, sizeof layer, ", states from layer %zu on", cost->layer_not_finite);
    snprintf(text, sizeof text,
             "model %s, task %s, template %s, k = %zu, draw %u: %zu of %zu items are NaN or infinite (first: doc_id "
             "%zu%s); %zu have no prediction and are in no mean",
             r->plan->models[unit->model].spec->name, r->plan->tasks[unit->task].task->name, unit->template->name,
             unit->k, unit->draw, n, cost->n_items, cost->first_not_finite, layer, cost->n_not_finite);
    if (!s->n_not_finite) snprintf(s->first_not_finite, sizeof s->first_not_finite, "%s", text);
    s->n_not_finite += n;
    return pl_run_folder_log(&s->folder, "unit %s: WARNING: %s", unit->id, text);
}

static pl_status compute(runner *r, const pl_plan_unit *unit)
{
    char path[PL_PATH_MAX];
    pl_unit_cost cost;
    double start = pl_clock_s();
    PL_TRY(pl_run_folder_unit(path, &r->summary->folder, unit->id));
    PL_TRY(load_model(r, unit->model));
    PL_TRY(run_ahead(r, unit, path, &cost));
    PL_TRY(write_sidecar(r, unit, &cost, pl_clock_s() - start));
    PL_TRY(report_not_finite(r, unit, &cost));
    r->summary->n_computed++;
    return pl_run_folder_log(
        &r->summary->folder, "unit %s: %s, %s, template %s, k=%zu, draw %u, %s: %zu items in %.2f s%s", unit->id,
        r->plan->models[unit->model].spec->name, r->plan->tasks[unit->task].task->name, unit->template->name, unit->k,
        unit->draw, pl_readout_name(unit->readout), cost.n_items, pl_clock_s() - start,
        cost.n_merged ? " (tokens merged over the prompt's end: see obs/merged)" : "");
}

static pl_status run_unit(runner *r, const pl_plan_unit *unit)
{
    pl_run_summary *s = r->summary;
    int lock = -1;
    bool taken, adopted;
    PL_TRY(pl_run_folder_claim(&s->folder, unit->id, &lock, &taken));
    if (!taken) {
        s->n_elsewhere++;
        return PL_OK;
    }
    pl_status status = PL_OK;
    if (pl_run_folder_has(&s->folder, unit->id)) { /* another process finished it since the list was made */
        s->n_found++;
        goto done;
    }
    PL_GOTO(status, done, pl_run_folder_adopt(&s->folder, unit->id, &adopted));
    if (adopted) {
        s->n_adopted++;
        status = pl_run_folder_log(&s->folder, "unit %s: adopted from another run", unit->id);
        goto done;
    }
    PL_GOTO(status, done, write_status(r, "running", unit->id));
    status = compute(r, unit);
    if (status == PL_OK || ends_the_run(status)) goto done;
    s->n_failed++;
    if (!s->first_failure[0]) snprintf(s->first_failure, sizeof s->first_failure, "%s", pl_error_text());
    PL_GOTO(status, done, pl_run_folder_failed(&s->folder, unit->id, s->first_failure));
    status = pl_run_folder_log(&s->folder, "unit %s failed: %s", unit->id, s->first_failure);
done:
    pl_run_folder_release(&s->folder, unit->id, lock);
    return status;
}

static pl_status run_units(runner *r)
{
    pl_run_summary *s = r->summary;
    for (size_t u = 0; u < r->plan->n_units; u++) {
        if (!r->mine[u]) continue;
        if (r->options->drain && pl_drain_requested(r->options->drain)) {
            PL_TRY(write_status(r, "drained", NULL));
            PL_TRY(pl_run_folder_log(&s->folder, "drained by a signal"));
            return pl_fail(PL_E_DRAINED, "%s: stopped by a signal; run the same command again to go on",
                           s->folder.path);
        }
        if (pl_run_folder_has(&s->folder, r->plan->units[u].id))
            s->n_found++;
        else
            PL_TRY(run_unit(r, &r->plan->units[u]));
        r->prompts_done += r->plan->tasks[r->plan->units[u].task].n_items;
        pl_progress_set(&r->progress, r->prompts_done);
    }
    return PL_OK;
}

/* ---- the run ---- */

static pl_status open_folder(runner *r)
{
    char hash8[9], host[128];
    snprintf(hash8, sizeof hash8, "%.8s", r->plan->hash);
    pl_host_name(host);
    json_t *manifest = json_pack("{s:s,s:s,s:s,s:s,s:i,s:i}", "plumb", PLUMB_VERSION, "name", r->spec->name,
                                 "plan_hash", r->plan->hash, "device_class", r->device.device_class, "numerics_version",
                                 (int)PL_NUMERICS_VERSION, "format_version", (int)PL_UNIT_FORMAT_VERSION);
    if (!manifest) return pl_fail(PL_E_MEMORY, "out of memory while writing manifest.json");
    pl_status status = pl_run_folder_create(&r->summary->folder, r->options->results, r->spec->name, hash8,
                                            r->spec->frozen.data, r->spec->frozen.size, manifest, r->plan->json);
    json_decref(manifest);
    if (status != PL_OK) return status;
    if (r->processor.choice[0]) PL_TRY(pl_run_folder_log(&r->summary->folder, "%s", r->processor.choice));
    return pl_run_folder_log(&r->summary->folder, "plumb %s on %s (%s): %zu units, %zu in this process's share",
                             PLUMB_VERSION, host, r->device.name, r->plan->n_units, r->summary->n_share);
}

static pl_status prepare(runner *r)
{
    PL_TRY(pl_processor_open(&r->processor, r->options->device, r->options->n_threads));
    if (r->processor.choice[0] && !r->options->quiet) fprintf(stderr, "%s\n", r->processor.choice);
    PL_TRY(r->processor.ops->facts(r->processor.device, &r->device));
    PL_TRY(pl_plan_create(&r->plan, r->spec, r->device.device_class));
    for (size_t i = 0; i < r->plan->n_models && !r->options->quiet; i++)
        for (size_t k = 0; k < r->plan->models[i].checkpoint->n_notes; k++)
            fprintf(stderr, "model %s: %s\n", r->plan->models[i].spec->name, r->plan->models[i].checkpoint->notes[k]);
    PL_TRY(pl_new(&r->mine, r->plan->n_units));
    PL_TRY(pl_run_share(r->mine, r->plan, r->options->shard, r->options->n_shards));
    size_t prompts = 0;
    r->summary->n_units = r->plan->n_units;
    for (size_t u = 0; u < r->plan->n_units; u++) {
        if (!r->mine[u]) continue;
        r->summary->n_share++;
        prompts += r->plan->tasks[r->plan->units[u].task].n_items;
    }
    PL_TRY(open_folder(r));
    pl_progress_start(&r->progress, r->spec->name, "prompts", prompts, r->options->quiet);
    return write_status(r, "starting", NULL);
}

static void count_missing(const runner *r)
{
    for (size_t u = 0; u < r->plan->n_units; u++)
        r->summary->n_missing += !pl_run_folder_has(&r->summary->folder, r->plan->units[u].id);
}

pl_status pl_run_experiment(pl_run_summary *out, const pl_spec *spec, const pl_run_options *options)
{
    runner r = {.spec = spec, .options = options, .summary = out, .loaded = SIZE_MAX, .started_s = pl_clock_s()};
    pl_status status;
    *out = (pl_run_summary){0};
    PL_GOTO(status, done, prepare(&r));
    PL_GOTO(status, done, run_units(&r));
    pl_progress_end(&r.progress);
    count_missing(&r);
    PL_GOTO(status, done, write_status(&r, out->n_failed ? "failed" : "done", NULL));
    if (out->n_failed)
        status = pl_fail(PL_E_UNITS, "%zu of %zu units failed; the first: %s", out->n_failed, out->n_share,
                         out->first_failure);
done:
    pl_ahead_drop(&r.ahead);
    pl_engine_free(r.engine);
    pl_model_free(r.model);
    free(r.mine);
    pl_plan_free(r.plan);
    pl_processor_close(&r.processor);
    return status;
}
