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

/* The values of a row (an item, or a cluster, in one draw) over templates, where they are not all alike. Nearly all
 * have two values: `few` templates then have the other one. */
typedef struct row {
    size_t draw, few;     /* few 0: more than two values */
    double base, step;    /* of two: the more frequent one, and the other less it */
    const double *values; /* [t] */
} row;

/* A table by rows, and what a permutation leaves as it is. */
typedef struct table {
    size_t s, t, n;
    double squares, rows, items, draws, total; /* sum z^2, sum R_di^2, sum M_i^2, sum C_d^2, sum z */
    double *by_row;                            /* [n, s, t] */
    row *list;                                 /* rows that can change, by item */
    size_t *start;                             /* [n + 1]: of each item in the list */
    double *fixed;                             /* [n]: what an item has under every template */
    double *columns;                           /* [s]: what a draw has under every template */
} table;

static void table_free(table *x)
{
    free(x->by_row);
    free(x->list);
    free(x->start);
    free(x->fixed);
    free(x->columns);
}

/* Whether all are alike is few == 0 && step == 0. */
static row describe_row(const double *z, size_t t, size_t draw)
{
    row r = {.draw = draw, .base = z[0], .values = z};
    double other = z[0];
    size_t n_other = 0;
    for (size_t k = 1; k < t; k++) {
        if (z[k] == z[0]) continue;
        if (n_other > 0 && z[k] != other) return (row){.draw = draw, .step = 1.0, .values = z};
        other = z[k];
        n_other++;
    }
    r.few = n_other;
    r.step = other - z[0];
    if (n_other > t - n_other) {
        r.few = t - n_other;
        r.base = other;
        r.step = z[0] - other;
    }
    return r;
}

static void add_row(table *x, size_t *n, size_t i, const row *r)
{
    if (r->few == 0 && r->step != 0.0) {
        x->list[(*n)++] = *r;
        return;
    }
    x->fixed[i] += r->base;
    x->columns[r->draw] += r->base;
    if (r->few) x->list[(*n)++] = *r;
}

