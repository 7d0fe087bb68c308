/* Inside of the CSV reader: a row cut into its fields, and what columns are made of them. */
#ifndef PLUMB_TASK_CSV_PARTS_H
#define PLUMB_TASK_CSV_PARTS_H

#include "task/data_rows.h"

enum { PL__MAX_COLUMNS = 4096 };

/* How fields are written. `strict`: RFC 4180; otherwise as pandas has it: a quote is a letter unless a field begins
 * with it, and letters may stand behind the closing one. */
typedef struct pl__dialect {
    char separator, quote; /* quote 0: none */
    bool strict;
} pl__dialect;

/* The fields of a row, unquoted, one after the other. */
typedef struct pl__field {
    size_t at, size; /* in the row's text */
} pl__field;
typedef struct pl__csv_row {
    pl_bytes text;
    pl__field *fields;
    size_t n, capacity;
} pl__csv_row;
void pl__csv_row_free(pl__csv_row *row);

/* Cuts the row with which the piece begins; *bytes: its own with the line's end. *starved: it looked for bytes behind
 * the piece, so that more of the file may change what it saw, an error too. */
pl_status pl__csv_cut(pl__csv_row *row, const pl__piece *piece, const pl__dialect *dialect, size_t *bytes,
                      bool *starved);
/* A field's text, borrowed; "" of none. */
const char *pl__csv_text(const pl__csv_row *row, size_t column, size_t *size);

/* What a column's values are so far. */
typedef struct pl__kind {
    bool texts;                                 /* they are texts, whatever else they may be */
    bool no_integer, no_real, no_truth, absent; /* a value that is none; one that is missing */
    bool negative, large;                       /* one below 0; one beyond 63 bits */
    size_t infinite; /* the line of the first that is a real without a finite value; 0: none */
} pl__kind;

struct pl__columns {
    pl__dialect dialect;
    bool pandas;
    size_t skipped, rows_before; /* lines, then rows before the header that were left out */
    pl__csv_row header, scratch; /* scratch: rows of the first pass */
    pl__kind *kinds;             /* [header.n]; NULL: no header yet */
};

/* The header from a row of the file or, where the form has them, from names. n_fields: of the first row. */
pl_status pl__columns_name(pl__columns *columns, const pl_data_form *form, const char *where, size_t line,
                           size_t n_fields);
/* Counts the values of a row that is one of the data. */
pl_status pl__columns_note(pl__columns *columns, const pl__csv_row *row, const char *where, size_t line);
/* Behind the last row: PL_E_INPUT where a column of numbers has one that JSON has no text for. */
pl_status pl__columns_end(const pl__columns *columns, const char *where);
/* The row as an object. A new reference. */
pl_status pl__columns_item(const pl__columns *columns, const pl__csv_row *row, json_t **out);

#endif
