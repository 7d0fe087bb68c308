/* The columns of the stability table: one list for stability.csv and for --json. */
#ifndef PLUMB_REPORT_COLUMN_H
#define PLUMB_REPORT_COLUMN_H

#include <stddef.h>

#include "analysis/stability.h"

typedef enum pl__column_type { PL__TEXT, PL__INTEGER, PL__COUNT, PL__REAL } pl__column_type;

typedef struct pl__column {
    const char *name;
    pl__column_type type;
    size_t offset; /* into pl_stability_row */
} pl__column;

const pl__column *pl__columns(size_t *n);
/* A row's field; of the column's type. */
const char *pl__column_text(const pl__column *column, const pl_stability_row *row);
long long pl__column_integer(const pl__column *column, const pl_stability_row *row); /* PL__INTEGER and PL__COUNT */
double pl__column_real(const pl__column *column, const pl_stability_row *row);

#endif
