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

/* The root of s2_t, cut at 0, with the 95 % F interval: lo^2 = (MS_t/F(.975; T-1, df) - MS_E)/(nS), hi^2 with F(.025),
 * each at least 0; MS_E = MS_it + MS_ts - MS_its with Satterthwaite's df (S = 1: MS_R, (n-1)(T-1)). NaN bounds where
 * MS_t is 0, for nothing is known then. */
pl_estimate pl_template_sd_of(const pl_mean_squares *m);
/* The same with draws and templates exchanged: needs s >= 2. */
pl_estimate pl_draw_sd_of(const pl_mean_squares *m);

#endif
