/* results.json and samples_<task>.jsonl in lm-evaluation-harness' schema, from the finished units.
 *
 * lm-eval has neither templates nor draws, so every cell is a task of its own: "<task>@<template>,k=<k>,draw=<d>", with
 * ",order=<o>" past the first order, ",seed=<s>" where the plan has several, ",<readout>" and ",<arm>" where they are
 * not "loglikelihood" and "prompt". Its group "<task>,k=<k>" (and the same endings) is the plain mean over its cells;
 * it has no standard error here ("N/A"), since cells share their items: stability.csv has the right one. Beside
 * lm-eval's standard error, which is 0 where all items are alike, stands Wilson's interval. One model: results.json and
 * samples_<task>.jsonl; several: results_<model>.json and samples_<model>_<task>.jsonl. No dates, no times: equal units
 * give equal bytes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_build.h"
#include "report/cell.h"
#include "report/lines.h"
#include "report/report.h"
#include "report/sample.h"
#include "statistics/interval.h"

typedef struct report {
    pl_run_view *view;
    pl__report_cell *cells; /* [n]: of the finished units, in plan order */
    size_t n;
    bool several_models;
    pl_arena *arena;
} report;

/* The cells of one model. */
typedef struct of_model {
    const char *model;
    const pl__report_cell **cells; /* [n] */
    size_t n;
    const char **groups; /* [n_groups], in order */
    size_t n_groups;
} of_model;

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

/* ---- results ---- */

/* "<metric><what>,<filter>": lm-eval's name of a number. */
static void put_number(pl_json_builder *b, const pl__cell_metric *metric, const char *what, double value)
{
    char key[128];
    snprintf(key, sizeof key, "%s%s,%s", metric->name, what, metric->filter);
    pl_json_put_real(b, key, value);
}

static void put_not_available(pl_json_builder *b, const pl__cell_metric *metric)
{
    char key[128];
    snprintf(key, sizeof key, "%s_stderr,%s", metric->name, metric->filter);
    pl_json_put_text(b, key, "N/A");
}

/* Mean, lm-eval's standard error (SD with n - 1, over root n), and the interval that holds at 0 % and 100 % too. */
static void put_metric(pl_json_builder *b, const pl__report_cell *cell, const pl__cell_metric *metric)
{
    double n = (double)cell->n, mean = (double)metric->right / n;
    pl_estimate interval = pl_wilson(metric->right, cell->n);
    put_number(b, metric, "", mean);
    if (cell->n > 1)
        put_number(b, metric, "_stderr", sqrt(mean * (1.0 - mean) / (n - 1.0)));
    else
        put_not_available(b, metric);
    put_number(b, metric, "_ci95_low", interval.lo);
    put_number(b, metric, "_ci95_high", interval.hi);
}

static void put_cell(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_open(b, cell->key);
    pl_json_put_text(b, "name", cell->key);
    pl_json_put_text(b, "alias", cell->key);
    pl_json_put_size(b, "sample_len", cell->n);
    for (size_t m = 0; m < PL__CELL_METRICS; m++)
        if (cell->metrics[m].name) put_metric(b, cell, &cell->metrics[m]);
    pl_json_close(b);
}

/* The mean over a group's cells of those metrics that all of them have. */
static void put_group(pl_json_builder *b, const of_model *o, const char *group)
{
    pl_json_open(b, group);
    pl_json_put_text(b, "name", group);
    pl_json_put_text(b, "alias", group);
    for (size_t m = 0; m < PL__CELL_METRICS; m++) {
        const pl__cell_metric *metric = NULL;
        size_t n = 0, n_cells = 0;
        double sum = 0.0;
        for (size_t i = 0; i < o->n; i++) {
            const pl__report_cell *cell = o->cells[i];
            if (strcmp(cell->group, group)) continue;
            n_cells++;
            if (!cell->metrics[m].name) continue;
            metric = &cell->metrics[m];
            sum += (double)cell->metrics[m].right / (double)cell->n;
            n++;
        }
        if (!metric || n < n_cells) continue;
        put_number(b, metric, "", sum / (double)n);
        put_not_available(b, metric);
    }
    pl_json_close(b);
}

