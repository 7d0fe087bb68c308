/* Mean squares of a draws x templates x items table, and what follows: the components of variance (unclipped) and the
 * SD of a factor with its F interval (stability.md B.6).
 *
 * With S draws, T templates, n items, one value a cell:
 *   s2_its = MS_its, s2_it = (MS_it - MS_its)/S, s2_is = (MS_is - MS_its)/T, s2_ts = (MS_ts - MS_its)/n,
 *   s2_i = (MS_i - MS_it - MS_is + MS_its)/(TS), s2_t = (MS_t - MS_it - MS_ts + MS_its)/(nS),
 *   s2_s = (MS_s - MS_is - MS_ts + MS_its)/(nT).
 * S = 1: item, template and rest, from the two-way table; what then does not exist is NaN. */
#ifndef PLUMB_STATISTICS_THREE_WAY_H
#define PLUMB_STATISTICS_THREE_WAY_H

#include <stddef.h>

#include "base/status.h"
#include "statistics/interval.h"

typedef struct pl_mean_squares {
    size_t s, t, n;
    double item, template_main, draw, item_template, item_draw, template_draw, rest; /* rest: MS_its; S = 1: MS_it */
} pl_mean_squares;

typedef struct pl_three_way {
    double item, template_main, draw, item_template, item_draw, template_draw, rest;
} pl_three_way;

/* values[(d * t + k) * n + i]. n >= 2, t >= 2, s >= 1. */
pl_status pl_mean_squares_of(pl_mean_squares *out, const double *values, size_t s, size_t t, size_t n);
pl_three_way pl_three_way_of(const pl_mean_squares *m);

/* The excess kurtosis of a beta distribution with this mean and variance: what shares that differ have near the ends of
 * the range, where they are skewed. 0 where there is no such distribution. */
double pl_beta_kurtosis(double mean, double variance);

/* The root of s2_t, cut at 0, with the 95 % F interval: lo^2 = (MS_t/F(.975; T-1, df) - MS_E)/(nS), hi^2 with F(.025),
 * each at least 0; MS_E = MS_it + MS_ts - MS_its with Satterthwaite's df (S = 1: MS_R, (n-1)(T-1)). NaN bounds where
 * MS_t is 0, or so small beside MS_E that both would be 0: nothing is known then.
 *
 * mean: of outcomes that are shares, in [0, 1] (NaN: they are not). The means of templates are skewed near the ends of
 * the range; F's T - 1 become Box's 2/(2/(T-1) + g/T), with g the excess kurtosis of a beta of this mean and of the
 * variance of such means at its upper quartile, MS_t/(nS) (T-1)/chi^2(.25; T-1) (pl_quartile_factor). Without it the
 * interval held in .80 to .88 at accuracy .975. */
pl_estimate pl_template_sd_of(const pl_mean_squares *m, double mean);
/* Its upper bound with `tail` above it, of outcomes that are shares: at most 1/2, and never NaN. MS_E is at least what
 * one dissenting answer among all would make it, 1/(ntS), and MS_t at least MS_E. */
double pl_template_sd_upper(const pl_mean_squares *m, double mean, double tail);
/* One-sided, of the hypothesis that the SD is `limit` (> 0) or more: the least tail whose bound is within it. */
double pl_template_sd_p(const pl_mean_squares *m, double mean, double limit);
/* The same with draws and templates exchanged: needs s >= 2. */
pl_estimate pl_draw_sd_of(const pl_mean_squares *m, double mean);

#endif
