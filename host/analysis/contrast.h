/* Outcomes of one condition, and the paired difference of two with its crossed interval (arms.h). */
#ifndef PLUMB_ANALYSIS_CONTRAST_H
#define PLUMB_ANALYSIS_CONTRAST_H

#include "analysis/run_view.h"
#include "statistics/crossed.h"

typedef struct pl__condition {
    const pl_run_unit *unit; /* the group's first */
    bool calibrated;         /* by its content-free prompts: acc_cc in place of acc */
    size_t n, t, n_draws;    /* items, templates, draws with a whole member */
    size_t n_largest;        /* rows of the largest unit */
    int64_t *doc_id;         /* [n] */
    uint64_t *group_of;      /* [n]: equal where items are of one cluster; NULL: each is its own */
    const char **templates;  /* [t] */
    pl_role *roles;          /* [t] */
    size_t *same;            /* [t] the first template of the role that is one wording with this: often itself */
    long long *draws;        /* [n_draws] */
    double *correct;         /* [n_draws, t, n]: mean over orders */
    int *classes;            /* [n] gold labels (group.h) */
    size_t n_commonest;      /* kept items with the commonest label */
    size_t n_kept, *kept;    /* [n_kept] items that are compared: places among n */
} pl__condition;

/* Templates of the role that are not one with another: the samples that an interval goes by. */
size_t pl__condition_n_templates(const pl__condition *c, pl_role role);
/* Mean over draws, such templates, and kept items; NaN: no such template. */
double pl__condition_accuracy(const pl__condition *c, pl_role role);
double pl__condition_draw_accuracy(const pl__condition *c, size_t draw, pl_role role);

/* c - against (NULL: c alone) over the role's templates that both have, with its crossed interval; where the two have
 * the same draws these are paired. The arena is for scratch. */
pl_status pl__contrast(pl_crossed *out, const pl__condition *c, const pl__condition *against, pl_role role,
                       pl_arena *arena);

#endif