static pl_status describe(table *x, const double *values)
{
    size_t n = 0;
    PL_TRY(pl_new(&x->by_row, x->n * x->s * x->t));
    PL_TRY(pl_new(&x->list, x->n * x->s));
    PL_TRY(pl_new(&x->start, x->n + 1));
    PL_TRY(pl_new(&x->fixed, x->n));
    PL_TRY(pl_new(&x->columns, x->s));
    for (size_t d = 0; d < x->s; d++) {
        double draw = 0.0;
        for (size_t c = 0; c < x->t * x->n; c++) draw += values[d * x->t * x->n + c];
        x->draws += draw * draw;
    }
    for (size_t i = 0; i < x->n; i++) {
        double item = 0.0;
        x->start[i] = n;
        for (size_t d = 0; d < x->s; d++) {
            double sum = 0.0, *z = x->by_row + (i * x->s + d) * x->t;
            for (size_t k = 0; k < x->t; k++) {
                z[k] = values[(d * x->t + k) * x->n + i];
                sum += z[k];
                x->squares += z[k] * z[k];
            }
            x->rows += sum * sum;
            item += sum;
            const row r = describe_row(z, x->t, d);
            add_row(x, &n, i, &r);
        }
        x->items += item * item;
        x->total += item;
    }
    x->start[x->n] = n;
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

/* Columns [s, t] as they are, and the sum of M_ik^2; item is scratch [t]. */
static double observed_columns(double *columns, double *item, const table *x)
{
    double cells = 0.0;
    for (size_t i = 0; i < x->n; i++) {
        for (size_t k = 0; k < x->t; k++) item[k] = 0.0;
        for (size_t d = 0; d < x->s; d++)
            for (size_t k = 0; k < x->t; k++) {
                double z = x->by_row[(i * x->s + d) * x->t + k];
                columns[d * x->t + k] += z;
                item[k] += z;
            }
        for (size_t k = 0; k < x->t; k++) cells += item[k] * item[k];
    }
    return cells;
}

/* The values of a row go to random templates: partial Fisher-Yates. order is a permutation of the templates. */
static void deal_row(double *columns, double *item, size_t *order, const row *r, size_t t, uint64_t seed,
                     uint32_t replicate, uint64_t *index)
{
    size_t n = r->few ? r->few : t;
    for (size_t k = 0; k < n; k++) {
        size_t pick =
            k + 1 < t ? k + pl_random_below(seed, PL_RANDOM_PERMUTE, replicate, (*index)++, (uint32_t)(t - k)) : k;
        size_t chosen = order[pick];
        order[pick] = order[k];
        order[k] = chosen;
        double z = r->few ? r->step : r->values[k];
        columns[chosen] += z;
        item[chosen] += z;
    }
}

/* The same with each row's values at random templates; order is scratch [t]. */
static double permuted_columns(double *columns, double *item, size_t *order, const table *x, uint64_t seed,
                               uint32_t replicate)
{
    double cells = 0.0;
    uint64_t index = 0;
    for (size_t d = 0; d < x->s; d++)
        for (size_t k = 0; k < x->t; k++) columns[d * x->t + k] = x->columns[d];
    for (size_t k = 0; k < x->t; k++) order[k] = k;
    for (size_t i = 0; i < x->n; i++) {
        if (x->start[i] == x->start[i + 1]) {
            cells += (double)x->t * x->fixed[i] * x->fixed[i];
            continue;
        }
        for (size_t k = 0; k < x->t; k++) item[k] = x->fixed[i];
        for (size_t at = x->start[i]; at < x->start[i + 1]; at++)
            deal_row(columns + x->list[at].draw * x->t, item, order, &x->list[at], x->t, seed, replicate, &index);
        for (size_t k = 0; k < x->t; k++) cells += item[k] * item[k];
    }
    return cells;
}

static pl_status permute(pl_template_variance *out, const table *x, uint64_t seed)
{
    size_t size = x->s * x->t + x->t;
    double *scratch = NULL;
    size_t *order = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&scratch, (PL_PERMUTATIONS + 1) * size));
    PL_GOTO(status, done, pl_new(&order, PL_PERMUTATIONS * x->t));
    double *last = scratch + PL_PERMUTATIONS * size;
    out->tau2 = tau2_of(x, last, observed_columns(last, last + x->s * x->t, x));
    out->spread = spread_of(x, last);
#pragma omp parallel for schedule(static) if (x->n * x->t * x->s * PL_PERMUTATIONS >= PL__PARALLEL_MIN)
    for (size_t r = 0; r < PL_PERMUTATIONS; r++) {
        double *columns = scratch + r * size, *item = columns + x->s * x->t;
        double cells = permuted_columns(columns, item, order + r * x->t, x, seed, (uint32_t)r);
        out->null_tau2[r] = tau2_of(x, columns, cells);
        out->null_spread[r] = spread_of(x, columns);
    }
done:
    free(order);
    free(scratch);
    return status;
}

pl_status pl_template_variance_of(pl_template_variance *out, const double *values, size_t s, size_t t, size_t n,
                                  uint64_t seed)
{
    table x = {.s = s, .t = t, .n = n};
    pl_status status;
    *out = (pl_template_variance){0};
    if (n < 2 || t < 2 || t > UINT32_MAX)
        return pl_fail(PL_E_INPUT, "template SD: %zu items x %zu templates, expected at least 2 x 2", n, t);
    PL_GOTO(status, done, pl_mean_squares_of(&out->mean_squares, values, s, t, n));
    PL_GOTO(status, done, describe(&x, values));
    PL_GOTO(status, done, pl_new(&out->null_tau2, PL_PERMUTATIONS));
    PL_GOTO(status, done, pl_new(&out->null_spread, PL_PERMUTATIONS));
    status = permute(out, &x, seed);
done:
    table_free(&x);
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
