/* The paired difference of two conditions with its crossed interval (arms.h, contrasts.h). */
#ifndef PLUMB_ANALYSIS_CONTRAST_H
#define PLUMB_ANALYSIS_CONTRAST_H

#include "analysis/condition.h"
#include "statistics/crossed.h"
#include "statistics/three_way.h"

/* c - against (NULL: c alone) over the role's templates that both have, with its crossed interval; where the two have
 * the same draws these are paired. The arena is for scratch. */
pl_status pl__contrast(pl_crossed *out, const pl__condition *c, const pl__condition *against, pl_role role,
                       pl_arena *arena);

/* c under templates of one role minus c under those of another; with the pooled variance over both, so that roles given
 * at random do not reject. */
pl_status pl__role_contrast(pl_crossed *out, const pl__condition *c, pl_role role, pl_role against, pl_arena *arena);
/* The mean squares of c's outcomes under templates of the role, of totals of clusters, for the SD over templates
 * (three_way.h), and their mean. Templates that are one are one level. t or n under 2: there are none, mean is NaN. */
pl_status pl__contrast_squares(pl_mean_squares *out, double *mean, const pl__condition *c, pl_role role,
                               pl_arena *arena);
/* McNemar's exact p of two conditions with one common template of the role and one draw each; NaN where that does not
 * apply. */
double pl__contrast_mcnemar(const pl__condition *c, const pl__condition *against, pl_role role);
/* Templates of the role that both have, wordings counted once. */
size_t pl__contrast_n_templates(const pl__condition *c, const pl__condition *against, pl_role role);

/* The components of variance of c - against over the role's templates, of means over clusters of items (three_way.h);
 * draws that both have, and a side that is not sampled beside all of the other's. NaN without two clusters and two
 * templates, and where no draw is in both. The arena is for scratch. */
pl_status pl__contrast_parts(pl_three_way *out, const pl__condition *c, const pl__condition *against, pl_role role,
                             pl_arena *arena);

#endif
