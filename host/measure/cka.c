/* Debiased CKA over all pairs of conditions (cka.h).
 *
 * Of a pair and an item i, q_i = sum_j K_ij L_ij, (K r_L)_i and (L r_K)_i are known (cka_sums.h). Leaving item i out
 * changes t to t - 2 q_i, s to s - 2 r_i and D to D - r_K,i r_L,i - (K r_L)_i - (L r_K)_i + q_i, with n - 1 for n. A
 * pair and a condition with itself go through the same code: equal inputs give HSIC_1(K, L) = HSIC_1(K, K) to the bit,
 * and since sqrt(a * a) = a in binary floating point, CKA is then exactly 1. */
#include "measure/cka.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "measure/cka_sums.h"
#include "statistics/interval.h"
#include "statistics/parallel.h"

/* HSIC_1 of one pair, and without each item. */
typedef struct hsic {
    double value;
    double *left_out; /* [n], borrowed */
} hsic;

static double hsic_1(double t, double s_k, double s_l, double d, double m)
{
    return (t + s_k * s_l / ((m - 1.0) * (m - 2.0)) - 2.0 * d / (m - 2.0)) / (m * (m - 3.0));
}

/* Of one pair; fills h->left_out. */
static void hsic_of_pair(hsic *h, const pl__cka_sums *s, size_t a, size_t b)
{
    size_t n = s->n;
    double trace = 0.0, d = 0.0, s_k = 0.0, s_l = 0.0, m = (double)n - 1.0;
    for (size_t i = 0; i < n; i++) {
        double row_k = pl__cka_row(s, a, i), row_l = pl__cka_row(s, b, i);
        trace += pl__cka_product(s, a, b, i);
        d += row_k * row_l;
        s_k += row_k;
        s_l += row_l;
    }
    h->value = hsic_1(trace, s_k, s_l, d, (double)n);
    for (size_t i = 0; i < n; i++) {
        double row_k = pl__cka_row(s, a, i), row_l = pl__cka_row(s, b, i), q = pl__cka_product(s, a, b, i);
        double without = d - row_k * row_l - (pl__cka_row_sum(s, a, b, i) + pl__cka_row_sum(s, b, a, i)) + q;
        h->left_out[i] = n < 5 ? NAN : hsic_1(trace - 2.0 * q, s_k - 2.0 * row_k, s_l - 2.0 * row_l, without, m);
    }
}

static double cka_1(double kl, double kk, double ll)
{
    return kk > 0.0 && ll > 0.0 ? kl / sqrt(kk * ll) : NAN;
}

/* HSIC_1 of a condition with itself estimates tr S^2; tr S comes from r_i = -|x_i|^2, of centred states. */
static double participation(double squares, double hsic, double n)
{
    return hsic > 0.0 ? squares * squares / ((n - 1.0) * (n - 1.0)) / hsic : NAN;
}

static void of_itself(pl_cka *out, const hsic *own, const pl__cka_sums *s, size_t c)
{
    size_t n = s->n;
    double m = (double)n, squares = 0.0;
    out->own[c] = own->value;
    for (size_t i = 0; i < n; i++) squares -= pl__cka_row(s, c, i);
    out->dimensions[c] = participation(squares, own->value, m);
    for (size_t i = 0; i < n; i++) {
        double left = squares + m / (m - 1.0) * pl__cka_row(s, c, i);
        out->dimensions_left_out[i] += participation(left, own->left_out[i], m - 1.0) / (double)s->t;
    }
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

/* Matrices [n, width] in memory. */
typedef struct matrices {
    const float *const *states;
    size_t width;
} matrices;

static pl_status rows_of_matrix(const void *context, const float **out, float *room, size_t condition, size_t first,
                                size_t n)
{
    const matrices *m = context;
    (void)room;
    (void)n;
    *out = m->states[condition] + first * m->width;
    return PL_OK;
}

pl_status pl_cka_of(pl_cka *out, const float *const *states, size_t n, size_t t, size_t width, const pl_processor *on)
{
    const matrices m = {.states = states, .width = width};
    const pl_states from = {.context = &m, .rows = rows_of_matrix};
    return pl_cka_of_rows(out, &from, n, t, width, on);
}

pl_status pl_cka_of_rows(pl_cka *out, const pl_states *states, size_t n, size_t t, size_t width, const pl_processor *on)
{
    pl_status status = PL_OK;
    pl__cka_sums sums = {0};
    pair *pairs = NULL;
    hsic *h = NULL;
    double *left_out = NULL;
    size_t n_pairs = t * (t - 1) / 2, all = t + n_pairs, values = 0;
    *out = (pl_cka){.n = n, .t = t, .n_pairs = n_pairs};
    if (n < 4 || t < 2) return pl_fail(PL_E_INPUT, "CKA: %zu items x %zu conditions, expected at least 4 x 2", n, t);
    PL_TRY(pl_mul_size(&values, all, n, "CKA left-out values"));
    PL_GOTO(status, done, pl__cka_sums_of(&sums, states, n, t, width, on));
    PL_GOTO(status, done, pl_new(&pairs, all));
    PL_GOTO(status, done, pl_new(&h, all));
    PL_GOTO(status, done, pl_new(&left_out, values));
    PL_GOTO(status, done, pl_new(&out->value, n_pairs));
    PL_GOTO(status, done, pl_new(&out->left_out, n_pairs * n));
    PL_GOTO(status, done, pl_new(&out->mean_left_out, n));
    PL_GOTO(status, done, pl_new(&out->own, t));
    PL_GOTO(status, done, pl_new(&out->dimensions, t));
    PL_GOTO(status, done, pl_new(&out->dimensions_left_out, n));
    list_pairs(pairs, t);
#pragma omp parallel for schedule(static) if (values >= PL__PARALLEL_MIN)
    for (size_t p = 0; p < all; p++) {
        h[p].left_out = left_out + p * n;
        hsic_of_pair(&h[p], &sums, pairs[p].a, pairs[p].b);
    }
    divide(out, h, pairs);
    for (size_t c = 0; c < t; c++) of_itself(out, &h[c], &sums, c);
done:
    free(left_out);
    free(h);
    free(pairs);
    pl__cka_sums_free(&sums);
    if (status != PL_OK) pl_cka_free(out);
    return status;
}

void pl_cka_free(pl_cka *cka)
{
    free(cka->dimensions_left_out);
    free(cka->dimensions);
    free(cka->own);
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
