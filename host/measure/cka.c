/* Debiased CKA over all pairs of conditions (cka.h).
 *
 * A pair reads both Gram matrices once and keeps, per item i, q_i = sum_j K_ij L_ij, (K r_L)_i and (L r_K)_i. Leaving
 * item i out changes t to t - 2 q_i, s to s - 2 r_i and D to D - r_K,i r_L,i - (K r_L)_i - (L r_K)_i + q_i, with n - 1
 * for n. A pair and a condition with itself go through the same code: equal inputs give HSIC_1(K, L) = HSIC_1(K, K) to
 * the bit, and since sqrt(a * a) = a in binary floating point, CKA is then exactly 1. */
#include "measure/cka.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "measure/gram.h"
#include "statistics/interval.h"
#include "statistics/parallel.h"

enum { LANES = 4 };

typedef struct gram_set {
    size_t n, t;
    double *gram; /* [t, n, n] */
    double *row;  /* [t, n]: row sums */
    double *sum;  /* [t]: sums of all elements */
} gram_set;

/* HSIC_1 of one pair, and without each item. */
typedef struct hsic {
    double value;
    double *left_out; /* [n], borrowed */
} hsic;

static double hsic_1(double t, double s_k, double s_l, double d, double m)
{
    return (t + s_k * s_l / ((m - 1.0) * (m - 2.0)) - 2.0 * d / (m - 2.0)) / (m * (m - 3.0));
}

/* Three products of rows in fixed lanes: the order of the sums does not depend on the vector width. */
static void row_products(double out[3], const double *k, const double *l, const double *row_k, const double *row_l,
                         size_t n)
{
    double q[LANES] = {0}, k_rl[LANES] = {0}, l_rk[LANES] = {0};
    size_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        for (size_t v = 0; v < LANES; v++) {
            q[v] += k[j + v] * l[j + v];
            k_rl[v] += k[j + v] * row_l[j + v];
            l_rk[v] += l[j + v] * row_k[j + v];
        }
    }
    for (size_t v = 0; j < n; j++, v++) {
        q[v] += k[j] * l[j];
        k_rl[v] += k[j] * row_l[j];
        l_rk[v] += l[j] * row_k[j];
    }
    out[0] = (q[0] + q[1]) + (q[2] + q[3]);
    out[1] = (k_rl[0] + k_rl[1]) + (k_rl[2] + k_rl[3]);
    out[2] = (l_rk[0] + l_rk[1]) + (l_rk[2] + l_rk[3]);
}

/* Fills h->left_out; work is [3, n]. */
static void hsic_of_pair(hsic *h, const gram_set *g, size_t a, size_t b, double *work)
{
    size_t n = g->n;
    const double *row_k = g->row + a * n, *row_l = g->row + b * n;
    double *q = work, *k_rl = work + n, *l_rk = work + 2 * n, trace = 0.0, d = 0.0, m = (double)n - 1.0;
    for (size_t i = 0; i < n; i++) {
        double products[3];
        row_products(products, g->gram + (a * n + i) * n, g->gram + (b * n + i) * n, row_k, row_l, n);
        q[i] = products[0];
        k_rl[i] = products[1];
        l_rk[i] = products[2];
        trace += q[i];
        d += row_k[i] * row_l[i];
    }
    h->value = hsic_1(trace, g->sum[a], g->sum[b], d, (double)n);
    for (size_t i = 0; i < n; i++) {
        double without = d - row_k[i] * row_l[i] - (k_rl[i] + l_rk[i]) + q[i];
        h->left_out[i] =
            n < 5 ? NAN
                  : hsic_1(trace - 2.0 * q[i], g->sum[a] - 2.0 * row_k[i], g->sum[b] - 2.0 * row_l[i], without, m);
    }
}

static double cka_1(double kl, double kk, double ll)
{
    return kk > 0.0 && ll > 0.0 ? kl / sqrt(kk * ll) : NAN;
}

static void grams_free(gram_set *g)
{
    free(g->sum);
    free(g->row);
    free(g->gram);
}

