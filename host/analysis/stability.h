/* The stability table of a run: behaviour and hidden states over prompt templates (stability.md, sections B and E).
 *
 * Units of one model, task, arm, readout and k are a group; its members are its draws, orders and seeds; the units of a
 * member differ in nothing but the template. Items are the rows that all finished units of the group share (by doc_id)
 * and that are finite in all of them, so that its numbers can be compared and averaged; what is left out is said. Every
 * row has an interval with its method, and a null or chance value.
 *
 * contrast "templates": over all templates (or of the one in template_name); "id", "dev", "ood": over those of a role;
 * "id|ood": paired difference; "a|b": two templates; "base", "draws": tuned models (drift.h). Rows with draw (order,
 * seed) -1 are means over the members. */
#ifndef PLUMB_ANALYSIS_STABILITY_H
#define PLUMB_ANALYSIS_STABILITY_H

#include <stddef.h>

#include "analysis/metric.h"
#include "analysis/run_view.h"

/* One row of stability.csv (stability.md E.2). Texts are borrowed from the table or the view; reals are NaN where not
 * defined. */
typedef struct pl_stability_row {
    const char *model, *task, *arm, *readout;
    long long k, draw, order, seed; /* -1: pooled over */
    const char *template_name;      /* "" : over templates */
    const char *layer;              /* "" : behaviour */
    const char *position, *preproc; /* "" : behaviour */
    pl_metric_id metric;
    const char *contrast; /* what is compared, "templates" or "a|b" */
    double value, se, lo, hi;
    /* 95 %: "wilson"; "wilson, all items alike"; "item jackknife" (templates fixed); "item jackknife of the mean" (over
     * draws, orders, seeds: an item is left out of all of them at once); "template jackknife" (templates as a sample, 8
     * or more); "none" */
    const char *ci_method;
    size_t n, n_templates, n_seeds; /* n_seeds: draws x orders x seeds that the row is the mean of */
    double null_mean, null_sd;      /* what the metric is by chance or under its null */
    const char *null_name;          /* which: the metric's, "" without one */
    const char *unit;               /* "share", "1", "bit", "nat", "item" */
    const char *note;               /* "": nothing to say; why a value or an interval is missing, what was left out */
} pl_stability_row;

typedef struct pl_stability_table {
    size_t n;
    pl_stability_row *rows;
    const char **random_models; /* models whose weights are random: no skill is expected of them */
    size_t n_random_models;
    const char **remarks; /* a line each, for everybody who reads the table: items left out, merged tokens, one draw */
    size_t n_remarks;
    struct pl_arena *arena;
} pl_stability_table;

/* From the finished units of the view, which must outlive the table. */
pl_status pl_stability_of_run(pl_stability_table **out, pl_run_view *view);
void pl_stability_free(pl_stability_table *table); /* takes NULL */

#endif
