/* Numbers that lm-evaluation-harness makes of all items of a unit together: no means of something an item has. The
 * table of them is the one list of their names, aggregations and directions for reports. */
#ifndef PLUMB_ANALYSIS_POOLED_H
#define PLUMB_ANALYSIS_POOLED_H

#include "analysis/run_view.h"
#include "base/json_build.h"

typedef struct pl_pooled {
    const char *name, *aggregation;
    bool higher_is_better;
} pl_pooled;

/* By name; NULL: no such number. */
const pl_pooled *pl_pooled_find(const char *name);

/* Of the unit's finite rows; the unit is taken. NaN: not defined, or not of such units.
 *
 * f1, mcc: statistics/labels.h. brier_score: mean over rows of sum over choices (p - [choice is gold])^2, p the softmax
 * of the choices' scores. perplexity: exp of minus the mean score of the targets. word_perplexity, byte_perplexity: exp
 * of minus the scores of all texts over all their words or bytes; bits_per_byte: log2 of the latter. */
pl_status pl_pooled_of(double *out, const pl_run_unit *unit, const pl_pooled *what);

/* What lm-evaluation-harness pools of one row, a member named as the number: (gold, predicted) for f1 and mcc, (gold,
 * probabilities), the log-likelihood, or (log-likelihood, words or bytes). */
pl_status pl_pooled_row(pl_json_builder *b, const pl_run_unit *unit, const pl_pooled *what, size_t row);

#endif
