/* Rows of the stability table about predictions: accuracy, agreement over templates, label distributions. */
#ifndef PLUMB_ANALYSIS_BEHAVIOUR_H
#define PLUMB_ANALYSIS_BEHAVIOUR_H

#include "analysis/group.h"
#include "analysis/rows.h"

/* Template variances of a family's members, for the row that is their mean. Start from {0}. */
typedef struct pl__variance_pool {
    size_t t, n_members;
    double tau2;
    double *without_template; /* [t] */
    double *null_tau2;        /* [PL_PERMUTATIONS] */
} pl__variance_pool;
void pl__variance_pool_free(pl__variance_pool *pool);

/* Rows of one member; rows->base says which. */
pl_status pl__behaviour_rows(pl__rows *rows, const pl__group *family, const pl__member *member,
                             pl__variance_pool *pool);
/* The pooled rows that are no means of jackknives: majority and template_sd; rows->base says what they are the mean of.
 */
pl_status pl__behaviour_pooled(pl__rows *rows, const pl__group *family, pl__variance_pool *pool);

#endif
