/* The items of one unit on their way: prompt, token ids, and what the readout made of them. Shared inside the folder.
 */
#ifndef PLUMB_EXPERIMENT_ITEM_H
#define PLUMB_EXPERIMENT_ITEM_H

#include "experiment/encode.h"
#include "task/answer.h"

typedef struct pl__item {
    size_t index; /* into task->test */
    pl_prompt prompt;
    pl_encoded encoded;
    /* The readout's result. */
    pl_outcome outcome;
    const char *prediction; /* canonical: the label's index as text, "other", "none", or the answer itself */
    const char *label;      /* canonical gold */
    bool correct, correct_norm;
    const char *response; /* generated text; NULL for loglikelihood */
} pl__item;

typedef struct pl__items {
    size_t n, n_skipped;
    pl__item *items; /* kept items only */
    pl_arena *arena;
} pl__items;

/* Builds and encodes every prompt of the unit, by the truncation policy. */
pl_status pl__items_build(pl__items *out, const pl_plan *plan, const pl_plan_unit *unit, pl_arena *arena);

/* Fills outcome, prediction, label, correct from log-likelihoods or generations. */
pl_status pl__items_score(pl__items *items, const pl_results *results);
pl_status pl__items_answer(pl__items *items, const pl_generation *generations);

/* Puts everything but the states into the file: obs, loglik, labels, samples. */
pl_status pl__items_write(const pl__items *items, const pl_plan *plan, const pl_plan_unit *unit,
                          const pl_results *results, pl_unit_writer *writer);

/* Characters (code points) of a UTF-8 text: acc_norm's length. */
size_t pl__count_characters(const char *text);

#endif
