/* Estimates with their 95 % intervals: Wilson for one share, delete-one jackknife for everything that is no plain mean.
 *
 * Intervals of jackknives and of means use Student's t with n - 1 degrees of freedom. What is not defined is NaN. */
#ifndef PLUMB_STATISTICS_INTERVAL_H
#define PLUMB_STATISTICS_INTERVAL_H

#include <stddef.h>

/* An estimate, its standard error and its 95 % interval; NaN where not defined. */
typedef struct pl_estimate {
    double value, se, lo, hi;
} pl_estimate;

/* x with P(Z <= x) = p, 0 < p < 1, standard normal. */
double pl_normal_quantile(double p);
/* x with P(t <= x) = p, 0 < p < 1, Student's t with df > 0 degrees of freedom. */
double pl_student_quantile(double p, double df);
/* P(t > x), x >= 0. */
double pl_student_tail(double x, double df);
/* P(chi^2 > x) of df > 0 degrees of freedom, x >= 0. */
double pl_chi_square_tail(double x, double df);
/* x with P(chi^2 <= x) = p, 0 < p < 1. */
double pl_chi_square_quantile(double p, double df);
/* df / chi^2(.25; df): how much larger than its estimate a variance may well be (its upper quartile). By Wilson and
 * Hilferty's cube, within 5 % of the exact one. */
double pl_quartile_factor(double df);
/* x with P(F <= x) = p, 0 < p < 1, of F with the two degrees of freedom, both > 0. */
double pl_f_quantile(double p, double df1, double df2);

/* Share k/n with Wilson's score interval; se is that of the plain share. n == 0: all NaN. */
pl_estimate pl_wilson(size_t k, size_t n);
/* The same with `tail` outside each bound in place of .025. */
pl_estimate pl_wilson_at(size_t k, size_t n, double tail);

/* se^2 = (n-1)/n * sum (left_out[i] - their mean)^2. Equal left-out values give exactly 0. */
pl_estimate pl_jackknife(double value, const double *left_out, size_t n); /* [n] */
/* The same for many of one n: Student's quantile of the last n is kept. Start from {0}. */
typedef struct pl_last_quantile {
    size_t n;
    double t;
} pl_last_quantile;
pl_estimate pl_jackknife_next(pl_last_quantile *last, double value, const double *left_out, size_t n);

/* The interval cut to [low, high]: for shares, whose t interval may reach past what can be. */
pl_estimate pl_estimate_clip(pl_estimate e, double low, double high);

/* The mean of n values, exactly their common value when they are equal. */
double pl_mean(const double *values, size_t n); /* [n] */

#endif
