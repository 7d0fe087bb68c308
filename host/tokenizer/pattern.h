/* What a splitter or a replacement looks for: a text, a class of characters, or a regular expression.
 *
 * The three patterns of the GPT-2 line, named here by what they are known for, have splitters cut by hand, several
 * times faster than a regular expression; any other goes to PCRE2. */
#ifndef PLUMB_TOKENIZER_PATTERN_H
#define PLUMB_TOKENIZER_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "tokenizer/regex.h"

typedef enum pl__pattern_kind {
    PL__PATTERN_TEXT,      /* a text, verbatim */
    PL__PATTERN_CHARACTER, /* any single character of a class */
    PL__PATTERN_REGEX,
    PL__PATTERN_GPT2,
    PL__PATTERN_CL100K /* numbers cut after 1 or 3 digits */
} pl__pattern_kind;

typedef struct pl__pattern {
    pl__pattern_kind kind;
    char *text; /* owned */
    size_t size;
    bool (*is)(uint32_t character);
    pl__regex *regex; /* owned */
    size_t digits;    /* CL100K: digits of a number that stay together */
} pl__pattern;

pl_status pl__pattern_text(pl__pattern *out, const char *text, size_t size, const char *where);
pl_status pl__pattern_regex(pl__pattern *out, const char *pattern, size_t size, const char *where);
/* From the file: {"String": ...} or {"Regex": ...}. */
pl_status pl__pattern_create(pl__pattern *out, const json_t *spec, const char *where);
void pl__pattern_free(pl__pattern *pattern); /* takes {0} */

/* A stretch of a text: what matched, or what stands between matches. */
typedef struct pl__span {
    size_t start, end;
    bool match;
} pl__span;

/* The spans of one search, and what the search needs. Start from {0}; one thread at a time. */
typedef struct pl__spans {
    pl__span *items;
    size_t n, capacity;
    pl__regex_work *work;
} pl__spans;
void pl__spans_free(pl__spans *spans);

/* Patterns of which a match begins where the last one ends, so that words can be taken one by one. */
static inline bool pl__pattern_is_of_words(const pl__pattern *pattern)
{
    return pattern->kind == PL__PATTERN_GPT2 || pattern->kind == PL__PATTERN_CL100K;
}
/* The end of the word that begins at `at` (below size), of such a pattern. */
size_t pl__pattern_word(const pl__pattern *pattern, const char *text, size_t size, size_t at);

/* Replaces the content of *spans with contiguous spans that cover the whole text. */
pl_status pl__pattern_find(const pl__pattern *pattern, const char *text, size_t size, pl__spans *spans);

#endif
