/* Helper processes that read unit files (record.h), as many as there are processors and each with one unit: the next
 * units are read while one is looked at. */
#ifndef PLUMB_ANALYSIS_READERS_H
#define PLUMB_ANALYSIS_READERS_H

#include "analysis/run_view.h"
#include "base/helper.h"

enum { PL__READERS_MAX = 4 };

typedef struct pl__readers {
    pl_helper helpers[PL__READERS_MAX];
    const pl_run_unit *asked[PL__READERS_MAX]; /* NULL: free */
    size_t n;
} pl__readers;

void pl__readers_open(pl__readers *out);
void pl__readers_close(pl__readers *readers); /* takes {0} */

/* Asks for a unit that will be wanted, when it is not asked for and somebody is free. */
pl_status pl__readers_ahead(pl__readers *readers, const pl_run_unit *unit);
/* The record's bytes, which the caller frees. PL_E_INPUT: the file is damaged, and the message names it. */
pl_status pl__readers_get(pl__readers *readers, const pl_run_unit *unit, pl_bytes *out);
/* Of the file of a unit that adapted a model; NaN: it is not there or damaged. */
pl_status pl__readers_learned(pl__readers *readers, const char *path, pl__learned *out);

#endif
