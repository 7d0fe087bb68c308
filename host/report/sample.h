/* One line of samples_<task>.jsonl: what a unit stores of a row, in lm-evaluation-harness' words. */
#ifndef PLUMB_REPORT_SAMPLE_H
#define PLUMB_REPORT_SAMPLE_H

#include "analysis/run_view.h"
#include "store/frame.h"

/* A new reference. `stored` is the unit's JSON of the row (doc, target, arguments, resps, filtered_resps), `task` the
 * key of the cell in results.json, `where` names the unit file in errors. */
pl_status pl__sample(json_t **out, const pl_unit_entry *entry, const char *task, const pl_frame *obs, size_t row,
                     const char *stored, const char *where);

/* The metrics of a readout, NULL-terminated: "acc" and "acc_norm" of log-likelihoods; "exact_match"
 * (lm-evaluation-harness') and "answer_match" (ours, lenient) of generated answers. And the column that holds one. */
const char *const *pl__sample_metrics(const pl_unit_entry *entry);
const char *pl__metric_column(const char *metric);

#endif
