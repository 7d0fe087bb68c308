/* results.json and samples_<task>.jsonl in lm-evaluation-harness' schema, from the finished units.
 *
 * lm-eval has neither templates nor draws, so every cell is a task of its own: "<task>@<template>,k=<k>,draw=<d>", with
 * ",order=<o>" past the first order, ",seed=<s>" where the plan has several, ",<readout>" and ",<arm>" where they are
 * not "loglikelihood" and "prompt". Its group "<task>,k=<k>" (and the same endings) is the plain mean over its cells;
 * it has no standard error here ("N/A"), since cells share their items: stability.csv has the right one. One model:
 * results.json and samples_<task>.jsonl; several: results_<model>.json and samples_<model>_<task>.jsonl. No dates, no
 * times: equal units give equal bytes. */
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/run_view.h"
#include "base/file.h"
#include "report/lines.h"
#include "report/sample.h"
#include "store/unit_file.h"

enum { KEY_MAX = 1024 };

/* What stands in results_<model>.json, by section. */
typedef struct results {
    json_t *results, *groups, *group_subtasks, *configs, *versions, *n_shot, *higher_is_better, *n_samples,
        *task_hashes;
} results;

typedef struct report {
    const pl_run_folder *run;
    const pl_plan_file *plan;
    pl_unit_entry *entries;
    size_t n;
    bool several_models, several_seeds;
    pl_arena *arena;
} report;

/* Everything behind "<task>@<template>" or "<task>" that tells cells apart. */
static void cell_key(char key[KEY_MAX], const report *r, const pl_unit_entry *e, bool group)
{
    int at = snprintf(key, KEY_MAX, "%s%s%s,k=%lld", e->task, group ? "" : "@", group ? "" : e->template_name, e->k);
#define ADD(...)                                                                                                       \
    if (at > 0 && at < KEY_MAX) at += snprintf(key + at, KEY_MAX - (size_t)at, __VA_ARGS__)
    if (!group) ADD(",draw=%lld", e->draw);
    if (!group && e->order != 0) ADD(",order=%lld", e->order);
    if (!group && r->several_seeds) ADD(",seed=%lld", e->seed);
    if (strcmp(e->readout, "loglikelihood")) ADD(",%s", e->readout);
    if (strcmp(e->arm, "prompt")) ADD(",%s", e->arm);
#undef ADD
}

/* A name as part of a file name: what is not a letter, a digit, '-' or '.' becomes '_'. */
static void file_part(char out[256], const char *name)
{
    size_t i = 0;
    for (; name[i] && i < 255; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        out[i] = plain ? c : '_';
    }
    out[i] = '\0';
}

static const pl_planned_task *task_of(const report *r, const char *name)
{
    const pl_planned_task *t = r->plan->tasks;
    while (strcmp(t->name, name)) t++; /* the reader of the plan has found every unit's */
    return t;
}

static const pl_planned_model *model_of(const report *r, const char *name)
{
    const pl_planned_model *m = r->plan->models;
    while (strcmp(m->name, name)) m++;
    return m;
}

/* Mean and lm-eval's standard error (SD with n - 1, over root n) of a true/false column; nothing when it is absent. */
static void put_metric(json_t *out, const pl_frame *obs, const char *column, const char *name)
{
    const pl_column *c = pl_frame_column(obs, column);
    char key[64];
    if (!c || c->kind != PL_COLUMN_BOOL || obs->n_rows == 0) return;
    double n = (double)obs->n_rows, sum = 0.0;
    for (size_t i = 0; i < obs->n_rows; i++) sum += c->values.boolean[i] ? 1.0 : 0.0;
    double mean = sum / n;
    snprintf(key, sizeof key, "%s,none", name);
    json_object_set_new(out, key, json_real(mean));
    snprintf(key, sizeof key, "%s_stderr,none", name);
    json_object_set_new(out, key, n > 1.0 ? json_real(sqrt(mean * (1.0 - mean) / (n - 1.0))) : json_string("N/A"));
}

static json_t *metric_list(const pl_unit_entry *e)
{
    json_t *list = json_array();
    for (const char *const *m = pl__sample_metrics(e); *m; m++)
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:b}", "metric", *m, "aggregation", "mean", "higher_is_better", 1));
    return list;
}

