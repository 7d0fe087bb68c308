/* A JSON file that is a list of rows, [{...}, {...}], or an object of which one member is that list. Between rows the
 * reader keeps only where it stands (pl__json_place): a list of any length is read piece by piece. An element is found
 * by its brackets and quotes, and parsed when it is asked for; a text in place of an object is {"text": it}. Other
 * members of the object are gone over unread. */
#include <string.h>

#include "task/data_rows.h"

/* Where a look stands in its piece. */
typedef struct scan {
    const pl__piece *piece;
    size_t at;
} scan;

/* The next letter that is no white space; 0: the piece ends before one. */
static char next(scan *s)
{
    const pl__piece *p = s->piece;
    while (s->at < p->size && p->text[s->at] && strchr(" \t\r\n", p->text[s->at])) s->at++;
    return s->at < p->size ? p->text[s->at] : 0;
}

static pl_status wrong(const scan *s, const char *expected)
{
    const pl__piece *p = s->piece;
    size_t line = p->line + pl_lines_count(p->text, s->at);
    if (s->at >= p->size)
        return pl_fail(PL_E_INPUT, "%s:%zu: the file ends within its list: it was cut off", p->where, line);
    return pl_fail(PL_E_INPUT, "%s:%zu: byte %zu of the row: expected %s", p->where, line, s->at, expected);
}

/* Behind the text that begins at s->at; false: it does not end in the piece. */
static bool pass_text(scan *s)
{
    const pl__piece *p = s->piece;
    for (size_t at = s->at + 1; at < p->size; at++) {
        if (p->text[at] == '\\')
            at++;
        else if (p->text[at] == '"') {
            s->at = at + 1;
            return true;
        }
    }
    return false;
}

