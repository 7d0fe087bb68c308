/* CSV after RFC 4180 and TSV: a row is cut into fields, when the file is opened for the kinds of the columns and
 * whatever is wrong with it, and again when it is asked for.
 *
 * A column becomes integers only when every one of its values is a plain decimal integer (no sign but '-', no leading
 * zeros) and all fit 64 bits, signed or unsigned, as pandas has it: a column of codes such as 007 stays text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "task/data_rows.h"

enum { MAX_COLUMNS = 4096 };

/* The fields of a row, unquoted, one after the other. */
typedef struct field {
    size_t at, size; /* in row->text */
} field;
typedef struct row {
    pl_bytes text;
    field *fields;
    size_t n, capacity;
} row;

/* What a column's values are so far. */
typedef struct kind {
    bool other, negative, large; /* no integer; below 0; beyond 63 bits */
} kind;

struct pl__columns {
    row header, scratch; /* scratch: rows of the first pass */
    kind *kinds;         /* [header.n]; NULL: no header yet */
};

/* Where the cut is. `starved`: it looked for bytes behind the piece, so that more of the file may change what it saw.
 */
typedef struct cursor {
    const char *text, *where;
    size_t size, at, line;
    char separator;
    bool starved;
} cursor;

pl_status pl__columns_create(pl__columns **out)
{
    return pl_new(out, 1);
}

static void free_row(row *r)
{
    pl_bytes_free(&r->text);
    free(r->fields);
}

void pl__columns_free(pl__columns *columns)
{
    if (!columns) return;
    free_row(&columns->header);
    free_row(&columns->scratch);
    free(columns->kinds);
    free(columns);
}

/* ---- a row to fields ---- */

static bool at_end(cursor *c, size_t at)
{
    c->starved |= at >= c->size;
    return at >= c->size;
}

/* Whether the text at the cursor ends a row; *width is the width of the line break (0 at the end of the file). */
static bool at_row_end(cursor *c, size_t *width)
{
    *width = 0;
    if (at_end(c, c->at)) return true;
    char letter = c->text[c->at];
    if (letter == '\n') *width = 1;
    if (letter == '\r' && !at_end(c, c->at + 1) && c->text[c->at + 1] == '\n') *width = 2;
    return *width > 0;
}

/* A quoted field; the cursor stands on its opening quote. */
static pl_status read_quoted(row *r, cursor *c)
{
    size_t began = c->line, width;
    c->at++;
    for (;;) {
        const char *from = c->text + c->at, *quote = memchr(from, '"', c->size - c->at);
        if (!quote) {
            c->starved = true;
            return pl_fail(PL_E_INPUT, "%s:%zu: a field in quotes does not end", c->where, began);
        }
        size_t run = (size_t)(quote - from);
        c->line += pl_lines_count(from, run);
        PL_TRY(pl_bytes_append(&r->text, from, run));
        c->at += run + 1;
        if (at_end(c, c->at) || c->text[c->at] != '"') break;
        PL_TRY(pl_bytes_text(&r->text, "\""));
        c->at++;
    }
    if (at_row_end(c, &width) || c->text[c->at] == c->separator) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s:%zu: letters behind the closing quote of a field; write a quote inside as \"\"",
                   c->where, c->line);
}

/* A letter that may end a plain field, or has no place in it. */
static bool is_special(char letter, char separator)
{
    return letter == '\n' || letter == '\r' || letter == '"' || letter == separator;
}

static pl_status read_plain(row *r, cursor *c)
{
    size_t from = c->at, width;
    for (;; c->at++) {
        while (c->at < c->size && !is_special(c->text[c->at], c->separator)) c->at++;
        if (at_row_end(c, &width) || c->text[c->at] == c->separator) break;
        if (c->text[c->at] == '"' && c->separator == ',')
            return pl_fail(PL_E_INPUT, "%s:%zu: a quote inside a field without quotes; write \"...\"\"...\"", c->where,
                           c->line);
    }
    return pl_bytes_append(&r->text, c->text + from, c->at - from);
}

static pl_status read_field(row *r, cursor *c)
{
    PL_TRY(pl_grow(&r->fields, &r->capacity, r->n + 1));
    field *f = &r->fields[r->n++];
    f->at = r->text.size;
    if (c->separator == ',' && c->at < c->size && c->text[c->at] == '"')
        PL_TRY(read_quoted(r, c));
    else
        PL_TRY(read_plain(r, c));
    f->size = r->text.size - f->at;
    const char *text = r->text.data + f->at;
    if (f->size > 0 && memchr(text, 0, f->size))
        return pl_fail(PL_E_INPUT, "%s:%zu: a text holds the character U+0000; remove it", c->where, c->line);
    size_t bad = f->size > 0 ? pl_utf8_check(text, f->size) : 0;
    if (bad < f->size)
        return pl_fail(PL_E_INPUT, "%s:%zu: byte %zu of a field is not valid UTF-8", c->where, c->line, bad);
    return PL_OK;
}

static pl_status cut(row *r, cursor *c)
{
    size_t width;
    r->n = 0;
    pl_bytes_clear(&r->text);
    for (;;) {
        PL_TRY(read_field(r, c));
        if (r->n > MAX_COLUMNS)
            return pl_fail(PL_E_INPUT, "%s:%zu: more than %d fields", c->where, c->line, MAX_COLUMNS);
        if (at_row_end(c, &width)) break;
        c->at++; /* the separator */
    }
    c->at += width;
    return PL_OK;
}

