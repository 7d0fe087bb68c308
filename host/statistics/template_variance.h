/* Accuracy over templates: how far it moves, beyond what the items' own noise makes it move (stability.md B.4, B.6). */
#ifndef PLUMB_STATISTICS_TEMPLATE_VARIANCE_H
#define PLUMB_STATISTICS_TEMPLATE_VARIANCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "statistics/permutation.h"
#include "statistics/three_way.h"

enum { PL_TEMPLATE_SD_MIN = 4, PL_DRAW_SD_MIN = 4 }; /* levels from which on an SD has an interval */
#define PL_SHARE_SD_MAX 0.5                          /* of shares, half of them at each end */

/* The template variance component of outcomes, tau^2 = (MS_T - MS_E)/(nS) (three_way.h): unbiased, may be negative.
 * template_sd is sqrt(max(0, tau^2)), in the outcomes' units. */
typedef struct pl_template_variance {
    double tau2, spread; /* spread: largest - smallest mean over templates */
    pl_mean_squares mean_squares;
    double *null_tau2;   /* [PL_PERMUTATIONS]: with the templates of each row of each draw exchanged */
    double *null_spread; /* [PL_PERMUTATIONS] */
} pl_template_variance;

/* values[(d * t + k) * n + i]: outcome of row i (an item; for clusters the sum over their items) under template k and
 * draw d. n >= 2, t >= 2, s >= 1. `seed` keys the permutations: the same outcomes and seed give the same null. Free the
 * result. */
pl_status pl_template_variance_of(pl_template_variance *out, const double *values, size_t s, size_t t, size_t n,
                                  uint64_t seed);
void pl_template_variance_free(pl_template_variance *v); /* takes {0} */

double pl_template_sd(double tau2);

#endif
