/* Tables as CSV (RFC 4180): fields as plumb writes them, and such a table read back. Data sets of users are
 * task/csv.c's. */
#ifndef PLUMB_BASE_CSV_TABLE_H
#define PLUMB_BASE_CSV_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

/* A field: visible text (base/visible.h), with an apostrophe before what a spreadsheet would take for a formula and
 * run; the shortest decimal text of a real that reads back to the same bits, nothing where it is not finite. */
pl_status pl_csv_text(pl_bytes *out, const char *text);
pl_status pl_csv_real(pl_bytes *out, double value);

typedef struct pl_csv_table {
    size_t n_columns, n; /* rows without the header */
    char **fields;       /* [n + 1, n_columns], the header first; NUL-terminated, the apostrophe taken off */
    pl_bytes bytes;      /* owns the texts */
} pl_csv_table;

/* PL_E_INPUT names file and line: a quote that does not end, a row with another number of fields than the header. */
pl_status pl_csv_read(pl_csv_table *out, const char *path);
/* The same of a file's bytes, not empty of memory, which are taken: *bytes is {0} after. */
pl_status pl_csv_parse(pl_csv_table *out, pl_bytes *bytes, const char *path);
void pl_csv_free(pl_csv_table *table); /* takes {0} */

/* The field of a row in the column of this name; "" where there is no such column. Borrowed. */
const char *pl_csv_field(const pl_csv_table *table, size_t row, const char *column);
/* The same as a number; NaN where it is none. */
double pl_csv_number(const pl_csv_table *table, size_t row, const char *column);
/* The index of a column; n_columns where there is none: for loops over many rows. */
size_t pl_csv_column(const pl_csv_table *table, const char *column);
const char *pl_csv_at(const pl_csv_table *table, size_t row, size_t column); /* column: as above */
double pl_csv_number_at(const pl_csv_table *table, size_t row, size_t column);

#endif
