#include "experiment/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/certificate.h"
#include "experiment/estimate.h"
#include "experiment/run_parts.h"
#include "experiment/run_record.h"
#include "experiment/share.h"

/* ---- status.json ---- */

static pl_status write_status(const pl__runner *r, const char *state, const char *unit_id)
{
    char shard[48] = "";
    json_t *json;
    if (r->options->helper) return PL_OK;
    if (r->options->n_shards) snprintf(shard, sizeof shard, "%zu-of-%zu", r->options->shard, r->options->n_shards);
    const pl_run_state now = {.state = state,
                              .shard = shard,
                              .unit = unit_id,
                              .summary = r->summary,
                              .computing_s = r->computing_s,
                              .computed_cost = r->computed_cost,
                              .left_cost = r->left_cost};
    PL_TRY(pl_record_state(&json, &now));
    pl_status status = pl_run_folder_status(&r->summary->folder, r->options->n_shards ? shard : NULL, json);
    json_decref(json);
    return status;
}

/* ---- one unit ---- */

/* The file and its sidecar; *found: another process was first. */
static pl_status finish_unit(const pl__runner *r, const pl_plan_unit *unit, pl_unit_writer *writer,
                             const pl_unit_cost *cost, double wall_s, bool *found)
{
    const pl_unit_record record = {.unit = unit,
                                   .cost = cost,
                                   .device = &r->device,
                                   .numerics_key = r->keys[unit->model].own,
                                   .certified = r->certified,
                                   .wall_s = wall_s};
    json_t *json = NULL;
    pl_status status = pl_record_unit(&json, &record);
    if (status == PL_OK)
        status = pl_run_folder_finish(&r->summary->folder, unit->id, writer, json, found);
    else
        pl_unit_discard(writer);
    json_decref(json);
    return status;
}

/* A failure that the next unit would meet as well ends the run; others are recorded and the run goes on. */
static bool ends_the_run(pl_status status)
{
    return status == PL_E_IO || status == PL_E_DEVICE || status == PL_E_INTERNAL;
}

/* The next unit that this process will most likely run. */
static const pl_plan_unit *next_unit(const pl__runner *r, const pl_plan_unit *unit)
{
    for (size_t u = (size_t)(unit - r->plan->units) + 1; u < r->plan->n_units; u++)
        if (r->mine[u] && !pl__is_not_needed(r, u) && !pl_run_folder_has(&r->summary->folder, r->plan->units[u].id))
            return r->plan->units[u].learns ? NULL : &r->plan->units[u];
    return NULL;
}

/* Runs a unit while the prompts of the next one are built. */
static pl_status run_ahead(pl__runner *r, const pl_plan_unit *unit, const char *path, pl_unit_writer **writer,
                           pl_unit_cost *cost)
{
    pl_unit_prompts *prompts;
    PL_TRY(pl__load_for(r, unit));
    PL_TRY(pl_ahead_take(&r->ahead, r->plan, unit, &prompts));
    const pl_plan_unit *next = next_unit(r, unit);
    if (next) pl_ahead_start(&r->ahead, r->plan, next);
    const pl_unit_job job = {.plan = r->plan,
                             .unit = unit,
                             .prompts = prompts,
                             .engine = r->engine,
                             .checkpoint = r->tuned ? r->tuned : r->plan->models[unit->model].checkpoint,
                             .linear = unit->arm->kind == PL_ARM_LINEAR ? &r->linear : NULL,
                             .kept = &r->kept,
                             .numerics_key = r->keys[unit->model].own,
                             .path = path};
    pl_status status = pl_unit_run(writer, &job, cost);
    pl_unit_prompts_free(prompts);
    return status;
}

/* Says in the log that a unit has values that are no numbers, and keeps the first for the screen. */
static pl_status report_not_finite(pl__runner *r, const pl_plan_unit *unit, const pl_unit_cost *cost)
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