static void put_results(pl_json_builder *b, const of_model *o)
{
    pl_json_open(b, "results");
    for (size_t i = 0; i < o->n; i++) put_cell(b, o->cells[i]);
    for (size_t g = 0; g < o->n_groups; g++) put_group(b, o, o->groups[g]);
    pl_json_close(b);
    pl_json_open(b, "groups");
    for (size_t g = 0; g < o->n_groups; g++) put_group(b, o, o->groups[g]);
    pl_json_close(b);
    pl_json_open(b, "group_subtasks");
    for (size_t g = 0; g < o->n_groups; g++) {
        pl_json_open_list(b, o->groups[g]);
        for (size_t i = 0; i < o->n; i++)
            if (!strcmp(o->cells[i]->group, o->groups[g])) pl_json_put_text(b, NULL, o->cells[i]->key);
        pl_json_close(b);
    }
    pl_json_close(b);
}

/* ---- configs ---- */

static bool lists(const char *const *texts, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(texts[i], text)) return true;
    return false;
}

/* The texts of the task as the template has them: doc_to_text, target_delimiter, description, ... What the cell says by
 * itself (its readout is its output_type) is not taken from there. */
static void put_template(pl_json_builder *b, const pl_run_unit *unit)
{
    static const char *const own[] = {"task", "output_type", "num_fewshot", "metric_list", "repeats", "metadata"};
    const pl_planned_task *task = unit->task_facts;
    for (size_t t = 0; t < task->n_templates; t++) {
        const char *key;
        json_t *value;
        if (strcmp(task->templates[t].name, unit->template_name)) continue;
        json_object_foreach(task->templates[t].config, key, value)
        {
            if (!lists(own, sizeof own / sizeof *own, key)) pl_json_put_shared(b, key, value);
        }
    }
}

static void put_metric_list(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_open_list(b, "metric_list");
    for (size_t m = 0; m < PL__CELL_METRICS; m++) {
        if (!cell->metrics[m].name) continue;
        pl_json_open(b, NULL);
        pl_json_put_text(b, "metric", cell->metrics[m].name);
        pl_json_put_text(b, "aggregation", "mean");
        pl_json_put_bool(b, "higher_is_better", true);
        pl_json_close(b);
    }
    pl_json_close(b);
}

static void put_config(pl_json_builder *b, const pl__report_cell *cell)
{
    const pl_run_unit *u = cell->unit;
    pl_json_open(b, cell->key);
    pl_json_put_text(b, "task", u->task);
    put_template(b, u);
    pl_json_put_text(b, "output_type", u->generates ? "generate_until" : "multiple_choice");
    pl_json_put_integer(b, "num_fewshot", u->k);
    put_metric_list(b, cell);
    pl_json_put_integer(b, "repeats", 1);
    pl_json_open(b, "metadata");
    pl_json_put_text(b, "version", u->task_facts->version);
    pl_json_put_text(b, "model", u->model);
    pl_json_put_text(b, "template", u->template_name);
    pl_json_put_text(b, "role", pl_role_name(u->role));
    pl_json_put_text(b, "arm", u->arm);
    pl_json_put_integer(b, "draw", u->draw);
    pl_json_put_integer(b, "order", u->order);
    pl_json_put_integer(b, "seed", u->seed);
    pl_json_put_text(b, "unit", u->id);
    pl_json_close(b);
    pl_json_close(b);
}

static void put_better(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_open(b, cell->key);
    for (size_t m = 0; m < PL__CELL_METRICS; m++)
        if (cell->metrics[m].name) pl_json_put_bool(b, cell->metrics[m].name, true);
    pl_json_close(b);
}

