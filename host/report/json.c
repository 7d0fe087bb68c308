/* The stability table as JSON: {"rows": [{column: value}], "random_weights": [model]}; what is not defined is null. */
#include "report/report.h"

#include <math.h>

#include "report/column.h"

static json_t *field_json(const pl__csv_column *column, const pl_stability_row *row)
{
    switch (column->type) {
    case PL__TEXT:
        return json_string(pl__csv_column_text(column, row));
    case PL__REAL: {
        double value = pl__csv_column_real(column, row);
        return isfinite(value) ? json_real(value) : json_null();
    }
    default:
        return json_integer((json_int_t)pl__csv_column_integer(column, row));
    }
}

/* Appends a row; -1 when out of memory (or a text is not UTF-8). */
static int append_row(json_t *rows, const pl_stability_row *row)
{
    size_t n;
    const pl__csv_column *columns = pl__csv_columns(&n);
    json_t *object = json_object();
    int failed = 0;
    for (size_t c = 0; c < n; c++) failed |= json_object_set_new(object, columns[c].name, field_json(&columns[c], row));
    return json_array_append_new(rows, object) | failed;
}

pl_status pl_report_json(json_t **out, const pl_stability_table *table)
{
    json_t *rows = json_array(), *random = json_array();
    int failed = 0;
    for (size_t r = 0; r < table->n; r++) failed |= append_row(rows, &table->rows[r]);
    for (size_t m = 0; m < table->n_random_models; m++)
        failed |= json_array_append_new(random, json_string(table->random_models[m]));
    *out = json_pack("{s:o,s:o}", "rows", rows, "random_weights", random);
    if (*out && !failed) return PL_OK;
    json_decref(*out);
    *out = NULL;
    return pl_fail(PL_E_MEMORY, "the stability table does not fit in memory as JSON (%zu rows)", table->n);
}
