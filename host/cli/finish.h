/* What `run` does at its end and `analyze` does again. Shared inside the folder. */
#ifndef PLUMB_CLI_FINISH_H
#define PLUMB_CLI_FINISH_H

#include <stdbool.h>

#include "store/run_folder.h"

/* Writes stability.csv, results.json and samples_*.jsonl, unless they stand and nothing has changed, prints the table
 * (or JSON), and marks the run DONE when no unit is missing. Damaged units are named and left out: PL_E_IO at the end.
 * Ends with report.html, which is made when the results are, when it is not there, and when report_max is said:
 * bytes as pl_page_write takes them, 0 for its default. */
pl_status pl__finish(const pl_run_folder *run, bool json, size_t report_max);
/* What to do about n damaged units. */
pl_status pl__damaged(const pl_run_folder *run, size_t n);

#endif
