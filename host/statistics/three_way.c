#include "statistics/three_way.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* Means over two of the factors, over one, over all; of values less the first one, so that a common offset is exact. */
typedef struct means {
    size_t s, t, n;
    double *i, *k, *d, *ik, *id, *kd; /* [n], [t], [s], [t, n], [s, n], [s, t] */
    double grand;
} means;

static pl_status means_new(means *m)
{
    PL_TRY(pl_new(&m->i, m->n));
    PL_TRY(pl_new(&m->k, m->t));
    PL_TRY(pl_new(&m->d, m->s));
    PL_TRY(pl_new(&m->ik, m->t * m->n));
    PL_TRY(pl_new(&m->id, m->s * m->n));
    return pl_new(&m->kd, m->s * m->t);
}

static void means_free(means *m)
{
    free(m->i);
    free(m->k);
    free(m->d);
    free(m->ik);
    free(m->id);
    free(m->kd);
}

static void fill(means *m, const double *values)
{
    double s = (double)m->s, t = (double)m->t, n = (double)m->n;
    for (size_t d = 0; d < m->s; d++)
        for (size_t k = 0; k < m->t; k++)
            for (size_t i = 0; i < m->n; i++) {
                double v = values[(d * m->t + k) * m->n + i] - values[0];
                m->ik[k * m->n + i] += v / s;
                m->id[d * m->n + i] += v / t;
                m->kd[d * m->t + k] += v / n;
            }
    for (size_t k = 0; k < m->t; k++)
        for (size_t i = 0; i < m->n; i++) {
            m->i[i] += m->ik[k * m->n + i] / t;
            m->k[k] += m->ik[k * m->n + i] / n;
        }
    for (size_t d = 0; d < m->s; d++)
        for (size_t k = 0; k < m->t; k++) m->d[d] += m->kd[d * m->t + k] / t;
    for (size_t i = 0; i < m->n; i++) m->grand += m->i[i] / n;
}

static double squares(const double *values, size_t n, double centre)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (values[i] - centre) * (values[i] - centre);
    return sum;
}

/* Sum over a two-way table [rows, columns] of the squared interaction. */
static double interaction(const double *table, const double *row, const double *column, size_t rows, size_t columns,
                          double grand)
{
    double sum = 0.0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            double e = table[r * columns + c] - row[r] - column[c] + grand;
            sum += e * e;
        }
    return sum;
}

static double rest_squares(const means *m, const double *values)
{
    double sum = 0.0;
    for (size_t d = 0; d < m->s; d++)
        for (size_t k = 0; k < m->t; k++)
            for (size_t i = 0; i < m->n; i++) {
                double v = values[(d * m->t + k) * m->n + i] - values[0];
                double e = v - m->ik[k * m->n + i] - m->id[d * m->n + i] - m->kd[d * m->t + k] + m->i[i] + m->k[k] +
                           m->d[d] - m->grand;
                sum += e * e;
            }
    return sum;
}

pl_status pl_mean_squares_of(pl_mean_squares *out, const double *values, size_t n_draws, size_t n_templates,
                             size_t n_items)
{
    means m = {.s = n_draws, .t = n_templates, .n = n_items};
    double s = (double)m.s, t = (double)m.t, n = (double)m.n;
    pl_status status;
    *out = (pl_mean_squares){.s = m.s, .t = m.t, .n = m.n};
    if (m.n < 2 || m.t < 2 || m.s < 1)
        return pl_fail(PL_E_INPUT, "mean squares: %zu items x %zu templates x %zu draws, expected at least 2 x 2 x 1",
                       m.n, m.t, m.s);
    PL_GOTO(status, done, means_new(&m));
    fill(&m, values);
    out->item = s * t * squares(m.i, m.n, m.grand) / (n - 1.0);
    out->template_main = s * n * squares(m.k, m.t, m.grand) / (t - 1.0);
    out->item_template = s * interaction(m.ik, m.k, m.i, m.t, m.n, m.grand) / ((n - 1.0) * (t - 1.0));
    out->draw = out->item_draw = out->template_draw = NAN;
    out->rest = out->item_template;
    if (m.s < 2) goto done;
    out->draw = t * n * squares(m.d, m.s, m.grand) / (s - 1.0);
    out->item_draw = t * interaction(m.id, m.d, m.i, m.s, m.n, m.grand) / ((n - 1.0) * (s - 1.0));
    out->template_draw = n * interaction(m.kd, m.d, m.k, m.s, m.t, m.grand) / ((t - 1.0) * (s - 1.0));
    out->rest = rest_squares(&m, values) / ((n - 1.0) * (t - 1.0) * (s - 1.0));
done:
    means_free(&m);
    return status;
}

