/* A look of a staged run: what was seen when a stage of it was finished, and whether that is enough (stability.md E.4,
 * "Staged"). Kept in looks/<model>.<task>.<readout>.<stage>.json, models and tasks by their places in the plan; written
 * once, so that all processes and the analysis go by the same numbers. */
#ifndef PLUMB_STORE_LOOK_H
#define PLUMB_STORE_LOOK_H

#include "store/plan_file.h"

/* Which look. */
typedef struct pl_look_place {
    size_t model, task; /* of the plan */
    const char *readout, *stage;
    size_t n_looks; /* of these three, the verdict at the end counted: the error is split over them */
    size_t n_rows;  /* models x tasks x readouts that look: over these too */
} pl_look_place;

typedef struct pl_look {
    bool enough;
    char why[160]; /* "", or why nothing can be concluded: not enough then */
    char arm[200]; /* that was best */
    size_t k;
    double accuracy, accuracy_lo;       /* its accuracy under ood templates, and the lower bound; NaN: not known */
    double template_sd, template_sd_hi; /* and the upper bound */
    double require, template_sd_max;    /* what the bounds are held against */
    double tail;                        /* outside each bound */
} pl_look;

/* *there: the look was taken. PL_E_INPUT: its file is no look. */
pl_status pl_look_get(pl_look *out, bool *there, const pl_run_folder *run, const pl_look_place *place);
/* Keeps the look; *look is the one that counts then, whoever was first. */
pl_status pl_look_agree(pl_look *look, const pl_run_folder *run, const pl_plan_file *plan, const pl_look_place *place);

/* What it says, in a line: "after prompt: accuracy 0.812, at least 0.771 ...". */
enum { PL_LOOK_TEXT = 640 };
void pl_look_text(char out[PL_LOOK_TEXT], const pl_look *look, const char *stage);

#endif
