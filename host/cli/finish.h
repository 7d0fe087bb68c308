/* What `run` does at its end and `analyze` does again. Shared inside the folder. */
#ifndef PLUMB_CLI_FINISH_H
#define PLUMB_CLI_FINISH_H

#include <stdbool.h>

#include "store/run_folder.h"

/* Writes stability.csv, results.json and samples_*.jsonl, prints the table (or JSON), and marks the run DONE when no
 * unit is missing. */
pl_status pl__finish(const pl_run_folder *run, bool json);

#endif
