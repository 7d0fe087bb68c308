/* Where a run stands, from its files alone: units, processes, failures, and whether anything still runs. Shared inside
 * the folder. */
#ifndef PLUMB_CLI_RUN_STATUS_H
#define PLUMB_CLI_RUN_STATUS_H

#include <stdio.h>

#include "store/run_folder.h"

/* The object that `status --json` prints; a new reference:
 * run, state, next (what to do), units, done, failed, not_needed (stages.h), left, analysed, units_per_s and
 * seconds_left (of what runs; null when nothing does), processes, failures, held, unreadable.
 *
 * A process has what it wrote (status*.json) and, in `state`, what is true now. It wrote: starting, running, done,
 * failed, interrupted (Ctrl-C), drained (TERM, USR1). True may be instead: analysing; dead (it says running, but is
 * gone); silent (it is on another host or in another container, and has not been heard of for SILENT_S).
 * The run's own state is one of running, done, failed, dead, interrupted, drained, silent, incomplete.
 * A status file that cannot be read is listed in `unreadable` with the reason and costs nothing else. */
pl_status pl__run_status(json_t **out, const pl_run_folder *run);

/* The same as lines of text; the last one says the state and what to do. */
void pl__run_status_print(FILE *out, const json_t *status);

#endif
