#include "base/csv_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/visible.h"

static const size_t TABLE_BYTES_MAX = (size_t)4 << 30;

/* ---- written ---- */

pl_status pl_csv_text(pl_bytes *out, const char *text)
{
    const char *quote = strpbrk(text, ",\"") ? "\"" : "";
    PL_TRY(pl_bytes_text(out, quote));
    if (*text && strchr("=+-@", *text)) PL_TRY(pl_bytes_text(out, "'"));
    for (size_t n; *text; text += n) {
        n = strcspn(text, "\"");
        PL_TRY(pl_visible_append(out, text, n));
        if (text[n] != '"') continue;
        PL_TRY(pl_bytes_text(out, "\"\""));
        n++;
    }
    return pl_bytes_text(out, quote);
}

pl_status pl_csv_real(pl_bytes *out, double value)
{
    char text[40];
    if (!isfinite(value)) return PL_OK;
    if (value == 0.0) value = 0.0; /* no "-0" */
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    return pl_bytes_text(out, text);
}

/* ---- read ---- */

/* Takes the field at *at off the text, in place: *last says that it ends its line. False: its quote does not end. */
static bool take_field(char **field, char **at, bool *last)
{
    char *from = *at, *to = *at;
    *field = to;
    if (*from == '"') {
        for (from++; *from && (*from != '"' || from[1] == '"'); from++) {
            if (*from == '"') from++;
            *to++ = *from;
        }
        if (!*from) return false;
        from++;
    } else {
        from += strcspn(from, ",\n");
        to = from;
    }
    if (*from && *from != ',' && *from != '\n') return false;
    *last = *from != ',';
    *at = from + (*from != 0);
    *to = 0;
    if (**field == '\'' && (*field)[1] && strchr("=+-@", (*field)[1])) ++*field;
    return true;
}

static pl_status take_row(pl_csv_table *t, size_t *n_fields, size_t *capacity, char **at, const char *path)
{
    size_t line = t->n_columns ? *n_fields / t->n_columns + 1 : 1, first = *n_fields;
    for (bool last = false; !last; ++*n_fields) {
        PL_TRY(pl_grow(&t->fields, capacity, *n_fields + 1));
        if (!take_field(&t->fields[*n_fields], at, &last))
            return pl_fail(PL_E_INPUT, "%s:%zu: a quoted field that does not end; make the table again: plumb analyze",
                           path, line);
    }
    if (!t->n_columns) t->n_columns = *n_fields;
    if (*n_fields - first == t->n_columns) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s:%zu: %zu fields, expected %zu; make the table again: plumb analyze", path, line,
                   *n_fields - first, t->n_columns);
}

pl_status pl_csv_parse(pl_csv_table *out, pl_bytes *bytes, const char *path)
{
    size_t n_fields = 0, capacity = 0;
    *out = (pl_csv_table){.bytes = *bytes};
    *bytes = (pl_bytes){0};
    pl_status status = PL_OK;
    for (char *at = out->bytes.data; status == PL_OK && (*at || !n_fields);)
        status = take_row(out, &n_fields, &capacity, &at, path);
    if (status == PL_OK)
        out->n = n_fields / out->n_columns - 1;
    else
        pl_csv_free(out);
    return status;
}

pl_status pl_csv_read(pl_csv_table *out, const char *path)
{
    pl_bytes bytes;
    *out = (pl_csv_table){0};
    PL_TRY(pl_file_read(&bytes, path, TABLE_BYTES_MAX));
    return pl_csv_parse(out, &bytes, path);
}

void pl_csv_free(pl_csv_table *table)
{
    free(table->fields);
    pl_bytes_free(&table->bytes);
    *table = (pl_csv_table){0};
}

size_t pl_csv_column(const pl_csv_table *table, const char *column)
{
    for (size_t c = 0; c < table->n_columns; c++)
        if (!strcmp(table->fields[c], column)) return c;
    return table->n_columns;
}

const char *pl_csv_at(const pl_csv_table *table, size_t row, size_t column)
{
    return column < table->n_columns ? table->fields[(row + 1) * table->n_columns + column] : "";
}

double pl_csv_number_at(const pl_csv_table *table, size_t row, size_t column)
{
    const char *text = pl_csv_at(table, row, column);
    char *end;
    double value = strtod(text, &end);
    return *text && !*end ? value : NAN;
}

const char *pl_csv_field(const pl_csv_table *table, size_t row, const char *column)
{
    return pl_csv_at(table, row, pl_csv_column(table, column));
}

double pl_csv_number(const pl_csv_table *table, size_t row, const char *column)
{
    return pl_csv_number_at(table, row, pl_csv_column(table, column));
}
