#include "report/cell.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statistics/labels.h"

/* Everything behind "<task>@<template>" or "<task>" that tells cells apart. */
static pl_status make_key(char **out, const pl_run_unit *u, bool group, bool several_seeds, pl_arena *arena)
{
    char text[PL__KEY_MAX];
    int at =
        snprintf(text, sizeof text, "%s%s%s,k=%lld", u->task, group ? "" : "@", group ? "" : u->template_name, u->k);
#define ADD(...)                                                                                                       \
    if (at > 0 && at < PL__KEY_MAX) at += snprintf(text + at, sizeof text - (size_t)at, __VA_ARGS__)
    if (!group) ADD(",draw=%lld", u->draw);
    if (!group && u->order != 0) ADD(",order=%lld", u->order);
    if (!group && several_seeds) ADD(",seed=%lld", u->seed);
    if (strcmp(u->readout, "loglikelihood")) ADD(",%s", u->readout);
    if (strcmp(u->arm, "prompt")) ADD(",%s", u->arm);
#undef ADD
    if (at < 0 || at >= PL__KEY_MAX)
        return pl_fail(PL_E_INPUT, "unit %s: the names of its task and template do not fit in %d characters", u->id,
                       PL__KEY_MAX - 1);
    return pl_arena_text(arena, out, text, (size_t)at);
}

/* Letters that a file's name may have; what an arm's name has beside them becomes '-', but "n=64" is "n64". */
static void make_plain(char *text)
{
    static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    char *to = text;
    for (; *text; text++)
        if (*text != '=') *to++ = strchr(kept, *text) ? *text : '-';
    *to = 0;
}

/* The same as names of lm-evaluation-harness' tasks and groups, which are parts of its files' names. */
static pl_status make_plain_key(char **out, const pl_run_unit *u, bool group, bool several_seeds, pl_arena *arena)
{
    char order[32] = "", seed[32] = "";
    bool scored = strcmp(u->readout, "loglikelihood") == 0, prompted = strcmp(u->arm, "prompt") == 0;
    if (u->order != 0) snprintf(order, sizeof order, ".order%lld", u->order);
    if (several_seeds) snprintf(seed, sizeof seed, ".seed%lld", u->seed);
    if (group)
        PL_TRY(pl_arena_format(arena, out, "%s.%lldshot%s%s%s%s", u->task, u->k, scored ? "" : ".",
                               scored ? "" : u->readout, prompted ? "" : ".", prompted ? "" : u->arm));
    else
        PL_TRY(pl_arena_format(arena, out, "%s.%s.%lldshot.draw%lld%s%s%s%s%s%s", u->task, u->template_name, u->k,
                               u->draw, order, seed, scored ? "" : ".", scored ? "" : u->readout, prompted ? "" : ".",
                               prompted ? "" : u->arm));
    make_plain(*out);
    return PL_OK;
}

void pl__report_cell_metrics(pl__cell_metric out[PL__CELL_METRICS], const pl_run_unit *unit)
{
    /* answer_match is ours and lenient; the rest are lm-eval's. */
    static const char *const scored[][2] = {{"acc", "correct"}, {"acc_norm", "acc_norm"}},
                             *const generated[][2] = {{"exact_match", "exact_match"}, {"answer_match", "answer_match"}};
    for (size_t m = 0; m < PL__CELL_METRICS; m++) {
        const char *const *metric = unit->generates ? generated[m] : scored[m];
        const pl_column *c = pl_frame_column(unit->obs, metric[1]);
        bool is_there = c && c->kind == PL_COLUMN_BOOL && !(m > 0 && pl__report_scores_target(unit));
        out[m] = (pl__cell_metric){.name = is_there ? metric[0] : NULL,
                                   .filter = unit->generates ? unit->task_facts->filter : "none",
                                   .column = metric[1]};
    }
}

/* ---- numbers of all items together ---- */

bool pl__report_scores_target(const pl_run_unit *unit)
{
    const pl_planned_task *task = unit->task_facts;
    const char *type =
        task->n_templates ? json_string_value(json_object_get(task->templates[0].config, "output_type")) : NULL;
    return !unit->generates && type && strcmp(type, "loglikelihood") == 0;
}

/* Labels of the finite rows side by side. */
typedef struct labels {
    int64_t *gold, *predicted;
    size_t n;
} labels;

