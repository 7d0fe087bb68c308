/* Template variance of accuracy with its permutation null (accuracy.h).
 *
 * All of the ANOVA follows from column sums C_k, row sums R_i and the total S of a 0/1 table:
 *   SS_T = sum C_k^2/n - S^2/(nT),  SS_I = sum R_i^2/T - S^2/(nT),  SS = S - S^2/(nT),  SS_R = SS - SS_I - SS_T,
 * of integers that doubles hold exactly. Permuting an item's outcomes over templates changes the C_k only. */
#include "statistics/template_variance.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "statistics/parallel.h"

/* tau^2 from column sums, sum of squared row sums, for n items and t templates. */
static double tau2_of(const double *column, size_t t, double row_squares, double n)
{
    double total = 0.0, squares = 0.0, m = (double)t;
    for (size_t k = 0; k < t; k++) {
        total += column[k];
        squares += column[k] * column[k];
    }
    /* Times nT everything is an integer, and equal templates give exactly 0. */
    double all = n * m * total - total * total, ss_t = m * squares - total * total,
           ss_i = n * row_squares - total * total;
    double ss_r = all - ss_i - ss_t;
    return (ss_t / (m - 1.0) - ss_r / ((n - 1.0) * (m - 1.0))) / n / (n * m);
}

static double spread_of(const double *column, size_t t, double n)
{
    double lo = column[0], hi = column[0];
    for (size_t k = 1; k < t; k++) {
        if (column[k] < lo) lo = column[k];
        if (column[k] > hi) hi = column[k];
    }
    return (hi - lo) / n;
}

/* tau^2 without template k: its column goes, and each item's row sum loses its outcome there. */
static double tau2_without(const uint8_t *correct, const double *column, const double *row, size_t n, size_t t,
                           size_t k, double *rest)
{
    double row_squares = 0.0;
    for (size_t i = 0; i < n; i++) {
        double r = row[i] - correct[i * t + k];
        row_squares += r * r;
    }
    for (size_t j = 0, at = 0; j < t; j++)
        if (j != k) rest[at++] = column[j];
    return tau2_of(rest, t - 1, row_squares, (double)n);
}

/* One replicate: the ones of every item that is neither all right nor all wrong go to random templates (the fewer of
 * ones and zeros are drawn, without replacement: partial Fisher-Yates). column is [t], order is scratch [t]. */
static void permuted_columns(double *column, size_t *order, const double *row, size_t n, size_t t, uint64_t seed,
                             uint32_t replicate)
{
    uint64_t index = 0;
    for (size_t k = 0; k < t; k++) {
        column[k] = 0.0;
        order[k] = k;
    }
    for (size_t i = 0; i < n; i++) {
        size_t ones = (size_t)row[i], few = ones <= t - ones ? ones : t - ones;
        double base = few == ones ? 0.0 : 1.0;
        for (size_t k = 0; k < t && base > 0.0; k++) column[k] += 1.0;
        for (size_t k = 0; k < few; k++) {
            size_t pick = k + pl_random_below(seed, PL_RANDOM_PERMUTE, replicate, index++, (uint32_t)(t - k));
            size_t chosen = order[pick];
            order[pick] = order[k];
            order[k] = chosen;
            column[chosen] += few == ones ? 1.0 : -1.0;
        }
    }
}

static pl_status permute(pl_template_variance *out, const double *row, double row_squares, uint64_t seed)
{
    pl_status status = PL_OK;
    size_t t = out->t, n = out->n;
    double *column = NULL;
    size_t *order = NULL;
    PL_GOTO(status, done, pl_new(&column, PL_PERMUTATIONS * t));
    PL_GOTO(status, done, pl_new(&order, PL_PERMUTATIONS * t));
#pragma omp parallel for schedule(static) if (n * t * PL_PERMUTATIONS >= PL__PARALLEL_MIN)
    for (size_t r = 0; r < PL_PERMUTATIONS; r++) {
        double *c = column + r * t;
        permuted_columns(c, order + r * t, row, n, t, seed, (uint32_t)r);
        out->null_tau2[r] = tau2_of(c, t, row_squares, (double)n);
        out->null_spread[r] = spread_of(c, t, (double)n);
    }
done:
    free(order);
    free(column);
    return status;
}

pl_status pl_template_variance_of(pl_template_variance *out, const uint8_t *correct, size_t n, size_t t, uint64_t seed)
{
    pl_status status = PL_OK;
    double *column = NULL, *row = NULL, *rest = NULL, row_squares = 0.0;
    *out = (pl_template_variance){.n = n, .t = t};
    if (n < 2 || t < 2 || t > UINT32_MAX)
        return pl_fail(PL_E_INPUT, "template SD: %zu items x %zu templates, expected at least 2 x 2", n, t);
    PL_GOTO(status, done, pl_new(&column, t));
    PL_GOTO(status, done, pl_new(&rest, t));
    PL_GOTO(status, done, pl_new(&row, n));
    PL_GOTO(status, done, pl_new(&out->without_template, t));
    PL_GOTO(status, done, pl_new(&out->null_tau2, PL_PERMUTATIONS));
    PL_GOTO(status, done, pl_new(&out->null_spread, PL_PERMUTATIONS));
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < t; k++) {
            row[i] += correct[i * t + k];
            column[k] += correct[i * t + k];
        }
        row_squares += row[i] * row[i];
    }
    out->tau2 = tau2_of(column, t, row_squares, (double)n);
    out->spread = spread_of(column, t, (double)n);
    for (size_t k = 0; k < t; k++)
        out->without_template[k] = t < 3 ? NAN : tau2_without(correct, column, row, n, t, k, rest);
    PL_GOTO(status, done, permute(out, row, row_squares, seed));
done:
    free(rest);
    free(row);
    free(column);
    if (status != PL_OK) pl_template_variance_free(out);
    return status;
}

void pl_template_variance_free(pl_template_variance *v)
{
    free(v->null_spread);
    free(v->null_tau2);
    free(v->without_template);
    *v = (pl_template_variance){0};
}

double pl_template_sd(double tau2)
{
    return isnan(tau2) ? NAN : sqrt(fmax(0.0, tau2));
}