/* Behind the value that begins at s->at: a text, what stands between brackets, or a word up to what ends it. */
static bool pass_value(scan *s)
{
    const pl__piece *p = s->piece;
    size_t depth = 0;
    while (s->at < p->size) {
        char c = p->text[s->at];
        bool closes = c == '}' || c == ']';
        if (c == '"') {
            if (!pass_text(s)) return false;
            if (depth == 0) return true;
            continue;
        }
        if (depth == 0 && (closes || c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n')) return true;
        s->at++;
        depth += c == '{' || c == '[';
        depth -= closes;
        if (closes && depth == 0) return true;
    }
    return false;
}

pl_status pl__json_list_begin(pl__layout *layout, const pl__piece *piece, size_t *bytes)
{
    scan s = {piece, 0};
    char c = next(&s);
    *bytes = 0;
    if (!c && s.at == piece->size) {
        if (piece->last) *bytes = piece->size;
        return PL_OK;
    }
    const char *field = layout->form->field;
    if (c == (field ? '{' : '[')) {
        layout->json = field ? PL__JSON_MEMBERS : PL__JSON_FIRST;
        *bytes = s.at + 1;
        return PL_OK;
    }
    if (field) return wrong(&s, "an object, of which the field of dataset_kwargs is a member");
    if (memchr(piece->text, '\n', s.at))
        return pl_fail(PL_E_INPUT, "%s:%zu: a blank line before the end; expected an item on each line", piece->where,
                       piece->line);
    layout->json = PL__JSON_LINES;
    return PL_OK;
}

/* Takes "name": and the value behind it, or the bracket with which the list begins. */
static pl_status look_at_member(pl__layout *layout, scan *s, size_t *bytes)
{
    const pl__piece *piece = s->piece;
    size_t from = s->at;
    json_t *name;
    if (next(s) != '"') return wrong(s, "a member's name in quotes");
    from = s->at;
    if (!pass_text(s)) return PL_OK;
    PL_TRY(pl_json_parse(&name, piece->text + from, s->at - from, piece->where));
    bool wanted = layout->json == PL__JSON_MEMBERS && !strcmp(json_string_value(name), layout->form->field);
    json_decref(name);
    char c = next(s);
    if (c && c != ':') return wrong(s, "':' behind a member's name");
    if (!c) return PL_OK;
    s->at++;
    if (!(c = next(s))) return PL_OK;
    if (!wanted) {
        if (pass_value(s)) *bytes = s->at;
        return PL_OK;
    }
    if (c != '[') return wrong(s, "a list of rows in the field of dataset_kwargs");
    layout->json = PL__JSON_FIRST;
    *bytes = s->at + 1;
    return PL_OK;
}

static pl_status look_at_object(pl__layout *layout, scan *s, size_t *bytes)
{
    char c = next(s);
    if (c == ',') {
        s->at++;
        c = next(s);
    }
    if (c == '}' && layout->json == PL__JSON_MEMBERS)
        return pl_fail(PL_E_INPUT, "%s: the object has no member '%.80s', the field of dataset_kwargs", s->piece->where,
                       layout->form->field);
    if (c == '}') {
        layout->json = PL__JSON_END;
        *bytes = s->at + 1;
    }
    return c && c != '}' ? look_at_member(layout, s, bytes) : PL_OK;
}

/* An element and what stands behind it: a comma, or the list's end. */
static pl_status look_at_element(pl__layout *layout, scan *s, size_t *bytes, bool *is_item)
{
    char c = s->piece->text[s->at];
    pl__json_place end = layout->form->field ? PL__JSON_REST : PL__JSON_END;
    *is_item = c != ']';
    if (c == ']') {
        if (layout->json == PL__JSON_NEXT) return wrong(s, "an element behind the comma");
        layout->json = end;
        *bytes = s->at + 1;
        return PL_OK;
    }
    if (c != '{' && c != '"') return wrong(s, "an object {\"field\": value, ...}, or a text");
    if (!pass_value(s) || !(c = next(s))) return PL_OK;
    if (c != ',' && c != ']') return wrong(s, "',' or ']' behind an element");
    layout->json = c == ',' ? PL__JSON_NEXT : end;
    *bytes = s->at + 1;
    return PL_OK;
}

/* White space is a row of its own that is no item: an item begins with its first letter. */
pl_status pl__json_list_look(pl__layout *layout, const pl__piece *piece, size_t *bytes, bool *is_item)
{
    scan s = {piece, 0};
    char c = next(&s);
    *bytes = s.at;
    *is_item = false;
    if (s.at > 0 || piece->size == 0) return PL_OK;
    if (!c) return wrong(&s, "no byte of value 0");
    if (layout->json == PL__JSON_END) return wrong(&s, "nothing behind the end of the list");
    if (layout->json == PL__JSON_FIRST || layout->json == PL__JSON_NEXT)
        PL_TRY(look_at_element(layout, &s, bytes, is_item));
    else
        PL_TRY(look_at_object(layout, &s, bytes));
    s.at = piece->size;
    return *bytes == 0 && piece->last ? wrong(&s, "") : PL_OK;
}

pl_status pl__json_list_end(const pl__layout *layout, const char *where)
{
    if (layout->json <= PL__JSON_LINES || layout->json == PL__JSON_END) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: the file ends within its list: it was cut off", where);
}

pl_status pl__json_list_parse(const pl__piece *piece, json_t **out, bool *wide)
{
    scan s = {piece, 0};
    pl_bytes object = {0};
    if (!pass_value(&s)) return wrong(&s, "");
    if (*piece->text != '"') return pl_json_parse_wide(out, wide, piece->text, s.at, piece->where, piece->line);
    pl_status status = pl_bytes_format(&object, "{\"text\":");
    if (status == PL_OK) status = pl_bytes_append(&object, piece->text, s.at);
    if (status == PL_OK) status = pl_bytes_text(&object, "}");
    if (status == PL_OK) status = pl_json_parse_wide(out, wide, object.data, object.size, piece->where, piece->line);
    pl_bytes_free(&object);
    return status;
}
