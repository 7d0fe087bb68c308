/* One line of samples_<task>.jsonl: what a unit stores of a row, in lm-evaluation-harness' words. */
#ifndef PLUMB_REPORT_SAMPLE_H
#define PLUMB_REPORT_SAMPLE_H

#include "report/cell.h"

/* A new reference. `stored` is the unit's JSON of the row (doc, target, arguments, resps, filtered_resps); the cell's
 * unit is taken. */
pl_status pl__sample(json_t **out, const pl__report_cell *cell, size_t row, const char *stored);

#endif
