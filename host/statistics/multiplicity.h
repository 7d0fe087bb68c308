/* P-values of several hypotheses, adjusted: reject where the adjusted value is at most the level. */
#ifndef PLUMB_STATISTICS_MULTIPLICITY_H
#define PLUMB_STATISTICS_MULTIPLICITY_H

#include <stddef.h>

#include "base/status.h"

/* adjusted[i] of p[i]: Holm 1979 (the chance of any wrong rejection), Benjamini and Hochberg 1995 (the share of wrong
 * ones). NaN stays NaN and is no hypothesis. */
pl_status pl_holm(double *adjusted, const double *p, size_t n);               /* [n] */
pl_status pl_benjamini_hochberg(double *adjusted, const double *p, size_t n); /* [n] */

/* McNemar's exact test: two-sided, of `first` and `second` discordant pairs. 1 without any. */
double pl_mcnemar(size_t first, size_t second);

#endif
