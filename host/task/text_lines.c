/* Plain text: every line is an item with the field "text", as the `text` files of the datasets library are. A line ends
 * with LF, CR LF or CR. */
#include <string.h>

#include "base/utf8.h"
#include "task/data_rows.h"

/* The line and its end; 0: the piece may end within them. */
static size_t line_bytes(const pl__piece *piece)
{
    size_t at = 0, rest = piece->size;
    while (at < rest && piece->text[at] != '\n' && piece->text[at] != '\r') at++;
    if (at + 1 < rest && piece->text[at] == '\r') return at + (piece->text[at + 1] == '\n' ? 2 : 1);
    if (at < rest && (piece->text[at] == '\n' || piece->last)) return at + 1;
    return piece->last ? rest : 0;
}

static pl_status look_at_text(pl__layout *layout, const pl__piece *piece, size_t *bytes, bool *is_item)
{
    (void)layout;
    *is_item = true;
    *bytes = line_bytes(piece);
    size_t own = pl__own_bytes(piece->text, *bytes);
    size_t bad = own <= PL_LINE_MAX ? pl_utf8_check(piece->text, own) : own;
    if (bad == own) return PL_OK; /* who calls refuses a line that is too long */
    return pl_fail(PL_E_INPUT, "%s:%zu: byte %zu of the line is not valid UTF-8", piece->where, piece->line, bad);
}

static pl_status parse_text(const pl__layout *layout, const pl__piece *piece, json_t **out, bool *wide)
{
    (void)layout;
    *wide = false;
    *out = json_pack("{s:s%}", "text", piece->text, pl__own_bytes(piece->text, piece->size));
    return *out ? PL_OK : pl_fail(PL_E_MEMORY, "%s:%zu: out of memory while reading a line", piece->where, piece->line);
}

const pl__format pl__text = {.name = "text", .cr_ends = true, .look = look_at_text, .parse = parse_text};