static json_t *config_json(const report *r, const pl_unit_entry *e)
{
    return json_pack("{s:s,s:s,s:I,s:o,s:i,s:{s:o,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:s}}", "task", e->task, "output_type",
                     strcmp(e->readout, "generate") ? "multiple_choice" : "generate_until", "num_fewshot",
                     (json_int_t)e->k, "metric_list", metric_list(e), "repeats", 1, "metadata", "version",
                     json_string(task_of(r, e->task)->version), "model", e->model, "template", e->template_name, "role",
                     e->role, "arm", e->arm, "draw", (json_int_t)e->draw, "order", (json_int_t)e->order, "seed",
                     (json_int_t)e->seed, "unit", e->id);
}

/* Adds a cell's mean to its group: sums here, divided in finish_groups. */
static void add_to_group(results *out, const char *group, const char *key, json_t *cell)
{
    json_t *sums = json_object_get(out->groups, group), *value;
    const char *name;
    if (!sums) {
        sums = json_object();
        json_object_set_new(out->groups, group, sums);
        json_object_set_new(out->group_subtasks, group, json_array());
    }
    json_array_append_new(json_object_get(out->group_subtasks, group), json_string(key));
    json_object_foreach(cell, name, value)
    {
        if (!json_is_real(value) || strstr(name, "_stderr")) continue;
        double sum = json_number_value(json_object_get(sums, name)) + json_real_value(value);
        json_object_set_new(sums, name, json_real(sum));
    }
}

/* Means from sums, with "N/A" for their standard errors, in "groups" and, as lm-eval does, also in "results". */
static void finish_groups(results *out)
{
    const char *group, *name;
    json_t *sums, *value;
    json_object_foreach(out->groups, group, sums)
    {
        json_t *mean = json_object();
        double n = (double)json_array_size(json_object_get(out->group_subtasks, group));
        json_object_set_new(mean, "alias", json_string(group));
        json_object_foreach(sums, name, value)
        {
            char key[64];
            json_object_set_new(mean, name, json_real(json_real_value(value) / n));
            snprintf(key, sizeof key, "%.*s_stderr,none", (int)strcspn(name, ","), name);
            json_object_set_new(mean, key, json_string("N/A"));
        }
        json_object_set(out->results, group, mean);
        json_object_clear(sums);
        json_object_update(sums, mean);
        json_decref(mean);
    }
}

static void put_cell(const report *r, results *out, const pl_unit_entry *e, const pl_frame *obs)
{
    char key[KEY_MAX], group[KEY_MAX];
    json_t *cell = json_object(), *better = json_object(),
           *items = json_integer((json_int_t)task_of(r, e->task)->test_items);
    cell_key(key, r, e, false);
    cell_key(group, r, e, true);
    json_object_set_new(cell, "alias", json_string(key));
    for (const char *const *m = pl__sample_metrics(e); *m; m++) {
        put_metric(cell, obs, pl__metric_column(*m), *m);
        json_object_set_new(better, *m, json_true());
    }
    add_to_group(out, group, key, cell);
    json_object_set_new(out->results, key, cell);
    json_object_set_new(out->higher_is_better, key, better);
    json_object_set_new(out->configs, key, config_json(r, e));
    json_object_set_new(out->versions, key, json_string(task_of(r, e->task)->version));
    json_object_set_new(out->n_shot, key, json_integer(e->k));
    json_object_set_new(out->task_hashes, key, json_string(task_of(r, e->task)->task_hash));
    json_object_set_new(out->n_samples, key,
                        json_pack("{s:o,s:I}", "original", items, "effective", (json_int_t)obs->n_rows));
}

/* Adds a unit to the results, and its rows to the samples when `lines` is open. */
static pl_status put_unit(const report *r, results *out, pl__lines *lines, const pl_unit_entry *e)
{
    char path[PL_PATH_MAX], key[KEY_MAX];
    pl_unit_reader *reader = NULL;
    pl_arena *arena = NULL;
    pl_frame *obs = NULL;
    const char **stored;
    size_t n;
    pl_status status;
    PL_GOTO(status, done, pl_run_folder_unit(path, r->run, e->id));
    PL_GOTO(status, done, pl_arena_create(&arena));
    PL_GOTO(status, done, pl_unit_open(&reader, path));
    PL_GOTO(status, done, pl_unit_get_obs(reader, &obs));
    if (out) put_cell(r, out, e, obs);
    if (!lines) goto done;
    cell_key(key, r, e, false);
    PL_GOTO(status, done, pl_unit_get_samples(reader, arena, &stored, &n));
    for (size_t row = 0; row < n && row < obs->n_rows; row++) {
        json_t *sample;
        PL_GOTO(status, done, pl__sample(&sample, e, key, obs, row, stored[row], path));
        status = pl__lines_put(lines, sample);
        json_decref(sample);
        if (status != PL_OK) goto done;
    }
done:
    pl_frame_free(obs);
    pl_unit_close(reader);
    pl_arena_free(arena);
    return status;
}