/* original: of the data; effective: what the means are of. Ours: what was evaluated and is in no mean, and prompts
 * whose last token is also part of an answer. */
static void put_samples(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_open(b, cell->key);
    pl_json_put_size(b, "original", cell->unit->task_facts->test_items);
    pl_json_put_size(b, "effective", cell->n);
    pl_json_put_size(b, "not_finite", cell->n_not_finite);
    pl_json_put_size(b, "merged", cell->n_merged);
    pl_json_close(b);
}

static void put_version(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_put_text(b, cell->key, cell->unit->task_facts->version);
}

static void put_shots(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_put_integer(b, cell->key, cell->unit->k);
}

static void put_hash(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_put_text(b, cell->key, cell->unit->task_facts->task_hash);
}

static void put_sections(pl_json_builder *b, const of_model *o)
{
    static const struct {
        const char *name;
        void (*put)(pl_json_builder *b, const pl__report_cell *cell);
    } sections[] = {{"configs", put_config},          {"versions", put_version},  {"n-shot", put_shots},
                    {"higher_is_better", put_better}, {"n-samples", put_samples}, {"task_hashes", put_hash}};
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++) {
        pl_json_open(b, sections[s].name);
        for (size_t i = 0; i < o->n; i++) sections[s].put(b, o->cells[i]);
        pl_json_close(b);
    }
}

static void put_run(pl_json_builder *b, const of_model *o)
{
    char model_args[512], plain[256];
    const pl_planned_model *model = o->cells[0]->unit->model_facts;
    snprintf(model_args, sizeof model_args, "pretrained=%s", o->model);
    file_part(plain, o->model);
    pl_json_open(b, "config");
    pl_json_put_text(b, "model", "plumb");
    pl_json_put_text(b, "model_args", model_args);
    pl_json_put_size(b, "model_num_parameters", model->parameters);
    pl_json_put_bool(b, "random_weights", model->random_weights);
    pl_json_put_null(b, "limit");
    pl_json_open(b, "gen_kwargs");
    pl_json_close(b);
    pl_json_close(b);
    pl_json_put_text(b, "ci95_method", "wilson"); /* of every <metric>_ci95_low and _ci95_high */
    pl_json_put_text(b, "model_source", "plumb");
    pl_json_put_text(b, "model_name", o->model);
    pl_json_put_text(b, "model_name_sanitized", plain);
    pl_json_put_text(b, "plumb_version", PLUMB_VERSION);
}

static pl_status cells_of(of_model *out, const report *r, const char *model)
{
    *out = (of_model){.model = model};
    PL_TRY(pl_arena_new(r->arena, &out->cells, r->n));
    PL_TRY(pl_arena_new(r->arena, &out->groups, r->n));
    for (size_t i = 0; i < r->n; i++) {
        const pl__report_cell *cell = &r->cells[i];
        if (strcmp(cell->unit->model, model)) continue;
        out->cells[out->n++] = cell;
        if (!lists(out->groups, out->n_groups, cell->group)) out->groups[out->n_groups++] = cell->group;
    }
    return PL_OK;
}

static pl_status write_results(const report *r, const char *model)
{
    char path[PL_PATH_MAX], plain[256];
    const char *folder = pl_run_view_folder(r->view)->path;
    of_model o;
    pl_json_builder b;
    json_t *json;
    PL_TRY(cells_of(&o, r, model));
    file_part(plain, model);
    PL_TRY(r->several_models ? pl_path(path, "%s/results_%s.json", folder, plain)
                             : pl_path(path, "%s/results.json", folder));
    pl_json_begin(&b);
    put_results(&b, &o);
    put_sections(&b, &o);
    put_run(&b, &o);
    PL_TRY(pl_json_end(&b, &json, path));
    pl_status status = pl_json_write(path, json);
    json_decref(json);
    return status;
}

/* ---- samples ---- */

