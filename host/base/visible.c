#include "base/visible.h"

#include <stdarg.h>
#include <string.h>

#include "base/utf8.h"

bool pl_is_hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

size_t pl_visible(char out[PL_VISIBLE], const char *text, size_t size)
{
    uint32_t c = (unsigned char)*text;
    size_t n = pl_utf8_size(*text);
    if (n > size || pl_utf8_check(text, n) < n) {
        snprintf(out, PL_VISIBLE, "\\x%02x", (unsigned)c);
        return 1;
    }
    pl_utf8_get(&c, text);
    if (!pl_is_hidden(c)) {
        memcpy(out, text, n);
        out[n] = 0;
    } else {
        snprintf(out, PL_VISIBLE, c < 0x80 ? "\\x%02x" : "\\u{%04x}", (unsigned)c);
    }
    return n;
}

void pl_visible_text(char *out, size_t capacity, const char *text)
{
    char form[PL_VISIBLE];
    size_t used = 0;
    for (size_t left = strlen(text), n; left; text += n, left -= n) {
        n = pl_visible(form, text, left);
        size_t size = strlen(form);
        if (used + size >= capacity) break;
        memcpy(out + used, form, size);
        used += size;
    }
    out[used] = 0;
}

pl_status pl_visible_append(pl_bytes *out, const char *text, size_t size)
{
    char form[PL_VISIBLE];
    for (size_t n; size; text += n, size -= n) {
        for (n = 0; n < size && text[n] >= ' ' && text[n] <= '~'; n++) continue; /* nearly everything */
        if (n) {
            PL_TRY(pl_bytes_append(out, text, n));
            continue;
        }
        n = pl_visible(form, text, size);
        PL_TRY(pl_bytes_text(out, form));
    }
    return PL_OK;
}

void pl_print(FILE *file, const char *format, ...)
{
    char raw[4096], text[2 * sizeof raw];
    size_t size = strlen(format), before = strspn(format, "\n"), behind = 0;
    while (size > before + behind && format[size - 1 - behind] == '\n') behind++;
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    size_t n = strlen(raw);
    if (n >= before + behind && strspn(raw + n - behind, "\n") == behind) raw[n - behind] = 0; /* else it was cut */
    pl_visible_text(text, sizeof text, raw + before);
    for (size_t i = 0; i < before; i++) fputc('\n', file);
    fputs(text, file);
    for (size_t i = 0; i < behind; i++) fputc('\n', file);
}
