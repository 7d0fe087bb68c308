/* What a stream is shown on. */
#ifndef PLUMB_BASE_TERMINAL_H
#define PLUMB_BASE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { PL_TERMINAL_WIDTH = 100 }; /* of what is no terminal: a log, a file, a pipe */

/* Columns: the terminal's; $COLUMNS where the stream is none and it is set; PL_TERMINAL_WIDTH. */
size_t pl_terminal_width(FILE *stream);
/* Whether colour is shown: a terminal that is not "dumb", and $NO_COLOR is not set or empty (no-color.org). */
bool pl_terminal_colour(FILE *stream);

#endif