static pl_status grams_of(gram_set *g, const float *const *states, size_t n, size_t t, size_t width)
{
    size_t square = 0, all = 0, rows = 0;
    *g = (gram_set){.n = n, .t = t};
    PL_TRY(pl_mul_size(&square, n, n, "Gram matrix"));
    PL_TRY(pl_mul_size(&all, square, t, "Gram matrices"));
    PL_TRY(pl_mul_size(&rows, n, t, "Gram row sums"));
    PL_TRY(pl_new(&g->gram, all));
    PL_TRY(pl_new(&g->row, rows));
    PL_TRY(pl_new(&g->sum, t));
    for (size_t k = 0; k < t; k++) {
        PL_TRY(pl_gram(g->gram + k * square, states[k], n, width));
        for (size_t i = 0; i < n; i++) {
            const double *row = g->gram + k * square + i * n;
            double sum = 0.0;
            for (size_t j = 0; j < n; j++) sum += row[j];
            g->row[k * n + i] = sum;
            g->sum[k] += sum;
        }
    }
    return PL_OK;
}

/* Both conditions of every pair, in the order of the result; the conditions with themselves come first. */
typedef struct pair {
    size_t a, b;
} pair;

static void list_pairs(pair *pairs, size_t t)
{
    size_t at = 0;
    for (size_t k = 0; k < t; k++) pairs[at++] = (pair){k, k};
    for (size_t a = 0; a < t; a++)
        for (size_t b = a + 1; b < t; b++) pairs[at++] = (pair){a, b};
}

/* From HSIC_1 of conditions with themselves and of pairs (each with its left-out values) to CKA and its mean. */
static void divide(pl_cka *out, const hsic *h, const pair *pairs)
{
    size_t n = out->n, t = out->t;
    for (size_t p = 0; p < out->n_pairs; p++) {
        const hsic *kl = &h[t + p], *kk = &h[pairs[t + p].a], *ll = &h[pairs[t + p].b];
        out->value[p] = cka_1(kl->value, kk->value, ll->value);
        for (size_t i = 0; i < n; i++)
            out->left_out[p * n + i] = cka_1(kl->left_out[i], kk->left_out[i], ll->left_out[i]);
    }
    for (size_t i = 0; i < n; i++) {
        double sum = 0.0, first = out->left_out[i];
        for (size_t p = 1; p < out->n_pairs; p++) sum += out->left_out[p * n + i] - first;
        out->mean_left_out[i] = first + sum / (double)out->n_pairs;
    }
    out->mean = pl_mean(out->value, out->n_pairs);
}

pl_status pl_cka_of(pl_cka *out, const float *const *states, size_t n, size_t t, size_t width)
{
    pl_status status = PL_OK;
    gram_set grams = {0};
    pair *pairs = NULL;
    hsic *h = NULL;
    double *left_out = NULL, *work = NULL;
    size_t n_pairs = t * (t - 1) / 2, all = t + n_pairs, values = 0, products = 0;
    *out = (pl_cka){.n = n, .t = t, .n_pairs = n_pairs};
    if (n < 4 || t < 2) return pl_fail(PL_E_INPUT, "CKA: %zu items x %zu conditions, expected at least 4 x 2", n, t);
    PL_TRY(pl_mul_size(&values, all, n, "CKA left-out values"));
    PL_TRY(pl_mul_size(&products, values, 3, "CKA row products"));
    PL_GOTO(status, done, grams_of(&grams, states, n, t, width));
    PL_GOTO(status, done, pl_new(&pairs, all));
    PL_GOTO(status, done, pl_new(&h, all));
    PL_GOTO(status, done, pl_new(&left_out, values));
    PL_GOTO(status, done, pl_new(&work, products));
    PL_GOTO(status, done, pl_new(&out->value, n_pairs));
    PL_GOTO(status, done, pl_new(&out->left_out, n_pairs * n));
    PL_GOTO(status, done, pl_new(&out->mean_left_out, n));
    list_pairs(pairs, t);
#pragma omp parallel for schedule(dynamic) if (values * n >= PL__PARALLEL_MIN)
    for (size_t p = 0; p < all; p++) {
        h[p].left_out = left_out + p * n;
        hsic_of_pair(&h[p], &grams, pairs[p].a, pairs[p].b, work + 3 * p * n);
    }
    divide(out, h, pairs);
done:
    free(work);
    free(left_out);
    free(h);
    free(pairs);
    grams_free(&grams);
    if (status != PL_OK) pl_cka_free(out);
    return status;
}

void pl_cka_free(pl_cka *cka)
{
    free(cka->mean_left_out);
    free(cka->left_out);
    free(cka->value);
    *cka = (pl_cka){0};
}

size_t pl_cka_pair(const pl_cka *cka, size_t a, size_t b)
{
    return a * (2 * cka->t - a - 1) / 2 + (b - a - 1);
}

double pl_cka_null_sd(size_t n)
{
    double m = (double)n;
    return n > 3 ? sqrt(2.0 / (m * (m - 3.0))) : NAN;
}
