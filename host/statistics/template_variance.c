/* Template variance of outcomes with its permutation null (template_variance.h).
 *
 * What a permutation changes of the three-way ANOVA follows from the column sums C_dk of each draw and from M_ik, the
 * sum over draws; row sums R_di and the sum of squares stay. Of integers all of it is exact in doubles, and equal
 * templates give exactly 0. */
#include "statistics/template_variance.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "statistics/parallel.h"

/* A table by rows, what a permutation leaves as it is, and which rows it can change. */
typedef struct table {
    size_t s, t, n;
    const double *values;
    double squares, rows, items, draws, total; /* sum z^2, sum R_di^2, sum M_i^2, sum C_d^2, sum z */
    unsigned char *constant;                   /* [s, n] */
} table;

static double at(const table *x, size_t d, size_t k, size_t i)
{
    return x->values[(d * x->t + k) * x->n + i];
}

static pl_status describe(table *x)
{
    PL_TRY(pl_new(&x->constant, x->s * x->n));
    for (size_t i = 0; i < x->n; i++) {
        double item = 0.0;
        for (size_t d = 0; d < x->s; d++) {
            double row = 0.0;
            x->constant[d * x->n + i] = 1;
            for (size_t k = 0; k < x->t; k++) {
                double z = at(x, d, k, i);
                row += z;
                x->squares += z * z;
                if (z != at(x, d, 0, i)) x->constant[d * x->n + i] = 0;
            }
            x->rows += row * row;
            item += row;
        }
        x->items += item * item;
        x->total += item;
    }
    for (size_t d = 0; d < x->s; d++) {
        double draw = 0.0;
        for (size_t k = 0; k < x->t; k++)
            for (size_t i = 0; i < x->n; i++) draw += at(x, d, k, i);
        x->draws += draw * draw;
    }
    return PL_OK;
}

/* tau^2 from columns[d * t + k] = C_dk and the sum of M_ik^2. */
static double tau2_of(const table *x, const double *columns, double cells)
{
    double s = (double)x->s, t = (double)x->t, n = (double)x->n, by_draw = 0.0, main = 0.0;
    for (size_t k = 0; k < x->t; k++) {
        double sum = 0.0;
        for (size_t d = 0; d < x->s; d++) {
            double c = columns[d * x->t + k];
            sum += c;
            by_draw += c * c;
        }
        main += sum * sum;
    }
    /* Everything times n t s. */
    double grand = x->total * x->total, ss_t = t * main - grand,
           ss_it = n * t * cells - n * x->items - t * main + grand, error = ss_it / ((n - 1.0) * (t - 1.0)),
           scale = n * t * s;
    if (x->s > 1) {
        double ss_ts = t * s * by_draw - t * main - s * x->draws + grand;
        double rest = scale * x->squares - n * t * cells - n * s * x->rows - t * s * by_draw + n * x->items + t * main +
                      s * x->draws - grand;
        error += ss_ts / ((t - 1.0) * (s - 1.0)) - rest / ((n - 1.0) * (t - 1.0) * (s - 1.0));
    }
    return (ss_t / (t - 1.0) - error) / (n * s) / scale;
}

static double spread_of(const table *x, const double *columns)
{
    double lo = INFINITY, hi = -INFINITY;
    for (size_t k = 0; k < x->t; k++) {
        double sum = 0.0;
        for (size_t d = 0; d < x->s; d++) sum += columns[d * x->t + k];
        lo = fmin(lo, sum);
        hi = fmax(hi, sum);
    }
    return (hi - lo) / (double)(x->n * x->s);
}

/* Columns [s, t] and the sum of M_ik^2; from replicate 1 on with the values of each row at random templates
 * (Fisher-Yates). row and item are scratch [t]. */
static double columns_of(double *columns, double *row, double *item, const table *x, uint64_t seed, uint32_t replicate)
{
    double cells = 0.0;
    uint64_t index = 0;
    for (size_t c = 0; c < x->s * x->t; c++) columns[c] = 0.0;
    for (size_t i = 0; i < x->n; i++) {
        for (size_t k = 0; k < x->t; k++) item[k] = 0.0;
        for (size_t d = 0; d < x->s; d++) {
            for (size_t k = 0; k < x->t; k++) row[k] = at(x, d, k, i);
            for (size_t k = x->t - 1; k > 0 && replicate && !x->constant[d * x->n + i]; k--) {
                size_t j = pl_random_below(seed, PL_RANDOM_PERMUTE, replicate - 1, index++, (uint32_t)k + 1);
                double other = row[j];
                row[j] = row[k];
                row[k] = other;
            }
            for (size_t k = 0; k < x->t; k++) {
                columns[d * x->t + k] += row[k];
                item[k] += row[k];
            }
        }
        for (size_t k = 0; k < x->t; k++) cells += item[k] * item[k];
    }
    return cells;
}

static pl_status permute(pl_template_variance *out, const table *x, uint64_t seed)
{
    size_t size = x->s * x->t + 2 * x->t;
    double *scratch;
    PL_TRY(pl_new(&scratch, (PL_PERMUTATIONS + 1) * size));
#pragma omp parallel for schedule(static) if (x->n * x->t * x->s * PL_PERMUTATIONS >= PL__PARALLEL_MIN)
    for (size_t r = 0; r <= PL_PERMUTATIONS; r++) {
        double *columns = scratch + r * size, *row = columns + x->s * x->t, *item = row + x->t;
        double cells = columns_of(columns, row, item, x, seed, (uint32_t)r);
        double tau2 = tau2_of(x, columns, cells), spread = spread_of(x, columns);
        *(r ? &out->null_tau2[r - 1] : &out->tau2) = tau2;
        *(r ? &out->null_spread[r - 1] : &out->spread) = spread;
    }
    free(scratch);
    return PL_OK;
}

pl_status pl_template_variance_of(pl_template_variance *out, const double *values, size_t s, size_t t, size_t n,
                                  uint64_t seed)
{
    table x = {.s = s, .t = t, .n = n, .values = values};
    pl_status status;
    *out = (pl_template_variance){0};
    if (n < 2 || t < 2 || t > UINT32_MAX)
        return pl_fail(PL_E_INPUT, "template SD: %zu items x %zu templates, expected at least 2 x 2", n, t);
    PL_GOTO(status, done, pl_mean_squares_of(&out->mean_squares, values, s, t, n));
    PL_GOTO(status, done, describe(&x));
    PL_GOTO(status, done, pl_new(&out->null_tau2, PL_PERMUTATIONS));
    PL_GOTO(status, done, pl_new(&out->null_spread, PL_PERMUTATIONS));
    status = permute(out, &x, seed);
done:
    free(x.constant);
    if (status != PL_OK) pl_template_variance_free(out);
    return status;
}

void pl_template_variance_free(pl_template_variance *v)
{
    free(v->null_spread);
    free(v->null_tau2);
    *v = (pl_template_variance){0};
}

double pl_template_sd(double tau2)
{
    return isnan(tau2) ? NAN : sqrt(fmax(0.0, tau2));
}
