/* The part of a run that adapts models, and finds again what was learned (run_parts.h). */
#include <string.h>

#include "base/file.h"
#include "experiment/run_parts.h"
#include "experiment/tune.h"

static pl_status folder_of(char out[PL_PATH_MAX], const pl__runner *r, const pl_plan_unit *learner)
{
    return pl_path(out, "%s/checkpoints/%s", r->summary->folder.path, learner->id);
}

static const pl_plan_unit *learner_of(const pl__runner *r, const pl_plan_unit *unit)
{
    return &r->plan->units[unit->adaptation->unit];
}

/* ---- learning ---- */

static pl_status learn_linear(pl__runner *r, const pl_plan_unit *unit, pl_unit_writer *writer, json_t *entries,
                              pl_unit_cost *cost)
{
    pl_linear_cost spent;
    PL_TRY(pl__load_model(r, unit->model));
    PL_TRY(pl_linear_learn(writer, r->plan, unit, r->engine, &r->processor, entries, &spent));
    cost->tokens_in_requests = cost->tokens_computed = spent.tokens;
    cost->n_batches = spent.n_batches;
    cost->engine_s = cost->learned_s = spent.engine_s + spent.fit_s;
    return PL_OK;
}

/* The memory of the loaded model is needed for training. */
static pl_status tune(pl__runner *r, const pl_plan_unit *unit, const char *folder)
{
    pl_tuning t = {.plan = r->plan,
                   .unit = unit,
                   .processor = &r->processor,
                   .folder = folder,
                   .drain = r->options->drain,
                   .quiet = r->options->quiet};
    bool finished;
    pl_ahead_drop(&r->ahead);
    pl__unload(r);
    PL_TRY(pl_tune(&t, &finished));
    if (finished) return PL_OK;
    PL_TRY(pl_run_folder_log(&r->summary->folder, "unit %s: training stopped, its state is in %s", unit->id, folder));
    return pl_fail(pl_drain_status(r->options->drain), "%s: stopped by a signal, the state is saved", folder);
}

static pl_status learn_tuned(pl__runner *r, const pl_plan_unit *unit, pl_unit_writer *writer, json_t *entries,
                             pl_unit_cost *cost)
{
    char folder[PL_PATH_MAX];
    pl_tuning_cost spent;
    PL_TRY(folder_of(folder, r, unit));
    PL_TRY(tune(r, unit, folder));
    const pl_tuning t = {.plan = r->plan, .unit = unit, .folder = folder};
    PL_TRY(pl_tune_write(writer, &t, entries, &spent));
    cost->tokens_in_requests = cost->tokens_computed = spent.tokens + spent.dev_tokens;
    cost->n_batches = spent.n_steps;
    cost->engine_s = cost->learned_s = spent.seconds;
    return PL_OK;
}

pl_status pl__learn(pl__runner *r, const pl_plan_unit *unit, const char *path, pl_unit_writer **writer,
                    pl_unit_cost *cost)
{
    json_t *entries = json_object();
    bool linear = unit->arm->kind == PL_ARM_LINEAR;
    *cost = (pl_unit_cost){
        .n_items = unit->adaptation->n_train, .first_not_finite = SIZE_MAX, .layer_not_finite = SIZE_MAX};
    pl_status status = entries ? pl_unit_create(writer, path) : pl_fail(PL_E_MEMORY, "out of memory for %s", path);
    if (status != PL_OK) goto done;
    PL_GOTO(status, failed, (linear ? learn_linear : learn_tuned)(r, unit, *writer, entries, cost));
    PL_GOTO(status, failed, pl_unit_write_config(*writer, r->plan, unit, r->keys[unit->model].own, entries));
    PL_GOTO(status, failed, pl_unit_seal(*writer));
    goto done;
failed:
    pl_unit_discard(*writer);
    *writer = NULL;
done:
    json_decref(entries);
    return status;
}

/* ---- what was learned ---- */

static pl_status load_linear(pl__runner *r, const pl_plan_unit *learner)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl__load_model(r, learner->model));
    if (!strcmp(r->linear.id, learner->id)) return PL_OK;
    pl_linear_free(&r->linear);
    PL_TRY(pl_run_folder_unit(path, &r->summary->folder, learner->id));
    return pl_linear_read(&r->linear, path, learner->id);
}

/* The digest of the tuned weights, as the learning unit's file has it. */
static pl_status tuned_digest(char digest[PL_HASH_TEXT], const pl__runner *r, const pl_plan_unit *learner)
{
    char path[PL_PATH_MAX];
    pl_unit_reader *reader;
    json_t *json = NULL;
    PL_TRY(pl_run_folder_unit(path, &r->summary->folder, learner->id));
    PL_TRY(pl_unit_open(&reader, path));
    pl_status status = pl_unit_get_attribute(reader, "learned_weights", &json);
    const char *text = json_string_value(json);
    if (status == PL_OK && (!text || strlen(text) >= PL_HASH_TEXT))
        status = pl_fail(PL_E_INPUT, "%s: learned_weights: expected a digest", path);
    if (status == PL_OK) memcpy(digest, text, strlen(text) + 1);
    json_decref(json);
    pl_unit_close(reader);
    return status;
}

