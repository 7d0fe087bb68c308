/* results.json of one model, from its cells. */
#ifndef PLUMB_REPORT_RESULTS_H
#define PLUMB_REPORT_RESULTS_H

#include "report/cell.h"
#include "report/report_file.h"

/* What the plain form says of a run beside its cells. */
typedef struct pl__run_facts {
    double date;        /* seconds since 1970: when its last unit was finished */
    double seconds;     /* that its units took, all together */
    size_t max_length;  /* positions of the model; 0: the run folder does not say */
    char device[256];   /* of the last unit; "": not known */
    const char *folder; /* the model's, as lm-eval names it */
} pl__run_facts;

/* Into the file. The cells [n], n >= 1, are of one model; plain ones come with facts, others with NULL. Scratch is the
 * arena's. */
pl_status pl__results(pl__report_file *file, const pl__report_cell *const *cells, size_t n, const pl__run_facts *facts,
                      pl_arena *arena);

#endif
