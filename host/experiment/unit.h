/* Running one unit: prompts → engine → rows → one file in the run folder. */
#ifndef PLUMB_EXPERIMENT_UNIT_H
#define PLUMB_EXPERIMENT_UNIT_H

#include "experiment/encode.h"
#include "experiment/linear.h"
#include "store/unit_file.h"

/* What a unit cost; goes into its sidecar. */
typedef struct pl_unit_cost {
    size_t tokens_in_requests, tokens_computed, n_batches, generated_tokens;
    size_t free_tokens;                  /* of tokens_computed: content-free inputs and what was scored behind them */
    double prompts_s, engine_s, write_s; /* prompts are built while another unit runs */
    double learned_s; /* of one that learns: all trials and their evaluations, in all processes that were at it */
    size_t n_items, n_skipped, n_merged, n_truncated, n_set_aside;
    /* Items without a prediction (a log-likelihood or logit is NaN or infinite), items with such a value in a captured
     * state, the first of either, and the layer (0..L+1) where its states begin to be so; SIZE_MAX: none, not known. */
    size_t n_not_finite, n_states_not_finite, first_not_finite, layer_not_finite;
    pl_unit_losses losses; /* values of all stored states, also of position `all` */
} pl_unit_cost;

/* A unit's prompts, built and encoded: what the engine is asked. Any thread may make them. */
typedef struct pl_unit_prompts pl_unit_prompts;
pl_status pl_unit_prompts_create(pl_unit_prompts **out, const pl_plan *plan, const pl_plan_unit *unit);
void pl_unit_prompts_free(pl_unit_prompts *prompts); /* takes NULL */

/* What an evaluating unit is run with. */
typedef struct pl_unit_job {
    const pl_plan *plan;
    const pl_plan_unit *unit;
    pl_unit_prompts *prompts;        /* the unit's; used up */
    pl_engine *engine;               /* holds the model that answers */
    const pl_checkpoint *checkpoint; /* its weights */
    const pl_linear *linear;         /* of arm linear: what answers in the head's place; NULL */
    pl_states_kept *kept;            /* of arm linear */
    const char *numerics_key, *path;
} pl_unit_job;

/* Writes the unit's file for `path` under a temporary name (pl_unit_seal): *writer is the caller's to finish. On
 * failure nothing is left; a unit without one finite item fails. */
pl_status pl_unit_run(pl_unit_writer **writer, const pl_unit_job *job, pl_unit_cost *cost);

/* Writes what decided a unit's numbers, and who computed them. `entries`, which may be NULL, are more of /uns/plumb. */
pl_status pl_unit_write_config(pl_unit_writer *writer, const pl_plan *plan, const pl_plan_unit *unit,
                               const char *numerics_key, json_t *entries);

#endif
