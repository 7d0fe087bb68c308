/* What one run holds while it works. Shared inside the folder. */
#ifndef PLUMB_EXPERIMENT_RUN_PARTS_H
#define PLUMB_EXPERIMENT_RUN_PARTS_H

#include "base/progress.h"
#include "experiment/ahead.h"
#include "experiment/run.h"
#include "experiment/unit.h"

/* Whether this process computes a model's units. */
typedef struct pl__model_key {
    bool decided, refused;
    char own[PL_NUMERICS_KEY];
} pl__model_key;

typedef struct pl__runner {
    const pl_spec *spec;
    const pl_run_options *options;
    pl_run_summary *summary;
    pl_processor processor;
    pl_device_facts device; /* with the weights that are loaded */
    pl_device_facts opened; /* before there were any */
    pl_plan *plan;
    pl_plan_file *planned; /* of a staged run: the plan as its folder has it, with the same units in order */
    pl_stages stages;
    bool *mine;           /* [n_units] */
    bool *failed;         /* [n_units] in this process */
    pl__model_key *keys;  /* [n_models] */
    size_t loaded;        /* index of the loaded model; SIZE_MAX: none */
    size_t learner;       /* the unit that tuned it; SIZE_MAX: the checkpoint as it is */
    pl_checkpoint *tuned; /* then its checkpoint; owned */
    pl_model *model;
    pl_engine *engine;
    bool certified; /* promise 1 was tried on this device with the loaded model */
    pl_ahead ahead;
    pl_linear linear;     /* what was learned last */
    pl_states_kept kept;  /* what it is applied to */
    bool stopped;         /* by a signal, in the middle of training */
    size_t n_working;     /* of the units that are elsewhere: with processes that live */
    pl_progress progress; /* counts prompts */
    size_t prompts_done;
    double computing_s, computed_cost, left_cost; /* cost: of plan units */
} pl__runner;

/* One line for people, where somebody listens. */
static inline void pl__say(const pl__runner *r, const char *line)
{
    if (r->options->say) r->options->say(r->options->listener, line);
}

/* ---- run_agree.c ---- */

/* Whether this process may compute the model's units (r->keys), decided when the first of them is due. */
pl_status pl__agree(pl__runner *r, size_t model);

/* ---- run_stage.c ---- */

/* r->planned and r->stages, of a staged run; others have none, and every unit is needed. */
pl_status pl__stages_begin(pl__runner *r);
/* What is to become of a unit that is not there. Takes the look that it waits for when that is due: a line in the log,
 * and for people. */
pl_status pl__unit_need(pl_need *need, pl__runner *r, const pl_plan_unit *unit);
/* As far as the looks say that were taken before. */
bool pl__is_not_needed(const pl__runner *r, size_t unit);

/* ---- run_model.c ---- */

void pl__unload(pl__runner *r);
pl_status pl__load_model(pl__runner *r, size_t index);
/* A checkpoint that a learning unit made; the runner's from here on. */
pl_status pl__load_tuned(pl__runner *r, size_t learner, pl_checkpoint *checkpoint, const char *digest);

/* ---- run_learn.c ---- */

/* Adapts the unit's model: *writer is sealed, and the caller's to finish. PL_E_DRAINED or PL_E_INTERRUPTED: a signal
 * came, and the state is saved. */
pl_status pl__learn(pl__runner *r, const pl_plan_unit *unit, const char *path, pl_unit_writer **writer,
                    pl_unit_cost *cost);
/* Makes ready what answers for an evaluating unit: the model, tuned or not, and r->linear. PL_E_ELSEWHERE: another
 * process trains it. */
pl_status pl__load_for(pl__runner *r, const pl_plan_unit *unit);
/* Behind a finished unit that learns: its weights are there when some arm saves them, trained once more where they are
 * not. The same errors as pl__learn. */
pl_status pl__keep_saved(pl__runner *r, const pl_plan_unit *unit);
/* Behind a unit: tuned weights that nothing needs any more are removed. */
pl_status pl__clean_up(pl__runner *r, const pl_plan_unit *unit);

#endif