static pl_status gather_labels(labels *out, const pl__report_cell *cell, const uint8_t *finite)
{
    const int64_t *gold, *predicted;
    *out = (labels){0};
    PL_TRY(pl_run_unit_integers(&gold, cell->unit, "label_index"));
    PL_TRY(pl_run_unit_integers(&predicted, cell->unit, "prediction_index"));
    PL_TRY(pl_new(&out->gold, 2 * cell->n_rows));
    out->predicted = out->gold + cell->n_rows;
    for (size_t i = 0; i < cell->n_rows; i++) {
        if (!finite[i]) continue;
        out->gold[out->n] = gold[i];
        out->predicted[out->n++] = predicted[i];
    }
    return PL_OK;
}

/* exp(-mean log-likelihood of the targets) */
static double perplexity(const pl__report_cell *cell, const uint8_t *finite)
{
    const pl_loglik *l = &cell->unit->loglik;
    double sum = 0;
    for (size_t i = 0; i < l->n_rows && i < cell->n_rows; i++)
        if (finite[i]) sum += l->score[l->choice_indptr[i]];
    return exp(-sum / (double)cell->n);
}

/* One of two labels that are not 0 and 1 has no f1. */
static pl_status add_value(pl__report_cell *cell, size_t *n, const char *name, const uint8_t *finite)
{
    labels l;
    bool of_target = strcmp(name, "perplexity") == 0, is_f1 = strcmp(name, "f1") == 0;
    if (*n == PL__CELL_VALUES || cell->unit->generates || of_target != pl__report_scores_target(cell->unit))
        return PL_OK;
    pl__cell_value *out = &cell->values[*n];
    if (of_target)
        *out = (pl__cell_value){"perplexity", "perplexity", false, perplexity(cell, finite)};
    else {
        PL_TRY(gather_labels(&l, cell, finite));
        *out = is_f1 ? (pl__cell_value){"f1", "f1", true, pl_f1(l.gold, l.predicted, l.n)}
                     : (pl__cell_value){"mcc", "matthews_corrcoef", true, pl_mcc(l.gold, l.predicted, l.n)};
        free(l.gold);
    }
    if (isfinite(out->value))
        ++*n;
    else
        out->name = NULL;
    return PL_OK;
}

pl_status pl__report_cell_count(pl__report_cell *cell)
{
    const uint8_t *finite, *merged, *right;
    PL_TRY(pl_run_unit_bools(&finite, cell->unit, "finite"));
    PL_TRY(pl_run_unit_bools(&merged, cell->unit, "merged"));
    cell->n_rows = cell->unit->obs->n_rows;
    for (size_t i = 0; i < cell->n_rows; i++) {
        cell->n_merged += merged[i] != 0;
        cell->n += finite[i] != 0;
    }
    cell->n_not_finite = cell->n_rows - cell->n;
    pl__report_cell_metrics(cell->metrics, cell->unit);
    for (size_t m = 0; m < PL__CELL_METRICS && cell->plain; m++) /* ours */
        if (cell->metrics[m].name && !strcmp(cell->metrics[m].name, "answer_match")) cell->metrics[m].name = NULL;
    for (size_t m = 0; m < PL__CELL_METRICS; m++) {
        if (!cell->metrics[m].name) continue;
        PL_TRY(pl_run_unit_bools(&right, cell->unit, cell->metrics[m].column));
        for (size_t i = 0; i < cell->n_rows; i++) cell->metrics[m].right += finite[i] && right[i];
    }
    const json_t *metrics = cell->unit->task_facts->metrics;
    for (size_t i = 0, n = 0; i < json_array_size(metrics) && cell->n > 0; i++)
        PL_TRY(add_value(cell, &n, json_string_value(json_array_get(metrics, i)), finite));
    return PL_OK;
}

pl_status pl__report_cell_make(pl__report_cell *out, const pl_run_unit *unit, bool plain, bool several_seeds,
                               pl_arena *arena)
{
    *out = (pl__report_cell){.unit = unit, .plain = plain};
    if (plain) PL_TRY(make_plain_key(&out->key, unit, false, several_seeds, arena));
    if (plain) return make_plain_key(&out->group, unit, true, several_seeds, arena);
    PL_TRY(make_key(&out->key, unit, false, several_seeds, arena));
    return make_key(&out->group, unit, true, several_seeds, arena);
}
