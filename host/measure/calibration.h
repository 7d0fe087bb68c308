/* Readouts of a prompt's label log-probabilities that cost no further training: contextual calibration, and ensembles
 * over templates. Scores are log-probabilities of labels, each off by what is common to a row's labels: sums of token
 * log-probabilities as a unit stores them. */
#ifndef PLUMB_MEASURE_CALIBRATION_H
#define PLUMB_MEASURE_CALIBRATION_H

#include <stdbool.h>
#include <stddef.h>

/* Contextual calibration (Zhao et al. 2021): bias[j] = ln of the mean over content-free inputs of p(label j | input),
 * p normalised over the m labels; scores is [n, m]. A prediction is then the arg max of score - bias: their W =
 * diag(p_cf)^-1, b = 0. false, and NaN: no input, a score that is NaN, an input without a finite score, or a label
 * whose share is 0. */
bool pl_calibration_bias(double *bias, const double *scores, size_t n, size_t m);
/* log_probability[j] = ln of the mean over content-free inputs of exp(score): what pointwise mutual information takes
 * off a label's score. -infinity or NaN where the scores are. */
void pl_unconditional(double *log_probability, const double *scores, size_t n, size_t m);
/* The label with the largest score - bias, the first of equals; bias NULL: with the largest score. */
size_t pl_best_label(const double *scores, const double *bias, size_t m);

/* log_probs[j] = mean over t rows of ln p(label j | row), normalised over the labels again: the geometric mean of the
 * rows' distributions. scores[k] is row k's [m]. NaN when a row has a NaN or no finite score. */
void pl_ensemble(double *log_probs, const double *const *scores, size_t t, size_t m);

#endif
