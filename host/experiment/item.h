/* The items of one unit on their way: prompt, token ids, and what the readout made of them. Shared inside the folder.
 */
#ifndef PLUMB_EXPERIMENT_ITEM_H
#define PLUMB_EXPERIMENT_ITEM_H

#include "experiment/encode.h"
#include "measure/logistic.h"
#include "task/answer.h"

typedef struct pl__item {
    size_t index; /* into task->test */
    pl_prompt prompt;
    pl_encoded encoded;
    /* The readout's result. */
    pl_outcome outcome;
    const char *prediction;                /* the text of a choice, or an open answer; NULL: none */
    const char *label;                     /* the text of the right choice, or the target */
    int64_t label_index, prediction_index; /* among the choices; -1: none, other, not finite, an open answer */
    bool correct, correct_norm, correct_bytes,
        correct_mutual; /* by score, a character's, a byte's, less the choice's own */
    bool finite;        /* false: a log-likelihood is NaN or infinite, so there is no prediction */
    /* Of each choice, and behind them (prompt.unconditional) of each behind an empty context: the sum of its tokens'
     * log-probabilities, and whether each token is the likeliest. NULL when generated. */
    double *score;
    bool *greedy;
    /* Generation only; NULL for loglikelihood: the text, and what the task's filter makes of it. */
    const char *response, *filtered;
    bool exact_match, answer_match; /* task/answer.h; `correct` is the task's own metric of the two */
} pl__item;

typedef struct pl__items {
    size_t n, n_skipped;
    size_t n_set_aside; /* items for which a row of the draw was set aside: it would give the answer away */
    size_t n_not_finite, first_not_finite; /* items without a prediction, and the first one's index in the data */
    pl__item *items;                       /* kept items only */
    size_t n_content_free;                 /* 0: the unit is not calibrated, or the template cannot show such items */
    /* The task's content-free inputs behind the unit's shots, with the labels behind them; where items have choices of
     * their own, all of these, each once. */
    pl__item *content_free;
    size_t *free_choice; /* [choices of all items]: of each, its place among those of content_free; NULL: the labels */
    pl_arena *arena;
} pl__items;

/* Builds and encodes every prompt of the unit, by the truncation policy. */
pl_status pl__items_build(pl__items *out, const pl_plan *plan, const pl_plan_unit *unit, pl_arena *arena);

/* Fills outcome, prediction, label, correct from log-likelihoods or generations. An item with a
 * log-likelihood that is not finite has no prediction and is not correct. Results of content-free items follow those of
 * the items; they get their scores only. What results then hold of an item are its choices: the windows of a rolling
 * text are one, and choices behind an empty context are gone. */
pl_status pl__items_score(pl__items *items, pl_results *results);
void pl__items_count_not_finite(pl__items *items, size_t i);
/* The gold choice as /obs has it: -1 without choices, and where several are right. */
int64_t pl__label_index(const pl_prompt *prompt);
pl_status pl__items_answer(pl__items *items, const pl_task *task, const pl_generation *generations);

/* What answered: the head of a checkpoint, or (not NULL) a linear readout. */
typedef struct pl__head {
    const pl_checkpoint *checkpoint;
    const pl_logistic *linear;
} pl__head;

/* Puts everything but the states into the file: obs, loglik, labels, samples. */
pl_status pl__items_write(const pl__items *items, const pl_plan *plan, const pl_plan_unit *unit, const pl__head *head,
                          const pl_results *results, pl_unit_writer *writer);

#endif
