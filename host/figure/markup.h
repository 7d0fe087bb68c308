/* Text of others inside XML and HTML: nothing of it is ever a tag, an entity or a script. */
#ifndef PLUMB_FIGURE_MARKUP_H
#define PLUMB_FIGURE_MARKUP_H

#include <stddef.h>

#include "base/memory.h"

/* Visible text (base/visible.h) with & < > " ' as references: for the content of elements and for quoted attributes. */
pl_status pl_markup_text(pl_bytes *out, const char *text);
pl_status pl_markup_bytes(pl_bytes *out, const char *text, size_t size);
/* The same, cut with an ellipsis to about `width` pixels of a font of 12. */
pl_status pl_markup_cut(pl_bytes *out, const char *text, double width);
/* How wide a text is in a font of 12 pixels, about: no font is at hand. */
double pl_markup_width(const char *text);

/* A number for a reader: three decimals, more where it is small, none where it is large; "" for NaN. */
enum { PL_MARKUP_NUMBER = 32 };
void pl_markup_number(char out[PL_MARKUP_NUMBER], double value);
/* "0.512 [0.446, 0.578]", without an interval "0.512", "not defined" for NaN. */
enum { PL_MARKUP_INTERVAL = 128 };
void pl_markup_interval(char out[PL_MARKUP_INTERVAL], double value, double lo, double hi);

#endif
