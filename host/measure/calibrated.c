#include "measure/calibrated.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "measure/gram.h"
#include "statistics/interval.h"
#include "statistics/parallel.h"

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

pl_status pl_calibrated_of(pl_calibrated *out, double observed, const double *permuted, size_t n)
{
    double *all, squares = 0.0, reach = 1.0;
    *out = (pl_calibrated){observed, NAN, NAN, NAN, NAN, NAN};
    if (!isfinite(observed) || n < 2) return PL_OK;
    PL_TRY(pl_new(&all, n + 1));
    out->null_mean = pl_mean(permuted, n);
    for (size_t k = 0; k < n; k++) {
        all[k] = permuted[k];
        reach += permuted[k] >= observed;
        squares += (permuted[k] - out->null_mean) * (permuted[k] - out->null_mean);
    }
    all[n] = observed;
    qsort(all, n + 1, sizeof *all, by_size);
    out->tau = all[(size_t)ceil(0.95 * (double)(n + 1)) - 1];
    out->score = fmin(1.0, fmax(0.0, (observed - out->tau) / fmax(1.0 - out->tau, 1e-12)));
    out->p = reach / (double)(n + 1);
    out->null_sd = sqrt(squares / ((double)n - 1.0));
    free(all);
    return PL_OK;
}

/* ---- debiased CKA ---- */

/* A Gram matrix with zero diagonal, to one whose rows sum to 0: HSIC_1 of two is then their elements' product. */
static void centre(double *gram, size_t n)
{
    double m = (double)n, all = 0.0;
    double *row = gram + n * n; /* [n] behind it */
    for (size_t i = 0; i < n; i++) {
        row[i] = 0.0;
        for (size_t j = 0; j < n; j++) row[i] += gram[i * n + j];
        all += row[i];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            gram[i * n + j] =
                i == j ? 0.0 : gram[i * n + j] - (row[i] + row[j]) / (m - 2.0) + all / ((m - 1.0) * (m - 2.0));
}

static double product(const double *a, const double *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* sum_ij a[i, j] b[order[i], order[j]] of symmetric matrices with zero diagonals. */
static double permuted_product(const double *a, const double *b, const size_t *order, size_t n)
{
    double sum = 0.0;
    for (size_t i = 1; i < n; i++) {
        const double *row = b + order[i] * n;
        for (size_t j = 0; j < i; j++) sum += a[i * n + j] * row[order[j]];
    }
    return 2.0 * sum;
}

/* before[b] = sum over the conditions a before b of a's matrix, each with norm 1, as b's is made. */
static pl_status normalise(double **grams, double **before, bool *ok, const pl_permuted *of)
{
    size_t n = of->n, square = n * n;
    *ok = true;
    for (size_t k = 0; k < of->t; k++) {
        PL_TRY(pl_new(&grams[k], square + n));
        PL_TRY(pl_new(&before[k], square));
        PL_TRY(pl_gram(grams[k], of->states[k], n, of->width));
        centre(grams[k], n);
        double norm = sqrt(product(grams[k], grams[k], square));
        *ok = *ok && norm > 0.0;
        for (size_t i = 0; i < square && norm > 0.0; i++) grams[k][i] /= norm;
        for (size_t i = 0; i < square && k > 0; i++) before[k][i] = before[k - 1][i] + grams[k - 1][i];
    }
    return PL_OK;
}

static size_t pairs_of(size_t t)
{
    return t * (t - 1) / 2;
}

pl_status pl_cka_calibrated(pl_calibrated *out, const pl_permuted *of)
{
    double **grams = NULL, **before = NULL, *permuted = NULL, observed = 0.0, pairs = (double)pairs_of(of->t);
    bool ok;
    pl_status status;
    PL_GOTO(status, done, pl_new(&grams, of->t));
    PL_GOTO(status, done, pl_new(&before, of->t));
    PL_GOTO(status, done, pl_new(&permuted, of->n_orders));
    PL_GOTO(status, done, normalise(grams, before, &ok, of));
    for (size_t b = 1; b < of->t; b++) observed += product(before[b], grams[b], of->n * of->n) / pairs;
#pragma omp parallel for schedule(static) if (of->n_orders * of->t * of->n * of->n >= PL__PARALLEL_MIN)
    for (size_t k = 0; k < of->n_orders; k++)
        for (size_t b = 1; b < of->t; b++)
            permuted[k] += permuted_product(before[b], grams[b], of->orders + k * of->n, of->n) / pairs;
    status = pl_calibrated_of(out, ok ? observed : NAN, permuted, of->n_orders);
done:
    for (size_t k = 0; k < of->t; k++) {
        if (grams) free(grams[k]);
        if (before) free(before[k]);
    }
    free(grams);
    free(before);
    free(permuted);
    return status;
}

/* ---- mutual nearest neighbours ---- */

/* neighbours[n, k] of one condition, nearest first; *ok stays unless the states have no variance. */
static pl_status find_neighbours(uint32_t *neighbours, bool *ok, const float *x, size_t n, size_t width, size_t k)
{
    double *gram = NULL, *near = NULL, *mean = NULL, *norm = NULL, all = 0.0;
    pl_status status;
    PL_GOTO(status, done, pl_new(&gram, n * n));
    PL_GOTO(status, done, pl_new(&near, k));
    PL_GOTO(status, done, pl_new(&mean, width));
    PL_GOTO(status, done, pl_new(&norm, n));
    PL_GOTO(status, done, pl_gram(gram, x, n, width)); /* its diagonal is 0 */
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < width; d++) mean[d] += (double)x[i * width + d] / (double)n;
    for (size_t i = 0; i < n * n; i++) all += fabs(gram[i]);
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < width; d++) {
            double deviation = (double)x[i * width + d] - mean[d];
            norm[i] += deviation * deviation;
        }
    *ok = *ok && all > 0.0; /* by the Gram matrix, where constant states are exactly 0 */
    for (size_t i = 0; i < n; i++) {
        size_t found = 0;
        for (size_t j = 0; j < n; j++) {
            if (j == i) continue;
            double cosine = norm[j] > 0.0 ? gram[i * n + j] / sqrt(norm[j]) : 0.0; /* i's own norm is common to all */
            size_t at = found < k ? found : k;
            while (at > 0 && near[at - 1] < cosine) at--;
            if (at == k) continue;
            found += found < k;
            for (size_t m = found - 1; m > at; m--) {
                near[m] = near[m - 1];
                neighbours[i * k + m] = neighbours[i * k + m - 1];
            }
            near[at] = cosine;
            neighbours[i * k + at] = (uint32_t)j;
        }
    }
done:
    free(norm);
    free(mean);
    free(near);
    free(gram);
    return status;
}

