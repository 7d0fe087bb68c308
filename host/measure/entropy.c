/* Entropy, Jensen-Shannon divergence, Brier and NLL (entropy.h; stability.md B.4). */
#include "measure/entropy.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

int pl_softmax(double *q, const double *scores, size_t m)
{
    double top = -INFINITY, sum = 0.0;
    int valid = 1;
    for (size_t j = 0; j < m; j++) {
        if (isnan(scores[j])) valid = 0;
        if (scores[j] > top) top = scores[j];
    }
    valid = valid && isfinite(top);
    for (size_t j = 0; j < m; j++) {
        q[j] = valid ? exp(scores[j] - top) : NAN;
        sum += q[j];
    }
    for (size_t j = 0; j < m; j++) q[j] /= sum;
    return valid;
}

/* c log2 c, 0 at 0: the entropy of counts c with sum n is log2 n - sum c log2 c / n. */
static double c_log_c(double c)
{
    return c > 0.0 ? c * log2(c) : 0.0;
}

static double entropy_of(double sum_c_log_c, double n)
{
    return fmax(0.0, log2(n) - sum_c_log_c / n);
}

pl_status pl_prediction_entropy(double *out, double *left_out, const int *codes, size_t stride, size_t n,
                                size_t n_categories)
{
    double *counts = NULL, sum = 0.0;
    size_t present = 0;
    if (n < 1) return pl_fail(PL_E_INPUT, "prediction entropy: no items");
    PL_TRY(pl_new(&counts, n_categories));
    for (size_t i = 0; i < n; i++) counts[codes[i * stride]] += 1.0;
    for (size_t j = 0; j < n_categories; j++) {
        sum += c_log_c(counts[j]);
        present += counts[j] > 0.0;
    }
    /* One category: 0 bits exactly, not the rounding of log2 n - n log2 n / n. */
    *out = present == 1 ? 0.0 : entropy_of(sum, (double)n);
    for (size_t i = 0; i < n; i++) {
        double c = counts[codes[i * stride]], rest = sum - c_log_c(c) + c_log_c(c - 1.0);
        left_out[i] = n < 2 ? NAN : present == 1 ? 0.0 : entropy_of(rest, (double)n - 1.0);
    }
    free(counts);
    return PL_OK;
}

double pl_jsd(const double *p, const double *q, size_t m)
{
    double sum = 0.0;
    for (size_t j = 0; j < m; j++) {
        double middle = 0.5 * (p[j] + q[j]);
        if (p[j] > 0.0) sum += 0.5 * p[j] * log2(p[j] / middle);
        if (q[j] > 0.0) sum += 0.5 * q[j] * log2(q[j] / middle);
        if (isnan(middle)) return NAN;
    }
    return fmin(1.0, fmax(0.0, sum));
}

double pl_brier(const double *q, size_t m, size_t label)
{
    double sum = 0.0;
    for (size_t j = 0; j < m; j++) {
        double off = q[j] - (j == label ? 1.0 : 0.0);
        sum += off * off;
    }
    return sum;
}

double pl_nll(const double *q, size_t label)
{
    return -log(q[label]);
}

void pl_jsd_of_items(double *out, const double *q, size_t n, size_t t, size_t m, size_t shift)
{
    double pairs = 0.5 * (double)t * ((double)t - 1.0);
    for (size_t i = 0; i < n; i++) {
        double sum = 0.0;
        size_t other = (i + shift) % n;
        for (size_t a = 0; a < t; a++)
            for (size_t b = a + 1; b < t; b++) sum += pl_jsd(q + (i * t + a) * m, q + (other * t + b) * m, m);
        out[i] = sum / pairs;
    }
}
