/* A cell of the sweep as lm-evaluation-harness is told of it: a task of its own, with its counts. A plain one has
 * nothing but what lm-evaluation-harness itself would write (lm_eval_export.c). */
#ifndef PLUMB_REPORT_CELL_H
#define PLUMB_REPORT_CELL_H

#include "analysis/run_view.h"
#include "base/digest.h"

enum { PL__KEY_MAX = 1024, PL__CELL_METRICS = 5, PL__CELL_VALUES = 3 };

/* A share of a cell's items under the name that lm-eval gives it. */
typedef struct pl__cell_metric {
    const char *name;   /* NULL: the unit has no such column */
    const char *filter; /* what was done to the answers first; stands behind the name */
    const char *column; /* of /obs */
    size_t right;
} pl__cell_metric;

/* A number of all items together, where the task's metric_list names it. */
typedef struct pl__cell_value {
    const char *name; /* NULL: none */
    const char *aggregation;
    bool higher_is_better;
    double value;
} pl__cell_value;

typedef struct pl__report_cell {
    const pl_run_unit *unit;
    bool plain;
    /* "<task>@<template>,k=<k>,draw=<d>" and what else tells cells apart; plain: "<task>.<template>.<k>shot.draw<d>" */
    char *key;
    char *group;                       /* "<task>,k=<k>", and so on: cells that differ in template, draw, order, seed */
    char samples_hash[PL_SHA256_TEXT]; /* plain: of the samples' hashes, one behind the other */
    size_t n_rows, n_not_finite, n_merged;
    size_t n; /* rows that the means are of: the finite ones */
    pl__cell_metric metrics[PL__CELL_METRICS];
    pl__cell_value values[PL__CELL_VALUES];
} pl__report_cell;

/* Without its counts. Texts are the arena's. */
pl_status pl__report_cell_make(pl__report_cell *out, const pl_run_unit *unit, bool plain, bool several_seeds,
                               pl_arena *arena);
/* Counts; the unit is taken. */
pl_status pl__report_cell_count(pl__report_cell *cell);

/* Metrics of a unit's rows: names and columns; the unit is taken. */
void pl__report_cell_metrics(pl__cell_metric out[PL__CELL_METRICS], const pl_run_unit *unit);

#endif
