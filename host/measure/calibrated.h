/* Calibrated similarity of representations (arXiv 2602.14486; PyPI calibrated-similarity): how far a similarity stands
 * above what it is when the items of one side are permuted. Items must be independent of one another: of those that
 * belong together one is to be taken, else p is too small (tests/measure/test_similarity_level.c).
 *
 * tau is the ceil(.95 (K + 1))-th smallest of the observed value and its K permuted ones, s_cal = max(0, (s - tau)/(1 -
 * tau)), p = (1 + #{permuted >= s})/(K + 1). What is reported is what is calibrated: of several pairs (similarity.h)
 * the mean, or the largest, is taken under each permutation, which is the same in all pairs. */
#ifndef PLUMB_MEASURE_CALIBRATED_H
#define PLUMB_MEASURE_CALIBRATED_H

#include <stddef.h>

#include "base/status.h"

enum { PL_CALIBRATED_PERMUTATIONS = 200 };

typedef struct pl_calibrated {
    double observed, tau, score, p;
    double null_mean, null_sd;
} pl_calibrated;

/* From the observed value and its permuted ones. NaN where the observed value is. */
pl_status pl_calibrated_of(pl_calibrated *out, double observed, const double *permuted, size_t n); /* [n] */

/* Permutations of n items [n_orders, n]; of items with one class among themselves where classes [n] are given. They
 * depend on n and the classes alone. */
pl_status pl_calibrated_orders(size_t *orders, size_t n_orders, size_t n, const size_t *classes);

/* What is made of a grid of pairs [n_x, n_y]. */
typedef enum pl_grid_part {
    PL_GRID_ABOVE,  /* the mean over pairs (a, b), a before b; NaN where one is */
    PL_GRID_MEAN,   /* the mean over pairs that are defined */
    PL_GRID_LARGEST /* the largest of them */
} pl_grid_part;
double pl_grid_value(const double *grid, size_t n_x, size_t n_y, pl_grid_part part);

#endif
