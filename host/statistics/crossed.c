#include "statistics/crossed.h"

#include <math.h>

#include "statistics/interval.h"

/* Standard errors below this, beside the value, are rounding: nothing varies. */
static const double NOTHING = 1e-12;

static double squares_about(const double *values, size_t n, double centre)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (values[i] - centre) * (values[i] - centre);
    return sum;
}

pl_component pl_component_of_mean(const double *values, size_t n, size_t least)
{
    if (n < least || n < 2) return (pl_component){0.0, 0.0};
    double m = (double)n;
    return (pl_component){squares_about(values, n, pl_mean(values, n)) / (m * (m - 1.0)), m - 1.0};
}

pl_component pl_component_of_difference(const double *a, size_t n_a, const double *b, size_t n_b)
{
    if (n_a == 0 || n_b == 0 || n_a + n_b < 3) return (pl_component){0.0, 0.0};
    double df = (double)(n_a + n_b) - 2.0;
    double pooled = (squares_about(a, n_a, pl_mean(a, n_a)) + squares_about(b, n_b, pl_mean(b, n_b))) / df;
    return (pl_component){pooled * (1.0 / (double)n_a + 1.0 / (double)n_b), df};
}

void pl_pseudo_values(double *left_out, size_t m, double theta)
{
    for (size_t j = 0; j < m; j++) left_out[j] = theta + ((double)m - 1.0) * (theta - left_out[j]);
}

/* Sum over clusters of the squared sum of their items' deviations. */
static double cluster_squares(const pl_crossed_design *d, double centre)
{
    const pl_clusters *clusters = &d->clusters;
    double squares = 0.0;
    if (!clusters->start) return squares_about(d->items, d->n, centre);
    for (size_t c = 0; c < clusters->n; c++) {
        double sum = 0.0;
        for (size_t at = clusters->start[c]; at < clusters->start[c + 1]; at++)
            sum += d->items[clusters->items[at]] - centre;
        squares += sum * sum;
    }
    return squares;
}

/* V_c and the centre, with the pseudo-items. */
static pl_component of_clusters(const pl_crossed_design *d, double *centre)
{
    double n = (double)d->n, m = d->clusters.start ? (double)d->clusters.n : n, size = n / m;
    double all = n + 2.0 * d->ends * size, clusters = m + 2.0 * d->ends;
    *centre = d->ends > 0.0 ? (n * d->value + d->ends * size * (d->low + d->high)) / all : d->value;
    if (m < 2.0 && d->ends == 0.0) return (pl_component){NAN, 0.0};
    /* Pseudo-values have a mean of their own where the estimate is no mean. */
    double about = d->ends > 0.0 ? *centre : pl_mean(d->items, d->n), squares = cluster_squares(d, about);
    if (d->ends > 0.0)
        squares +=
            d->ends * size * size * ((d->low - about) * (d->low - about) + (d->high - about) * (d->high - about));
    return (pl_component){clusters / (clusters - 1.0) * squares / (all * all), clusters - 1.0};
}

double pl_satterthwaite(const pl_component *components, size_t n)
{
    double all = 0.0, squares = 0.0;
    for (size_t f = 0; f < n; f++) {
        if (!(components[f].df > 0.0)) continue;
        double upper = components[f].variance * pl_quartile_factor(components[f].df);
        all += upper;
        squares += upper * upper / components[f].df;
    }
    return all * all / squares;
}

/* centre - half to centre + half, on the scale of the estimate's reach, cut to its range. */
static void bounds(double *lo, double *hi, const pl_crossed_design *d, double centre, double half)
{
    double below = centre - d->reach[0], above = d->reach[1] - centre, width = below + above;
    if (below > 0.0 && above > 0.0 && isfinite(width)) {
        double odds = above / below, step = half * width / (below * above);
        *lo = d->reach[0] + width / (1.0 + odds * exp(step));
        *hi = d->reach[0] + width / (1.0 + odds * exp(-step));
    } else {
        *lo = centre - half;
        *hi = centre + half;
    }
    if (!(d->low < d->high)) return;
    *lo = fmax(*lo, fmin(d->low, d->value));
    *hi = fmin(*hi, fmax(d->high, d->value));
}

void pl_crossed_of(pl_crossed *out, const pl_crossed_design *d)
{
    *out = (pl_crossed){.value = d->value,
                        .centre = d->value,
                        .se = NAN,
                        .df = NAN,
                        .lo = NAN,
                        .hi = NAN,
                        .lo_these = NAN,
                        .hi_these = NAN,
                        .se_these = NAN,
                        .df_these = NAN,
                        .over_templates = d->templates.df > 0.0,
                        .over_draws = d->draws.df > 0.0,
                        .n_clusters = d->clusters.start ? d->clusters.n : d->n};
    if (d->n == 0 || !isfinite(d->value)) return;
    pl_component c = of_clusters(d, &out->centre);
    double t = out->over_templates ? d->templates.variance : 0.0, s = out->over_draws ? d->draws.variance : 0.0;
    double all = c.variance + t + s, least = NOTHING * fmax(1.0, fabs(d->value));
    if (!(sqrt(all) > least)) return;
    out->variance[0] = c.variance;
    out->variance[1] = t;
    out->variance[2] = s;
    out->se = sqrt(all);
    const pl_component components[] = {c, d->templates, d->draws};
    for (size_t f = 0; f < 3; f++) out->variance_df[f] = components[f].df;
    out->df = pl_satterthwaite(components, 3);
    bounds(&out->lo, &out->hi, d, out->centre, pl_student_quantile(0.975, out->df) * out->se);
    if (sqrt(c.variance) > least) {
        out->se_these = sqrt(c.variance);
        out->df_these = c.df;
        bounds(&out->lo_these, &out->hi_these, d, out->centre, pl_student_quantile(0.975, c.df) * out->se_these);
    }
}

double pl_crossed_bound(const pl_crossed *c, double p)
{
    return isnan(c->se) ? NAN : c->centre + pl_student_quantile(p, c->df) * c->se;
}

double pl_crossed_p(const pl_crossed *c, double null)
{
    return isnan(c->se) ? NAN : fmin(1.0, 2.0 * pl_student_tail(fabs(c->centre - null) / c->se, c->df));
}

double pl_crossed_p_above(const pl_crossed *c, double at)
{
    if (isnan(c->se)) return NAN;
    double x = (c->centre - at) / c->se, tail = pl_student_tail(fabs(x), c->df);
    return x < 0.0 ? 1.0 - tail : tail;
}

pl_crossed pl_crossed_larger(const pl_crossed *c, const double times[3])
{
    pl_crossed out = *c;
    pl_component components[3];
    double all = 0.0;
    if (isnan(c->se)) return out;
    for (size_t f = 0; f < 3; f++) {
        double df = c->variance_df[f] > 0.0 ? (c->variance_df[f] + 1.0) * times[f] - 1.0 : 0.0;
        components[f] = (pl_component){c->variance[f] / times[f], df};
        out.variance[f] = components[f].variance;
        out.variance_df[f] = df;
        all += components[f].variance;
    }
    out.se = sqrt(all);
    out.df = pl_satterthwaite(components, 3);
    return out;
}
