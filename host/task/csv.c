/* CSV after RFC 4180 and TSV: one pass cuts the text into fields, a second one gives columns their kind.
 *
 * A column becomes integers only when every one of its values is a plain decimal integer (no sign but '-', no leading
 * zeros) and all fit 64 bits, signed or unsigned, as pandas has it: a column of codes such as 007 stays text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "task/data_rows.h"

/* A field: a run of `text`, decoded into `decoded` when it was quoted with "" inside. */
typedef struct field {
    size_t at, size; /* in table->text */
} field;

typedef struct table {
    const char *where;
    char separator;
    pl_bytes text; /* all fields, unquoted, one after the other */
    field *fields; /* row by row */
    size_t n, capacity;
    size_t *lines; /* the line on which each row begins */
    size_t n_rows, lines_capacity, n_columns;
} table;

typedef struct cursor {
    const char *text;
    size_t size, at, line;
} cursor;

/* Whether the text at the cursor ends a row; *width is the width of the line break (0 at the end of the file). */
static bool at_row_end(const cursor *c, size_t *width)
{
    *width = 0;
    if (c->at >= c->size) return true;
    *width = c->text[c->at] == '\n'                                                        ? 1
             : c->text[c->at] == '\r' && c->at + 1 < c->size && c->text[c->at + 1] == '\n' ? 2
                                                                                           : 0;
    return *width > 0;
}

/* A quoted field; the cursor stands on its opening quote. */
static pl_status read_quoted(table *t, cursor *c)
{
    size_t began = c->line;
    c->at++;
    for (;;) {
        const char *quote = memchr(c->text + c->at, '"', c->size - c->at);
        if (!quote) return pl_fail(PL_E_INPUT, "%s:%zu: a field in quotes does not end", t->where, began);
        size_t run = (size_t)(quote - c->text) - c->at;
        for (size_t i = 0; i < run; i++) c->line += c->text[c->at + i] == '\n';
        PL_TRY(pl_bytes_append(&t->text, c->text + c->at, run));
        c->at += run + 1;
        if (c->at >= c->size || c->text[c->at] != '"') break;
        PL_TRY(pl_bytes_text(&t->text, "\""));
        c->at++;
    }
    size_t width;
    if (at_row_end(c, &width) || c->text[c->at] == t->separator) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s:%zu: letters behind the closing quote of a field; write a quote inside as \"\"",
                   t->where, c->line);
}

static pl_status read_plain(table *t, cursor *c)
{
    size_t from = c->at, width;
    while (!at_row_end(c, &width) && c->text[c->at] != t->separator) {
        if (c->text[c->at] == '"' && t->separator == ',')
            return pl_fail(PL_E_INPUT, "%s:%zu: a quote inside a field without quotes; write \"...\"\"...\"", t->where,
                           c->line);
        c->at++;
    }
    return pl_bytes_append(&t->text, c->text + from, c->at - from);
}

static pl_status read_field(table *t, cursor *c)
{
    PL_TRY(pl_grow(&t->fields, &t->capacity, t->n + 1));
    field *f = &t->fields[t->n++];
    f->at = t->text.size;
    if (t->separator == ',' && c->at < c->size && c->text[c->at] == '"')
        PL_TRY(read_quoted(t, c));
    else
        PL_TRY(read_plain(t, c));
    f->size = t->text.size - f->at;
    if (f->size > PL__DATA_MAX_LINE)
        return pl_fail(PL_E_INPUT, "%s:%zu: a field of %zu bytes, expected at most %d", t->where, c->line, f->size,
                       PL__DATA_MAX_LINE);
    if (f->size > 0 && memchr(t->text.data + f->at, 0, f->size))
        return pl_fail(PL_E_INPUT, "%s:%zu: a text holds the character U+0000; remove it", t->where, c->line);
    size_t bad = f->size > 0 ? pl_utf8_check(t->text.data + f->at, f->size) : 0;
    if (bad < f->size)
        return pl_fail(PL_E_INPUT, "%s:%zu: byte %zu of a field is not valid UTF-8", t->where, c->line, bad);
    return PL_OK;
}

static pl_status read_row(table *t, cursor *c)
{
    size_t first = t->n, width;
    PL_TRY(pl_grow(&t->lines, &t->lines_capacity, t->n_rows + 1));
    t->lines[t->n_rows++] = c->line;
    for (;;) {
        PL_TRY(read_field(t, c));
        if (t->n - first > PL__DATA_MAX_COLUMNS)
            return pl_fail(PL_E_INPUT, "%s:%zu: more than %d fields", t->where, c->line, PL__DATA_MAX_COLUMNS);
        if (at_row_end(c, &width)) break;
        c->at++; /* the separator */
    }
    c->at += width;
    size_t found = t->n - first, line = t->lines[t->n_rows - 1];
    if (t->n_rows == 1) t->n_columns = found;
    if (width) c->line++;
    if (found == t->n_columns) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s:%zu: expected %zu fields as in the header line, found %zu", t->where, line,
                   t->n_columns, found);
}

