/* Which rows of the pool an arm learns from (architecture.md, "Matched examples").
 *
 * A draw is one balanced permutation of the pool, the same for every arm: its first k rows are the shots of a prompt,
 * its first n the examples of an arm that learns, and the last quarter of these are the dev items: `finetune` does not
 * train on them, it chooses by them. Where rows have groups, whole groups are dev items: about a quarter, and they are
 * put last. A row that would give the answer of some evaluated item away (rows.h) is passed
 * over, for all of them. */
#ifndef PLUMB_EXPERIMENT_EXAMPLES_H
#define PLUMB_EXPERIMENT_EXAMPLES_H

#include "experiment/plan.h"

/* What a model learns, before it is looked at which model. */
typedef struct pl_examples_wanted {
    size_t n;
    uint32_t draw;
    bool balance, shuffled; /* shuffled: labels are exchanged among the examples */
    uint64_t seed;          /* of the experiment */
} pl_examples_wanted;

struct pl_examples {
    size_t n, n_dev;    /* the last n_dev of n are dev items */
    size_t *rows;       /* [n] of task->fewshot */
    size_t *classes;    /* [n] label of each; NULL: the task has no label set */
    size_t n_classes;   /* 0: no label set */
    size_t n_set_aside; /* rows of the pool that were passed over */
    size_t n_templates; /* that the examples stand under, */
    const pl_template **templates;
    size_t *template_of;       /* [n] one of them for each */
    char digest[PL_HASH_TEXT]; /* of rows, classes and template_of */
};

/* Chooses and checks, for the plan: too few rows, one class only, and a template that loses the label are errors.
 * The arena owns what *out points at. */
pl_status pl_examples_choose(pl_examples *out, const pl_plan_task *task, const pl_examples_wanted *wanted,
                             const pl_mixture *mixture, pl_arena *arena);

#endif
