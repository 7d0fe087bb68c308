/* Texts compared without differences of case and white space. */
#ifndef PLUMB_TASK_FOLD_H
#define PLUMB_TASK_FOLD_H

#include "base/memory.h"

/* Appends a text (UTF-8) in lower case, each run of white space as one blank, none at the ends: Python's
 * " ".join(text.lower().split()). */
pl_status pl_text_fold(pl_bytes *out, const char *text, size_t size);

#endif
