#include "base/utf8.h"

#include <string.h>

/* Bytes of a well-formed character at `t`; 0 when malformed, then *bad is the length of the maximal malformed part:
 * the bytes that could still have begun a character (Unicode 15, table 3-7). */
static size_t well_formed(const uint8_t *t, size_t size, size_t *bad)
{
    *bad = 1;
    if (t[0] < 0x80) return 1;
    if (t[0] < 0xC2 || t[0] > 0xF4) return 0;
    size_t need = t[0] < 0xE0 ? 2 : t[0] < 0xF0 ? 3 : 4;
    uint8_t low = t[0] == 0xE0 ? 0xA0 : t[0] == 0xF0 ? 0x90 : 0x80;
    uint8_t high = t[0] == 0xED ? 0x9F : t[0] == 0xF4 ? 0x8F : 0xBF;
    for (size_t i = 1; i < need; i++) {
        if (i >= size || t[i] < low || t[i] > high) {
            *bad = i;
            return 0;
        }
        low = 0x80;
        high = 0xBF;
    }
    return need;
}

size_t pl_utf8_check(const char *text, size_t size)
{
    const uint8_t *t = (const uint8_t *)text;
    for (size_t i = 0, bad; i < size;) {
        uint64_t eight;
        if (i + 8 <= size && (memcpy(&eight, t + i, 8), (eight & 0x8080808080808080u) == 0)) {
            i += 8;
            continue;
        }
        size_t n = well_formed(t + i, size - i, &bad);
        if (!n) return i;
        i += n;
    }
    return size;
}

size_t pl_utf8_put(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((n == 2 ? 0xC0 : n == 3 ? 0xE0 : 0xF0) | c);
    return n;
}

pl_status pl_utf8_lossy(pl_bytes *out, const char *data, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t good = pl_utf8_check(data + i, size - i), bad;
        PL_TRY(pl_bytes_append(out, data + i, good));
        i += good;
        if (i == size) break;
        well_formed((const uint8_t *)data + i, size - i, &bad);
        PL_TRY(pl_bytes_text(out, "\xEF\xBF\xBD"));
        i += bad;
    }
    return PL_OK;
}

size_t pl_utf8_count(const char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) n += ((uint8_t)text[i] & 0xC0) != 0x80;
    return n;
}

bool pl_utf8_is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

size_t pl_utf8_rstrip(const char *text, size_t size)
{
    while (size > 0) {
        uint32_t character;
        size_t at = pl_utf8_before(text, size);
        pl_utf8_get(&character, text + at);
        if (!pl_utf8_is_space(character)) break;
        size = at;
    }
    return size;
}
