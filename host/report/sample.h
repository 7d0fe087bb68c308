/* One line of samples_<task>.jsonl: what a unit stores of a row, in lm-evaluation-harness' words. */
#ifndef PLUMB_REPORT_SAMPLE_H
#define PLUMB_REPORT_SAMPLE_H

#include "report/cell.h"

/* A new reference. The unit's JSON of the row has doc, target, arguments, resps, filtered_resps; the cell's unit is
 * taken with these samples. */
pl_status pl__sample(json_t **out, const pl__report_cell *cell, size_t row, const pl_run_samples *samples);

#endif
