/* The metrics of the stability table: one row a metric, read by the analysis (units, bounds) and by the report
 * (legend). */
#ifndef PLUMB_ANALYSIS_METRIC_H
#define PLUMB_ANALYSIS_METRIC_H

typedef struct pl_metric {
    const char *id, *unit;
    double low, high; /* bounds of what the measure can be; intervals are cut there. Infinite: an unbiased estimate that
                         may pass */
    const char *meaning;
} pl_metric;

/* NULL: unknown. */
const pl_metric *pl_metric_find(const char *id);

#endif
