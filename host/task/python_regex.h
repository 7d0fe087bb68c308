/* Regular expressions as Python's `re` reads them, run by PCRE2: those of exact_match's regexes_to_ignore and of
 * filters.
 *
 * A pattern is translated token by token. Whatever Python and PCRE2 read differently, or Python refuses, is an error
 * that names it: a pattern that would match a little differently is worse than none. */
#ifndef PLUMB_TASK_PYTHON_REGEX_H
#define PLUMB_TASK_PYTHON_REGEX_H

#include <stddef.h>

#include "base/memory.h"
#include "base/status.h"

typedef struct pl__python_regex pl__python_regex;

/* `where` names the pattern in errors; both are copied. */
pl_status pl__python_regex_compile(pl__python_regex **out, const char *pattern, const char *where);
void pl__python_regex_free(pl__python_regex *regex); /* takes NULL */

/* re.sub(pattern, "", text), appended. */
pl_status pl__python_regex_remove(const pl__python_regex *regex, pl_bytes *out, const char *text, size_t size);

/* re.findall(pattern, text)[which] as lm-evaluation-harness' regex filter reads it: the match, its group when there is
 * one, the first group that is not empty when there are several. A negative `which` counts from the last match.
 * *n_matches is the length of the list; *start == SIZE_MAX: no such match, or all its groups are empty. */
pl_status pl__python_regex_pick(const pl__python_regex *regex, const char *text, size_t size, long long which,
                                size_t *n_matches, size_t *start, size_t *end);

/* The pattern in PCRE2's dialect, appended. */
pl_status pl__python_regex_translate(pl_bytes *out, const char *pattern, const char *where);

#endif
