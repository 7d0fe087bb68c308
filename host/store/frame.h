/* A data frame in memory: named columns of equal length. What /obs of a unit file holds. */
#ifndef PLUMB_STORE_FRAME_H
#define PLUMB_STORE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

/* TEXT: any strings; CATEGORY: strings of few kinds, stored as AnnData categoricals (sorted categories, codes). */
typedef enum pl_column_kind {
    PL_COLUMN_TEXT,
    PL_COLUMN_CATEGORY,
    PL_COLUMN_INTEGER,
    PL_COLUMN_REAL,
    PL_COLUMN_BOOL
} pl_column_kind;

typedef struct pl_column {
    const char *name;
    pl_column_kind kind;
    union {
        const char **text; /* TEXT and CATEGORY; NULL: missing (category code -1) */
        int64_t *integer;
        double *real; /* NaN: missing */
        uint8_t *boolean;
    } values; /* [n_rows] */
} pl_column;

typedef struct pl_frame {
    size_t n_rows, n_columns;
    pl_column *columns;
    pl_arena *arena; /* owns everything */
} pl_frame;

pl_status pl_frame_create(pl_frame **out, size_t n_rows);
/* A new zeroed column; *out is borrowed and stays valid until the next add. The name is copied. */
pl_status pl_frame_add(pl_frame *frame, pl_column **out, const char *name, pl_column_kind kind);
/* Copies a text into the frame's arena and stores it. */
pl_status pl_frame_set_text(pl_frame *frame, pl_column *column, size_t row, const char *text);
const pl_column *pl_frame_column(const pl_frame *frame, const char *name); /* NULL: none */
void pl_frame_free(pl_frame *frame);                                       /* takes NULL */

#endif
