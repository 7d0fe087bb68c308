/* What `run` does at its end and `analyze` does again. Shared inside the folder. */
#ifndef PLUMB_CLI_FINISH_H
#define PLUMB_CLI_FINISH_H

#include "cli/cli.h"
#include "store/run_folder.h"

/* What is printed of a finished run. */
typedef enum pl__show {
    PL__SHOW_SCREEN, /* one screen a model and task */
    PL__SHOW_FULL,   /* every block of the table */
    PL__SHOW_JSON
} pl__show;
typedef struct pl__asked {
    pl__show show;
    const char *layers; /* of the whole table; NULL: all. Borrowed */
    const char *device; /* where maps are made, as pl_processor_open takes it; NULL: the CPU. Borrowed */
    size_t report_max;  /* bytes as pl_page_write takes them; 0: its default */
} pl__asked;
/* As --json, --full, --layers, --device and --report-max say. */
pl_status pl__asked_of(pl__asked *out, const pl_arguments *arguments);

/* Writes stability.csv, results.json and samples_*.jsonl, unless they stand and nothing has changed, prints what is
 * asked for, and marks the run DONE when no unit is missing. Damaged units are named and left out: PL_E_IO at the end.
 * Ends with report.html, which is made when the results are, when it is not there, and when report_max is said. */
pl_status pl__finish(const pl_run_folder *run, const pl__asked *asked);
/* What to do about n damaged units. */
pl_status pl__damaged(const pl_run_folder *run, size_t n);

#endif
