/* Arms side by side: what each reaches on the same items, templates and labelled examples, and what it costs.
 *
 * A condition is a group (group.h): an arm with all that tells its groups apart, for a model, task, readout and k. A
 * prompting arm whose content-free prompts were scored is a second one with contextual calibration. All
 * conditions of a model, task and readout are brought to the items that every one of them has. The best prompting arm
 * is the one with the highest accuracy on these items under templates of role dev (id where none is dev): a choice in
 * favour of prompting, made on the items that it is judged by. Of equals it is the one with fewer shots; every other
 * condition is compared with it, item by item and template by template.
 *
 * Interval: crossed, over items (in clusters), templates and draws (statistics/crossed.h; from three draws on). Draws
 * are paired where both have the same ones. Orders of one draw are no samples of their own: they are brought to their
 * mean. Nor are templates of one wording with other label words, or, for arms that do not see label words (linear, head
 * classifier), with equal prompts: such templates are one, and are compared with the other arm's mean over them.
 */
#ifndef PLUMB_ANALYSIS_ARMS_H
#define PLUMB_ANALYSIS_ARMS_H

#include "analysis/run_view.h"
#include "analysis/verdict.h"
#include "statistics/crossed.h"

typedef struct pl_arm_row {
    const char *model, *task, *readout;
    const char
        *arm; /* "prompt", "linear standard n=64", ...; "constant": the commonest label, where there are labels */
    long long k;
    const char *role;                     /* of the templates: "id", "dev", "ood" */
    size_t n_items, n_templates, n_draws; /* samples, as said above */
    bool best;                            /* the best prompting arm */
    bool learns;                          /* failed runs can be told */
    /* Draws whose accuracy is the baseline's (condition.h) or less: of the commonest label, or chance; in the mean. */
    size_t n_failed;
    pl_crossed accuracy;
    pl_crossed difference; /* to the best prompting arm; NaN: itself, or there is none */
    /* From the sidecars: mean over draws of what learning took; tokens that an item takes. NaN: not told. */
    double learn_tokens, learn_seconds, item_tokens;
    double learn_dev_tokens; /* of learn_tokens: dev items, which are only run */
} pl_arm_row;

typedef struct pl_arms_table {
    size_t n;
    pl_arm_row *rows;
    size_t n_verdicts;
    pl_verdict_row *verdicts; /* one a model, task and readout */
    pl_arena *arena;
} pl_arms_table;

/* Rows of every model, task and readout that has an arm that learns; none without. Under 95 % of the items of the
 * largest unit in all of them is PL_E_INPUT. The view must outlive the table. */
pl_status pl_arms_of_run(pl_arms_table **out, pl_run_view *view);
/* Whether an arm is `plain` itself or it with contextual calibration, whose states and uncalibrated scores are the
 * same. */
bool pl_arm_is_of(const char *arm, const char *plain);
void pl_arms_free(pl_arms_table *table); /* takes NULL */

#endif
