/* Accuracy over templates: how far it moves, beyond what the items' own noise makes it move (stability.md B.4, B.6). */
#ifndef PLUMB_STATISTICS_TEMPLATE_VARIANCE_H
#define PLUMB_STATISTICS_TEMPLATE_VARIANCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "statistics/permutation.h"

enum { PL_TEMPLATE_JACKKNIFE_MIN = 8 };

/* The template variance component of accuracy, tau^2 = (MS_T - MS_R)/n of the two-way ANOVA on correctness: unbiased,
 * may be negative. template_sd is sqrt(max(0, tau^2)), in accuracy points (1 = 100 %). */
typedef struct pl_template_variance {
    size_t n, t;
    double tau2;
    double *without_template; /* [t]: tau^2 without template k; NaN when t < 3 */
    double spread;            /* largest - smallest accuracy over templates */
    double *null_tau2;        /* [PL_PERMUTATIONS]: with the outcomes of each item permuted over templates */
    double *null_spread;      /* [PL_PERMUTATIONS] */
} pl_template_variance;

/* correct[i * t + k] 0 or 1. n >= 2, t >= 2. `seed` keys the permutations: the same outcomes and seed give the same
 * null. Free the result. */
pl_status pl_template_variance_of(pl_template_variance *out, const uint8_t *correct, size_t n, size_t t, uint64_t seed);
void pl_template_variance_free(pl_template_variance *v); /* takes {0} */

double pl_template_sd(double tau2);

#endif