/* What the items' states do not show: those of all tokens. */
static pl_status report_losses(pl__runner *r, const pl_plan_unit *unit, const pl_unit_cost *cost)
{
    char line[512];
    if (!cost->losses.n_not_finite || cost->n_states_not_finite) return PL_OK;
    snprintf(line, sizeof line,
             "WARNING: unit %s, template %s: %zu values of its states are NaN or infinite (first: %s)", unit->id,
             unit->template->name, cost->losses.n_not_finite, cost->losses.first);
    pl__say(r, line);
    return pl_run_folder_log(&r->summary->folder, "%s", line);
}

static pl_status compute(pl__runner *r, const pl_plan_unit *unit)
{
    char path[PL_PATH_MAX], name[PL_UNIT_NAME];
    pl_unit_cost cost;
    pl_unit_writer *writer;
    bool found;
    double start = pl_clock_s();
    PL_TRY(pl_run_folder_unit(path, &r->summary->folder, unit->id));
    PL_TRY(unit->learns ? pl__learn(r, unit, path, &writer, &cost) : run_ahead(r, unit, path, &writer, &cost));
    PL_TRY(finish_unit(r, unit, writer, &cost, pl_clock_s() - start, &found));
    if (found) { /* locks that are private to a node */
        r->summary->n_found++;
        return pl_run_folder_log(&r->summary->folder, "unit %s: another process finished it meanwhile; its file stays",
                                 unit->id);
    }
    PL_TRY(report_not_finite(r, unit, &cost));
    PL_TRY(report_losses(r, unit, &cost));
    r->summary->n_computed++;
    r->summary->n_merged += cost.n_merged;
    r->computing_s += pl_clock_s() - start;
    r->computed_cost += unit->cost;
    pl_plan_unit_name(name, unit);
    return pl_run_folder_log(
        &r->summary->folder,
        "unit %s: %s, %s, %s, %s: %zu items in %.2f s; %zu with a token merged over the prompt's end, %zu not finite",
        unit->id, r->plan->models[unit->model].spec->name, r->plan->tasks[unit->task].task->name, name,
        pl_readout_name(unit->readout), cost.n_items, pl_clock_s() - start, cost.n_merged, cost.n_not_finite);
}

/* Claimed by another process. Whether that one lives cannot always be told: then a person is asked. */
static pl_status left_to_another(pl__runner *r, const pl_plan_unit *unit)
{
    pl_run_summary *s = r->summary;
    pl_unit_owner owner;
    bool there;
    char age[32], quoted[PL_PATH_MAX];
    s->n_elsewhere++;
    PL_TRY(pl_run_folder_owner(&owner, &there, &s->folder, unit->id));
    r->n_working += !there || owner.life != PL_LIFE_UNKNOWN;
    if (!there || owner.life != PL_LIFE_UNKNOWN || s->n_held++ > 0) return PL_OK;
    PL_TRY(pl_path_quote(quoted, owner.path));
    pl_duration_text(age, owner.age_s);
    snprintf(s->first_held, sizeof s->first_held, "unit %s for %s by '%s'; if that process is gone: rm -- %s", unit->id,
             age, owner.who, quoted);
    return pl_run_folder_log(&s->folder, "held: %s", s->first_held);
}

/* A unit whose model was not adapted: that failed, or another process is at it. */
static bool needs_what_is_not_there(pl__runner *r, const pl_plan_unit *unit)
{
    pl_run_summary *s = r->summary;
    if (!unit->adaptation || unit->learns) return false;
    const pl_plan_unit *learner = &r->plan->units[unit->adaptation->unit];
    if (pl_run_folder_has(&s->folder, learner->id)) return false;
    bool failed = r->failed[unit->adaptation->unit];
    s->n_failed += failed;
    r->failed[unit - r->plan->units] = failed;
    s->n_elsewhere += !failed && !r->keys[unit->model].refused;
    s->n_refused += !failed && r->keys[unit->model].refused;
    return true;
}

