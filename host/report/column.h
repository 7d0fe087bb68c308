/* The columns of the stability table: one list for stability.csv and for --json. */
#ifndef PLUMB_REPORT_COLUMN_H
#define PLUMB_REPORT_COLUMN_H

#include <stddef.h>

#include "analysis/stability.h"

typedef enum pl__csv_column_type { PL__TEXT, PL__METRIC, PL__INTEGER, PL__COUNT, PL__REAL } pl__csv_column_type;

typedef struct pl__csv_column {
    const char *name;
    pl__csv_column_type type;
    size_t offset; /* into pl_stability_row */
    const char *meaning;
} pl__csv_column;

const pl__csv_column *pl__csv_columns(size_t *n);
/* A row's field; of the column's type (a metric's text is its name). */
const char *pl__csv_column_text(const pl__csv_column *column, const pl_stability_row *row);
long long pl__csv_column_integer(const pl__csv_column *column,
                                 const pl_stability_row *row); /* PL__INTEGER and PL__COUNT */
double pl__csv_column_real(const pl__csv_column *column, const pl_stability_row *row);

#endif