pl_three_way pl_three_way_of(const pl_mean_squares *m)
{
    double s = (double)m->s, t = (double)m->t, n = (double)m->n;
    if (m->s < 2)
        return (pl_three_way){.item = (m->item - m->rest) / t,
                              .template_main = (m->template_main - m->rest) / n,
                              .draw = NAN,
                              .item_template = NAN,
                              .item_draw = NAN,
                              .template_draw = NAN,
                              .rest = m->rest};
    return (pl_three_way){
        .item = (m->item - m->item_template - m->item_draw + m->rest) / (t * s),
        .template_main = (m->template_main - m->item_template - m->template_draw + m->rest) / (n * s),
        .draw = (m->draw - m->item_draw - m->template_draw + m->rest) / (n * t),
        .item_template = (m->item_template - m->rest) / s,
        .item_draw = (m->item_draw - m->rest) / t,
        .template_draw = (m->template_draw - m->rest) / n,
        .rest = m->rest,
    };
}

/* The error of a main effect: MS_1 + MS_2 - MS_its, with Satterthwaite's degrees of freedom; where that is not positive
 * MS_its, which all three estimate then. */
static void error_of(double *ms, double *df, double first, double df_first, double second, double df_second,
                     double rest, double df_rest)
{
    *ms = first + second - rest;
    *df = *ms * *ms / (first * first / df_first + second * second / df_second + rest * rest / df_rest);
    if (*ms > 0.0) return;
    *ms = rest;
    *df = df_rest;
}

double pl_beta_kurtosis(double mean, double variance)
{
    double sum = variance > 0.0 ? mean * (1.0 - mean) / variance - 1.0 : 0.0, a = mean * sum, b = sum - a;
    if (!(a > 0.0) || !(b > 0.0)) return 0.0;
    return 6.0 * ((a - b) * (a - b) * (sum + 1.0) - a * b * (sum + 2.0)) / (a * b * (sum + 2.0) * (sum + 3.0));
}

/* What is left of `df` where the levels' means are skewed shares. */
static double skewed_df(double ms, double df, double cells, double mean)
{
    if (isnan(mean)) return df;
    double kurtosis = pl_beta_kurtosis(mean, ms / cells * pl_quartile_factor(df));
    return kurtosis > 0.0 ? 2.0 / (2.0 / df + kurtosis / (df + 1.0)) : df;
}

/* The SD whose F quantile is q. */
static double f_bound(double ms, double df, double error, double df_error, double cells, double q)
{
    return sqrt(fmax(0.0, (ms / pl_f_quantile(q, df, df_error) - error) / cells));
}

static pl_estimate f_interval(double ms, double df, double error, double df_error, double cells, double mean)
{
    pl_estimate e = {sqrt(fmax(0.0, (ms - error) / cells)), NAN, NAN, NAN};
    if (!(ms > 0.0) || !(error > 0.0)) return e;
    df = skewed_df(ms, df, cells, mean);
    e.lo = f_bound(ms, df, error, df_error, cells, 0.975);
    e.hi = f_bound(ms, df, error, df_error, cells, 0.025);
    if (e.hi == 0.0) e.lo = e.hi = NAN;
    return e;
}

static void template_error(double *error, double *df, const pl_mean_squares *m)
{
    double s = (double)m->s, t = (double)m->t, n = (double)m->n;
    *error = m->rest;
    *df = (n - 1.0) * (t - 1.0);
    if (m->s > 1)
        error_of(error, df, m->item_template, (n - 1.0) * (t - 1.0), m->template_draw, (t - 1.0) * (s - 1.0), m->rest,
                 (n - 1.0) * (t - 1.0) * (s - 1.0));
}

pl_estimate pl_template_sd_of(const pl_mean_squares *m, double mean)
{
    double error, df;
    template_error(&error, &df, m);
    return f_interval(m->template_main, (double)(m->t - 1), error, df, (double)(m->n * m->s), mean);
}

double pl_template_sd_upper(const pl_mean_squares *m, double mean, double tail)
{
    double error, df, df_t = (double)(m->t - 1), cells = (double)(m->n * m->s);
    template_error(&error, &df, m);
    error = fmax(error, 1.0 / (cells * (double)m->t));
    double ms = fmax(m->template_main, error);
    return fmin(0.5, f_bound(ms, skewed_df(ms, df_t, cells, mean), error, df, cells, tail));
}

double pl_template_sd_p(const pl_mean_squares *m, double mean, double limit)
{
    double low = 1e-15, high = 1.0 - 1e-9; /* of the tail: the bound falls from low to high */
    if (pl_template_sd_upper(m, mean, low) <= limit) return low;
    for (int step = 0; step < 60; step++) {
        double tail = sqrt(low * high);
        if (pl_template_sd_upper(m, mean, tail) <= limit)
            high = tail;
        else
            low = tail;
    }
    return high;
}

pl_estimate pl_draw_sd_of(const pl_mean_squares *m, double mean)
{
    double s = (double)m->s, t = (double)m->t, n = (double)m->n, error, df;
    error_of(&error, &df, m->item_draw, (n - 1.0) * (s - 1.0), m->template_draw, (t - 1.0) * (s - 1.0), m->rest,
             (n - 1.0) * (t - 1.0) * (s - 1.0));
    return f_interval(m->draw, s - 1.0, error, df, n * t, mean);
}
