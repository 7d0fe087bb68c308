/* Lines of text from outside: one limit on their length, whatever reads them, with one message. */
#ifndef PLUMB_BASE_LINES_H
#define PLUMB_BASE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/status.h"

/* Bytes of a line without its end: a row of JSON, CSV or TSV, or a text on standard input. Whatever is made of a line
 * takes some forty times as much memory. */
enum { PL_LINE_MAX = 16 * 1024 * 1024 };

/* PL_E_INPUT for a line of `bytes` or more. */
pl_status pl_line_too_long(const char *where, size_t line, size_t bytes);

/* Newlines in a text. */
size_t pl_lines_count(const char *text, size_t size);

/* The next line of a stream, without its newline; *more is false where there is none. `line` is its number, from 1. No
 * more than the limit is ever read of it. */
pl_status pl_line_read(pl_bytes *out, bool *more, FILE *stream, const char *where, size_t line);

#endif
