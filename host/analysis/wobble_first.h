/* A named policy to hold the verdict against, never a part of it: tune where the wobble of the readout margin
 * (wobble_margin) of the best prompting arm is above a half with 97.5 % certainty, else prompt (stability.md E.4). */
#ifndef PLUMB_ANALYSIS_WOBBLE_FIRST_H
#define PLUMB_ANALYSIS_WOBBLE_FIRST_H

#include "analysis/arms.h"
#include "analysis/stability.h"

/* Sets what the verdicts' rows say of it; both tables are of one run. */
void pl_wobble_first(pl_arms_table *arms, const pl_stability_table *table);

#endif
