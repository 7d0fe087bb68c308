/* The ids of words that were met before: texts repeat their words, and merging one takes ten times as long as finding
 * it here. Of several threads each may put a word in; the first stays, for the life of the tokenizer, and a full
 * cache takes no more. What is found is what would be computed, so that no order of calls changes an id. */
#ifndef PLUMB_TOKENIZER_WORD_CACHE_H
#define PLUMB_TOKENIZER_WORD_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"

enum { PL__CACHED_WORD_BYTES = 48, PL__CACHED_WORD_SLOTS = 1 << 16 };

typedef struct pl__cached_word {
    uint8_t size;
    bool bytes; /* spelled in the byte alphabet: another word than the same text of characters */
    uint8_t n;
    char text[PL__CACHED_WORD_BYTES];
    int32_t ids[]; /* n */
} pl__cached_word;

typedef _Atomic(const pl__cached_word *) pl__word_slot;
typedef struct pl__word_cache {
    pl__word_slot *slots;
} pl__word_cache;

pl_status pl__word_cache_create(pl__word_cache *cache);
void pl__word_cache_free(pl__word_cache *cache); /* takes {0} */
/* NULL: not there, or too long to be. */
const pl__cached_word *pl__word_cache_find(const pl__word_cache *cache, const char *word, size_t size, bool bytes);
/* Best effort. */
void pl__word_cache_put(const pl__word_cache *cache, const char *word, size_t size, bool bytes, const int32_t *ids,
                        size_t n);

#endif
