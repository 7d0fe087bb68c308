/* The templates of a role together: an item's label log-probabilities added up over them, each draw alone.
 *
 * As a condition its answers under a template are pseudo-values, t_i + (W - 1)(mean over wordings of t_i(-w) -
 * t_i(-w)), with t_i whether the ensemble is right on item i, t_i(-w) without the templates of wording w, and W
 * wordings: their mean is t_i, and the variance of their means over items is the delete-one-wording jackknife's. So its
 * interval says how the accuracy moves with the wordings that the ensemble is made of. */
#ifndef PLUMB_ANALYSIS_ENSEMBLE_H
#define PLUMB_ANALYSIS_ENSEMBLE_H

#include "analysis/condition.h"

/* Of the group's condition `base`, plain; n_draws 0: an item lacks scores of the labels under some template. */
pl_status pl__ensemble_of(pl__condition *out, const pl__condition *base, const pl__group *group, pl_arena *arena);

#endif
