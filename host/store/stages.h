/* The stages of a staged run (stability.md E.4, "Staged"): for each model, task and readout its arms run in the order
 * of their cost, prompt, linear, finetune. Between two stages stands a look (look.h); where it is enough the units of
 * later stages are not needed: they are not computed, and not missing. Which looks were taken says the run folder. */
#ifndef PLUMB_STORE_STAGES_H
#define PLUMB_STORE_STAGES_H

#include "store/look.h"

enum { PL_STAGES = 3 };
extern const char *const pl_stage_names[PL_STAGES]; /* kinds of arms, the cheapest first */
size_t pl_stage_of(const char *arm);                /* PL_STAGES: no such kind */

/* A model, task and readout: a row of the verdict. */
typedef struct pl_stage_row {
    size_t model, task; /* of the plan */
    const char *readout;
    bool has[PL_STAGES];
    size_t n_stages;
    size_t open;    /* the last stage that may run */
    bool stopped;   /* the look behind it was enough */
    size_t done_to; /* units of the plan that are known to be finished where they are of the open stage */
} pl_stage_row;

/* What is to become of a unit; of one that adapts a model the first of these that one of its evaluations has. */
typedef enum pl_need { PL_NEEDED, PL_WAITING, PL_NOT_NEEDED } pl_need;

typedef struct pl_stages {
    const pl_plan_file *plan;
    size_t n, n_looked_at; /* rows, and those of more than one stage. 0: the run is not staged, every unit is needed */
    pl_stage_row *rows;
    size_t *row_of;     /* [n_units] of units that evaluate */
    size_t *learner_of; /* [n_units] the unit that adapted their model; SIZE_MAX: none */
    pl_need *need;      /* [n_units] */
} pl_stages;

/* The plan must outlive it. */
pl_status pl_stages_open(pl_stages *out, const pl_plan_file *plan, const pl_run_folder *run);
void pl_stages_free(pl_stages *stages); /* takes {0} */
/* The looks that were taken since. */
pl_status pl_stages_read(pl_stages *stages, const pl_run_folder *run);

/* NULL: the run is not staged. */
const pl_stage_row *pl_stages_row(const pl_stages *stages, size_t model, size_t task, const char *readout);
/* The look that the row waits for; false: none, it was stopped or is at its last stage. */
bool pl_stages_next_look(pl_look_place *out, const pl_stages *stages, const pl_stage_row *row);
/* Whether every unit of the row's open stage is finished. */
bool pl_stages_is_finished(const pl_stages *stages, pl_stage_row *row, const pl_run_folder *run);

#endif
