#include "report/cell.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/pooled.h"

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
    /* Shares of the items: answer_match is ours and lenient; the others are lm-eval's. The column of what a list must
     * name is there where it does. */
    static const struct share {
        const char *name, *column;
        bool generated, of_target; /* of target: there too where the target is scored alone */
    } SHARES[] = {{"acc", "correct", false, true},
                  {"acc_norm", "acc_norm", false, false},
                  {"acc_bytes", "acc_bytes", false, false},
                  {"acc_mutual_info", "acc_mutual_info", false, false},
                  {"exact_match", "exact_match", false, false},
                  {"exact_match", "exact_match", true, false},
                  {"answer_match", "answer_match", true, false}};
    size_t n = 0;
    memset(out, 0, PL__CELL_METRICS * sizeof *out);
    for (const struct share *s = SHARES; s < SHARES + sizeof SHARES / sizeof *SHARES; s++) {
        const pl_column *c = pl_frame_column(unit->obs, s->column);
        if (s->generated != unit->generates || unit->rolls || (unit->alone && !s->of_target)) continue;
        if (c && c->kind == PL_COLUMN_BOOL)
            out[n++] = (pl__cell_metric){
                .name = s->name, .filter = unit->generates ? unit->task_facts->filter : "none", .column = s->column};
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
    for (size_t m = 0; m < PL__CELL_METRICS && cell->plain; m++) /* ours */
        if (cell->metrics[m].name && !strcmp(cell->metrics[m].name, "answer_match")) cell->metrics[m].name = NULL;
    for (size_t m = 0; m < PL__CELL_METRICS; m++) {
        if (!cell->metrics[m].name) continue;
        PL_TRY(pl_run_unit_bools(&right, cell->unit, cell->metrics[m].column));
        for (size_t i = 0; i < cell->n_rows; i++) cell->metrics[m].right += finite[i] && right[i];
    }
    const json_t *metrics = cell->unit->task_facts->metrics;
    for (size_t i = 0, n = 0; i < json_array_size(metrics) && n < PL__CELL_VALUES; i++) {
        const pl_pooled *of = pl_pooled_find(json_string_value(json_array_get(metrics, i)));
        double value = NAN;
        if (of) PL_TRY(pl_pooled_of(&value, cell->unit, of));
        if (isfinite(value))
            cell->values[n++] = (pl__cell_value){of->name, of->aggregation, of->higher_is_better, value};
    }
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
