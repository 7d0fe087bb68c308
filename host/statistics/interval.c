/* Quantiles, Wilson's interval and the delete-one jackknife (interval.h).
 *
 * Quantiles are found by bisection on the distribution function: slower than a rational fit, right to the last digits,
 * and nothing to copy wrongly. They are called once a row of a table. */
#include "statistics/interval.h"

#include <math.h>

enum { BISECTIONS = 200, FRACTION_TERMS = 400, SERIES_TERMS = 10000 };

static const double LEVEL_QUANTILE = 0.975; /* two-sided 95 % */

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2.0));
}

double pl_normal_quantile(double p)
{
    double lo = -40.0, hi = 40.0;
    for (int i = 0; i < BISECTIONS; i++) {
        double mid = 0.5 * (lo + hi);
        if (mid == lo || mid == hi) break;
        if (normal_cdf(mid) < p)
            lo = mid;
        else
            hi = mid;
    }
    return 0.5 * (lo + hi);
}

/* The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz' method. */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m < FRACTION_TERMS; m++) {
        double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for (int part = 0; part < 2; part++) {
            double term = part == 0 ? even : odd;
            d = 1.0 + term * d;
            d = 1.0 / (fabs(d) < tiny ? tiny : d);
            c = 1.0 + term / c;
            if (fabs(c) < tiny) c = tiny;
            f *= c * d;
        }
        if (fabs(c * d - 1.0) < 1e-16) break;
    }
    return f;
}

/* I_x(a, b), the regularised incomplete beta function, with the symmetry that keeps the fraction quick. */
static double beta_regularised(double a, double b, double x)
{
    if (x <= 0.0) return 0.0;
    if (x >= 1.0) return 1.0;
    double front = exp(a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b));
    if (x < (a + 1.0) / (a + b + 2.0)) return front * beta_fraction(a, b, x) / a;
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

double pl_student_tail(double x, double df)
{
    return 0.5 * beta_regularised(0.5 * df, 0.5, df / (df + x * x));
}

static double student_density(double x, double df)
{
    return exp(lgamma(0.5 * (df + 1.0)) - lgamma(0.5 * df) - 0.5 * (df + 1.0) * log1p(x * x / df)) /
           sqrt(df * 3.14159265358979323846);
}

/* Newton's steps on the tail, kept inside a bracket. */
double pl_student_quantile(double p, double df)
{
    if (!(df > 0.0)) return NAN;
    if (df > 1e6) return pl_normal_quantile(p); /* they differ by less than 1e-6 from here on */
    double tail = fmin(p, 1.0 - p), lo = 0.0, hi = 1.0;
    if (p == 0.5) return 0.0;
    while (pl_student_tail(hi, df) > tail && hi < 1e12) hi *= 2.0;
    double x = 0.5 * (lo + hi);
    for (int i = 0; i < BISECTIONS; i++) {
        double over = pl_student_tail(x, df) - tail;
        *(over > 0.0 ? &lo : &hi) = x;
        double next = x + over / student_density(x, df);
        if (!(next > lo && next < hi)) next = 0.5 * (lo + hi);
        if (fabs(next - x) <= 1e-15 * x) break;
        x = next;
    }
    return p < 0.5 ? -x : x;
}

/* The regularised incomplete gamma function of a = df/2 at x/2: by its series below a + 1 (DLMF 8.11.4), by its
 * continued fraction above (8.9.2, Lentz' method). */
double pl_chi_square_tail(double x, double df)
{
    double a = 0.5 * df, y = 0.5 * x;
    if (!(y > 0.0)) return isnan(y) ? NAN : 1.0;
    double front = exp(a * log(y) - y - lgamma(a));
    if (y < a + 1.0) {
        double term = 1.0 / a, sum = term;
        for (int m = 1; m < SERIES_TERMS && term > 1e-17 * sum; m++) {
            term *= y / (a + m);
            sum += term;
        }
        return 1.0 - front * sum;
    }
    double b = y + 1.0 - a, c = 1e300, d = 1.0 / b, f = d;
    for (int m = 1; m < SERIES_TERMS; m++) {
        double part = -m * (m - a);
        b += 2.0;
        d = 1.0 / (part * d + b);
        c = b + part / c;
        f *= c * d;
        if (fabs(c * d - 1.0) < 1e-16) break;
    }
    return front * f;
}

