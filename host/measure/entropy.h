/* Distributions over labels: entropy of what is predicted, Jensen-Shannon divergence between templates, Brier and NLL.
 */
#ifndef PLUMB_MEASURE_ENTROPY_H
#define PLUMB_MEASURE_ENTROPY_H

#include <stddef.h>

#include "base/status.h"

/* q[j] = exp(score_j) / sum exp(score), j < m; false when a score is NaN or no score is finite (q is then NaN). */
int pl_softmax(double *q, const double *scores, size_t m);

/* Entropy in bits of the shares of the codes codes[i * stride], i < n, and without each item (NaN when n < 2). 0 bits:
 * a constant predictor, whose flip rate of 0 says nothing. */
pl_status pl_prediction_entropy(double *out, double *left_out, const int *codes, size_t stride, size_t n,
                                size_t n_categories); /* left_out [n] */

/* Jensen-Shannon divergence of two distributions in bits, 0 for equal ones, 1 for disjoint ones. */
double pl_jsd(const double *p, const double *q, size_t m);

/* Multi-class Brier score of one item, sum_j (q_j - [j = label])^2, 0..2; and -ln q_label in nats. */
double pl_brier(const double *q, size_t m, size_t label);
double pl_nll(const double *q, size_t label);

/* out[i] = mean JSD over pairs of the t templates for item i. q is [n, t, m]. shift: template b of a pair is read from
 * item (i + shift) mod n; 0 for the measure itself, others for its value between unrelated items. */
void pl_jsd_of_items(double *out, const double *q, size_t n, size_t t, size_t m, size_t shift);

#endif
