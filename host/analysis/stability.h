/* The stability table of a run: behaviour and hidden states over prompt templates (stability.md, sections B and E).
 *
 * Units that differ in nothing but the template form a contrast: same model, task, arm, readout, k, draw, order, seed.
 * Items are the rows that all templates of the contrast share (by doc_id). Every row has an interval with its method
 * and a null or chance value. */
#ifndef PLUMB_ANALYSIS_STABILITY_H
#define PLUMB_ANALYSIS_STABILITY_H

#include <stddef.h>

#include "base/json.h"
#include "base/status.h"
#include "store/run_folder.h"

/* One row of stability.csv (stability.md E.2). Texts are borrowed from the table; reals are NaN where not defined. */
typedef struct pl_stability_row {
    const char *model, *task, *arm, *readout;
    long long k, draw, order, seed; /* -1: pooled over */
    const char *template_name;      /* "" : over templates */
    const char *layer;              /* "" : behaviour */
    const char *position, *preproc; /* "" : behaviour */
    const char *metric, *contrast;  /* contrast: what is compared, "templates" or "a|b" */
    double value, se, lo, hi;
    const char *ci_method; /* "wilson", "item jackknife", "template jackknife", "none" */
    size_t n, n_templates, n_seeds;
    double null_mean, null_sd; /* chance or null value */
    const char *null_name;     /* "chance", "majority", "independence", ... */
    const char *unit;          /* "share", "accuracy points", "1", "bit" */
} pl_stability_row;

typedef struct pl_stability_table {
    size_t n;
    pl_stability_row *rows;
    struct pl_arena *arena;
} pl_stability_table;

/* Reads the finished units of the run; units that are missing are reported in *n_missing, not silently left out. */
pl_status pl_stability_of_run(pl_stability_table **out, const pl_run_folder *run, size_t *n_missing);
void pl_stability_free(pl_stability_table *table); /* takes NULL */

#endif
