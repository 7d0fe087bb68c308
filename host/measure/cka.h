/* Debiased linear CKA between conditions of the same items, with its closed-form delete-one jackknife
 * (stability.md B.2-3; Song et al. 2012 for HSIC_1, Nguyen et al. 2021 for its use in CKA).
 *
 *   HSIC_1(K, L) = [t + s_K s_L/((n-1)(n-2)) - 2 D/(n-2)] / (n(n-3)),
 * t = tr(K L), s = sum of all elements, D = r_K . r_L (row sums), for zero-diagonal Gram matrices K and L;
 *   CKA_1 = HSIC_1(K, L) / sqrt(HSIC_1(K, K) HSIC_1(L, L)).
 * 1 for equal inputs, 0 in expectation for unrelated ones; may be slightly negative. Never bootstrap rows for it. */
#ifndef PLUMB_MEASURE_CKA_H
#define PLUMB_MEASURE_CKA_H

#include <stddef.h>

#include "base/status.h"
#include "device/device.h"

/* All pairs of t conditions. Pairs run (0,1), (0,2), ..., (1,2), ... . NaN where an HSIC_1(K, K) is not positive:
 * states without variance, or too few items for an estimate. */
typedef struct pl_cka {
    size_t n, t, n_pairs;
    double *value;         /* [n_pairs] */
    double *left_out;      /* [n_pairs, n]: without item i; NaN when n < 5 */
    double mean;           /* over pairs */
    double *mean_left_out; /* [n] */
    double *own;           /* [t]: HSIC_1 of each condition with itself */
    /* The participation ratio of each condition, (tr S)^2/tr S^2 of its covariance S, tr S^2 without bias: how many
     * dimensions the states use. NaN as above. */
    double *dimensions;          /* [t] */
    double *dimensions_left_out; /* [n]: mean over conditions */
} pl_cka;

/* States that are read when they are needed: rows first..first + n - 1 of a condition, [n, width], into `room` or where
 * they already are; *out says which. Called by one thread at a time, for few rows, and for every row some
 * 3 + (rows of all)/768 times. */
typedef struct pl_states {
    const void *context;
    pl_status (*rows)(const void *context, const float **out, float *room, size_t condition, size_t first, size_t n);
} pl_states;

/* Of t >= 2 conditions of n >= 4 items. The same bits for any number of threads and any device (`on`, as pl_gram takes
 * it).
 * Memory: 2 n (8 ceil(t/8))^2 doubles of sums (cka_sums.h), n t^2 of left-out values, and parts that do not grow with
 * n: of each condition 384 rows twice as floats and 384^2 products; of eight, on the CPU, the rows twice as doubles.
 * Free the result. */
pl_status pl_cka_of_rows(pl_cka *out, const pl_states *states, size_t n, size_t t, size_t width,
                         const pl_processor *on);
/* The same of matrices in memory: states[k] is the [n, width] of condition k. */
pl_status pl_cka_of(pl_cka *out, const float *const *states, size_t n, size_t t, size_t width, const pl_processor *on);
void pl_cka_free(pl_cka *cka); /* takes {0} */

size_t pl_cka_pair(const pl_cka *cka, size_t a, size_t b); /* a < b < t */

/* The SD of debiased CKA when the rows of one condition are permuted at random: sqrt(2/(n(n-3))), exactly, for any
 * data. (Its mean is exactly 0. U-centred Gram matrices have zero diagonal and zero row sums, and the second moment of
 * the sum of A_ij B_p(i)p(j) over permutations p then comes to 2 |A|^2 |B|^2 / (n(n-3)).) */
double pl_cka_null_sd(size_t n);

#endif
