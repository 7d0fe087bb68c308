/* What a metric is, for a person who asks: its formula and where it comes from. Its name, unit, range and null stand in
 * metric.h. */
#ifndef PLUMB_ANALYSIS_DEFINITION_H
#define PLUMB_ANALYSIS_DEFINITION_H

#include "analysis/metric.h"

/* i: items, t, u: templates, s: draws; n, T, S: how many. y: predicted, g: gold label; l: log-probability of a label.
 */
typedef struct pl_definition {
    const char *formula;
    const char *source;
} pl_definition;

const pl_definition *pl_definition_of(pl_metric_id id); /* never NULL for an id of the enum */

#endif
