/* The tables of runs, ready to be drawn: one row a number, subjects, conditions. Shared inside the folder. */
#ifndef PLUMB_PAGE_ROWS_H
#define PLUMB_PAGE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "analysis/run_view.h"
#include "base/csv_table.h"
#include "base/json.h"
#include "base/memory.h"
#include "store/run_folder.h"

/* A row of stability.csv; texts are borrowed from the tables. */
typedef struct pl__row {
    const char *template_name, *layer, *position, *preproc, *metric, *contrast, *generalises, *null_name, *why_empty,
        *note;
    long long draw, order, seed; /* -1: mean over them */
    size_t n_seeds;
    double value, lo, hi, null_mean, null_q95, p_adjusted;
} pl__row;

/* A model, task, arm, readout and shot count. */
typedef struct pl__condition {
    const char *arm;
    long long k;
    const char *label;  /* "prompt k=4", "finetune lm standard n=64" */
    const pl__row *all; /* [n_all], as the table has them */
    size_t n_all;
    const pl__row **rows; /* [n_rows]: of each number the mean over draws, else the first draw's */
    size_t n_rows;
} pl__condition;

typedef struct pl__run {
    const pl_run_folder *folder;
    const char *name; /* of the folder */
    pl_run_view *view;
    const pl_plan_file *plan;                         /* the view's */
    size_t n_missing;                                 /* units */
    pl_csv_table stability, arms, verdict, contrasts; /* {0}: the run has none */
    json_t *maps;        /* of each map what pl__map_heads says of it; NULL: the run has none */
    const char *no_maps; /* why they could not be read; NULL: they could, or there are none */
} pl__run;

/* A model, task and readout of a run. */
typedef struct pl__subject {
    const pl__run *run;
    const char *model, *task, *readout;
    const char *label;         /* "gpt2, sst2", and what else tells it from others */
    const char *stem;          /* the same for names of files */
    size_t verdict;            /* the row of verdict.csv; SIZE_MAX: none */
    pl__condition *conditions; /* [n] */
    size_t n;
} pl__subject;

typedef struct pl__tables {
    pl__run *runs; /* [n_runs] */
    size_t n_runs;
    pl__subject *subjects; /* [n_subjects] */
    size_t n_subjects;
    pl_arena *arena;
} pl__tables;

pl_status pl__tables_read(pl__tables *out, const pl_run_folder *runs, size_t n);
void pl__tables_free(pl__tables *tables); /* takes {0} */

/* The number, or NULL. template_name, layer, position: "" for what is over templates, or about behaviour. */
const pl__row *pl__row_of(const pl__condition *condition, const char *metric, const char *contrast,
                          const char *template_name);
/* Over all templates; of a condition with one template that one's. NULL: there is none. */
const pl__row *pl__row_over_all(const pl__condition *condition, const char *metric);
/* What an arm is judged by: under ood templates where there are some, else over all; NULL: there is none. */
const pl__row *pl__row_judged(const pl__condition *condition, const char *metric);
/* The role that the plan gives a template of the subject's task; NULL: it has none of that name. */
const char *pl__role_of(const pl__subject *subject, const char *template_name);
/* Whether a row of a table of the subject's run has its model, task and readout. */
bool pl__is_of(const pl__subject *subject, const pl_csv_table *table, size_t row);
/* The row of arms.csv for the condition ("prompt calibrated" where calibrated) and role; SIZE_MAX: none. */
size_t pl__arm_row(const pl__subject *subject, const pl__condition *condition, bool calibrated, const char *role);
/* A name as part of a file's name. */
pl_status pl__stem(pl_arena *arena, const char **out, const char *text);

#endif