static const char *field_text(const row *r, size_t column, size_t *size)
{
    *size = r->fields[column].size;
    return *size ? r->text.data + r->fields[column].at : "";
}

/* ---- columns ---- */

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

static void note_value(kind *k, const char *text, size_t size)
{
    bool negative;
    unsigned long long magnitude;
    if (k->other) return;
    if (!is_integer(text, size, &negative, &magnitude)) {
        k->other = true;
        return;
    }
    k->negative |= negative;
    k->large |= !negative && magnitude > INT64_MAX;
}

static bool is_integer_column(const kind *k)
{
    return !k->other && !(k->negative && k->large);
}

static pl_status check_header(const row *header, const char *where)
{
    json_t *seen = json_object();
    pl_status status = seen ? PL_OK : pl_fail(PL_E_MEMORY, "%s: out of memory", where);
    for (size_t i = 0; i < header->n && status == PL_OK; i++) {
        size_t size;
        const char *name = field_text(header, i, &size);
        if (size == 0)
            status = pl_fail(PL_E_INPUT, "%s:1: column %zu has no name; expected a header line", where, i + 1);
        else if (json_object_getn(seen, name, size))
            status =
                pl_fail(PL_E_INPUT, "%s:1: two columns are called '%.*s'", where, (int)(size > 80 ? 80 : size), name);
        else if (json_object_setn_new(seen, name, size, json_true()) != 0)
            status = pl_fail(PL_E_MEMORY, "%s: out of memory", where);
    }
    json_decref(seen);
    return status;
}

static pl_status look_at_row(pl__columns *columns, const pl__piece *piece, char separator, size_t *bytes, bool *is_item)
{
    cursor c = {
        .text = piece->text, .where = piece->where, .size = piece->size, .line = piece->line, .separator = separator};
    row *header = &columns->header, *r = columns->kinds ? &columns->scratch : header;
    *bytes = 0;
    *is_item = columns->kinds != NULL;
    pl_status status = cut(r, &c);
    if (c.starved && !piece->last && status != PL_E_MEMORY) return PL_OK;
    PL_TRY(status);
    *bytes = c.at;
    if (r == header) {
        PL_TRY(check_header(header, piece->where));
        return pl_new(&columns->kinds, header->n);
    }
    if (r->n != header->n)
        return pl_fail(PL_E_INPUT, "%s:%zu: expected %zu fields as in the header line, found %zu", piece->where,
                       piece->line, header->n, r->n);
    for (size_t i = 0; i < r->n; i++) {
        size_t size;
        const char *text = field_text(r, i, &size);
        note_value(&columns->kinds[i], text, size);
    }
    return PL_OK;
}

static pl_status look_at_csv(pl__columns *columns, const pl__piece *piece, size_t *bytes, bool *is_item)
{
    return look_at_row(columns, piece, ',', bytes, is_item);
}

static pl_status look_at_tsv(pl__columns *columns, const pl__piece *piece, size_t *bytes, bool *is_item)
{
    return look_at_row(columns, piece, '\t', bytes, is_item);
}

/* ---- a row to an item ---- */

static json_t *make_integer(const char *text, size_t size)
{
    bool negative = false;
    unsigned long long magnitude = 0;
    is_integer(text, size, &negative, &magnitude);
    if (!negative && magnitude > INT64_MAX) return pl_json_wide(text, size);
    return json_integer(negative ? (json_int_t)(0 - magnitude) : (json_int_t)magnitude);
}

static pl_status make_item(const pl__columns *columns, const row *r, json_t **out)
{
    const row *header = &columns->header;
    *out = json_object();
    bool whole = *out && r->n == header->n;
    for (size_t i = 0; i < header->n && whole; i++) {
        size_t name_size, size;
        const char *name = field_text(header, i, &name_size), *text = field_text(r, i, &size);
        json_t *made = is_integer_column(&columns->kinds[i]) ? make_integer(text, size) : json_stringn(text, size);
        whole = json_object_setn_new(*out, name, name_size, made) == 0; /* takes NULL as a failure */
    }
    if (whole) return PL_OK;
    json_decref(*out);
    return pl_fail(PL_E_MEMORY, "out of memory while reading data");
}

static pl_status parse_row(const pl__columns *columns, const pl__piece *piece, char separator, json_t **out, bool *wide)
{
    cursor c = {
        .text = piece->text, .where = piece->where, .size = piece->size, .line = piece->line, .separator = separator};
    row r = {0};
    *wide = true;
    pl_status status = cut(&r, &c);
    if (status == PL_OK) status = make_item(columns, &r, out);
    free_row(&r);
    return status;
}

static pl_status parse_csv(const pl__columns *columns, const pl__piece *piece, json_t **out, bool *wide)
{
    return parse_row(columns, piece, ',', out, wide);
}

static pl_status parse_tsv(const pl__columns *columns, const pl__piece *piece, json_t **out, bool *wide)
{
    return parse_row(columns, piece, '\t', out, wide);
}

const pl__format pl__csv = {.name = "csv", .blanks = "\r", .look = look_at_csv, .parse = parse_csv};
const pl__format pl__tsv = {.name = "tsv", .blanks = "\r", .look = look_at_tsv, .parse = parse_tsv};
