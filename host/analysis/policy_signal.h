/* Do representations tell anything that behaviour does not (stability.md E.5-6)? Asked of the same cells as policies,
 * so that they are never a gate on trust.
 *
 * Outcomes of the half that scores: what tuning gains, and the flip rate of the best prompt. Predicted from signals of
 * the half that decides, by ridge regression on standardised signals (weight 1 a signal, the intercept free), once from
 * behaviour alone and once with representations added, for tasks (or models) that the fit has not seen:
 *   R^2 = 1 - sum (y - prediction)^2 / sum (y - mean of y where it was fitted)^2,
 *   AUROC of the prediction for cells where tuning gains more than the margin.
 * Intervals: tasks (and models, from three on) resampled, the predictions as they are.
 * Spearman, partial: ranks within a model of signal and outcome, those of behaviour taken out by least squares. */
#ifndef PLUMB_ANALYSIS_POLICY_SIGNAL_H
#define PLUMB_ANALYSIS_POLICY_SIGNAL_H

#include "analysis/policy.h"

typedef enum pl_outcome { PL_OUTCOME_GAIN, PL_OUTCOME_FLIPS, PL_OUTCOMES } pl_outcome;
extern const char *const pl_outcome_names[PL_OUTCOMES]; /* "gain of tuning", "flips" */

typedef struct pl_signal_row {
    pl_outcome outcome;
    const char *statistic; /* "r2", "auroc", "spearman" */
    /* "behaviour", "and representations", "increment"; of spearman the signal */
    const char *of;
    pl_held_out held_out; /* PL_HELD_NONE of spearman */
    double value, lo, hi;
    size_t n_cells, n_tasks, n_models;
    const char *why_empty;
} pl_signal_row;

typedef struct pl_signal_table {
    size_t n;
    pl_signal_row *rows;
    size_t n_signals[2]; /* of behaviour, of representations: that every cell has */
    bool has_signal[PL_SIGNALS];
    bool promotes[PL_OUTCOMES]; /* the increment's lower bound is above 0 for unseen tasks and for unseen models */
} pl_signal_table;

pl_status pl_signals_judge(pl_signal_table *out, const pl_policy_cases *cases, double margin);
void pl_signal_table_free(pl_signal_table *table); /* takes {0} */

#endif
