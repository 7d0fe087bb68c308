/* A run as lm-evaluation-harness 0.4.13 itself would have left it: <folder>/<model>/results_<date>.json, and
 * samples_<task>_<date>.jsonl a task, with its keys and no others (but plumb_version), so that what reads its results
 * reads these.
 *
 * lm-eval has neither templates nor draws, so every cell is a task of its own, "<task>.<template>.<k>shot.draw<d>",
 * with
 * ".order<o>" past the first order, ".seed<s>" where the plan has several, ".<readout>" and ".<arm>" where they are not
 * loglikelihood and prompt; its group, "<task>.<k>shot" and the same endings, is the plain mean over its cells and has
 * no standard error. The date is when the model's last unit was finished: the same run gives the same bytes. Left out
 * is what lm-eval has no metric for: answer_match, intervals. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/arm_cost.h"
#include "base/clock.h"
#include "base/file.h"
#include "report/cell.h"
#include "report/report.h"
#include "report/report_file.h"
#include "report/results.h"
#include "report/sample.h"

enum { DATE_TEXT = 40 };

/* The cells of one model, and what is said of it. */
typedef struct export
{
    pl_run_view *view;
    pl_arena *arena;
    const pl_run_unit **units;      /* [n]: the finished units of the model, in plan order */
    pl__report_cell *cells;         /* [n] */
    const pl__report_cell **listed; /* [n_listed]: those whose file could be read */
    size_t n, n_listed, n_files;
    pl__run_facts facts;
    char date[DATE_TEXT], folder[PL_PATH_MAX];
}
export;

/* ---- names ---- */

/* As lm-eval makes a folder of a model's name: a run of letters that no file's name may have becomes "__". */
static pl_status model_folder(const char **out, const char *name, pl_arena *arena)
{
    char *text;
    size_t n = 0;
    PL_TRY(pl_arena_new(arena, &text, 2 * strlen(name) + 1));
    for (size_t i = 0; name[i]; i++) {
        bool bad = strchr("\"<>:/|\\?*[]", name[i]) != NULL;
        if (bad && i > 0 && strchr("\"<>:/|\\?*[]", name[i - 1])) continue;
        text[n++] = bad ? '_' : name[i];
        if (bad) text[n++] = '_';
    }
    *out = text;
    return PL_OK;
}

static pl_status check_folders(const pl_plan_file *plan, pl_arena *arena)
{
    const char **folders;
    PL_TRY(pl_arena_new(arena, &folders, plan->n_models));
    for (size_t m = 0; m < plan->n_models; m++) {
        PL_TRY(model_folder(&folders[m], plan->models[m].name, arena));
        if (*folders[m] == '.')
            return pl_fail(PL_E_INPUT, "model '%s': its name cannot be a folder's; give it a 'name'",
                           plan->models[m].name);
        for (size_t k = 0; k < m; k++)
            if (strcmp(folders[k], folders[m]) == 0)
                return pl_fail(PL_E_INPUT, "models '%s' and '%s' would share the folder %s: give one another 'name'",
                               plan->models[k].name, plan->models[m].name, folders[m]);
    }
    return PL_OK;
}

static pl_status samples_file(char **out, const export *e, size_t at)
{
    return pl_arena_format(e->arena, out, "samples_%s_%s.jsonl", e->cells[at].key, e->date);
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(const pl__report_cell *const *)a)->key, (*(const pl__report_cell *const *)b)->key);
}

static pl_status check_length(const char *name)
{
    size_t n = strlen(name);
    if (n <= NAME_MAX) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%.80s...: a name of %zu bytes, and a file's has %d at most: shorten those of model, task, template "
                   "or arm",
                   name, n, NAME_MAX);
}

/* The longest of each: all dates have as many letters. */
static pl_status check_lengths(const export *e)
{
    char *name;
    PL_TRY(check_length(e->facts.folder));
    for (size_t i = 0; i < e->n; i++) {
        PL_TRY(samples_file(&name, e, i));
        PL_TRY(check_length(name));
    }
    return PL_OK;
}

