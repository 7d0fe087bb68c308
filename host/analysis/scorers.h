/* Readouts of what a run stored, without a model: the same log-probabilities of the labels, scored in several ways.
 *
 * raw: their sums over tokens (`acc`). token, character: divided by the label's tokens, or characters. calibrated:
 * minus the logarithm of the label's mean share after content-free inputs (contextual calibration). pmi: minus the
 * logarithm of its mean probability there, not normalised over the labels: both scored behind the cell's own shots, the
 * choices that items have of their own too, item by item.
 * generated: the answers of units of readout generate, as their task takes them. What is asked of: groups (group.h)
 * whose scores are log-probabilities of texts: not of linear readouts and classifier heads. */
#ifndef PLUMB_ANALYSIS_SCORERS_H
#define PLUMB_ANALYSIS_SCORERS_H

#include "analysis/run_view.h"
#include "statistics/crossed.h"
#include "statistics/interval.h"

typedef enum pl_scorer {
    PL_SCORER_RAW,
    PL_SCORER_TOKEN,
    PL_SCORER_CHARACTER,
    PL_SCORER_CALIBRATED,
    PL_SCORER_PMI,
    PL_SCORER_GENERATED,
    PL_SCORERS
} pl_scorer;
const char *pl_scorer_name(pl_scorer scorer); /* "raw", "token", "character", "calibrated", "pmi", "generated" */

typedef struct pl_scorer_row {
    const char *model, *task, *arm;
    long long k;
    pl_scorer scorer;
    const char *role; /* of the templates of accuracy and difference */
    size_t n_items, n_templates, n_draws;
    pl_crossed accuracy, difference; /* difference: to raw, paired; NaN for raw and generated */
    size_t n_all_templates;          /* wordings, of all roles */
    pl_estimate template_sd;         /* of accuracy over them, with its F interval; the same for every role */
} pl_scorer_row;

/* Sensitive to wording: the interval of template SD leaves 0 out, by at least two of raw, calibrated and generated. */
typedef struct pl_scorer_claim {
    const char *model, *task, *arm;
    long long k;
    bool known[PL_SCORERS], sensitive[PL_SCORERS]; /* raw, calibrated, generated; the rest false */
} pl_scorer_claim;
size_t pl_scorer_claim_known(const pl_scorer_claim *claim);
size_t pl_scorer_claim_sensitive(const pl_scorer_claim *claim);

typedef struct pl_scorers_table {
    size_t n, n_claims;
    pl_scorer_row *rows;
    pl_scorer_claim *claims;
} pl_scorers_table;

/* From the finished units of the view, which must outlive the table. */
pl_status pl_scorers_of_run(pl_scorers_table **out, pl_run_view *view);
void pl_scorers_free(pl_scorers_table *table); /* takes NULL */

#endif
