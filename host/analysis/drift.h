/* How far learning moves hidden states: rows of the stability table for arms that fine-tune.
 *
 * Debiased linear CKA of the same items under the same template, mean over templates: contrast "base", the tuned model
 * against the checkpoint as it is (the units of arm prompt without shots; mean over draws, too); contrast "draws", each
 * two draws of the arm against each other. 1: the same up to rotation and scale. The null's SD is that of one pair:
 * pairs share units and items, so that the mean over them need not have a smaller one. */
#ifndef PLUMB_ANALYSIS_DRIFT_H
#define PLUMB_ANALYSIS_DRIFT_H

#include "analysis/rows.h"

/* The rows of the group of the view's unit `first`; none where it does not fine-tune or has no states. */
pl_status pl__drift_rows(pl__rows *rows, pl_run_view *view, size_t first);

#endif
