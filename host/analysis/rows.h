/* How rows of the stability table come about, and how they are pooled over draws, orders and seeds.
 *
 * A jackknifed number enters with its left-out values; the pool adds values and left-out values of all members of a
 * family, so that the mean over members has a delete-one-item jackknife of its own: one item is left out of all members
 * at once. */
#ifndef PLUMB_ANALYSIS_ROWS_H
#define PLUMB_ANALYSIS_ROWS_H

#include "analysis/stability.h"
#include "base/memory.h"
#include "statistics/interval.h"

typedef struct pl__pool_entry {
    pl_stability_row row; /* of the first member */
    size_t n, n_members;
    double value, null_mean, null_variance; /* sums over members */
    double *left_out;                       /* [n]: sums over members */
} pl__pool_entry;

typedef struct pl__rows {
    pl_arena *arena;
    pl_stability_row *rows;
    size_t n, capacity;
    pl_stability_row base; /* what a new row starts from: model .. seed, and a note */
    bool pooling;          /* jackknifed rows also go to the pool */
    pl__pool_entry *pool;
    size_t n_pool, pool_capacity;
} pl__rows;

void pl__rows_free(pl__rows *rows);

/* A row with the base's facts and the metric's unit; everything else empty or NaN. The metric must be known. */
pl_stability_row pl__row(const pl__rows *rows, const char *metric, const char *contrast);
void pl__row_null(pl_stability_row *row, const char *name, double mean, double sd);
/* Adds to what the row's note says already. */
pl_status pl__row_note(const pl__rows *rows, pl_stability_row *row, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a row with this estimate, cut to the metric's bounds. */
pl_status pl__rows_add(pl__rows *rows, const pl_stability_row *row, pl_estimate e, const char *ci_method);
/* Adds a row with a delete-one-item jackknife, and pools it. */
pl_status pl__rows_jackknife(pl__rows *rows, const pl_stability_row *row, double value, const double *left_out,
                             size_t n);
/* The same for the mean of values that are one an item. */
pl_status pl__rows_mean(pl__rows *rows, const pl_stability_row *row, const double *values, size_t n);

/* Pools such a mean without a row of its own. */
pl_status pl__rows_pool_mean(pl__rows *rows, const pl_stability_row *row, const double *values, size_t n);

/* Rows of the means over members, from the base as it now is; empties the pool. */
pl_status pl__rows_pooled(pl__rows *rows, size_t n_members);

#endif
