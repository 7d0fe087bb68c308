/* Curves over layers: what a number of a position and preprocessing is at each layer, held against the first layer that
 * has a value. A row each (contrast "05|00": the number at layer 05 minus that at 00), paired by item, template and
 * draw, with its crossed interval; p_adjusted allows for the number of layers (statistics/max_t.h). */
#ifndef PLUMB_ANALYSIS_CURVE_H
#define PLUMB_ANALYSIS_CURVE_H

#include "analysis/stability.h"
#include "statistics/crossed.h"

/* A number with the values of the levels that its variance comes from. */
typedef struct pl__curve_point {
    pl_stability_row row;
    uint64_t same_items; /* tells sets of items apart */
    double value;
    size_t levels[3];  /* items, templates, draws; templates and draws that are no sample: 0 */
    double *values[3]; /* [levels] whose mean is the value, or pseudo-values */
    pl_clusters clusters;
} pl__curve_point;

typedef struct pl__curves {
    size_t n, capacity;
    pl__curve_point *points; /* of one group, layer after layer */
} pl__curves;

struct pl__rows;

/* Copies what the point points at, but for the clusters. */
pl_status pl__curve_add(pl__curves *curves, const pl__curve_point *point);
/* Adds the rows of all curves and empties the list. */
pl_status pl__curve_rows(struct pl__rows *rows);
void pl__curves_free(pl__curves *curves); /* takes {0} */

#endif