/* The tuned checkpoint, when it is there and has the weights of that digest; else *out is NULL. */
static pl_status open_tuned(pl_checkpoint **out, const char *folder, const char *digest)
{
    char path[PL_PATH_MAX], found[PL_HASH_TEXT];
    *out = NULL;
    PL_TRY(pl_tuned_path(path, folder));
    if (!pl_folder_exists(path)) return PL_OK;
    pl_status status = pl_checkpoint_open(out, path);
    if (status == PL_OK) status = pl_safetensors_digest((*out)->tensors, found);
    if (status == PL_OK && !strcmp(found, digest)) return PL_OK;
    pl_checkpoint_close(*out);
    *out = NULL;
    return status == PL_OK || status == PL_E_INPUT ? PL_OK : status; /* damaged: made again */
}

/* Weights that were removed, or never were here (an adopted unit): trained once more, to the same bits. */
static pl_status tune_again(pl__runner *r, const pl_plan_unit *learner, const char *folder, const char *digest,
                            pl_checkpoint **out)
{
    char path[PL_PATH_MAX];
    int lock = -1;
    bool taken;
    PL_TRY(pl_run_folder_claim(&r->summary->folder, learner->id, &lock, &taken));
    if (!taken)
        return pl_fail(PL_E_ELSEWHERE, "another process is at the weights of unit %s, which learns: left to it",
                       learner->id);
    pl_status status;
    PL_GOTO(status, done, open_tuned(out, folder, digest)); /* that process may have made them meanwhile */
    if (*out) goto done;
    PL_GOTO(status, done,
            pl_run_folder_log(&r->summary->folder, "unit %s: its tuned weights are not there: trained once more",
                              learner->id));
    PL_GOTO(status, done, pl_tuned_path(path, folder));
    PL_GOTO(status, done, pl_folder_remove(path, NULL)); /* one that is damaged; then trials are made again */
    PL_GOTO(status, done, tune(r, learner, folder));
    PL_GOTO(status, done, open_tuned(out, folder, digest));
    if (!*out)
        status = pl_fail(PL_E_INPUT,
                         "unit %s: training it once more gave other weights than those of its file (%s): another "
                         "machine or build made them; use another --results folder",
                         learner->id, digest);
done:
    pl_run_folder_release(&r->summary->folder, learner->id, lock);
    return status;
}

static pl_status load_tuned(pl__runner *r, const pl_plan_unit *learner)
{
    size_t index = (size_t)(learner - r->plan->units);
    char folder[PL_PATH_MAX], digest[PL_HASH_TEXT];
    pl_checkpoint *checkpoint;
    if (r->learner == index) return PL_OK;
    PL_TRY(folder_of(folder, r, learner));
    PL_TRY(tuned_digest(digest, r, learner));
    PL_TRY(open_tuned(&checkpoint, folder, digest));
    if (!checkpoint) PL_TRY(tune_again(r, learner, folder, digest, &checkpoint));
    return pl__load_tuned(r, index, checkpoint, digest);
}

pl_status pl__load_for(pl__runner *r, const pl_plan_unit *unit)
{
    if (!unit->adaptation) return pl__load_model(r, unit->model);
    const pl_plan_unit *learner = learner_of(r, unit);
    return unit->arm->kind == PL_ARM_LINEAR ? load_linear(r, learner) : load_tuned(r, learner);
}

/* ---- what is kept, and what is not needed any more ---- */

static bool evaluates(const pl__runner *r, const pl_plan_unit *unit, const pl_plan_unit *learner)
{
    return unit->adaptation && !unit->learns && learner_of(r, unit) == learner;
}

/* Arms may share what they learn: one of them that asks is enough. */
static bool is_saved(const pl__runner *r, const pl_plan_unit *learner)
{
    for (size_t u = 0; u < r->plan->n_units; u++)
        if (evaluates(r, &r->plan->units[u], learner) && r->plan->units[u].arm->recipe.save) return true;
    return learner->arm->recipe.save;
}

pl_status pl__keep_saved(pl__runner *r, const pl_plan_unit *unit)
{
    char folder[PL_PATH_MAX], digest[PL_HASH_TEXT];
    pl_checkpoint *checkpoint;
    if (!unit->learns || !unit->arm->recipe.n_rates || !is_saved(r, unit)) return PL_OK;
    PL_TRY(folder_of(folder, r, unit));
    PL_TRY(tuned_digest(digest, r, unit));
    PL_TRY(open_tuned(&checkpoint, folder, digest));
    if (!checkpoint) PL_TRY(tune_again(r, unit, folder, digest, &checkpoint));
    pl_checkpoint_close(checkpoint);
    return PL_OK;
}

pl_status pl__clean_up(pl__runner *r, const pl_plan_unit *unit)
{
    char folder[PL_PATH_MAX];
    if (unit->learns || unit->arm->kind != PL_ARM_FINETUNE) return PL_OK;
    const pl_plan_unit *learner = learner_of(r, unit);
    PL_TRY(folder_of(folder, r, learner));
    if (!pl_folder_exists(folder) || !pl_run_folder_has(&r->summary->folder, learner->id)) return PL_OK;
    for (size_t u = 0; u < r->plan->n_units; u++)
        if (evaluates(r, &r->plan->units[u], learner) && !pl__is_not_needed(r, u) &&
            !pl_run_folder_has(&r->summary->folder, r->plan->units[u].id))
            return PL_OK;
    if (r->learner == (size_t)(learner - r->plan->units)) pl__unload(r);
    return pl_tuned_remove(folder, !is_saved(r, learner));
}
