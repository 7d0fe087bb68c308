/* Calibrated similarity of representations (arXiv 2602.14486; PyPI calibrated-similarity): how far a similarity stands
 * above what it is when the items of one side are permuted.
 *
 * tau is the ceil(.95 (K + 1))-th smallest of the observed value and its K permuted ones, s_cal = max(0, (s - tau)/(1 -
 * tau)), p = (1 + #{permuted >= s})/(K + 1). A similarity of several conditions is the mean over their pairs (a, b), a
 * before b, with the items of b permuted, the same way in all pairs: the mean is what is calibrated.
 *
 * No permutation takes a product: debiased CKA is a sum over the Gram matrices' elements, mutual neighbours one over
 * the neighbours' table, and both are gathered. */
#ifndef PLUMB_MEASURE_CALIBRATED_H
#define PLUMB_MEASURE_CALIBRATED_H

#include <stddef.h>

#include "base/status.h"

enum { PL_CALIBRATED_PERMUTATIONS = 200, PL_CALIBRATED_NEIGHBOURS = 10 };

typedef struct pl_calibrated {
    double observed, tau, score, p;
    double null_mean, null_sd;
} pl_calibrated;

/* From the observed value and its permuted ones. NaN where the observed value is. */
pl_status pl_calibrated_of(pl_calibrated *out, double observed, const double *permuted, size_t n); /* [n] */

/* Items of t conditions: states[k] is [n, width]; row i of b stands where order[k * n + i] was. n >= 4, t >= 2. */
typedef struct pl_permuted {
    const float *const *states;
    size_t n, t, width;
    const size_t *orders; /* [n_orders, n] permutations of 0..n-1 */
    size_t n_orders;
} pl_permuted;

/* Debiased linear CKA (cka.h). NaN where a condition's states have no variance. */
pl_status pl_cka_calibrated(pl_calibrated *out, const pl_permuted *of);
/* Mutual nearest neighbours: the share of an item's k nearest (cosine of centred states, ties by place) that are among
 * its k nearest under the other condition; k is PL_CALIBRATED_NEIGHBOURS, at most n - 1. NaN as above. */
pl_status pl_mknn_calibrated(pl_calibrated *out, const pl_permuted *of);

#endif
