/* What a paired difference's crossed interval (crossed.h) can show, before there are outcomes, and how many more levels
 * of a factor would narrow it (stability.md B.6).
 *
 * With n clusters of items, T templates, S draws and the components of variance of one cluster's difference
 * (three_way.h, clusters in place of items), the mean has the variance
 *   s2_i/n + s2_t/T + s2_s/S + s2_it/(nT) + s2_is/(nS) + s2_ts/(TS) + s2_e/(nTS),
 * and the interval's three components are expected to be
 *   V_c = (s2_i + s2_it/T + s2_is/S + s2_e/(TS))/n, V_t = (s2_t + s2_it/n + s2_ts/S + s2_e/(nS))/T, V_s likewise,
 * V_c with the pseudo-items at -1 and 1. Fewer than two templates, or PL_DRAWS_MIN draws, are no sample: what belongs
 * to them alone is in neither. */
#ifndef PLUMB_STATISTICS_POWER_H
#define PLUMB_STATISTICS_POWER_H

#include "statistics/crossed.h"
#include "statistics/three_way.h"

enum { PL_HALF_WIDTH_PERCENT = 5 }; /* of intervals that tables say what would reach */

typedef struct pl_study {
    size_t levels[3]; /* clusters, templates, draws; 1: the factor is not varied */
    pl_three_way parts;
} pl_study;

typedef struct pl_power {
    double variance[3]; /* expected, of clusters, templates, draws; 0: no sample */
    double half_width;  /* expected, of the 95 % interval of no difference */
    double detectable;  /* least difference whose p is under .05 in 80 % of such studies; INFINITY: none up to 1 */
} pl_power;

/* What is assumed of a paired difference of two arms' outcomes before any is known: SD .08 over templates and .07 over
 * draws, a third of the pairs of answers differ. Of clusters of `size` items, half of whose variance is the cluster's.
 */
pl_three_way pl_assumed_parts(double size);

/* Components that are NaN or negative count as 0. NaN where nothing varies. */
void pl_power_of(pl_power *out, const pl_study *study);

/* How often |x| > critical y, x normal (mean, sd) and y^2 = se^2 chi^2/df with df degrees of freedom: with sd = se it
 * is the power of Student's t test. */
double pl_power_of_t(double mean, double sd, double se, double df, double critical);

/* Levels of a factor (0 clusters, 1 templates, 2 draws) at which the half-width would be this, others as they are; 0:
 * no number of them is enough, or the factor is no sample. */
size_t pl_study_needed(const pl_study *study, size_t factor, double half_width);
/* The same from an interval that is there; its components shrink with their levels. */
size_t pl_levels_needed(const pl_crossed *crossed, size_t factor, double half_width);

#endif
