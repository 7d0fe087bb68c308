/* What the page shows of a unit's file, read by a helper process (base/helper.h), as the file may be hostile. Shared
 * inside the folder. */
#ifndef PLUMB_PAGE_UNIT_PART_H
#define PLUMB_PAGE_UNIT_PART_H

#include "base/helper.h"
#include "base/memory.h"

/* Rows of a unit that evaluates, zlib-compressed (RFC 1950) JSON, a list of
 *   [doc_id, label, prediction, 1 if right else 0, prompt, [[answer, [token ids], [log-probabilities]], ...],
 *    [token ids of the prompt behind description and shots]]   (the last where the unit keeps them: with states)
 * with as many of the first rows as fit. */
typedef struct pl__rows_part {
    size_t n_rows, n_shown;
    pl_bytes packed; /* empty where no row fits */
} pl__rows_part;

/* A unit that trains: what each step came to, one trial behind the other. */
typedef struct pl__training_part {
    size_t n_trials, n_steps, n_evaluations;
    double *numbers;                                  /* owns: */
    const double *trial_steps, *trial_evaluations;    /* [n_trials] */
    const double *loss, *learning_rate;               /* [n_steps] */
    const double *evaluation_step, *evaluation_score; /* [n_evaluations] */
} pl__training_part;

/* In place of what `out` holds: the text zlib-compressed (RFC 1950), as the page's script unpacks it. */
pl_status pl__deflate(pl_bytes *out, const char *text, size_t bytes);

pl_helper pl__unit_reader(void); /* stop it with pl_helper_stop */
/* *there: the file could be read; one that is damaged, or has no such part, is none. most_bytes: of `packed`. */
pl_status pl__unit_rows(pl_helper *reader, const char *path, size_t most_bytes, pl__rows_part *out, bool *there);
pl_status pl__unit_training(pl_helper *reader, const char *path, pl__training_part *out, bool *there);
void pl__rows_part_free(pl__rows_part *part);         /* takes {0} */
void pl__training_part_free(pl__training_part *part); /* takes {0} */

#endif
