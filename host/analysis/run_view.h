/* The units of a plan as the analysis and the report need them: what a unit is about, and whether its file is there. */
#ifndef PLUMB_ANALYSIS_RUN_VIEW_H
#define PLUMB_ANALYSIS_RUN_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "store/plan_file.h"

/* One unit of the plan. Texts are borrowed from it. */
typedef struct pl_unit_entry {
    const char *id, *model, *task, *arm, *readout, *template_name;
    const char *role; /* "id", "dev", "ood" */
    long long k, draw, order, seed;
    size_t n_labels; /* 0: an open answer */
    double chance;   /* 1/n_labels; NaN for an open answer */
    bool random_weights;
    bool done; /* units/<id>.h5 is there */
} pl_unit_entry;

/* In plan order; the arena owns the array. */
pl_status pl_unit_entries(pl_unit_entry **out, size_t *n, const pl_plan_file *plan, const pl_run_folder *run,
                          pl_arena *arena);

/* Equal in all that makes a family: model, task, arm, readout, k. */
bool pl_unit_entry_same_family(const pl_unit_entry *a, const pl_unit_entry *b);
/* A family's units of equal draw, order and seed differ in their template only. */
bool pl_unit_entry_same_member(const pl_unit_entry *a, const pl_unit_entry *b);

#endif