static void note_failure(pl__runner *r, const pl_plan_unit *unit, const char *message)
{
    pl_run_summary *s = r->summary;
    s->n_failed++;
    r->failed[unit - r->plan->units] = true;
    if (!s->first_failure[0]) snprintf(s->first_failure, sizeof s->first_failure, "%s", message);
}

/* *failed: another process of this launch has tried the unit. */
static pl_status failed_elsewhere(bool *failed, pl__runner *r, const pl_plan_unit *unit)
{
    char message[sizeof r->summary->first_failure];
    *failed = false;
    if (!r->options->wait) return PL_OK;
    PL_TRY(pl_run_folder_failure(failed, message, sizeof message, &r->summary->folder, unit->id, r->options->since));
    if (*failed) note_failure(r, unit, message);
    return PL_OK;
}

static pl_status run_unit(pl__runner *r, const pl_plan_unit *unit)
{
    pl_run_summary *s = r->summary;
    int lock = -1;
    bool taken, adopted, failed;
    char message[sizeof s->first_failure];
    if (needs_what_is_not_there(r, unit)) return PL_OK;
    PL_TRY(pl__agree(r, unit->model));
    if (r->keys[unit->model].refused) {
        s->n_refused++;
        return PL_OK;
    }
    PL_TRY(pl_run_folder_claim(&s->folder, unit->id, &lock, &taken));
    if (!taken) return left_to_another(r, unit);
    pl_status status = PL_OK;
    if (pl_run_folder_has(&s->folder, unit->id)) { /* another process finished it since the list was made */
        s->n_found++;
        goto done;
    }
    PL_GOTO(status, done, failed_elsewhere(&failed, r, unit));
    if (failed) goto done;
    PL_GOTO(status, done, pl_run_folder_adopt(&s->folder, unit->id, r->keys[unit->model].own, &adopted));
    if (adopted) {
        s->n_adopted++;
        status = pl_run_folder_log(&s->folder, "unit %s: adopted from another run", unit->id);
        goto done;
    }
    PL_GOTO(status, done, write_status(r, "running", unit->id));
    status = compute(r, unit);
    if (status == PL_E_DRAINED || status == PL_E_INTERRUPTED) { /* in the middle of training: its state is kept */
        r->stopped = true;
        status = PL_OK;
        goto done;
    }
    if (status == PL_E_ELSEWHERE) {
        s->n_elsewhere++;
        r->n_working++;
        status = pl_run_folder_log(&s->folder, "unit %s: %s", unit->id, pl_error_text());
        goto done;
    }
    if (status == PL_OK || ends_the_run(status)) goto done;
    snprintf(message, sizeof message, "%s", pl_error_text());
    note_failure(r, unit, message);
    PL_GOTO(status, done, pl_run_folder_failed(&s->folder, unit->id, message));
    status = pl_run_folder_log(&s->folder, "unit %s failed: %s", unit->id, message);
done:
    pl_run_folder_release(&s->folder, unit->id, lock);
    return status;
}

/* `save` may be asked for when the unit that learns is finished, or another run's. */
static pl_status keep_saved(pl__runner *r, const pl_plan_unit *unit)
{
    if (!unit->learns || !pl_run_folder_has(&r->summary->folder, unit->id)) return PL_OK;
    PL_TRY(pl__agree(r, unit->model));
    if (r->keys[unit->model].refused) return PL_OK; /* said */
    pl_status status = pl__keep_saved(r, unit);
    if (status == PL_E_DRAINED || status == PL_E_INTERRUPTED) {
        r->stopped = true;
        return PL_OK;
    }
    if (status != PL_E_ELSEWHERE) return status;
    return pl_run_folder_log(&r->summary->folder, "unit %s: %s", unit->id, pl_error_text());
}

/* Units of the share that are there, whoever computed them. */
static size_t count_there(const pl_run_summary *s)
{
    return s->n_found + s->n_adopted + s->n_computed;
}

