/* What a statistic is when its null hypothesis holds, from replicates with outcomes permuted. */
#ifndef PLUMB_STATISTICS_PERMUTATION_H
#define PLUMB_STATISTICS_PERMUTATION_H

#include <stddef.h>

#include "base/status.h"

enum { PL_PERMUTATIONS = 1000 }; /* replicates of a null in the table */

/* Mean, SD, 95 % quantile of values that a null model gave, and the share that reaches the observed one, (1 + count)/(1
 * + n): its p-value. NaN for fewer than two. */
typedef struct pl_null {
    double mean, sd, quantile95, p;
} pl_null;
pl_status pl_null_of(pl_null *out, const double *values, size_t n, double observed); /* [n] */

#endif
