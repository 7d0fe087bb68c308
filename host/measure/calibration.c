#include "measure/calibration.h"

#include <math.h>

/* The largest score; *sum of exp(score - it). NaN, both, when a score is NaN or none is finite. */
static double top_of(const double *scores, size_t m, double *sum)
{
    double top = -INFINITY;
    bool finite = true;
    *sum = 0.0;
    for (size_t j = 0; j < m; j++) {
        finite = finite && !isnan(scores[j]);
        top = fmax(top, scores[j]);
    }
    if (!finite || !isfinite(top)) return *sum = NAN;
    for (size_t j = 0; j < m; j++) *sum += exp(scores[j] - top);
    return top;
}

/* ln(exp(a) + exp(b)), without leaving the range of exp; -infinity is the logarithm of nothing. */
static double log_add(double a, double b)
{
    if (a == -INFINITY) return b;
    if (b == -INFINITY) return a;
    return fmax(a, b) + log1p(exp(-fabs(a - b)));
}

bool pl_calibration_bias(double *bias, const double *scores, size_t n, size_t m)
{
    bool finite = true;
    for (size_t j = 0; j < m; j++) bias[j] = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        double sum, top = top_of(scores + i * m, m, &sum);
        for (size_t j = 0; j < m; j++) bias[j] = log_add(bias[j], scores[i * m + j] - top - log(sum));
    }
    for (size_t j = 0; j < m; j++) {
        bias[j] -= log((double)n); /* n = 0: NaN */
        finite = finite && isfinite(bias[j]);
    }
    for (size_t j = 0; j < m && !finite; j++) bias[j] = NAN;
    return finite;
}

void pl_unconditional(double *log_probability, const double *scores, size_t n, size_t m)
{
    for (size_t j = 0; j < m; j++) {
        double top = -INFINITY, sum = 0.0;
        for (size_t i = 0; i < n; i++) top = fmax(top, scores[i * m + j]);
        for (size_t i = 0; i < n; i++) sum += exp(scores[i * m + j] - top) / (double)n;
        log_probability[j] = isinf(top) ? top : top + log(sum);
    }
}

size_t pl_best_label(const double *scores, const double *bias, size_t m)
{
    size_t best = 0;
    double top = -INFINITY;
    for (size_t j = 0; j < m; j++) {
        double value = scores[j] - (bias ? bias[j] : 0.0);
        if (value > top) top = value, best = j;
    }
    return best;
}

void pl_ensemble(double *log_probs, const double *const *scores, size_t t, size_t m)
{
    for (size_t j = 0; j < m; j++) log_probs[j] = 0.0;
    for (size_t k = 0; k < t; k++) {
        double sum, top = top_of(scores[k], m, &sum);
        for (size_t j = 0; j < m; j++) log_probs[j] += (scores[k][j] - top - log(sum)) / (double)t;
    }
    double sum, top = top_of(log_probs, m, &sum);
    for (size_t j = 0; j < m; j++) log_probs[j] -= top + log(sum);
}
