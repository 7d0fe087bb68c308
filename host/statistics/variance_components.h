/* The two-way (item x template) variance components of hidden states: wobble, shift, ICC (stability.md B.2-1).
 *
 * With a_i and b_t the item and template mean deviations from the grand mean and e_it the residual,
 *   MS_I = T sum |a_i|^2 / (n-1),  MS_T = n sum |b_t|^2 / (T-1),  MS_R = sum sum |e_it|^2 / ((n-1)(T-1)),
 *   s2_I = (MS_I - MS_R)/T,  s2_T = (MS_T - MS_R)/n,  s2_R = MS_R,
 *   wobble = s2_R/(s2_I + s2_R),  shift = s2_T/(s2_I + s2_T + s2_R),  icc = s2_I/(s2_I + s2_T + s2_R).
 * The components are unbiased and may be negative; they are never clipped. (The template SD of
 * accuracy has an ANOVA of its own, for 0s and 1s: template_variance.h.) */
#ifndef PLUMB_STATISTICS_VARIANCE_COMPONENTS_H
#define PLUMB_STATISTICS_VARIANCE_COMPONENTS_H

#include <stddef.h>

#include "base/status.h"

/* Sums of squares that the components, and each with one item or one template left out, are made of. */
typedef struct pl_variance_sums {
    size_t n, t;
    double item, template_main, residual; /* sum |a_i|^2, sum |b_t|^2, sum sum |e_it|^2 */
    double *of_item;                      /* [n]: |a_i|^2 */
    double *of_residual;                  /* [n]: sum_t |e_it|^2 */
    double *of_cross;                     /* [n]: sum_t b_t . e_it */
    double *template_of_main;             /* [t]: |b_t|^2 */
    double *template_of_residual;         /* [t]: sum_i |e_it|^2 */
    double *template_of_cross;            /* [t]: sum_i a_i . e_it */
} pl_variance_sums;

typedef struct pl_variance_components {
    double ms_item, ms_template, ms_residual;
    double item, template_main, residual; /* s2_I, s2_T, s2_R */
    double wobble, shift, icc;            /* NaN when the denominator is not positive */
} pl_variance_components;

/* states[k] is the [n, width] matrix of template k; weights [width] or NULL: each dimension's squares are multiplied by
 * its weight (1/variance for preproc "z"). n >= 2, t >= 2. The same bits for any number of threads. Free the sums. */
pl_status pl_variance_sums_of(pl_variance_sums *out, const float *const *states, size_t n, size_t t, size_t width,
                              const double *weights);
void pl_variance_sums_free(pl_variance_sums *sums); /* takes {0} */

/* 1 / (variance over items within templates, pooled over these) of each dimension; 0 for a dimension without such
 * variance. Template means are not in it: they would hide shift where it is largest. */
pl_status pl_pooled_weights(double *weights, const float *const *states, size_t n, size_t t,
                            size_t width); /* [width] */

pl_variance_components pl_variance_of(const pl_variance_sums *sums);
/* What the ratios of an n x t table can be at most, and at least (their components may be negative), for intervals
 * (crossed.h): from MS_I, MS_T or MS_R of 0 to all being 0 but it. Infinite or reversed where n + t is too few to say.
 */
void pl_wobble_reach(double reach[2], size_t n, size_t t);
void pl_shift_reach(double reach[2], size_t n, size_t t);
void pl_icc_reach(double reach[2], size_t n, size_t t);
/* With item i, or template k, left out; closed form, O(1). n - 1 >= 2 and t - 1 >= 2 are needed. */
pl_variance_components pl_variance_without_item(const pl_variance_sums *sums, size_t i);
pl_variance_components pl_variance_without_template(const pl_variance_sums *sums, size_t k);

#endif
