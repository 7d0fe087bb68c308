/* results.json and samples_<task>.jsonl in lm-evaluation-harness' schema, from the finished units.
 *
 * lm-eval has neither templates nor draws, so every cell is a task of its own: "<task>@<template>,k=<k>,draw=<d>", with
 * ",order=<o>" past the first order, ",seed=<s>" where the plan has several, ",<readout>" and ",<arm>" where they are
 * not "loglikelihood" and "prompt". Its group "<task>,k=<k>" (and the same endings) is the plain mean over its cells;
 * it has no standard error here ("N/A"), since cells share their items: stability.csv has the right one. Beside
 * lm-eval's standard error, which is 0 where all items are alike, stands Wilson's interval. One model: results.json and
 * samples_<task>.jsonl; several: results_<model>.json and samples_<model>_<task>.jsonl. No dates, no times: equal units
 * give equal bytes. */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/cell.h"
#include "report/report_file.h"
#include "report/results.h"
#include "report/sample.h"
#include "store/result_files.h"

typedef struct report {
    pl_run_view *view;
    pl__report_cell *cells; /* [n]: of the finished units, in plan order */
    size_t n;
    bool several_models;
    pl_arena *arena;
} report;

static pl_status write_results(const report *r, const char *model)
{
    char path[PL_PATH_MAX], name[PL_RESULT_FILE];
    const char *folder = pl_run_view_folder(r->view)->path;
    const pl__report_cell **cells;
    pl__report_file file = {0};
    size_t n = 0;
    pl_status status;
    PL_TRY(pl_arena_new(r->arena, &cells, r->n));
    for (size_t i = 0; i < r->n; i++)
        if (r->cells[i].unit->done && !strcmp(r->cells[i].unit->model, model)) cells[n++] = &r->cells[i];
    PL_TRY(pl_results_file(name, r->several_models ? model : NULL));
    PL_TRY(pl_path(path, "%s/%s", folder, name));
    PL_TRY(pl__report_file_open(&file, path));
    PL_GOTO(status, done, pl__results(&file, cells, n, NULL, r->arena));
    status = pl__report_file_finish(&file);
done:
    pl__report_file_discard(&file);
    return status;
}

/* ---- samples ---- */

static pl_status put_rows(pl__report_file *file, const pl__report_cell *cell, const pl_run_samples *samples)
{
    for (size_t row = 0; row < cell->n_rows; row++) {
        json_t *sample;
        PL_TRY(pl__sample(&sample, cell, row, samples));
        pl_status status = pl__report_file_line(file, sample);
        json_decref(sample);
        PL_TRY(status);
    }
    return PL_OK;
}

/* Whether a model has units that are done, of a task or (NULL) of any. */
static bool has_units(const report *r, const char *model, const char *task)
{
    for (size_t i = 0; i < r->n; i++) {
        const pl_run_unit *u = r->cells[i].unit;
        if (u->done && !strcmp(u->model, model) && (!task || !strcmp(u->task, task))) return true;
    }
    return false;
}

/* The units of one file of samples, in order, and their cells. */
typedef struct pass {
    const pl_run_unit **units;
    pl__report_cell **cells;
    size_t n;
} pass;

/* Counts the unit's rows while they pass. */
static pl_status put_unit(pl__report_file *file, const report *r, const pass *p, size_t at)
{
    pl_run_samples samples;
    bool there;
    PL_TRY(pl_run_view_take_samples(r->view, p->units, p->n, at, &samples, &there));
    if (!there) return PL_OK;
    pl_status status = pl__report_cell_count(p->cells[at]);
    if (status == PL_OK) status = put_rows(file, p->cells[at], &samples);
    pl_run_samples_free(&samples);
    pl_run_view_release(r->view, p->units[at]);
    return status;
}

static pl_status list_units(pass *out, report *r, const char *model, const char *task)
{
    *out = (pass){0};
    PL_TRY(pl_new(&out->units, r->n));
    PL_TRY(pl_new(&out->cells, r->n));
    for (size_t i = 0; i < r->n; i++) {
        const pl_run_unit *u = r->cells[i].unit;
        if (!u->done || strcmp(u->model, model) || strcmp(u->task, task)) continue;
        out->units[out->n] = u;
        out->cells[out->n++] = &r->cells[i];
    }
    return PL_OK;
}

static pl_status write_samples(report *r, const char *model, const char *task)
{
    char path[PL_PATH_MAX], name[PL_RESULT_FILE];
    pl__report_file file = {0};
    pass p = {0};
    pl_status status;
    PL_TRY(pl_samples_file(name, r->several_models ? model : NULL, task));
    PL_TRY(pl_path(path, "%s/%s", pl_run_view_folder(r->view)->path, name));
    PL_GOTO(status, done, list_units(&p, r, model, task));
    PL_GOTO(status, done, pl__report_file_open(&file, path));
    for (size_t i = 0; i < p.n; i++) PL_GOTO(status, done, put_unit(&file, r, &p, i));
    status = pl__report_file_finish(&file);
done:
    free(p.units);
    free(p.cells);
    pl__report_file_discard(&file);
    return status;
}

/* ---- the run ---- */

static pl_status read_cells(report *r)
{
    size_t n = pl_run_view_n_units(r->view);
    bool several_seeds = false;
    r->several_models = pl_run_view_plan(r->view)->n_models > 1;
    PL_TRY(pl_arena_new(r->arena, &r->cells, n));
    for (size_t i = 1; i < n; i++) {
        const pl_run_unit *first = pl_run_view_unit(r->view, 0), *unit = pl_run_view_unit(r->view, i);
        several_seeds = several_seeds || unit->seed != first->seed;
    }
    for (size_t i = 0; i < n; i++) {
        const pl_run_unit *unit = pl_run_view_unit(r->view, i);
        if (unit->done) PL_TRY(pl__report_cell_make(&r->cells[r->n++], unit, false, several_seeds, r->arena));
    }
    return PL_OK;
}

/* Samples first: the rows that pass are what results count. */
static pl_status write_model(report *r, const char *model)
{
    const pl_plan_file *plan = pl_run_view_plan(r->view);
    for (size_t t = 0; t < plan->n_tasks; t++)
        if (has_units(r, model, plan->tasks[t].name)) PL_TRY(write_samples(r, model, plan->tasks[t].name));
    return has_units(r, model, NULL) ? write_results(r, model) : PL_OK;
}

/* A plan that was made before names were checked, or by hand. */
static pl_status check_names(const report *r)
{
    const pl_plan_file *plan = pl_run_view_plan(r->view);
    const char **models, **tasks;
    PL_TRY(pl_arena_new(r->arena, &models, plan->n_models));
    PL_TRY(pl_arena_new(r->arena, &tasks, plan->n_tasks));
    for (size_t m = 0; m < plan->n_models; m++) models[m] = plan->models[m].name;
    for (size_t t = 0; t < plan->n_tasks; t++) tasks[t] = plan->tasks[t].name;
    return pl_result_files_check(models, plan->n_models, tasks, plan->n_tasks, pl_run_view_folder(r->view)->path);
}

pl_status pl_report_lm_eval(pl_run_view *view)
{
    report r = {.view = view};
    pl_status status;
    PL_GOTO(status, done, pl_arena_create(&r.arena));
    PL_GOTO(status, done, check_names(&r));
    PL_GOTO(status, done, read_cells(&r));
    const pl_plan_file *plan = pl_run_view_plan(view);
    for (size_t m = 0; m < plan->n_models; m++) PL_GOTO(status, done, write_model(&r, plan->models[m].name));
done:
    pl_arena_free(r.arena);
    return status;
}
