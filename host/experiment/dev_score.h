/* How good a model is on the dev items of a learning unit, under all its dev templates: what learning rate and step are
 * chosen by. */
#ifndef PLUMB_EXPERIMENT_DEV_SCORE_H
#define PLUMB_EXPERIMENT_DEV_SCORE_H

#include "experiment/example_prompts.h"

typedef struct pl_dev_items {
    size_t n; /* dev items x dev templates */
    pl_request *requests;
    size_t *gold;    /* [n] */
    bool has_labels; /* else the score is the mean log-probability of the answer */
    double majority; /* share of the commonest label */
    size_t n_tokens; /* that one evaluation runs: each prompt, and what its choices have beyond it */
} pl_dev_items;

/* The arena owns everything. */
pl_status pl_dev_items_make(pl_dev_items *out, const pl_plan *plan, const pl_plan_unit *unit, pl_arena *arena);

/* With labels: (right answers + mean probability of the right label) / n, so that accuracy decides and probability
 * breaks ties; accuracy is floor(score x n) / n. NaN when a log-probability is not finite. */
pl_status pl_dev_score(double *score, const pl_dev_items *items, pl_model *model);
double pl_dev_accuracy(const pl_dev_items *items, double score);

#endif
