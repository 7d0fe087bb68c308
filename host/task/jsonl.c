/* JSON lines: an object on each line. Finding rows looks at their first and last letter; the rest is seen when a row is
 * asked for. Arrays and objects with a list, which stand in files of the same name, are json_list.c's. */
#include <string.h>

#include "task/data_rows.h"

#define ONE_A_LINE "expected JSON lines, an object {\"field\": value, ...} on each line"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The line without white space at either end. */
static void trim(const char **text, size_t *size)
{
    while (*size > 0 && is_space((*text)[*size - 1])) --*size;
    while (*size > 0 && is_space(**text)) ++*text, --*size;
}

static pl_status refuse_spread(const pl__piece *piece)
{
    const char *text = piece->text, *newline = memchr(text, '\n', piece->size);
    size_t size = newline ? (size_t)(newline - text) : piece->size;
    trim(&text, &size);
    if (size != 1 || *text != '{' || !(newline || piece->last)) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%s: JSON that is spread over several lines; " ONE_A_LINE
                   " (jq -c . IN > OUT.jsonl writes it so), or dataset_kwargs: {field: NAME} where the object holds a "
                   "list of rows",
                   piece->where);
}

static pl_status parse_line(const pl__piece *piece, json_t **out, bool *wide)
{
    const char *own = piece->text;
    size_t size = piece->size, n = size;
    if (size > 0 && own[size - 1] == '\n') size--;
    pl_status status = pl_json_parse_wide(out, wide, own, size, piece->where, piece->line);
    if (status == PL_E_INPUT) {
        trim(&own, &n);
        if (n > 1 && own[n - 1] == ',' && own[n - 2] == '}')
            return pl_fail(PL_E_INPUT, "%s:%zu: a comma behind the object; " ONE_A_LINE ", with nothing between them",
                           piece->where, piece->line);
    }
    PL_TRY(status);
    if (json_is_object(*out)) return PL_OK;
    json_decref(*out);
    return pl_fail(PL_E_INPUT, "%s:%zu: expected a JSON object {\"field\": value, ...} on each line", piece->where,
                   piece->line);
}

/* A line that cannot be an object is parsed for its error: the last one of a file that was cut off is such a line. */
static pl_status look_at_line(const pl__piece *piece, size_t *bytes)
{
    const char *newline = memchr(piece->text, '\n', piece->size), *own = piece->text;
    *bytes = newline ? (size_t)(newline - piece->text) + 1 : piece->last ? piece->size : 0;
    size_t size = *bytes;
    if (size == 0 || pl__own_bytes(own, size) > PL_LINE_MAX)
        return PL_OK; /* who calls refuses a line that is too long */
    trim(&own, &size);
    if (size > 0 && *own == '{' && own[size - 1] == '}') return PL_OK;
    pl__piece line = *piece;
    json_t *item;
    bool wide;
    line.size = *bytes;
    PL_TRY(parse_line(&line, &item, &wide));
    json_decref(item);
    return PL_OK;
}

static pl_status look_at_row(pl__layout *layout, const pl__piece *piece, size_t *bytes, bool *is_item)
{
    if (layout->json == PL__JSON_UNKNOWN) {
        PL_TRY(pl__json_list_begin(layout, piece, bytes));
        *is_item = false;
        if (layout->json != PL__JSON_LINES) return PL_OK;
        PL_TRY(refuse_spread(piece));
    }
    if (layout->json != PL__JSON_LINES) return pl__json_list_look(layout, piece, bytes, is_item);
    *is_item = true;
    return look_at_line(piece, bytes);
}

static pl_status parse_row(const pl__layout *layout, const pl__piece *piece, json_t **out, bool *wide)
{
    return layout->json == PL__JSON_LINES ? parse_line(piece, out, wide) : pl__json_list_parse(piece, out, wide);
}

const pl__format pl__jsonl = {
    .name = "jsonl", .blanks = " \t\r", .look = look_at_row, .end = pl__json_list_end, .parse = parse_row};
