/* The arm `linear`: an L2 logistic readout of the frozen model's states at the prompt's last token.
 *
 * A learning unit runs the model once over its n examples; the strength, and the layer where there are several, are
 * those of least held-out loss in inner cross-validation, whose folds keep rows of one group together. What it learned
 * stands in its file. Units that evaluate it need the states of their prompts, which do not depend on what was learned:
 * they are kept from unit to unit. */
#ifndef PLUMB_EXPERIMENT_LINEAR_H
#define PLUMB_EXPERIMENT_LINEAR_H

#include "experiment/encode.h"
#include "measure/logistic.h"
#include "store/unit_file.h"

typedef struct pl_linear {
    char id[PL_HASH_TEXT]; /* of the unit that learned it; "": none */
    pl_logistic model;
    size_t layer; /* 0..L+1 */
} pl_linear;

void pl_linear_free(pl_linear *linear); /* takes {0} */

typedef struct pl_linear_cost {
    size_t tokens, n_batches;
    double engine_s, fit_s;
} pl_linear_cost;

/* Fits on the engine's device, and writes everything but the configuration into the file. */
pl_status pl_linear_learn(pl_unit_writer *writer, const pl_plan *plan, const pl_plan_unit *unit, pl_engine *engine,
                          const pl_processor *processor, json_t *entries, pl_linear_cost *cost);
/* What the unit of this id learned, from its file. */
pl_status pl_linear_read(pl_linear *out, const char *path, const char *id);

/* States of the prompts of evaluated items, by model, task, template and layer: the same for every seed. */
typedef struct pl_states_kept {
    struct pl__kept_states *entries;
    size_t n, capacity, bytes;
} pl_states_kept;
void pl_states_kept_free(pl_states_kept *kept); /* takes {0} */

/* Log-probabilities of labels as a scoring call gives them: one "token" a choice. The requests have their choices as
 * paths of labels (pl_encoded_label_paths). Free *out. */
pl_status pl_linear_score(pl_results **out, const pl_linear *linear, const pl_plan_unit *unit, pl_states_kept *kept,
                          pl_engine *engine, const pl_request *requests, size_t n);

#endif
