/* p-values for the number of tests beside them: p_adjusted of the stability table.
 *
 * Rows are one family when they are of one metric and contrast, all over several templates or all of single ones, and
 * all means over draws or all of single draws: of every model, task, arm, k and layer. Within it Benjamini and
 * Hochberg's. Rows that have a p_adjusted already (curves over layers) are none of it. */
#ifndef PLUMB_ANALYSIS_FAMILY_H
#define PLUMB_ANALYSIS_FAMILY_H

#include "analysis/stability.h"

pl_status pl__families_adjust(pl_stability_row *rows, size_t n); /* [n] */

#endif
