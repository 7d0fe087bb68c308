/* What the results in a run folder were made of, so that they are not made again when nothing changed: analysis.json.
 *
 * Inputs are plan.json, the files of looks/ and every file of units/ that ends in .h5; outputs are stability.csv,
 * arms.csv, verdict.csv, contrasts.csv, scorers.csv, results*.json, samples_*.jsonl and what was printed
 * (screen.txt, table.txt, table.json); not the report, which is made of these. A file is known by size, times of change,
 * inode and device: a file that was edited, replaced, added or removed is another one, and so is a copy of the run folder. The program is
 * known in the same way, beside its version. The stamp is written last: where it is, all it names was whole.
 */
#ifndef PLUMB_STORE_ANALYSIS_STAMP_H
#define PLUMB_STORE_ANALYSIS_STAMP_H

#include "base/digest.h"
#include "store/run_folder.h"

typedef struct pl_analysis_stamp {
    char inputs[PL_HASH_TEXT];
    size_t n_missing; /* units of the plan that were not there */
} pl_analysis_stamp;

/* The inputs as they are now: to be asked before they are read. */
pl_status pl_analysis_inputs(pl_analysis_stamp *out, const pl_run_folder *run);
/* Whether the stamp on the disk is of these inputs, of this program, and of the outputs as they are now; sets n_missing
 * then. What cannot be read does not fit. */
bool pl_analysis_stands(pl_analysis_stamp *stamp, const pl_run_folder *run);
pl_status pl_analysis_stamp_put(const pl_analysis_stamp *stamp, const pl_run_folder *run);

#endif