static pl_status read_rows(table *t, cursor *c)
{
    while (c->at < c->size) {
        /* Blank lines may only end the file. */
        size_t rest = c->at, width;
        while (rest < c->size && (c->text[rest] == '\n' || c->text[rest] == '\r')) rest++;
        if (rest == c->size) break;
        if (at_row_end(c, &width))
            return pl_fail(PL_E_INPUT, "%s:%zu: a blank line before the end; expected a row on each line", t->where,
                           c->line);
        PL_TRY(read_row(t, c));
    }
    return PL_OK;
}

/* ---- rows to items ---- */

static const char *field_text(const table *t, size_t row, size_t column, size_t *size)
{
    const field *f = &t->fields[row * t->n_columns + column];
    *size = f->size;
    return f->size ? t->text.data + f->at : "";
}

/* A plain decimal integer of 64 bits, signed or unsigned. */
static bool is_integer(const char *text, size_t size, bool *negative, unsigned long long *magnitude)
{
    char copy[24];
    size_t sign = size > 0 && text[0] == '-', digits = size - sign;
    if (digits == 0 || digits > 20 || (digits > 1 && text[sign] == '0')) return false;
    for (size_t i = sign; i < size; i++)
        if (text[i] < '0' || text[i] > '9') return false;
    if (sign && digits == 1 && text[1] == '0') return false;
    memcpy(copy, text + sign, digits);
    copy[digits] = 0;
    errno = 0;
    *magnitude = strtoull(copy, NULL, 10);
    *negative = sign;
    return errno == 0 && (!sign || *magnitude <= 1ull + INT64_MAX);
}

static bool is_integer_column(const table *t, size_t column)
{
    bool some_negative = false, some_unsigned = false, negative;
    for (size_t row = 1; row < t->n_rows; row++) {
        size_t size;
        unsigned long long magnitude;
        const char *text = field_text(t, row, column, &size);
        if (!is_integer(text, size, &negative, &magnitude)) return false;
        some_negative |= negative;
        some_unsigned |= !negative && magnitude > INT64_MAX;
    }
    return !(some_negative && some_unsigned);
}

static json_t *make_integer(const char *text, size_t size)
{
    bool negative = false;
    unsigned long long magnitude = 0;
    is_integer(text, size, &negative, &magnitude);
    if (!negative && magnitude > INT64_MAX) return pl_json_wide(text, size);
    return json_integer(negative ? (json_int_t)(0 - magnitude) : (json_int_t)magnitude);
}

static pl_status check_header(const table *t)
{
    json_t *seen = json_object();
    pl_status status = seen ? PL_OK : pl_fail(PL_E_MEMORY, "%s: out of memory", t->where);
    for (size_t i = 0; i < t->n_columns && status == PL_OK; i++) {
        size_t size;
        const char *name = field_text(t, 0, i, &size);
        if (size == 0 || memchr(name, 0, size))
            status = pl_fail(PL_E_INPUT, "%s:1: column %zu has no name; expected a header line", t->where, i + 1);
        else if (json_object_getn(seen, name, size))
            status = pl_fail(PL_E_INPUT, "%s:1: two columns are called '%.*s'", t->where, (int)(size > 80 ? 80 : size),
                             name);
        else if (json_object_setn_new(seen, name, size, json_true()) != 0)
            status = pl_fail(PL_E_MEMORY, "%s: out of memory", t->where);
    }
    json_decref(seen);
    return status;
}

static pl_status make_item(const table *t, size_t row, const bool *integers, json_t **out)
{
    *out = json_object();
    bool whole = *out != NULL;
    for (size_t i = 0; i < t->n_columns && whole; i++) {
        size_t name_size, size;
        const char *name = field_text(t, 0, i, &name_size), *text = field_text(t, row, i, &size);
        json_t *made = integers[i] ? make_integer(text, size) : json_stringn(text, size);
        whole = json_object_setn_new(*out, name, name_size, made) == 0; /* takes NULL as a failure */
    }
    if (whole) return PL_OK;
    json_decref(*out);
    return pl_fail(PL_E_MEMORY, "%s:%zu: out of memory", t->where, t->lines[row]);
}

pl_status pl__data_parse_csv(pl_data *data, const char *text, size_t size, char separator, const char *where)
{
    table t = {.where = where, .separator = separator};
    cursor c = {.text = text, .size = size, .line = 1};
    bool *integers = NULL;
    size_t capacity = 0;
    pl_status status;
    PL_GOTO(status, done, read_rows(&t, &c));
    if (t.n_rows == 0) goto done; /* no items: the caller says so */
    PL_GOTO(status, done, check_header(&t));
    PL_GOTO(status, done, pl_new(&integers, t.n_columns));
    for (size_t i = 0; i < t.n_columns; i++) integers[i] = is_integer_column(&t, i);
    for (size_t row = 1; row < t.n_rows; row++) {
        json_t *item;
        PL_GOTO(status, done, make_item(&t, row, integers, &item));
        PL_GOTO(status, done, pl__data_add(data, &capacity, item, true, where, t.lines[row]));
    }
done:
    pl_bytes_free(&t.text);
    free(t.fields);
    free(t.lines);
    free(integers);
    return status;
}
