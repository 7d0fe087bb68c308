/* The character classes that tokenizers split by, and the byte alphabet of byte-level BPE. Texts are valid UTF-8.
 *
 * Classes follow utf8proc's general categories; `\s` is Unicode's White_Space. */
#ifndef PLUMB_TOKENIZER_UNICODE_H
#define PLUMB_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/utf8.h"

/* What the splitting patterns of the GPT-2 line tell apart: \p{L}, \p{N}, \s, all else. */
typedef enum pl__class { PL__OTHER, PL__LETTER, PL__NUMBER, PL__SPACE } pl__class;
pl__class pl__char_class(uint32_t character);
bool pl__char_is_number(uint32_t character);      /* Nd, Nl, No */
bool pl__char_is_white_space(uint32_t character); /* White_Space */
bool pl__char_is_punctuation(uint32_t character); /* P*, and ASCII's punctuation */
bool pl__char_is_mark(uint32_t character);        /* M* */
bool pl__char_is_word(uint32_t character);        /* \w of UTS 18: Alphabetic, M*, Nd, Pc, Join_Control */

/* The byte alphabet of GPT-2: printable bytes stand for themselves, the other 68 for U+0100 and on, in order. */
uint32_t pl__byte_to_char(uint8_t byte);
int pl__char_to_byte(uint32_t character); /* -1: not in the alphabet */
/* Appends every byte of `text` as its character of the alphabet. */
pl_status pl__bytes_to_alphabet(pl_bytes *out, const char *text, size_t size);

#endif
