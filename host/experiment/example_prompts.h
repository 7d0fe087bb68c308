/* The examples that an arm learns from, as the model reads them: prompts without shots, and what may follow them. */
#ifndef PLUMB_EXPERIMENT_EXAMPLE_PROMPTS_H
#define PLUMB_EXPERIMENT_EXAMPLE_PROMPTS_H

#include "experiment/encode.h"
#include "experiment/examples.h"
#include "store/unit_file.h"

typedef struct pl_example_prompt {
    pl_prompt prompt; /* gold: the label that is learned, also where labels are shuffled */
    pl_encoded encoded;
} pl_example_prompt;

/* What follows each prompt. */
typedef enum pl_example_paths {
    PL_EXAMPLE_ANSWER, /* the right answer alone, in words: one choice, which is gold */
    PL_EXAMPLE_CHOICES /* every choice in words, or for a head with a row a label as its index */
} pl_example_paths;

/* Examples first..first + n - 1 of a learning unit, each under its own template, or all under `t`. A prompt that does
 * not fit is an error, but with truncation: truncate_left. */
pl_status pl_example_prompts(pl_example_prompt *out, const pl_plan *plan, const pl_plan_unit *unit, size_t first,
                             size_t n, const pl_template *t, pl_example_paths paths, pl_arena *arena);

/* /obs of a learning unit: its examples, and what each is for. */
pl_status pl_examples_write(pl_unit_writer *writer, const pl_plan *plan, const pl_plan_unit *unit);

#endif