/* What is kept, and how to go on. */
static pl_status drained(const pl__runner *r)
{
    const pl_run_summary *s = r->summary;
    char shard[64] = "";
    if (r->options->n_shards)
        snprintf(shard, sizeof shard, " --shard %zu/%zu", r->options->shard, r->options->n_shards);
    pl_drain *drain = r->options->drain;
    PL_TRY(write_status(r, pl_drain_state(drain), NULL));
    PL_TRY(pl_run_folder_log(&s->folder, "%s by a signal", pl_drain_state(drain)));
    return pl_fail(pl_drain_status(drain),
                   "%s by a signal; %zu of %zu units are finished and kept; to go on: plumb run "
                   "%s/experiment.yaml%s %s",
                   pl_drain_state(drain), count_there(s), s->n_share, s->folder.path, shard, r->options->again);
}

static size_t count_prompts(const pl_plan *plan, const pl_plan_unit *unit)
{
    return unit->learns ? unit->adaptation->n_train : plan->tasks[unit->task].n_items;
}

/* One that is not there: computed where it is needed and its stage has begun. */
static pl_status run_if_needed(pl__runner *r, const pl_plan_unit *unit)
{
    pl_need need;
    PL_TRY(pl__unit_need(&need, r, unit));
    if (need == PL_NEEDED) return run_unit(r, unit);
    r->summary->n_waiting += need == PL_WAITING;
    r->summary->n_not_needed += need == PL_NOT_NEEDED;
    return PL_OK;
}

/* The share once through. A unit that is in work elsewhere or waits for a look stays in it; all others leave it. */
static pl_status run_pass(pl__runner *r)
{
    pl_run_summary *s = r->summary;
    s->n_elsewhere = s->n_held = s->n_waiting = r->n_working = 0;
    for (size_t u = 0; u < r->plan->n_units; u++) {
        if (!r->mine[u]) continue;
        if (r->options->drain && pl_drain_requested(r->options->drain)) return drained(r);
        const size_t n = count_prompts(r->plan, &r->plan->units[u]);
        const size_t before = s->n_computed, open = s->n_elsewhere + s->n_waiting;
        if (pl_run_folder_has(&s->folder, r->plan->units[u].id))
            s->n_found++;
        else
            PL_TRY(run_if_needed(r, &r->plan->units[u]));
        if (!r->stopped) PL_TRY(keep_saved(r, &r->plan->units[u]));
        if (r->stopped) return drained(r);
        PL_TRY(pl__clean_up(r, &r->plan->units[u]));
        r->mine[u] = s->n_elsewhere + s->n_waiting > open;
        if (r->mine[u]) continue;
        r->left_cost -= r->plan->units[u].cost;
        /* Rate and time left are those of computed units: one that was there or adopted says nothing of the rest. */
        if (s->n_computed > before)
            pl_progress_set(&r->progress, r->prompts_done += n);
        else
            pl_progress_skip(&r->progress, n);
    }
    return PL_OK;
}

/* Again as long as there is something left to do: what waits for a unit of another process or for a look, or what one
 * has dropped. A look may be due after units that were there or adopted as after computed ones. */
static pl_status run_units(pl__runner *r)
{
    const pl_run_summary *s = r->summary;
    size_t before = count_there(s);
    PL_TRY(run_pass(r));
    while (s->n_elsewhere + s->n_waiting && (count_there(s) > before || (r->options->wait && r->n_working))) {
        if (count_there(s) == before) r->options->wait(r->options->listener);
        before = count_there(s);
        PL_TRY(run_pass(r));
    }
    return PL_OK;
}

/* ---- the run ---- */

/* experiment.yaml, which names the tasks by their files in the run folder. */
static pl_status freeze_experiment(pl_bytes *out, const pl_plan *plan)
{
    const char **paths;
    char *path;
    PL_TRY(pl_arena_new(plan->arena, &paths, plan->n_tasks));
    for (size_t t = 0; t < plan->n_tasks; t++) {
        PL_TRY(pl_arena_format(plan->arena, &path, "tasks/%s.yaml", plan->tasks[t].task->name));
        paths[t] = path;
    }
    return pl_spec_freeze(out, plan->spec, paths);
}

