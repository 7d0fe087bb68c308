/* UTF-8: checking, walking and writing characters (code points).
 *
 * Functions that take text without a status expect valid UTF-8: pl_utf8_check comes first, once, where text enters. */
#ifndef PLUMB_BASE_UTF8_H
#define PLUMB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* Offset of the first malformed byte; `size` when all is well (no overlong forms, surrogates, or past U+10FFFF). */
size_t pl_utf8_check(const char *text, size_t size);

/* Bytes of the character that starts with this byte. */
static inline size_t pl_utf8_size(char lead)
{
    uint8_t c = (uint8_t)lead;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* Whether a byte stands inside a character, behind its first. */
static inline bool pl_utf8_is_inside(char c)
{
    return ((uint8_t)c & 0xC0) == 0x80;
}

/* The character at `text` and its size in bytes. */
static inline size_t pl_utf8_get(uint32_t *character, const char *text)
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
static inline size_t pl_utf8_before(const char *text, size_t end)
{
    do end--;
    while (pl_utf8_is_inside(text[end]));
    return end;
}

/* Writes a character; its size in bytes comes back. */
size_t pl_utf8_put(char out[4], uint32_t character);

/* Appends bytes as UTF-8 with U+FFFD for every maximal malformed part (Unicode 3.9, as Rust and Python do it). */
pl_status pl_utf8_lossy(pl_bytes *out, const char *data, size_t size);

/* White space as Python's str.isspace() has it. */
bool pl_utf8_is_space(uint32_t character);
/* Bytes that are left once Python's str.rstrip() has gone over the text. */
size_t pl_utf8_rstrip(const char *text, size_t size);

/* Characters of a text: what Python's len() and acc_norm count. */
size_t pl_utf8_count(const char *text, size_t size);

#endif
