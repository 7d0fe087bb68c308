/* Letters as Python's str methods see them: white space, case mapping, positions counted in code points.
 *
 * Templates must read as jinja2 reads them, and jinja2 leaves all of this to Python. Texts are valid UTF-8. */
#ifndef PLUMB_JINJA_LETTERS_H
#define PLUMB_JINJA_LETTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* The code point at `text` and its bytes in *width. */
int32_t pl_letter(const char *text, size_t *width);
pl_status pl_letter_append(pl_bytes *out, int32_t letter);

/* memmem. A single byte is looked for by memchr, which a sanitizer checks up to the hit and not to the end each time.
 */
const char *pl_find(const char *text, size_t size, const char *what, size_t n);

size_t pl_letters_offset(const char *text, size_t size,
                         size_t n); /* byte where letter n begins; size when past the end */

bool pl_is_space(int32_t letter); /* str.isspace() of one letter */
/* str.strip(): narrows text[0..*size) and returns its new beginning. */
const char *pl_strip(const char *text, size_t *size, bool left, bool right);

/* str.lower(), str.upper(), str.capitalize(), with the mappings to several letters and the final sigma. */
pl_status pl_lower(pl_bytes *out, const char *text, size_t size);
pl_status pl_upper(pl_bytes *out, const char *text, size_t size);
pl_status pl_capitalize(pl_bytes *out, const char *text, size_t size);
/* str.title(): a capital where no cased letter stands before. */
pl_status pl_title(pl_bytes *out, const char *text, size_t size);

bool pl_is_word(int32_t letter);  /* Python's \w: letters, numbers, underscore */
bool pl_is_alpha(int32_t letter); /* str.isalpha() of one letter */

#endif