/* Whether j is among i's neighbours: is_near[i * n + j], of the conditions before b, how many of them. */
static void add_near(uint16_t *is_near, const uint32_t *neighbours, size_t n, size_t k)
{
    for (size_t i = 0; i < n; i++)
        for (size_t m = 0; m < k; m++) is_near[i * n + neighbours[i * k + m]]++;
}

/* Item i of b stands where order[i] was: its neighbours are where theirs went. */
static double shared(const uint16_t *is_near, const uint32_t *neighbours, const size_t *order, const size_t *place,
                     size_t n, size_t k)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t *own = neighbours + order[i] * k;
        for (size_t m = 0; m < k; m++) count += is_near[i * n + place[own[m]]];
    }
    return (double)count / (double)(n * k);
}

pl_status pl_mknn_calibrated(pl_calibrated *out, const pl_permuted *of)
{
    size_t n = of->n, k = n - 1 < PL_CALIBRATED_NEIGHBOURS ? n - 1 : PL_CALIBRATED_NEIGHBOURS, *place = NULL;
    uint32_t *neighbours = NULL;
    uint16_t *is_near = NULL;
    double *values = NULL, pairs = (double)pairs_of(of->t); /* [n_orders], then the observed one */
    bool ok = true;
    pl_status status;
    PL_GOTO(status, done, pl_new(&place, n));
    PL_GOTO(status, done, pl_new(&neighbours, n * k));
    PL_GOTO(status, done, pl_new(&is_near, n * n));
    PL_GOTO(status, done, pl_new(&values, of->n_orders + 1));
    for (size_t b = 0; b < of->t; b++) {
        PL_GOTO(status, done, find_neighbours(neighbours, &ok, of->states[b], n, of->width, k));
        for (size_t i = 0; i < n; i++) place[i] = i;
        values[of->n_orders] += shared(is_near, neighbours, place, place, n, k) / pairs;
        for (size_t o = 0; o < of->n_orders; o++) {
            const size_t *order = of->orders + o * n;
            for (size_t i = 0; i < n; i++) place[order[i]] = i;
            values[o] += shared(is_near, neighbours, order, place, n, k) / pairs;
        }
        add_near(is_near, neighbours, n, k);
    }
    status = pl_calibrated_of(out, ok ? values[of->n_orders] : NAN, values, of->n_orders);
done:
    free(values);
    free(is_near);
    free(neighbours);
    free(place);
    return status;
}
