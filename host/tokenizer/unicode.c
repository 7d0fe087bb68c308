#include "tokenizer/unicode.h"

#include <string.h>
#include <utf8proc.h>

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

size_t pl__utf8_check(const char *text, size_t size)
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

size_t pl__utf8_put(char out[4], uint32_t c)
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

pl_status pl__utf8_lossy(pl_bytes *out, const char *data, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t good = pl__utf8_check(data + i, size - i), bad;
        PL_TRY(pl_bytes_append(out, data + i, good));
        i += good;
        if (i == size) break;
        well_formed((const uint8_t *)data + i, size - i, &bad);
        PL_TRY(pl_bytes_text(out, "\xEF\xBF\xBD"));
        i += bad;
    }
    return PL_OK;
}

bool pl__char_is_space(uint32_t c)
{
    if (c < 0x80) return (c >= 9 && c <= 13) || c == ' ';
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

static utf8proc_category_t category(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

bool pl__char_is_number(uint32_t c)
{
    if (c < 0x80) return c >= '0' && c <= '9';
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

pl__class pl__char_class(uint32_t c)
{
    if (c < 0x80) {
        uint32_t lower = c | 0x20;
        if (lower >= 'a' && lower <= 'z') return PL__LETTER;
        if (c >= '0' && c <= '9') return PL__NUMBER;
        return pl__char_is_space(c) ? PL__SPACE : PL__OTHER;
    }
    switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return PL__LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return PL__NUMBER;
    default:
        return pl__char_is_space(c) ? PL__SPACE : PL__OTHER;
    }
}

bool pl__char_is_punctuation(uint32_t c)
{
    if (c < 0x80) return c > ' ' && c < 0x7F && pl__char_class(c) == PL__OTHER;
    switch (category(c)) {
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
        return true;
    default:
        return false;
    }
}

bool pl__char_is_mark(uint32_t c)
{
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC || k == UTF8PROC_CATEGORY_ME;
}

bool pl__char_is_word(uint32_t c)
{
    utf8proc_category_t k = category(c);
    if (pl__char_class(c) == PL__LETTER || pl__char_is_mark(c)) return true;
    if (k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_PC) return true;
    /* Join_Control, then the symbols among Other_Alphabetic: circled, squared and negative letters. */
    return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
           (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

uint32_t pl__byte_to_char(uint8_t b)
{
    if (b <= 0x20) return 0x100u + b;
    if (b >= 0x7F && b <= 0xA0) return 0x121u + (b - 0x7Fu);
    return b == 0xAD ? 0x143u : b;
}

int pl__char_to_byte(uint32_t c)
{
    if (c >= 0x100 && c <= 0x120) return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142) return (int)(c - 0x121 + 0x7F);
    if (c == 0x143) return 0xAD;
    return c < 0x100 && pl__byte_to_char((uint8_t)c) == c ? (int)c : -1;
}

pl_status pl__bytes_to_alphabet(pl_bytes *out, const char *text, size_t size)
{
    /* Every character of the alphabet has at most two bytes. */
    PL_TRY(pl_grow(&out->data, &out->capacity, out->size + 2 * size + 1));
    for (size_t i = 0; i < size; i++)
        out->size += pl__utf8_put(out->data + out->size, pl__byte_to_char((uint8_t)text[i]));
    out->data[out->size] = 0;
    return PL_OK;
}
