/* One prompt that is being continued: its pages, its next token, and when it ends. */
#ifndef PLUMB_ENGINE_CONTINUATION_H
#define PLUMB_ENGINE_CONTINUATION_H

#include "engine/engine.h"
#include "engine/pages.h"

/* When continuations end; the same for all of a call. */
typedef struct pl__ending {
    const pl_tokenizer *tokenizer; /* NULL: no text is made */
    const char *const *stops;
    size_t n_stops, max_tokens, max_positions; /* max_positions 0: no limit */
    const int32_t *eos;                        /* ids that end a continuation */
    size_t n_eos;
    size_t border; /* pl_config.border: a near path ends there */
} pl__ending;

typedef struct pl__continuation {
    size_t length;  /* tokens with keys and values in pages */
    size_t limit;   /* tokens that may have been generated: max_tokens, or what the positions allow */
    int32_t next;   /* the token to run at position `length` */
    int32_t *pages; /* [pages_between(0, tokens at the end)]; each is held */
    size_t n_pages;
    bool active;
    pl_generation *out; /* borrowed */
} pl__continuation;

/* Tokens that may be generated after a path of n, the last `generated` of which were. */
size_t pl__ending_limit(const pl__ending *ending, size_t n, size_t generated);
/* Does a generation that came to its limit go on, on a far path? `n`: its prompt's tokens. */
bool pl__ending_crosses(const pl__ending *ending, size_t n, const pl_generation *out);

/* After a path of n tokens, those of `out` among them. */
pl_status pl__continuation_open(pl__continuation *c, const pl__ending *ending, size_t n, pl_generation *out);
void pl__continuation_close(pl__continuation *c, pl__pages *pages); /* takes {0}; gives its pages back */

/* Takes the next token (negative: the logits were not finite): the text grows, and the continuation may end (then
 * `active` is false and the text final). */
pl_status pl__continuation_accept(pl__continuation *c, const pl__ending *ending, int32_t token);

/* A place for the token at position `length`, which then counts as run. When the last page is shared, copy[0] ->
 * copy[1] is to be copied first and *copies is true. */
pl_status pl__continuation_extend(pl__continuation *c, pl__pages *pages, int32_t copy[2], bool *copies);

#endif
