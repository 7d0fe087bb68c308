/* Added tokens: texts that are cut out before anything else happens, and never reach BPE.
 *
 * Two sets: those that are looked for in the user's own text, and those (`normalized`) that are looked for, normalized
 * themselves, in what the normalizer made of it. The leftmost match wins, the longest among those. */
#ifndef PLUMB_TOKENIZER_ADDED_TOKENS_H
#define PLUMB_TOKENIZER_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "tokenizer/vocabulary.h"

typedef struct pl__added {
    char *text; /* owned */
    size_t size;
    char *normalized_text; /* what the normalizer makes of it: what is decoded, and looked for; NULL: the same; owned */
    size_t normalized_size;
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
} pl__added;

typedef struct pl__trie_node {
    int32_t sibling, child; /* 0: none; node 0 is the root */
    int32_t token;          /* index into items; -1: no token ends here */
    uint8_t byte;
} pl__trie_node;

typedef struct pl__trie {
    pl__trie_node *nodes;
    size_t n, capacity;
    int32_t first[256]; /* the root's children by byte; 0: none */
} pl__trie;

typedef struct pl__added_tokens {
    pl__added *items;
    size_t n, capacity;
    pl__vocabulary index; /* text to place in items */
    pl__trie tries[2];    /* [normalized] */
    bool split_special;   /* special tokens spelled out in a text are plain text */
} pl__added_tokens;

/* Adds a token, or replaces the flags of the one with the same text. `text` is copied. */
pl_status pl__added_put(pl__added_tokens *added, const pl__added *token);
const pl__added *pl__added_find(const pl__added_tokens *added, const char *text, size_t size); /* NULL: none */
const pl__added *pl__added_by_id(const pl__added_tokens *added, int32_t id);                   /* NULL: none */
/* After the last token: sorts by id, builds the tries. */
pl_status pl__added_finish(pl__added_tokens *added, const char *where);
void pl__added_free(pl__added_tokens *added); /* takes {0} */

/* A section of a text: a token, or (id -1) text between tokens. */
typedef struct pl__section {
    size_t start, size;
    int32_t id;
} pl__section;

typedef struct pl__sections {
    pl__section *items;
    size_t n, capacity;
} pl__sections;

/* *out becomes the sections of the text, for the tokens of one of the sets. Empty ones are left out. */
pl_status pl__added_cut(const pl__added_tokens *added, bool normalized, const char *text, size_t size,
                        pl__sections *out);

#endif
