/* A reader of JSON text that builds no tree: vocabularies and merges are most of a tokenizer's bytes, and two thirds of
 * the time to open one went into a tree of them. The small rest of the file goes to base/json.h. */
#ifndef PLUMB_TOKENIZER_JSON_READER_H
#define PLUMB_TOKENIZER_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* Reads from `at`. The text is UTF-8, checked by the caller. `where` names it in errors. */
typedef struct pl__json_reader {
    const char *start, *at, *end;
    const char *where;
    pl_bytes text[2]; /* texts with escapes are unfolded here, by turns: two may be held at once */
    unsigned turn;
} pl__json_reader;
void pl__json_reader_free(pl__json_reader *r);

/* Skips white space; true, and past it, when the next character is `c`. */
bool pl__json_next(pl__json_reader *r, char c);
/* Skips white space; true when nothing is left. */
bool pl__json_end(pl__json_reader *r);
/* What was expected and is not there, with the offset. */
pl_status pl__json_expected(const pl__json_reader *r, const char *what);
/* A text, borrowed until the text after the next one, with no NUL behind it. */
pl_status pl__json_text(pl__json_reader *r, const char **text, size_t *size);
pl_status pl__json_integer(pl__json_reader *r, int64_t *value);
pl_status pl__json_real(pl__json_reader *r, double *value);
/* Past a whole value, which is looked at for its brackets and texts only; false when it does not end. */
bool pl__json_skip(pl__json_reader *r);

#endif