/* Names that differ in letters which no file's name should have would be one. */
static pl_status check_keys(const export *e)
{
    const pl__report_cell **cells;
    PL_TRY(pl_arena_new(e->arena, &cells, e->n));
    for (size_t i = 0; i < e->n; i++) cells[i] = &e->cells[i];
    qsort(cells, e->n, sizeof *cells, by_key);
    for (size_t i = 1; i < e->n; i++)
        if (strcmp(cells[i - 1]->key, cells[i]->key) == 0)
            return pl_fail(PL_E_INPUT, "two cells would be the task %s: those of arms '%s' and '%s'", cells[i]->key,
                           cells[i - 1]->unit->arm, cells[i]->unit->arm);
    return PL_OK;
}

/* ---- what is said of a model ---- */

static pl_status read_times(export *e)
{
    e->facts.date = 0;
    for (size_t i = 0; i < e->n; i++) {
        json_t *sidecar;
        PL_TRY(pl_run_sidecar(&sidecar, e->view, e->units[i]->id));
        const char *device = json_string_value(json_object_get(sidecar, "device"));
        double finished = pl_time_seconds(json_string_value(json_object_get(sidecar, "finished")));
        e->facts.seconds += json_number_value(json_object_get(sidecar, "wall_s"));
        if (finished >= e->facts.date) {
            e->facts.date = finished;
            snprintf(e->facts.device, sizeof e->facts.device, "%s", device ? device : "");
        }
        json_decref(sidecar);
    }
    struct tm t;
    time_t date = (time_t)e->facts.date;
    gmtime_r(&date, &t);
    strftime(e->date, sizeof e->date, "%Y-%m-%dT%H-%M-%S.000000", &t);
    return PL_OK;
}

/* A run of an older plumb does not say it. */
static pl_status read_max_length(export *e, const char *model)
{
    enum { MAX_BYTES = 1 << 26 };
    char path[PL_PATH_MAX];
    json_t *manifest, *one;
    size_t i;
    PL_TRY(pl_path(path, "%s/manifest.json", pl_run_view_folder(e->view)->path));
    if (!pl_file_exists(path)) return PL_OK;
    PL_TRY(pl_json_read(&manifest, path, MAX_BYTES));
    json_array_foreach(json_object_get(manifest, "models"), i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        json_int_t most = json_integer_value(json_object_get(one, "max_positions"));
        if (name && strcmp(name, model) == 0 && most > 0) e->facts.max_length = (size_t)most;
    }
    json_decref(manifest);
    return PL_OK;
}

static pl_status list_cells(export *e, const char *model)
{
    size_t n = pl_run_view_n_units(e->view);
    bool several_seeds = false;
    PL_TRY(pl_arena_new(e->arena, &e->units, n));
    PL_TRY(pl_arena_new(e->arena, &e->cells, n));
    PL_TRY(pl_arena_new(e->arena, &e->listed, n));
    for (size_t i = 1; i < n; i++)
        several_seeds |= pl_run_view_unit(e->view, i)->seed != pl_run_view_unit(e->view, 0)->seed;
    for (size_t i = 0; i < n; i++) {
        const pl_run_unit *unit = pl_run_view_unit(e->view, i);
        if (!unit->done || strcmp(unit->model, model)) continue;
        PL_TRY(pl__report_cell_make(&e->cells[e->n], unit, true, several_seeds, e->arena));
        e->units[e->n++] = unit;
    }
    return PL_OK;
}

/* ---- files ---- */

/* The sample's line; its hashes go into the task's. */
static pl_status put_row(pl__report_file *file, pl_sha256_run *hash, const pl__report_cell *cell, size_t row,
                         const pl_run_samples *samples)
{
    static const char *const hashes[] = {"doc_hash", "prompt_hash", "target_hash"};
    json_t *sample;
    PL_TRY(pl__sample(&sample, cell, row, samples));
    pl_status status = pl__report_file_line(file, sample);
    for (size_t h = 0; h < 3 && status == PL_OK; h++) {
        const char *text = json_string_value(json_object_get(sample, hashes[h]));
        status = pl_sha256_add(hash, text, strlen(text));
    }
    json_decref(sample);
    return status;
}

