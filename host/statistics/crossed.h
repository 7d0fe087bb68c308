/* Intervals that say what they generalise over: items (in clusters), templates and draws crossed (stability.md B.6).
 *
 * The variance of an estimate is the sum of one-way components of its mean: V = V_c + V_t + V_s, with Satterthwaite's
 * degrees of freedom df = U^2 / (U_c^2/df_c + U_t^2/df_t + U_s^2/df_s), U_f = V_f df_f/chi^2(.25; df_f), and Student's
 * t. U in place of V: with three draws V_s is often far too small by chance, and df then that of the items; by V
 * intervals hold in .92 where they say .95, by U in .95 to .965. A factor enters by its own values: means of its levels
 * for a mean; for anything else the pseudo-values m theta - (m - 1) theta_(-j), which give the delete-one jackknife.
 * With N items in m clusters of sizes n_c, and y_i the values of items, V_c = m/(m - 1) sum_c (sum_{i in c} (y_i -
 * mean))^2 / N^2.
 *
 * Pseudo-items: a cluster of the mean size N/m at each end of the range, `ends` of them (1, or 1/2 for differences),
 * enter the centre of the interval and V_c, and m becomes m + 2 ends; the value stays what it is. So no interval has
 * width 0 at the end of a range, and bounds are monotone in the data.
 *
 * An estimate x that can be no more than from a to b (`reach`: ratios of variance components) has its interval on the
 * scale g = log((x - a)/(b - x)), of half-width t sqrt(V) dg/dx: near a and b the distribution of x is skewed. Of an
 * intraclass correlation this is Fisher's z. */
#ifndef PLUMB_STATISTICS_CROSSED_H
#define PLUMB_STATISTICS_CROSSED_H

#include <stdbool.h>
#include <stddef.h>

enum { PL_DRAWS_MIN = 3, PL_JACKKNIFE_MIN = 3 }; /* levels below which a factor is no sample; of pseudo-values */

/* Which items belong together: those of cluster c are items[start[c]] .. items[start[c + 1] - 1]. start == NULL: each
 * item is its own cluster. */
typedef struct pl_clusters {
    size_t n;            /* clusters; not read where start is NULL */
    const size_t *start; /* [n + 1] */
    const size_t *items; /* [start[n]]: places of items */
} pl_clusters;

/* The variance of a mean over one factor's levels; df 0: it is no sample. */
typedef struct pl_component {
    double variance, df;
} pl_component;

/* Sum of squares about the mean over n (n - 1), n - 1 degrees of freedom; {0, 0} for fewer than `least` (2 or more). */
pl_component pl_component_of_mean(const double *values, size_t n, size_t least); /* [n] */
/* Of a difference of two means, with the pooled variance: right for roles that are given at random, also where one side
 * has one level. {0, 0} for fewer than three levels in all. */
pl_component pl_component_of_difference(const double *a, size_t n_a, const double *b, size_t n_b);
/* Degrees of freedom of the sum of components [n], each at its upper quartile; of those that are samples. */
double pl_satterthwaite(const pl_component *components, size_t n);
/* left_out[j], theta without level j, to m theta - (m - 1) theta_(-j), in place. */
void pl_pseudo_values(double *left_out, size_t m, double theta); /* [m] */

typedef struct pl_crossed_design {
    double value;
    size_t n;            /* items */
    const double *items; /* [n]: values whose mean it is, or pseudo-values */
    pl_clusters clusters;
    pl_component templates, draws;
    double ends, low, high; /* ends 0: no pseudo-items; low == high: no range is known */
    double reach[2];        /* a < b as above; equal: Student's t as it is */
} pl_crossed_design;

/* NaN where not defined: fewer than two clusters (and no pseudo-items), or no variance at all. */
typedef struct pl_crossed {
    double value, centre, se, df, lo, hi;
    double lo_these, hi_these; /* clusters alone: for exactly these templates and draws */
    double se_these, df_these;
    double variance[3], variance_df[3]; /* of clusters, templates, draws; df 0: no sample */
    bool over_templates, over_draws;
    size_t n_clusters;
} pl_crossed;

/* 95 %, cut to [low, high]; an estimate beyond it (a component may be negative) stays in its interval. */
void pl_crossed_of(pl_crossed *out, const pl_crossed_design *design);
/* centre + the quantile of probability p, without reach and not cut. So are tests. */
double pl_crossed_bound(const pl_crossed *crossed, double p);
/* Two-sided, of the hypothesis that the value is `null`; NaN where there is no interval. */
double pl_crossed_p(const pl_crossed *crossed, double null);
/* One-sided, of the hypothesis that the value is `at` or less. Of `at` or more: one minus it. */
double pl_crossed_p_above(const pl_crossed *crossed, double at);
/* What a study with times[f] as many clusters, templates and draws may expect: the same centre, the components divided
 * by them. se and df are set, bounds of intervals are not. */
pl_crossed pl_crossed_larger(const pl_crossed *crossed, const double times[3]);

#endif
