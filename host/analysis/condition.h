/* A condition: what a group (group.h) got right, item by item; an arm that prompts is a second one where its
 * content-free prompts were scored, with contextual calibration. Conditions that are compared are brought to the items
 * that all of them have. */
#ifndef PLUMB_ANALYSIS_CONDITION_H
#define PLUMB_ANALYSIS_CONDITION_H

#include "analysis/group.h"
#include "base/memory.h"

enum { PL__KEPT_PERCENT_MIN = 95 };

/* What accuracy is held against: the commonest label's share; chance, where each item has choices of its own, whose
 * places are no labels; nothing, where answers are open. */
typedef enum pl__baseline { PL__COMMONEST, PL__CHANCE, PL__NO_BASELINE } pl__baseline;

typedef struct pl__condition {
    const pl_run_unit *unit; /* the group's first */
    bool calibrated;         /* by its content-free prompts: acc_cc in place of acc */
    bool ensembled;          /* calibrated, the templates of a role together (ensemble.h): answers are pseudo-values */
    size_t n, t, n_draws;    /* items, templates, draws with a whole member */
    bool sampled;            /* its draws are of many: it has shots, or learned; one or two tell nothing of others */
    size_t n_largest;        /* rows of the largest unit */
    int64_t *doc_id;         /* [n] */
    uint64_t *group_of;      /* [n]: equal where items are of one cluster; NULL: each is its own */
    const char **templates;  /* [t] */
    pl_role *roles;          /* [t] */
    size_t *same;            /* [t] the first template of the role that is one wording with this: often itself */
    long long *draws;        /* [n_draws] their names */
    double *correct;         /* [n_draws, t, n]: mean over orders */
    int *classes;            /* [n] gold labels (group.h) */
    size_t n_commonest;      /* kept items with the commonest label */
    pl__baseline baseline;
    size_t n_kept, *kept; /* [n_kept] items that are compared: places among n */
} pl__condition;

/* 1: right; of an item that is compared. */
double pl__condition_outcome(const pl__condition *c, size_t draw, size_t template, size_t item);
/* Templates of the role that are not one with another: the samples that an interval goes by. */
size_t pl__condition_n_templates(const pl__condition *c, pl_role role);
/* Mean over draws, such templates, and kept items; NaN: no such template. */
double pl__condition_accuracy(const pl__condition *c, pl_role role);
double pl__condition_draw_accuracy(const pl__condition *c, size_t draw, pl_role role);
/* The share of right answers that the baseline has; NaN: there is none. */
double pl__condition_baseline(const pl__condition *c);
/* The clusters of the items that are compared. */
pl_status pl__condition_clusters(pl_clusters *out, const pl__condition *c, pl_arena *arena);
/* The arm's name, with "calibrated" or "ensembled" behind it where it is. */
pl_status pl__condition_name(const char **out, const pl__condition *c, pl_arena *arena);

/* A group whose member s was right in correct[s] [n, t]; only whole members are read. n_draws 0: there is none. */
pl_status pl__condition_of(pl__condition *out, const pl__group *group, const uint8_t *const *correct, pl_arena *arena);

typedef struct pl__conditions {
    pl_run_view *view;
    pl_arena *arena;
    pl__condition *list; /* room for two of each group that is added */
    size_t n;
    pl__condition *ensembles; /* room for one of each group; NULL: none are wanted */
    size_t n_ensembles;
    size_t n_shared, n_largest; /* items that all have; rows of the largest unit */
    bool too_few;               /* they share under 95 % of them */
} pl__conditions;

/* Reads the groups of a model, task and readout, those of the unit `subject`, of arms up to a stage (stages.h): a look
 * goes by them, and by no ensembles, which have no SD over templates. PL_STAGES: all, with the ensembles. */
pl_status pl__conditions_of(pl__conditions *out, pl_run_view *view, const pl_run_unit *subject, size_t stage,
                            pl_arena *arena);
/* Reads the group of the view's unit `first`; nothing where no draw of it is whole, or where there are no answers. */
pl_status pl__conditions_add(pl__conditions *conditions, size_t first);
/* The items that are compared, of every condition; n > 0. */
pl_status pl__conditions_share(pl__conditions *conditions);
/* The prompting condition of a model that is best on dev templates, where there are none on id templates; NULL: none
 * prompts. Of equals the one with fewer shots. */
const pl__condition *pl__best_prompt(const pl__conditions *conditions, const char *model);

#endif
