/* Unicode's normalization forms (UAX 15), in linear time also for hostile runs of combining marks. */
#ifndef PLUMB_TOKENIZER_UNICODE_FORM_H
#define PLUMB_TOKENIZER_UNICODE_FORM_H

#include "base/memory.h"
#include "base/status.h"

typedef enum pl__form { PL__NFC, PL__NFD, PL__NFKC, PL__NFKD } pl__form;

/* Appends the form of `text` (valid UTF-8). */
pl_status pl__unicode_form(pl_bytes *out, const char *text, size_t size, pl__form form);

#endif
