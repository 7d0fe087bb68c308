/* What stays in memory of a unit: a frame and its label scores in one piece. */
#ifndef PLUMB_ANALYSIS_PACKED_H
#define PLUMB_ANALYSIS_PACKED_H

#include "base/interned.h"
#include "store/unit_file.h"

typedef struct pl__packed {
    pl_frame obs;     /* its arena is NULL */
    pl_loglik loglik; /* choice_indptr and score; n_rows 0: none */
    size_t bytes;
} pl__packed;

/* A copy that free() releases; texts are those of the table, names of columns are shared in the same way. */
pl_status pl__pack(pl__packed **out, const pl_frame *obs, const pl_loglik *loglik, pl_interned *texts);

#endif
