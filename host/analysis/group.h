/* The finished units of one model, task, arm, readout and k, brought to one set of items.
 *
 * Items are the doc_ids that every finished unit of the group has and whose predictions are finite in all of them, in
 * the order of the first unit: so numbers can be compared and averaged. What is left out is counted. A member is one
 * (draw, order, seed): its units differ in their template only. */
#ifndef PLUMB_ANALYSIS_GROUP_H
#define PLUMB_ANALYSIS_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/clusters.h"
#include "analysis/run_view.h"
#include "base/memory.h"

typedef struct pl__cell {
    const pl_run_unit *unit;  /* taken from the view while the group is open */
    size_t *row;              /* [n]: the row of /obs of each item */
    size_t n_not_finite;      /* of the items that all units have */
    int64_t first_not_finite; /* doc_id of the first of them */
    size_t n_merged;          /* rows whose prompt and answer share a token */
} pl__cell;

typedef struct pl__member {
    long long draw, order, seed;
    size_t t;              /* templates that are there, in plan order */
    pl__cell *cells;       /* [t] */
    bool whole;            /* all templates of the plan are there */
    size_t *wording;       /* [t]: the first template with the same texts: others differ in label words only */
    int *codes;            /* [n, t]: category of the prediction */
    uint8_t *correct;      /* [n, t] */
    uint8_t *correct_norm; /* [n, t], or NULL */
    uint8_t *correct_cc;   /* [n, t] with contextual calibration; NULL: no template has it */
    bool *calibrated;      /* [t] */
    uint8_t *failed;       /* [n, t]: the answer was no label; or NULL */
    double *q;             /* [n, t, m]: label distribution; or NULL */
} pl__member;

typedef struct pl__group {
    pl_run_view *view;
    pl_arena *arena;
    const pl_run_unit *unit; /* the first one: model .. k */
    size_t n_labels;         /* choices of every item; 0: open, or items with their own */
    double chance;
    size_t n_members, n_planned; /* n_planned: templates of the plan */
    pl__member *members;
    size_t n;           /* items */
    int64_t *doc_id;    /* [n] */
    uint64_t *group_of; /* [n]: equal where items are of one cluster (plumb.group); NULL: each item is its own */
    pl_clusters clusters;
    size_t n_shared;     /* items that all units have, finite or not */
    size_t n_largest;    /* rows of the largest unit */
    size_t n_not_finite; /* shared items that some unit has no finite prediction for */
    int *gold;           /* [n]: index among the choices, -1 when there is none */
    int *classes;        /* [n]: gold labels, and open answers by a number for each text; -1 when there is none */
    double majority;     /* share of the commonest gold label */
    bool several_right;  /* items have several right choices: those have no gold label */
    bool own_choices;    /* items have choices of their own: codes are places in their lists and no labels */
    size_t n_categories; /* of codes */
    size_t m;            /* choices of the item with the most; 0: no label scores */
} pl__group;

/* Reads the finished units that are of the group of the view's unit `first`. */
pl_status pl__group_read(pl__group *out, pl_run_view *view, size_t first);
/* Values of the member's states that were cut to what their storage type holds. */
size_t pl__member_beyond(const pl__member *member);
void pl__group_free(pl__group *group); /* takes {0} */

/* Templates by wording: of[t], the place of each one's wording among the wordings, in the order of their first
 * templates; size[t]: its templates. Returns how many wordings. `wording` [t] as of a member. */
size_t pl__wordings(size_t *of, double *size, const size_t *wording, size_t t);

/* The scores [*n] of item i's labels; of groups with label scores (m > 0). */
const double *pl__cell_scores(const pl__cell *cell, size_t i, size_t *n);

/* What content-free inputs take off them (measure/calibration.h): `bias` of contextual calibration, or the
 * unconditional log-probabilities; NULL, for all items alike: the unit has none, or they are not finite. */
const double *pl__cell_bias(const pl__cell *cell, size_t i);
const double *pl__cell_unconditional(const pl__cell *cell, size_t i);

/* How many of the items at places [n] (NULL: the first n) have the commonest class. */
pl_status pl__commonest(size_t *out, const int *classes, const size_t *places, size_t n);

/* Codes, gold labels, outcomes and label distributions of the items; the rows are known. */
pl_status pl__group_predictions(pl__group *group);

#endif
