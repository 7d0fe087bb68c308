#include "report/cell.h"

#include <stdio.h>
#include <string.h>

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

void pl__report_cell_metrics(pl__cell_metric out[PL__CELL_METRICS], const pl_run_unit *unit)
{
    /* answer_match is ours and lenient; the rest are lm-eval's. */
    static const char *const scored[][2] = {{"acc", "correct"}, {"acc_norm", "acc_norm"}},
                             *const generated[][2] = {{"exact_match", "exact_match"}, {"answer_match", "answer_match"}};
    for (size_t m = 0; m < PL__CELL_METRICS; m++) {
        const char *const *metric = unit->generates ? generated[m] : scored[m];
        const pl_column *c = pl_frame_column(unit->obs, metric[1]);
        out[m] = (pl__cell_metric){.name = c && c->kind == PL_COLUMN_BOOL ? metric[0] : NULL,
                                   .filter = unit->generates ? unit->task_facts->filter : "none",
                                   .column = metric[1]};
    }
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
    for (size_t m = 0; m < PL__CELL_METRICS; m++) {
        if (!cell->metrics[m].name) continue;
        PL_TRY(pl_run_unit_bools(&right, cell->unit, cell->metrics[m].column));
        for (size_t i = 0; i < cell->n_rows; i++) cell->metrics[m].right += finite[i] && right[i];
    }
    return PL_OK;
}

pl_status pl__report_cell_make(pl__report_cell *out, const pl_run_unit *unit, bool several_seeds, pl_arena *arena)
{
    *out = (pl__report_cell){.unit = unit};
    PL_TRY(make_key(&out->key, unit, false, several_seeds, arena));
    return make_key(&out->group, unit, true, several_seeds, arena);
}
