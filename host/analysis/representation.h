/* Rows of the stability table about hidden states: wobble, shift, ICC and debiased CKA over templates, a layer at a
 * time. */
#ifndef PLUMB_ANALYSIS_REPRESENTATION_H
#define PLUMB_ANALYSIS_REPRESENTATION_H

#include "analysis/group.h"
#include "analysis/rows.h"

/* Rows of one member: every position and layer that all its units have. Nothing when it has fewer than two templates.
 */
pl_status pl__representation_rows(pl__rows *rows, const pl__group *family, const pl__member *member);

#endif