static pl_status put_rows(pl__lines *lines, const pl__report_cell *cell, const char *const *stored, size_t n)
{
    for (size_t row = 0; row < n; row++) {
        json_t *sample;
        PL_TRY(pl__sample(&sample, cell, row, stored[row]));
        pl_status status = pl__lines_put(lines, sample);
        json_decref(sample);
        PL_TRY(status);
    }
    return PL_OK;
}

static pl_status put_unit(pl__lines *lines, const report *r, const pl__report_cell *cell)
{
    pl_unit_reader *reader = NULL;
    pl_arena *arena = NULL;
    const char **stored;
    size_t n;
    pl_status status;
    PL_TRY(pl_run_view_take(r->view, cell->unit));
    PL_GOTO(status, done, pl_arena_create(&arena));
    PL_GOTO(status, done, pl_unit_open(&reader, cell->unit->path));
    PL_GOTO(status, done, pl_unit_get_samples(reader, arena, &stored, &n));
    status = put_rows(lines, cell, stored, n);
done:
    pl_unit_close(reader);
    pl_arena_free(arena);
    pl_run_view_release(r->view, cell->unit);
    return status;
}

static pl_status write_samples(const report *r, const char *model, const char *task)
{
    char path[PL_PATH_MAX], plain_model[256], plain_task[256];
    pl__lines lines = {0};
    pl_status status;
    file_part(plain_model, model);
    file_part(plain_task, task);
    PL_TRY(pl_path(path, "%s/samples_%s%s%s.jsonl", pl_run_view_folder(r->view)->path,
                   r->several_models ? plain_model : "", r->several_models ? "_" : "", plain_task));
    PL_TRY(pl__lines_open(&lines, path));
    for (size_t i = 0; i < r->n; i++) {
        const pl_run_unit *u = r->cells[i].unit;
        if (!strcmp(u->model, model) && !strcmp(u->task, task))
            PL_GOTO(status, done, put_unit(&lines, r, &r->cells[i]));
    }
    status = pl__lines_finish(&lines);
done:
    pl__lines_discard(&lines);
    return status;
}

/* ---- the run ---- */

static pl_status read_cells(report *r)
{
    size_t n = pl_run_view_n_units(r->view);
    bool several_seeds = false;
    PL_TRY(pl_arena_new(r->arena, &r->cells, n));
    for (size_t i = 1; i < n; i++) {
        const pl_run_unit *first = pl_run_view_unit(r->view, 0), *unit = pl_run_view_unit(r->view, i);
        r->several_models = r->several_models || strcmp(unit->model, first->model);
        several_seeds = several_seeds || unit->seed != first->seed;
    }
    for (size_t i = 0; i < n; i++) {
        const pl_run_unit *unit = pl_run_view_unit(r->view, i);
        if (unit->done) PL_TRY(pl__report_cell_read(&r->cells[r->n++], r->view, unit, several_seeds, r->arena));
    }
    return PL_OK;
}

/* Whether an earlier cell has this model (and this task). */
static bool seen_before(const report *r, size_t at, bool with_task)
{
    const pl_run_unit *here = r->cells[at].unit;
    for (size_t i = 0; i < at; i++)
        if (!strcmp(r->cells[i].unit->model, here->model) &&
            (!with_task || !strcmp(r->cells[i].unit->task, here->task)))
            return true;
    return false;
}

pl_status pl_report_lm_eval(pl_run_view *view)
{
    report r = {.view = view};
    pl_status status;
    PL_GOTO(status, done, pl_arena_create(&r.arena));
    PL_GOTO(status, done, read_cells(&r));
    for (size_t i = 0; i < r.n; i++) {
        const pl_run_unit *u = r.cells[i].unit;
        if (!seen_before(&r, i, false)) PL_GOTO(status, done, write_results(&r, u->model));
        if (!seen_before(&r, i, true)) PL_GOTO(status, done, write_samples(&r, u->model, u->task));
    }
done:
    pl_arena_free(r.arena);
    return status;
}
