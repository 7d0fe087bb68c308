/* Differences between conditions (condition.h) of one task and readout, on the items and templates that both have.
 *
 * kind "primary": what the experiment was run for, as its file says (spec key `primary`). The others are exploratory:
 * "arm": two arms or shot counts of one model; "model": two models with the same arm and shots; "role": templates of
 * two roles under one condition. Each has its crossed interval and the p of no difference; p_adjusted is Holm's over
 * all primary rows, and Benjamini and Hochberg's over the rest. */
#ifndef PLUMB_ANALYSIS_CONTRASTS_H
#define PLUMB_ANALYSIS_CONTRASTS_H

#include "analysis/run_view.h"
#include "base/memory.h"
#include "statistics/crossed.h"
#include "statistics/power.h"

typedef struct pl_contrast_row {
    const char *kind, *task, *readout;
    const char *model, *arm, *role; /* arm: with "calibrated" behind it where it is */
    long long k;
    const char *minus_model, *minus_arm, *minus_role; /* what is taken off */
    long long minus_k;
    pl_crossed difference;                          /* of accuracies */
    const char *generalises;                        /* what its interval is over; "" without one */
    size_t n_items, n_templates, n_minus_templates; /* wordings; of each side */
    size_t n_draws, n_minus_draws;
    double p, p_adjusted, p_mcnemar; /* p_mcnemar: one template, one draw, items that are no clusters; NaN else */
    /* Of kind primary; else 0 and NaN. needed: clusters of items, templates, draws at which the half-width of its
     * interval would be PL_HALF_WIDTH_PERCENT, the other two as they are; 0: no number of them is enough, or they are
     * no part of the interval. parts: its components of variance (contrast.h). */
    size_t needed[3];
    pl_three_way parts;
    const char *why_empty; /* "" or why there is no difference, or no part of its interval */
} pl_contrast_row;

typedef struct pl_contrasts_table {
    size_t n;
    pl_contrast_row *rows;
    pl_arena *arena;
} pl_contrasts_table;

/* From the finished units of the view, which must outlive the table. */
pl_status pl_contrasts_of_run(pl_contrasts_table **out, pl_run_view *view);
void pl_contrasts_free(pl_contrasts_table *table); /* takes NULL */

#endif
