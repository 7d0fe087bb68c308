/* Regular expressions of tokenizer files: Oniguruma's dialect, run by PCRE2.
 *
 * A pattern is translated token by token; whatever Oniguruma and PCRE2 read differently and the translation does not
 * know is PL_E_UNSUPPORTED: a pattern that would split a little differently is worse than none. */
#ifndef PLUMB_TOKENIZER_REGEX_H
#define PLUMB_TOKENIZER_REGEX_H

#include <stddef.h>

#include "base/memory.h"
#include "base/status.h"

typedef struct pl__regex pl__regex;
typedef struct pl__regex_work pl__regex_work; /* match data of one caller; made at first use */

/* `where` names the pattern in errors. */
pl_status pl__regex_compile(pl__regex **out, const char *pattern, size_t size, const char *where);
void pl__regex_free(pl__regex *regex); /* takes NULL */

/* The first match at or behind `from`; *start == SIZE_MAX: none. Starts from *work == NULL. */
pl_status pl__regex_find(const pl__regex *regex, pl__regex_work **work, const char *text, size_t size, size_t from,
                         size_t *start, size_t *end);
void pl__regex_work_free(pl__regex_work *work); /* takes NULL */

/* The pattern in PCRE2's dialect, appended to `out`. */
pl_status pl__regex_translate(pl_bytes *out, const char *pattern, size_t size, const char *where);

/* The Unicode version of the library's tables: "14.0.0"; at most PL__REGEX_VERSION bytes with the NUL. */
enum { PL__REGEX_VERSION = 24 };
void pl__regex_unicode(char out[PL__REGEX_VERSION]);

#endif
