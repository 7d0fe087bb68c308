/* The finished units of one model, task, arm, readout and k, brought to one set of items.
 *
 * Items are the doc_ids that every finished unit of the family has, in the order of its first unit. A member is one
 * (draw, order, seed): its units differ in their template only. Categories are the distinct predictions of the family
 * and its label indices "0".."n_labels-1". */
#ifndef PLUMB_ANALYSIS_GROUP_H
#define PLUMB_ANALYSIS_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/run_view.h"
#include "base/memory.h"
#include "store/frame.h"
#include "store/unit_file.h"

typedef struct pl__cell {
    const pl_unit_entry *entry;
    char path[PL_PATH_MAX];
    pl_frame *obs;
    pl_loglik loglik; /* n_rows 0 for readouts without label scores */
    size_t *row;      /* [n]: the row of /obs of each item */
} pl__cell;

typedef struct pl__member {
    long long draw, order, seed;
    size_t t;              /* templates that are there, in plan order */
    pl__cell *cells;       /* [t] */
    bool whole;            /* all templates of the plan are there */
    int *codes;            /* [n, t]: category of the prediction */
    uint8_t *correct;      /* [n, t] */
    uint8_t *correct_norm; /* [n, t], or NULL */
    uint8_t *failed;       /* [n, t]: the answer was no label; or NULL */
    double *q;             /* [n, t, m]: label distribution, NaN where it cannot be had; or NULL */
} pl__member;

typedef struct pl__group {
    pl_arena *arena;             /* owns everything but the frames */
    const pl_unit_entry *entry;  /* the first one: model .. k */
    size_t n_members, n_planned; /* n_planned: templates of the plan */
    pl__member *members;
    size_t n, n_largest; /* items; the largest number of rows of a unit */
    int *gold;           /* [n]: label index, -1 when the gold label is none */
    double majority;     /* share of the commonest gold label */
    size_t n_categories, m;
    bool random_weights;
} pl__group;

/* Reads the finished ones of `entries` that are of the family of entries[first]. */
pl_status pl__group_read(pl__group *out, const pl_run_folder *run, const pl_unit_entry *entries, size_t n_entries,
                         size_t first);
void pl__group_free(pl__group *family); /* takes {0} */

#endif
