/* What stays in memory of a unit: a frame, its label scores and their bias in one piece. */
#ifndef PLUMB_ANALYSIS_PACKED_H
#define PLUMB_ANALYSIS_PACKED_H

#include "analysis/record.h"
#include "base/interned.h"

typedef struct pl__packed {
    pl_frame obs;                 /* its arena is NULL */
    pl_loglik loglik;             /* choice_indptr, token_indptr, choice_characters, score; n_rows 0: none */
    size_t n_free;                /* as in record.h */
    double *bias, *unconditional; /* [n_free], or NULL */
    size_t bytes;
} pl__packed;

/* A copy that free() releases; texts are those of the table, names of columns are shared in the same way. */
pl_status pl__pack(pl__packed **out, const pl__record *record, pl_interned *texts);

#endif