double pl_chi_square_quantile(double p, double df)
{
    if (!(df > 0.0)) return NAN;
    if (df > 1e6) { /* Wilson and Hilferty's cube: within 1e-9 of it from here on */
        double spread = 2.0 / (9.0 * df), root = 1.0 - spread + pl_normal_quantile(p) * sqrt(spread);
        return df * root * root * root;
    }
    double lo = 0.0, hi = df;
    while (pl_chi_square_tail(hi, df) > 1.0 - p && hi < 1e300) hi *= 2.0;
    for (int i = 0; i < BISECTIONS; i++) {
        double mid = 0.5 * (lo + hi);
        if (mid == lo || mid == hi) break;
        *(pl_chi_square_tail(mid, df) > 1.0 - p ? &lo : &hi) = mid;
    }
    return 0.5 * (lo + hi);
}

double pl_quartile_factor(double df)
{
    static const double QUARTILE = -0.67448975019608171; /* of the standard normal */
    double spread = 2.0 / (9.0 * df), root = 1.0 - spread + QUARTILE * sqrt(spread);
    return 1.0 / pow(fmax(root, 0.25), 3.0);
}

double pl_f_quantile(double p, double df1, double df2)
{
    if (!(df1 > 0.0) || !(df2 > 0.0)) return NAN;
    double lo = 0.0, hi = 1.0; /* of x = df1 F / (df1 F + df2), beta distributed */
    for (int i = 0; i < BISECTIONS; i++) {
        double mid = 0.5 * (lo + hi);
        if (mid == lo || mid == hi) break;
        if (beta_regularised(0.5 * df1, 0.5 * df2, mid) < p)
            lo = mid;
        else
            hi = mid;
    }
    double x = 0.5 * (lo + hi);
    return df2 * x / (df1 * (1.0 - x));
}

static pl_estimate undefined(double value)
{
    return (pl_estimate){.value = value, .se = NAN, .lo = NAN, .hi = NAN};
}

static double quantile_of(pl_last_quantile *last, size_t n)
{
    if (last->n != n) *last = (pl_last_quantile){.n = n, .t = pl_student_quantile(LEVEL_QUANTILE, (double)n - 1.0)};
    return last->t;
}

/* value +- t * se; not defined for fewer than two items. */
static pl_estimate with_interval(pl_last_quantile *last, double value, double se, size_t n)
{
    if (n < 2 || !isfinite(se)) return undefined(value);
    double half = se == 0.0 ? 0.0 : se * quantile_of(last, n);
    return (pl_estimate){.value = value, .se = se, .lo = value - half, .hi = value + half};
}

/* Wilson 1927: centre (p + z^2/2n) / (1 + z^2/n), half width z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n). */
pl_estimate pl_wilson(size_t k, size_t n)
{
    return pl_wilson_at(k, n, 1.0 - LEVEL_QUANTILE);
}

pl_estimate pl_wilson_at(size_t k, size_t n, double tail)
{
    if (n == 0) return undefined(NAN);
    double z = pl_normal_quantile(1.0 - tail), m = (double)n, p = (double)k / m;
    double scale = 1.0 + z * z / m, centre = (p + z * z / (2.0 * m)) / scale;
    double half = z * sqrt(p * (1.0 - p) / m + z * z / (4.0 * m * m)) / scale;
    return (pl_estimate){
        .value = p,
        .se = sqrt(p * (1.0 - p) / m),
        .lo = k == 0 ? 0.0 : fmax(0.0, centre - half),
        .hi = k == n ? 1.0 : fmin(1.0, centre + half),
    };
}

double pl_mean(const double *values, size_t n)
{
    if (n == 0) return NAN;
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += values[i] - values[0];
    return values[0] + sum / (double)n;
}

static double sum_of_squares_about(const double *values, size_t n, double centre)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (values[i] - centre) * (values[i] - centre);
    return sum;
}

pl_estimate pl_jackknife(double value, const double *left_out, size_t n)
{
    return pl_jackknife_next(&(pl_last_quantile){0}, value, left_out, n);
}

pl_estimate pl_jackknife_next(pl_last_quantile *last, double value, const double *left_out, size_t n)
{
    if (n < 2) return undefined(value);
    double m = (double)n, mean = pl_mean(left_out, n);
    return with_interval(last, value, sqrt((m - 1.0) / m * sum_of_squares_about(left_out, n, mean)), n);
}

pl_estimate pl_estimate_clip(pl_estimate e, double low, double high)
{
    if (e.lo < low) e.lo = low;
    if (e.hi > high) e.hi = high;
    return e;
}
