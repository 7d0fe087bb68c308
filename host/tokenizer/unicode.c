#include "tokenizer/unicode.h"

#include <string.h>
#include <utf8proc.h>

bool pl__char_is_white_space(uint32_t c)
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
        return pl__char_is_white_space(c) ? PL__SPACE : PL__OTHER;
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
        return pl__char_is_white_space(c) ? PL__SPACE : PL__OTHER;
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
        out->size += pl_utf8_put(out->data + out->size, pl__byte_to_char((uint8_t)text[i]));
    out->data[out->size] = 0;
    return PL_OK;
}
