/* The prompts of the next unit, built by a thread while the device runs the one before. */
#ifndef PLUMB_EXPERIMENT_AHEAD_H
#define PLUMB_EXPERIMENT_AHEAD_H

#include <pthread.h>

#include "experiment/unit.h"

typedef struct pl_ahead {
    const pl_plan *plan;
    const pl_plan_unit *unit; /* NULL: nothing is under way */
    pthread_t thread;
    pl_unit_prompts *prompts;
    pl_status status;
    char text[1024]; /* of the failure: error texts belong to their thread */
} pl_ahead;

/* Begins a unit's prompts. Where no thread can be had they are built when they are taken. */
void pl_ahead_start(pl_ahead *ahead, const pl_plan *plan, const pl_plan_unit *unit);
/* The prompts of a unit: those begun, or built now. The caller frees them. */
pl_status pl_ahead_take(pl_ahead *ahead, const pl_plan *plan, const pl_plan_unit *unit, pl_unit_prompts **out);
void pl_ahead_drop(pl_ahead *ahead); /* takes {0} */

#endif
