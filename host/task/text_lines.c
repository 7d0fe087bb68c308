/* Plain text: every line is an item with the field "text", as the `text` files of the datasets library are. */
#include <string.h>

#include "base/utf8.h"
#include "task/data_rows.h"

static pl_status look_at_text(pl__columns *columns, const pl__piece *piece, size_t *bytes, bool *is_item)
{
    const char *newline = memchr(piece->text, '\n', piece->size);
    (void)columns;
    *is_item = true;
    *bytes = newline ? (size_t)(newline - piece->text) + 1 : piece->last ? piece->size : 0;
    size_t own = pl__own_bytes(piece->text, *bytes);
    size_t bad = own <= PL_LINE_MAX ? pl_utf8_check(piece->text, own) : own;
    if (bad == own) return PL_OK; /* who calls refuses a line that is too long */
    return pl_fail(PL_E_INPUT, "%s:%zu: byte %zu of the line is not valid UTF-8", piece->where, piece->line, bad);
}

static pl_status parse_text(const pl__columns *columns, const pl__piece *piece, json_t **out, bool *wide)
{
    (void)columns;
    *wide = false;
    *out = json_pack("{s:s%}", "text", piece->text, pl__own_bytes(piece->text, piece->size));
    return *out ? PL_OK : pl_fail(PL_E_MEMORY, "%s:%zu: out of memory while reading a line", piece->where, piece->line);
}

const pl__format pl__text = {.name = "text", .blanks = NULL, .look = look_at_text, .parse = parse_text};
