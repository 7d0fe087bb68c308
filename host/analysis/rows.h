/* How rows of the stability table come about from what metrics say, and how they are pooled over draws, orders, seeds.
 *
 * A jackknifed number enters with its left-out values; the pool adds values and left-out values of all members of a
 * group, so that the mean over members has a delete-one-item jackknife of its own: one item is left out of all members
 * at once. */
#ifndef PLUMB_ANALYSIS_ROWS_H
#define PLUMB_ANALYSIS_ROWS_H

#include "analysis/scope.h"
#include "analysis/stability.h"
#include "statistics/interval.h"

typedef struct pl__pool_entry {
    pl_stability_row row; /* of the first member */
    pl__kind kind;
    size_t n, t, n_members;
    uint64_t items;                         /* tells sets of items apart */
    bool unequal;                           /* members do not have the same items: there is no mean */
    double value, null_mean, null_variance; /* sums over members, like what follows */
    double *left_out;                       /* [n]: without an item; a component: [t], without a template */
    double *null_draws;                     /* [PL_PERMUTATIONS], of a component */
} pl__pool_entry;

typedef struct pl__rows {
    pl_arena *arena;
    pl_stability_row *rows;
    size_t n, capacity;
    pl_stability_row base; /* what a new row starts from: model .. seed, and a note */
    bool pooling;          /* what is pooled also goes to the pool */
    pl__pool_entry *pool;
    size_t n_pool, pool_capacity;
    pl_last_quantile quantile; /* of the last jackknife */
} pl__rows;

void pl__rows_free(pl__rows *rows);

/* Adds to what the row's note says already. */
pl_status pl__row_note(const pl__rows *rows, pl_stability_row *row, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a row with this estimate, cut to the metric's bounds. What is infinite is as little a number as NaN. */
pl_status pl__rows_put(pl__rows *rows, const pl_stability_row *row, pl_estimate e, const char *ci_method);

/* The rows of a metric over a scope: none, one, or two (templates left out in turn). */
pl_status pl__rows_add(pl__rows *rows, pl_metric_id metric, pl__scope *scope, const pl__measured *m);

/* Rows of the means over members, from the base as it now is; empties the pool. */
pl_status pl__rows_pooled(pl__rows *rows, size_t n_members);

#endif