/* The task files beside it: the run folder stands alone. */
static pl_status freeze_tasks(const pl__runner *r)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/tasks", r->summary->folder.path));
    PL_TRY(pl_folder_make(path));
    for (size_t t = 0; t < r->plan->n_tasks; t++) {
        const pl_task *task = r->plan->tasks[t].task;
        PL_TRY(pl_path(path, "%s/tasks/%s.yaml", r->summary->folder.path, task->name));
        if (!pl_file_exists(path)) PL_TRY(pl_file_replace(path, task->frozen, strlen(task->frozen)));
    }
    return PL_OK;
}

static pl_status create_folder(pl__runner *r)
{
    char hash8[9];
    json_t *manifest = NULL, *plan = NULL;
    pl_bytes experiment = {0};
    pl_status status;
    snprintf(hash8, sizeof hash8, "%.8s", r->plan->hash);
    PL_GOTO(status, done, pl_record_manifest(&manifest, r->plan));
    PL_GOTO(status, done, pl_record_plan(&plan, r->plan));
    PL_GOTO(status, done, freeze_experiment(&experiment, r->plan));
    PL_GOTO(status, done,
            pl_run_folder_create(&r->summary->folder, r->options->results, r->spec->name, hash8, experiment.data,
                                 experiment.size, manifest, plan));
    status = freeze_tasks(r);
done:
    pl_bytes_free(&experiment);
    json_decref(plan);
    json_decref(manifest);
    return status;
}

static pl_status open_folder(pl__runner *r)
{
    char host[PL_HOST_NAME_MAX];
    pl_host_name(host);
    PL_TRY(create_folder(r));
    PL_TRY(pl__stages_begin(r));
    for (size_t i = 0; i < r->plan->n_notes; i++)
        PL_TRY(pl_run_folder_log(&r->summary->folder, "%s", r->plan->notes[i]));
    if (r->processor.choice[0]) PL_TRY(pl_run_folder_log(&r->summary->folder, "%s", r->processor.choice));
    return pl_run_folder_log(&r->summary->folder, "plumb %s on %s (%s): %zu units, %zu in this process's share",
                             PLUMB_VERSION, host, r->device.name, r->plan->n_units, r->summary->n_share);
}

/* Seconds of the units that are to be computed, model by model. */
static pl_status predict(const pl__runner *r, const pl_estimate *units, pl_estimate *sum, double *seconds)
{
    *sum = (pl_estimate){0};
    *seconds = 0;
    for (size_t m = 0; m < r->plan->n_models; m++) {
        pl_estimate own = {0};
        double rate;
        for (size_t u = 0; u < r->plan->n_units; u++)
            if (r->mine[u] && r->plan->units[u].model == m && !pl__is_not_needed(r, u) &&
                !pl_run_folder_has(&r->summary->folder, r->plan->units[u].id))
                pl_estimate_add(&own, &units[u]);
        if (!own.n_units) continue;
        PL_TRY(pl_estimate_rate(&rate, &r->processor, &r->plan->models[m]));
        *seconds += pl_estimate_seconds(&own, rate);
        pl_estimate_add(sum, &own);
    }
    return PL_OK;
}

/* One line before anything is computed. */
static pl_status say_plan(const pl__runner *r, size_t n_prompts)
{
    pl_estimate *units = NULL, left;
    double seconds;
    char line[PL_PATH_MAX + 256], duration[32];
    if (!r->options->say) return PL_OK;
    PL_TRY(pl_new(&units, r->plan->n_units));
    pl_status status = pl_estimate_units(units, r->plan);
    if (status == PL_OK) status = predict(r, units, &left, &seconds);
    free(units);
    PL_TRY(status);
    pl_duration_text(duration, seconds);
    snprintf(line, sizeof line,
             "%zu units, %zu prompts; %zu finished before; the rest takes about %s and %.3g MB; in %s",
             r->summary->n_share, n_prompts, r->summary->n_share - left.n_units, duration, left.disk_bytes / 1e6,
             r->summary->folder.path);
    pl__say(r, line);
    pl_plan_notes(r->plan, r->options->say, r->options->listener);
    return PL_OK;
}

