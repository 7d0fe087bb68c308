/* What the analysis reads of a unit file, as bytes: how it comes from the helper that reads files (base/helper.h). */
#ifndef PLUMB_ANALYSIS_RECORD_H
#define PLUMB_ANALYSIS_RECORD_H

#include "store/unit_file.h"

typedef struct pl__record {
    pl_frame *obs;         /* the columns that the table is made of */
    pl_frame *samples;     /* prompt_hash and samples */
    pl_loglik loglik;      /* choice_indptr, token_indptr, choice_characters and score; n_rows 0: none */
    size_t n_free;         /* options that content-free inputs scored: a row's or those of all rows; 0: none */
    double *bias;          /* [n_free] of contextual calibration (measure/calibration.h); NULL: not finite */
    double *unconditional; /* [n_free] log-probabilities after content-free inputs, as there; NULL: not finite */
    const char *numerics_key;
    size_t n_captured, n_beyond, n_broken;
    pl_arena *arena; /* owns the rest */
} pl__record;

/* What the file of a unit that adapted a model says of that; NaN: it does not. */
typedef struct pl__learned {
    double dev_accuracy; /* on its dev items */
    double dev_tokens;   /* that evaluations of dev items ran, in all trials */
} pl__learned;

/* The work of a helper: the question is 'g' (generated answers: no label scores), 's', or 'l' (of a unit that adapted a
 * model, a pl__learned alone), then the path of a unit file. */
pl_status pl__record_read(pl_bytes *answer, const char *question);
/* The bytes come from a process that a hostile file may have got hold of: they are checked like a file. */
pl_status pl__record_parse(pl__record *out, const pl_bytes *bytes, const char *path);
void pl__record_free(pl__record *record); /* takes {0} */

#endif
