#include "report/column.h"

#include <string.h>

#define FIELD(name, type, member)                                                                                      \
    {                                                                                                                  \
        name, type, offsetof(pl_stability_row, member)                                                                 \
    }

static const pl__csv_column COLUMNS[] = {
    FIELD("model", PL__TEXT, model),
    FIELD("task", PL__TEXT, task),
    FIELD("arm", PL__TEXT, arm),
    FIELD("readout", PL__TEXT, readout),
    FIELD("k", PL__INTEGER, k),
    FIELD("draw", PL__INTEGER, draw),
    FIELD("order", PL__INTEGER, order),
    FIELD("seed", PL__INTEGER, seed),
    FIELD("template", PL__TEXT, template_name),
    FIELD("layer", PL__TEXT, layer),
    FIELD("position", PL__TEXT, position),
    FIELD("preproc", PL__TEXT, preproc),
    FIELD("metric", PL__METRIC, metric),
    FIELD("contrast", PL__TEXT, contrast),
    FIELD("value", PL__REAL, value),
    FIELD("se", PL__REAL, se),
    FIELD("lo", PL__REAL, lo),
    FIELD("hi", PL__REAL, hi),
    FIELD("ci_method", PL__TEXT, ci_method),
    FIELD("n", PL__COUNT, n),
    FIELD("n_templates", PL__COUNT, n_templates),
    FIELD("n_seeds", PL__COUNT, n_seeds),
    FIELD("null_mean", PL__REAL, null_mean),
    FIELD("null_sd", PL__REAL, null_sd),
    FIELD("null_name", PL__TEXT, null_name),
    FIELD("unit", PL__TEXT, unit),
    FIELD("note", PL__TEXT, note),
};

const pl__csv_column *pl__csv_columns(size_t *n)
{
    *n = sizeof COLUMNS / sizeof *COLUMNS;
    return COLUMNS;
}

/* Copies the field out: rows are read through their offsets, whatever their types. */
static void field(void *out, const pl__csv_column *column, const pl_stability_row *row, size_t size)
{
    memcpy(out, (const char *)row + column->offset, size);
}

const char *pl__csv_column_text(const pl__csv_column *column, const pl_stability_row *row)
{
    const char *text;
    pl_metric_id metric;
    if (column->type == PL__METRIC) {
        field(&metric, column, row, sizeof metric);
        return pl_metric_of(metric)->name;
    }
    field(&text, column, row, sizeof text);
    return text;
}

long long pl__csv_column_integer(const pl__csv_column *column, const pl_stability_row *row)
{
    long long integer;
    size_t count;
    if (column->type == PL__COUNT) {
        field(&count, column, row, sizeof count);
        return (long long)count;
    }
    field(&integer, column, row, sizeof integer);
    return integer;
}

double pl__csv_column_real(const pl__csv_column *column, const pl_stability_row *row)
{
    double real;
    field(&real, column, row, sizeof real);
    return real;
}