/* The whole object; takes the sections over. */
static json_t *results_json(const report *r, const char *model, results *s)
{
    char model_args[512], plain[256];
    snprintf(model_args, sizeof model_args, "pretrained=%s", model);
    file_part(plain, model);
    json_t *config =
        json_pack("{s:s,s:s,s:o,s:o,s:n,s:{}}", "model", "plumb", "model_args", model_args, "model_num_parameters",
                  json_integer((json_int_t)model_of(r, model)->parameters), "random_weights",
                  json_boolean(model_of(r, model)->random_weights), "limit", "gen_kwargs");
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:s,s:s,s:s}", "results", s->results, "groups",
                     s->groups, "group_subtasks", s->group_subtasks, "configs", s->configs, "versions", s->versions,
                     "n-shot", s->n_shot, "higher_is_better", s->higher_is_better, "n-samples", s->n_samples, "config",
                     config, "task_hashes", s->task_hashes, "model_source", "plumb", "model_name", model,
                     "model_name_sanitized", plain, "plumb_version", PLUMB_VERSION);
}

static pl_status write_results(const report *r, const char *model)
{
    char path[PL_PATH_MAX], plain[256];
    results s = {json_object(), json_object(), json_object(), json_object(), json_object(),
                 json_object(), json_object(), json_object(), json_object()};
    pl_status status = PL_OK;
    for (size_t i = 0; i < r->n && status == PL_OK; i++)
        if (r->entries[i].done && !strcmp(r->entries[i].model, model)) status = put_unit(r, &s, NULL, &r->entries[i]);
    finish_groups(&s);
    json_t *json = results_json(r, model, &s);
    file_part(plain, model);
    if (!json) status = pl_fail(PL_E_MEMORY, "results of model %s do not fit in memory as JSON", model);
    if (status == PL_OK)
        status = r->several_models ? pl_path(path, "%s/results_%s.json", r->run->path, plain)
                                   : pl_path(path, "%s/results.json", r->run->path);
    if (status == PL_OK) status = pl_json_write(path, json);
    json_decref(json);
    return status;
}

static pl_status write_samples(const report *r, const char *model, const char *task)
{
    char path[PL_PATH_MAX], plain_model[256], plain_task[256];
    pl__lines lines = {0};
    pl_status status;
    file_part(plain_model, model);
    file_part(plain_task, task);
    PL_TRY(pl_path(path, "%s/samples_%s%s%s.jsonl", r->run->path, r->several_models ? plain_model : "",
                   r->several_models ? "_" : "", plain_task));
    PL_TRY(pl__lines_open(&lines, path));
    for (size_t i = 0; i < r->n; i++) {
        const pl_unit_entry *e = &r->entries[i];
        if (e->done && !strcmp(e->model, model) && !strcmp(e->task, task))
            PL_GOTO(status, done, put_unit(r, NULL, &lines, e));
    }
    status = pl__lines_finish(&lines);
done:
    pl__lines_discard(&lines);
    return status;
}

/* Whether an earlier finished unit has this model (and this task). */
static bool seen_before(const report *r, size_t at, bool with_task)
{
    for (size_t i = 0; i < at; i++)
        if (r->entries[i].done && !strcmp(r->entries[i].model, r->entries[at].model) &&
            (!with_task || !strcmp(r->entries[i].task, r->entries[at].task)))
            return true;
    return false;
}

static pl_status write_all(report *r)
{
    for (size_t i = 1; i < r->n; i++) {
        r->several_models = r->several_models || strcmp(r->entries[i].model, r->entries[0].model);
        r->several_seeds = r->several_seeds || r->entries[i].seed != r->entries[0].seed;
    }
    for (size_t i = 0; i < r->n; i++) {
        const pl_unit_entry *e = &r->entries[i];
        if (!e->done) continue;
        if (!seen_before(r, i, false)) PL_TRY(write_results(r, e->model));
        if (!seen_before(r, i, true)) PL_TRY(write_samples(r, e->model, e->task));
    }
    return PL_OK;
}

pl_status pl_report_lm_eval(const pl_run_folder *run)
{
    report r = {.run = run};
    pl_plan_file *plan = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_arena_create(&r.arena));
    PL_GOTO(status, done, pl_plan_file_read(&plan, run));
    r.plan = plan;
    PL_GOTO(status, done, pl_unit_entries(&r.entries, &r.n, plan, run, r.arena));
    status = write_all(&r);
done:
    pl_plan_file_free(plan);
    pl_arena_free(r.arena);
    return status;
}
