/* How rows of the stability table come about from what metrics say, and how they are pooled over draws, orders, seeds.
 *
 * A number enters with the values of its items (pseudo-values where it is no mean) and of its templates; the pool adds
 * them over all members of a group and keeps the members' own values, so that the mean over members has a crossed
 * interval of its own (statistics/crossed.h). */
#ifndef PLUMB_ANALYSIS_ROWS_H
#define PLUMB_ANALYSIS_ROWS_H

#include "analysis/curve.h"
#include "analysis/scope.h"
#include "analysis/stability.h"

/* What a number is under each template of its scope. */
typedef struct pl__levels {
    size_t n, n_against;   /* templates; of the other side of a difference, behind them */
    bool left_out;         /* values[k] is the number without template k: else under it */
    double *values;        /* [n + n_against] */
    const size_t *wording; /* [n + n_against]: equal for templates that are one wording */
} pl__levels;

typedef struct pl__pool_entry {
    pl_stability_row row; /* of the first member */
    pl__kind kind;
    size_t n, n_members;
    uint64_t items;                         /* tells sets of items apart */
    bool unequal;                           /* members do not have the same items: there is no mean */
    bool tested;                            /* against its null */
    const char *withheld;                   /* some member's: there is no interval */
    double value, null_mean, null_variance; /* sums over members */
    double *values;                         /* [n]: sums over members of the items' values */
    pl_clusters clusters;
    double high, reach[2]; /* of the range, for pseudo-items; of what the number can be */
    pl__levels templates;  /* sums over members */
    double *of_member;     /* [n_members] */
    long long *draw;       /* [n_members] */
} pl__pool_entry;

typedef struct pl__rows {
    pl_arena *arena;
    const pl_processor *on; /* where products of states, and maps, are made */
    pl_stability_row *rows;
    size_t n, capacity;
    pl_stability_row base; /* what a new row starts from: model .. seed, and a note */
    bool sampled;          /* draws matter: there are shots, or examples are learned from */
    size_t pooling;        /* members that are pooled; 0: no pooling */
    pl__pool_entry *pool;
    size_t n_pool, pool_capacity;
    pl__curves curves; /* of the group: numbers that stand for it, layer after layer */
} pl__rows;

void pl__rows_free(pl__rows *rows);

/* Adds to what the row's note, or its why_empty, says already. */
pl_status pl__row_note(const pl__rows *rows, pl_stability_row *row, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
pl_status pl__row_why(const pl__rows *rows, pl_stability_row *row, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a row with this interval. What is infinite is as little a number as NaN. */
pl_status pl__rows_put(pl__rows *rows, const pl_stability_row *row, const pl_crossed *interval, const char *ci_method);

/* The row of a metric over a scope, or none. */
pl_status pl__rows_add(pl__rows *rows, pl_metric_id metric, pl__scope *scope, const pl__measured *m);

/* Rows of the means over members, from the base as it now is; empties the pool. */
pl_status pl__rows_pooled(pl__rows *rows);

#endif