/* The plan comes before the device: it is the same on every node. */
static pl_status prepare(pl__runner *r)
{
    PL_TRY(pl_plan_create(&r->plan, r->spec));
    PL_TRY(pl_new(&r->keys, r->plan->n_models));
    for (size_t i = 0; i < r->plan->n_models; i++)
        for (size_t k = 0; k < r->plan->models[i].checkpoint->n_notes; k++) {
            char line[1024];
            snprintf(line, sizeof line, "model %s: %s", r->plan->models[i].spec->name,
                     r->plan->models[i].checkpoint->notes[k]);
            pl__say(r, line);
        }
    PL_TRY(pl_new(&r->mine, r->plan->n_units));
    PL_TRY(pl_new(&r->failed, r->plan->n_units));
    PL_TRY(pl_share(r->mine, r->plan, r->options->shard, r->options->n_shards));
    PL_TRY(pl_processor_open(&r->processor, r->options->device, r->options->n_threads));
    if (r->processor.choice[0]) pl__say(r, r->processor.choice);
    PL_TRY(r->processor.ops->facts(r->processor.device, &r->opened));
    r->device = r->opened;
    size_t prompts = 0;
    r->summary->n_units = r->plan->n_units;
    for (size_t u = 0; u < r->plan->n_units; u++) {
        if (!r->mine[u]) continue;
        r->summary->n_share++;
        r->left_cost += r->plan->units[u].cost;
        prompts += count_prompts(r->plan, &r->plan->units[u]);
    }
    PL_TRY(open_folder(r));
    PL_TRY(say_plan(r, prompts));
    if (r->options->drain) pl_drain_begin(r->options->drain);
    pl_progress_start(&r->progress, r->spec->name, "prompts", prompts, r->options->quiet);
    return write_status(r, "starting", NULL);
}

/* What is not there. A unit that was not this process's to compute, or that it failed at, may be there all the same. */
static void count_missing(const pl__runner *r)
{
    pl_run_summary *s = r->summary;
    for (size_t u = 0; u < r->plan->n_units; u++) {
        const bool there = pl_run_folder_has(&s->folder, r->plan->units[u].id);
        s->n_missing += !there && !pl__is_not_needed(r, u);
        s->n_failed -= there && r->failed[u];
    }
    if (s->n_missing == 0) s->n_refused = 0;
}

pl_status pl_run_experiment(pl_run_summary *out, const pl_spec *spec, const pl_run_options *options)
{
    pl__runner r = {.spec = spec, .options = options, .summary = out, .loaded = SIZE_MAX, .learner = SIZE_MAX};
    pl_status status;
    *out = (pl_run_summary){0};
    PL_GOTO(status, done, prepare(&r));
    PL_GOTO(status, done, run_units(&r));
    pl_progress_end(&r.progress);
    PL_GOTO(status, done, pl_stages_read(&r.stages, &out->folder)); /* what other processes have seen */
    count_missing(&r);
    PL_GOTO(status, done, write_status(&r, out->n_failed || out->n_refused ? "failed" : "done", NULL));
    if (out->n_refused && !out->n_failed)
        status =
            pl_fail(PL_E_UNITS, "%zu of %zu units were left out; %s", out->n_refused, out->n_share, out->first_refused);
    if (out->n_failed)
        status = pl_fail(PL_E_UNITS, "%zu of %zu units failed; the first: %s", out->n_failed, out->n_share,
                         out->first_failure);
done:
    pl_ahead_drop(&r.ahead);
    pl__unload(&r);
    pl_linear_free(&r.linear);
    pl_states_kept_free(&r.kept);
    free(r.mine);
    free(r.failed);
    free(r.keys);
    pl_stages_free(&r.stages);
    pl_plan_file_free(r.planned);
    pl_plan_free(r.plan);
    pl_processor_close(&r.processor);
    return status;
}
