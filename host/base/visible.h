/* Text of others on its way to a terminal, a log or a table: what would move the cursor, hide, colour or reorder text
 * becomes letters that show what it is. \x1b: a control character (C0, DEL) or a byte that is no UTF-8. \u{202e}: a
 * control character of C1, one that changes the direction of writing, or one that ends a line. Everything else stays as
 * it is, backslashes too. */
#ifndef PLUMB_BASE_VISIBLE_H
#define PLUMB_BASE_VISIBLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/memory.h"

enum { PL_VISIBLE = 12 }; /* the longest form of one character, with its NUL */

/* Whether a character is shown in another form; all of them fit in \uXXXX. */
bool pl_is_hidden(uint32_t character);
/* The form of the first character of `text`, size > 0; the bytes that it stands for come back. */
size_t pl_visible(char out[PL_VISIBLE], const char *text, size_t size);
/* The form of a whole text, cut before the character that does not fit. */
void pl_visible_text(char *out, size_t capacity, const char *text);
pl_status pl_visible_append(pl_bytes *out, const char *text, size_t size);

/* printf for lines that hold text of others: what it prints is made visible, but for newlines with which the format
 * begins and ends. Memory is not needed; a line of more than 4 KiB is cut. */
void pl_print(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
