/* One line of samples_<task>.jsonl: what a unit stores of a row, in lm-evaluation-harness' words. */
#ifndef PLUMB_REPORT_SAMPLE_H
#define PLUMB_REPORT_SAMPLE_H

#include "analysis/run_view.h"
#include "store/frame.h"

/* A new reference. `stored` is the unit's JSON of the row (doc, target, arguments, resps, filtered_resps), `task` the
 * key of the cell in results.json, `where` names the unit file in errors. */
pl_status pl__sample(json_t **out, const pl_unit_entry *entry, const char *task, const pl_frame *obs, size_t row,
                     const char *stored, const char *where);

/* The metric of a readout's correctness: "acc" of labels, "exact_match" of generated answers. */
const char *pl__sample_metric(const pl_unit_entry *entry);

#endif
