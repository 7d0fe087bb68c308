/* The stability table of a run: behaviour and hidden states over prompt templates (stability.md, sections B and E).
 *
 * Units of one model, task, arm, readout and k are a group; its members are its draws, orders and seeds; the units of a
 * member differ in nothing but the template. Items are the rows that all finished units of the group share (by doc_id)
 * and that are finite in all of them, so that its numbers can be compared and averaged; what is left out is said. Every
 * row has an interval that says what it is over, and a null or chance value; what is missing says why. The columns
 * model
 * .. contrast are a key: no two rows have the same.
 *
 * contrast "templates": over all templates (or of the one in template_name); "id", "dev", "ood": over those of a role;
 * "id|ood": paired difference; "a|b": two templates; "05|00": two layers; "base", "draws": tuned models (drift.h);
 * "self:05": pairs of layers (layer_pairs.h). Rows with draw (order, seed) -1 are means over the members. */
#ifndef PLUMB_ANALYSIS_STABILITY_H
#define PLUMB_ANALYSIS_STABILITY_H

#include <stddef.h>

#include "analysis/maps.h"
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
    /* 95 %: for other items, templates and draws, as `generalises` says; se and df are its own. *_these: for exactly
     * these templates and draws, items alone. */
    double value, se, df, lo, hi, lo_these, hi_these;
    const char *generalises; /* "items", "items, templates", "items, draws", "items, templates, draws"; "" */
    const char *ci_method;   /* "crossed" (statistics/crossed.h), "wilson", "F", "least of wordings", "none" */
    double p;                /* of the null; NaN: not tested */
    double p_adjusted;       /* for the number of tests beside it: family.h; of layers: curve.h */
    /* n_clusters: of items (plumb.group). n_seeds: draws x orders x seeds that the row is the mean of */
    size_t n, n_clusters, n_templates, n_seeds;
    double null_mean, null_sd, null_q95; /* what the metric is by chance or under its null */
    const char *null_name;               /* which: the metric's, "" without one */
    const char *unit;                    /* "share", "1", "bit", "nat", "nat^2", "item" */
    const char *why_empty;               /* why a value, an interval, a null, or part of what it is over, is missing */
    const char *note;                    /* "": nothing to say; what was left out */
    const char *null_why;                /* why there is no null: part of why_empty */
} pl_stability_row;

typedef struct pl_stability_table {
    size_t n;
    pl_stability_row *rows;
    const char **random_models; /* models whose weights are random: no skill is expected of them */
    size_t n_random_models;
    const pl_planned_model *models; /* of the run */
    size_t n_models;
    pl_run_maps maps;
    const char **remarks; /* a line each, for everybody who reads the table: items left out, merged tokens, one draw */
    size_t n_remarks;
    struct pl_arena *arena;
} pl_stability_table;

/* From the finished units of the view, which must outlive the table. device: where products of states and
 * maps are made, as pl_processor_open takes it; NULL: the CPU. */
pl_status pl_stability_of_run(pl_stability_table **out, pl_run_view *view, const char *device);
/* The first of the models [n] with random weights that has the configuration of `model`, as far as a run records it:
 * its type and number of parameters. NULL: there is none, or `model` is one itself. */
const char *pl_random_control(const pl_planned_model *models, size_t n, const char *model);
void pl_stability_free(pl_stability_table *table); /* takes NULL */

#endif
