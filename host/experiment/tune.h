/* The arm `finetune`: all weights are trained on the examples of a learning unit.
 *
 * Each learning rate of the grid is a trial; its score on dev items x dev templates is taken at each evaluation, and
 * its best weights count. The best trial (the first of equals) is the tuned model: a Hugging Face checkpoint in
 * <folder>/model, until everything that evaluates it is done. A trial that is over is a small file <folder>/trial-<i>;
 * one that is under way has its state in <folder>/trial-<i>.state: so a killed or drained run goes on where it was, to
 * the same bits. */
#ifndef PLUMB_EXPERIMENT_TUNE_H
#define PLUMB_EXPERIMENT_TUNE_H

#include "base/drain.h"
#include "experiment/example_prompts.h"

typedef struct pl_tuning {
    const pl_plan *plan;
    const pl_plan_unit *unit;
    const pl_processor *processor;
    const char *folder; /* of the run: checkpoints/<id> */
    pl_drain *drain;    /* NULL: never */
    bool quiet;
} pl_tuning;

typedef struct pl_tuning_cost {
    size_t n_steps, tokens; /* of all trials */
    size_t dev_tokens;      /* of their evaluations: the prompts of dev items x dev templates with their choices */
    double seconds;         /* of both, as far as they were not lost to a kill */
} pl_tuning_cost;

/* Trains; *finished is false when a signal came: the state is saved then. A trial whose loss is not finite is kept as a
 * failed one; when all are, that is the error. */
pl_status pl_tune(const pl_tuning *t, bool *finished);
/* What the trials came to, into the unit's file and its entries: /obs, /uns/plumb/training, the chosen rate, step, dev
 * score and digest of the weights. */
pl_status pl_tune_write(pl_unit_writer *writer, const pl_tuning *t, json_t *entries, pl_tuning_cost *cost);

/* The memory that training the unit's model will take, besides the process itself (about 30 MB). */
pl_status pl_tune_bytes(size_t *bytes, const pl_processor *processor, const pl_plan *plan, const pl_plan_unit *unit);

/* <folder>/model */
pl_status pl_tuned_path(char out[PL_PATH_MAX], const char *folder);
/* Removes what is in the folder, and with `model` the tuned weights and the folder itself. */
pl_status pl_tuned_remove(const char *folder, bool model);

#endif
