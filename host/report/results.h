/* results.json of one model, from its cells. */
#ifndef PLUMB_REPORT_RESULTS_H
#define PLUMB_REPORT_RESULTS_H

#include "report/cell.h"
#include "report/report_file.h"

/* Into the file. The cells [n], n >= 1, are of one model; scratch is the arena's. */
pl_status pl__results(pl__report_file *file, const pl__report_cell *const *cells, size_t n, pl_arena *arena);

#endif
