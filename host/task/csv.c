/* CSV and TSV: a row is cut into fields, when the file is opened for the kinds of the columns and whatever is wrong
 * with it, and again when it is asked for. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "task/csv_parts.h"

/* Where the cut is. */
typedef struct cursor {
    const char *text, *where;
    size_t size, at, line;
    const pl__dialect *dialect;
    bool starved;
} cursor;

pl_status pl__columns_create(pl__columns **out)
{
    return pl_new(out, 1);
}

void pl__csv_row_free(pl__csv_row *row)
{
    pl_bytes_free(&row->text);
    free(row->fields);
}

void pl__columns_free(pl__columns *columns)
{
    if (!columns) return;
    pl__csv_row_free(&columns->header);
    pl__csv_row_free(&columns->scratch);
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

/* A letter that may end a plain field, or has no place in it. */
static bool is_special(char letter, const pl__dialect *dialect)
{
    return letter == '\n' || letter == '\r' || letter == dialect->separator ||
           (dialect->strict && dialect->quote && letter == dialect->quote);
}

static pl_status read_plain(pl__csv_row *r, cursor *c)
{
    size_t from = c->at, width;
    for (;; c->at++) {
        while (c->at < c->size && !is_special(c->text[c->at], c->dialect)) c->at++;
        if (at_row_end(c, &width) || c->text[c->at] == c->dialect->separator) break;
        if (c->text[c->at] == '\r' && !c->dialect->strict)
            return pl_fail(PL_E_INPUT,
                           "%s:%zu: a carriage return alone within a line; put the field in quotes, or convert the "
                           "line ends",
                           c->where, c->line);
        if (c->text[c->at] == c->dialect->quote && c->dialect->strict)
            return pl_fail(PL_E_INPUT, "%s:%zu: a quote inside a field without quotes; write \"...\"\"...\"", c->where,
                           c->line);
    }
    return pl_bytes_append(&r->text, c->text + from, c->at - from);
}

/* A quoted field; the cursor stands on its opening quote. */
static pl_status read_quoted(pl__csv_row *r, cursor *c)
{
    const char mark = c->dialect->quote;
    size_t began = c->line, width;
    c->at++;
    for (;;) {
        const char *from = c->text + c->at, *quote = memchr(from, mark, c->size - c->at);
        if (!quote) {
            c->starved = true;
            return pl_fail(PL_E_INPUT, "%s:%zu: a field in quotes does not end", c->where, began);
        }
        size_t run = (size_t)(quote - from);
        c->line += pl_lines_count(from, run);
        PL_TRY(pl_bytes_append(&r->text, from, run));
        c->at += run + 1;
        if (at_end(c, c->at) || c->text[c->at] != mark) break;
        PL_TRY(pl_bytes_append(&r->text, &mark, 1));
        c->at++;
    }
    if (at_row_end(c, &width) || c->text[c->at] == c->dialect->separator) return PL_OK;
    if (!c->dialect->strict) return read_plain(r, c);
    return pl_fail(PL_E_INPUT, "%s:%zu: letters behind the closing quote of a field; write a quote inside as \"\"",
                   c->where, c->line);
}

static pl_status read_field(pl__csv_row *r, cursor *c)
{
    PL_TRY(pl_grow(&r->fields, &r->capacity, r->n + 1));
    pl__field *f = &r->fields[r->n++];
    f->at = r->text.size;
    if (c->dialect->quote && c->at < c->size && c->text[c->at] == c->dialect->quote)
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

static pl_status cut(pl__csv_row *r, cursor *c)
{
    size_t width;
    r->n = 0;
    pl_bytes_clear(&r->text);
    for (;;) {
        PL_TRY(read_field(r, c));
        if (r->n > PL__MAX_COLUMNS)
            return pl_fail(PL_E_INPUT, "%s:%zu: more than %d fields", c->where, c->line, PL__MAX_COLUMNS);
        if (at_row_end(c, &width)) break;
        c->at++; /* the separator */
    }
    c->at += width;
    return PL_OK;
}

pl_status pl__csv_cut(pl__csv_row *row, const pl__piece *piece, const pl__dialect *dialect, size_t *bytes,
                      bool *starved)
{
    cursor c = {
        .text = piece->text, .where = piece->where, .size = piece->size, .line = piece->line, .dialect = dialect};
    pl_status status = cut(row, &c);
    *bytes = c.at;
    *starved = c.starved;
    return status;
}

const char *pl__csv_text(const pl__csv_row *row, size_t column, size_t *size)
{
    *size = row->fields[column].size;
    return *size ? row->text.data + row->fields[column].at : "";
}

/* ---- lines that are no rows ---- */

/* A line that is left out unread; quotes that it begins with hide line ends in it too. 0: the piece ends within it. */
static size_t skipped_line(const pl__piece *piece, char quote)
{
    size_t i = 0;
    bool quoted = quote && piece->size > 0 && piece->text[0] == quote;
    while (quoted && ++i < piece->size)
        if (piece->text[i] == quote && (i + 1 == piece->size || piece->text[++i] != quote)) quoted = false;
    const char *newline = i < piece->size ? memchr(piece->text + i, '\n', piece->size - i) : NULL;
    if (newline) return (size_t)(newline - piece->text) + 1;
    return piece->last ? piece->size : 0;
}

/* A line of blanks, which pandas leaves out; 0: it is none, or the piece ends within it. */
static size_t blank_line(const pl__piece *piece, char separator)
{
    size_t i = 0;
    while (i < piece->size && (piece->text[i] == ' ' || piece->text[i] == '\t') && piece->text[i] != separator) i++;
    if (i < piece->size && piece->text[i] == '\r') i++;
    if (i < piece->size) return piece->text[i] == '\n' ? i + 1 : 0;
    return piece->last ? i : 0;
}

/* Whether a line that is no row begins here: *bytes are its own, 0: more of the file is needed to say. */
static bool take_other_line(pl__columns *columns, const pl_data_form *form, const pl__piece *piece, size_t *bytes)
{
    if (columns->skipped < form->skip_rows) {
        *bytes = skipped_line(piece, columns->dialect.quote);
        columns->skipped += *bytes > 0;
        return true;
    }
    *bytes = columns->pandas ? blank_line(piece, columns->dialect.separator) : 0;
    return *bytes > 0;
}

/* ---- the two looks at a row ---- */

static pl_status look_at_row(pl__columns *columns, const pl_data_form *form, const pl__piece *piece, size_t *bytes,
                             bool *is_item)
{
    bool starved, names_here = !columns->kinds && !form->no_header;
    *is_item = false;
    if (take_other_line(columns, form, piece, bytes)) return PL_OK;
    pl__csv_row *r = names_here ? &columns->header : &columns->scratch;
    pl_status status = pl__csv_cut(r, piece, &columns->dialect, bytes, &starved);
    if (starved && !piece->last && status != PL_E_MEMORY) {
        *bytes = 0;
        return PL_OK;
    }
    PL_TRY(status);
    if (names_here && columns->rows_before < form->header) {
        columns->rows_before++;
        return PL_OK;
    }
    if (!columns->kinds) PL_TRY(pl__columns_name(columns, form, piece->where, piece->line, r->n));
    if (names_here) return PL_OK;
    *is_item = true;
    return pl__columns_note(columns, r, piece->where, piece->line);
}

static pl_status look(pl__layout *layout, pl__dialect own, const pl__piece *piece, size_t *bytes, bool *is_item)
{
    const pl_data_form *form = layout->form;
    layout->columns->dialect = own;
    layout->columns->pandas = !own.strict;
    if (form->separator) layout->columns->dialect.separator = *form->separator;
    if (form->quote) layout->columns->dialect.quote = *form->quote;
    return look_at_row(layout->columns, form, piece, bytes, is_item);
}

static pl_status look_at_csv(pl__layout *layout, const pl__piece *piece, size_t *bytes, bool *is_item)
{
    return look(layout, (pl__dialect){',', '"', true}, piece, bytes, is_item);
}

static pl_status look_at_tsv(pl__layout *layout, const pl__piece *piece, size_t *bytes, bool *is_item)
{
    return look(layout, (pl__dialect){'\t', 0, true}, piece, bytes, is_item);
}

static pl_status look_as_pandas(pl__layout *layout, const pl__piece *piece, size_t *bytes, bool *is_item)
{
    return look(layout, (pl__dialect){',', '"', false}, piece, bytes, is_item);
}

static pl_status end_as_pandas(const pl__layout *layout, const char *where)
{
    return pl__columns_end(layout->columns, where);
}

static pl_status parse_row(const pl__layout *layout, const pl__piece *piece, json_t **out, bool *wide)
{
    pl__csv_row r = {0};
    size_t bytes;
    bool starved;
    *wide = true;
    pl_status status = pl__csv_cut(&r, piece, &layout->columns->dialect, &bytes, &starved);
    if (status == PL_OK) status = pl__columns_item(layout->columns, &r, out);
    pl__csv_row_free(&r);
    return status;
}

const pl__format pl__csv = {.name = "csv", .blanks = "\r", .look = look_at_csv, .parse = parse_row};
const pl__format pl__tsv = {.name = "tsv", .blanks = "\r", .look = look_at_tsv, .parse = parse_row};
const pl__format pl__csv_pandas = {
    .name = "csv as pandas", .look = look_as_pandas, .end = end_as_pandas, .parse = parse_row};
