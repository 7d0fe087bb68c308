/* Text of others inside LaTeX: nothing of it is ever a command. */
#ifndef PLUMB_PAGE_TEX_H
#define PLUMB_PAGE_TEX_H

#include "base/memory.h"

/* Visible text (base/visible.h) with LaTeX's special characters as commands that print them. */
pl_status pl__tex_text(pl_bytes *out, const char *text);

#endif
