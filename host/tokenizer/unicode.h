/* UTF-8, the character classes that tokenizers split by, and the byte alphabet of byte-level BPE.
 *
 * Functions that take text without a status expect valid UTF-8: pl__utf8_check comes first, once, where text enters.
 * Classes follow utf8proc's general categories; `\s` is Unicode's White_Space. */
#ifndef PLUMB_TEXT_UNICODE_H
#define PLUMB_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* Offset of the first malformed byte; `size` when all is well (no overlong forms, surrogates, or past U+10FFFF). */
size_t pl__utf8_check(const char *text, size_t size);

/* Bytes of the character that starts with this byte. */
static inline size_t pl__utf8_size(char lead)
{
    uint8_t c = (uint8_t)lead;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* The character at `text` and its size in bytes. */
static inline size_t pl__utf8_get(uint32_t *character, const char *text)
{
    const uint8_t *t = (const uint8_t *)text;
    if (t[0] < 0x80) {
        *character = t[0];
        return 1;
    }
    if (t[0] < 0xE0) {
        *character = (uint32_t)(t[0] & 0x1F) << 6 | (t[1] & 0x3F);
        return 2;
    }
    if (t[0] < 0xF0) {
        *character = (uint32_t)(t[0] & 0x0F) << 12 | (uint32_t)(t[1] & 0x3F) << 6 | (t[2] & 0x3F);
        return 3;
    }
    *character =
        (uint32_t)(t[0] & 0x07) << 18 | (uint32_t)(t[1] & 0x3F) << 12 | (uint32_t)(t[2] & 0x3F) << 6 | (t[3] & 0x3F);
    return 4;
}

/* Start of the character that ends before `end`; end > 0. */
static inline size_t pl__utf8_before(const char *text, size_t end)
{
    do end--;
    while (((uint8_t)text[end] & 0xC0) == 0x80);
    return end;
}

/* Writes a character; its size in bytes comes back. */
size_t pl__utf8_put(char out[4], uint32_t character);

/* Appends bytes as UTF-8 with U+FFFD for every maximal malformed part (Unicode 3.9, as Rust and Python do it). */
pl_status pl__utf8_lossy(pl_bytes *out, const char *data, size_t size);

/* What the splitting patterns of the GPT-2 line tell apart: \p{L}, \p{N}, \s, all else. */
typedef enum pl__class { PL__OTHER, PL__LETTER, PL__NUMBER, PL__SPACE } pl__class;
pl__class pl__char_class(uint32_t character);
bool pl__char_is_number(uint32_t character);      /* Nd, Nl, No */
bool pl__char_is_space(uint32_t character);       /* White_Space */
bool pl__char_is_punctuation(uint32_t character); /* P*, and ASCII's punctuation */
bool pl__char_is_mark(uint32_t character);        /* M* */
bool pl__char_is_word(uint32_t character);        /* \w of UTS 18: Alphabetic, M*, Nd, Pc, Join_Control */

/* The byte alphabet of GPT-2: printable bytes stand for themselves, the other 68 for U+0100 and on, in order. */
uint32_t pl__byte_to_char(uint8_t byte);
int pl__char_to_byte(uint32_t character); /* -1: not in the alphabet */
/* Appends every byte of `text` as its character of the alphabet. */
pl_status pl__bytes_to_alphabet(pl_bytes *out, const char *text, size_t size);

#endif