static pl_status put_rows(pl__report_file *file, pl__report_cell *cell, const pl_run_samples *samples)
{
    pl_sha256_run *hash;
    PL_TRY(pl_sha256_begin(&hash));
    pl_status status = pl__report_cell_count(cell);
    for (size_t row = 0; row < cell->n_rows && status == PL_OK; row++) status = put_row(file, hash, cell, row, samples);
    if (status == PL_OK) status = pl_sha256_end(hash, cell->samples_hash);
    pl_sha256_free(hash);
    return status;
}

static pl_status write_samples(export *e, size_t at)
{
    char path[PL_PATH_MAX], *name;
    pl_run_samples samples;
    pl__report_file file = {0};
    bool there;
    pl_status status;
    PL_TRY(pl_run_view_take_samples(e->view, e->units, e->n, at, &samples, &there));
    if (!there) return PL_OK;
    PL_GOTO(status, done, samples_file(&name, e, at));
    PL_GOTO(status, done, pl_path(path, "%s/%s", e->folder, name));
    PL_GOTO(status, done, pl__report_file_open(&file, path));
    PL_GOTO(status, done, put_rows(&file, &e->cells[at], &samples));
    PL_GOTO(status, done, pl__report_file_finish(&file));
    e->listed[e->n_listed++] = &e->cells[at];
    e->n_files++;
done:
    pl__report_file_discard(&file);
    pl_run_samples_free(&samples);
    pl_run_view_release(e->view, e->units[at]);
    return status;
}

static pl_status write_results(export *e)
{
    char path[PL_PATH_MAX];
    pl__report_file file = {0};
    pl_status status;
    if (e->n_listed == 0) return PL_OK;
    PL_TRY(pl_path(path, "%s/results_%s.json", e->folder, e->date));
    PL_TRY(pl__report_file_open(&file, path));
    PL_GOTO(status, done, pl__results(&file, e->listed, e->n_listed, &e->facts, e->arena));
    status = pl__report_file_finish(&file);
    e->n_files++;
done:
    pl__report_file_discard(&file);
    return status;
}

/* What is written of a model, and under which names. */
static pl_status prepare_model(export *e, const char *model, const char *folder)
{
    PL_TRY(list_cells(e, model));
    if (e->n == 0) return PL_OK;
    PL_TRY(check_keys(e));
    PL_TRY(model_folder(&e->facts.folder, model, e->arena));
    PL_TRY(read_times(e));
    PL_TRY(read_max_length(e, model));
    PL_TRY(check_lengths(e));
    return pl_path(e->folder, "%s/%s", folder, e->facts.folder);
}

/* Samples first: the rows that pass are what results count. */
static pl_status write_model(export *e)
{
    if (e->n == 0) return PL_OK;
    PL_TRY(pl_folder_make(e->folder));
    for (size_t i = 0; i < e->n; i++) PL_TRY(write_samples(e, i));
    return write_results(e);
}

pl_status pl_report_lm_eval_export(pl_run_view *view, const char *folder, size_t *n_files)
{
    const pl_plan_file *plan = pl_run_view_plan(view);
    pl_arena *arena;
    *n_files = 0;
    PL_TRY(pl_arena_create(&arena));
    export *models;
    pl_status status;
    PL_GOTO(status, done, check_folders(plan, arena));
    PL_GOTO(status, done, pl_arena_new(arena, &models, plan->n_models));
    for (size_t m = 0; m < plan->n_models; m++) { /* what is wrong with a name is said before anything is written */
        models[m].view = view;
        models[m].arena = arena;
        PL_GOTO(status, done, prepare_model(&models[m], plan->models[m].name, folder));
    }
    for (size_t m = 0; m < plan->n_models; m++) {
        PL_GOTO(status, done, write_model(&models[m]));
        *n_files += models[m].n_files;
    }
done:
    pl_arena_free(arena);
    return status;
}
