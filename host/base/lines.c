#include "base/lines.h"

#include <errno.h>
#include <string.h>

pl_status pl_line_too_long(const char *where, size_t line, size_t bytes)
{
    return pl_fail(PL_E_INPUT,
                   "%s:%zu: a line of %zu bytes or more, expected at most %d (16 MiB); split it (is a newline missing, "
                   "or a closing quote?)",
                   where, line, bytes, PL_LINE_MAX);
}

size_t pl_lines_count(const char *text, size_t size)
{
    size_t n = 0;
    for (const char *end = text + size; (text = memchr(text, '\n', (size_t)(end - text))); text++) n++;
    return n;
}

pl_status pl_line_read(pl_bytes *out, bool *more, FILE *stream, const char *where, size_t line)
{
    char part[4096];
    size_t n = 0;
    int c;
    pl_bytes_clear(out);
    do {
        c = getc_unlocked(stream);
        if (c != EOF && c != '\n') part[n++] = (char)c;
        if (n < sizeof part && c != EOF && c != '\n') continue;
        PL_TRY(pl_bytes_append(out, part, n));
        n = 0;
        if (out->size > PL_LINE_MAX) return pl_line_too_long(where, line, out->size);
    } while (c != EOF && c != '\n');
    *more = c != EOF || out->size > 0;
    if (c == EOF && ferror(stream)) return pl_fail(PL_E_IO, "%s:%zu: cannot read: %s", where, line, strerror(errno));
    return PL_OK;
}
