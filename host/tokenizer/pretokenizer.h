/* Pre-tokenizers: a text is cut into the words that BPE works on, one after another. A chain of steps, run in order. */
#ifndef PLUMB_TOKENIZER_PRETOKENIZER_H
#define PLUMB_TOKENIZER_PRETOKENIZER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "tokenizer/pattern.h"

typedef struct pl__pretokenizer pl__pretokenizer;

/* `spec` is tokenizer.json's "pre_tokenizer"; `where` names it in errors. Null gives *out == NULL: nothing is cut.
 * prefix_space: 0 or 1 overrides add_prefix_space of a ByteLevel that stands alone (tokenizer_config.json); -1: leave.
 */
pl_status pl__pretokenizer_create(pl__pretokenizer **out, const json_t *spec, int prefix_space, const char *where);
void pl__pretokenizer_free(pl__pretokenizer *pretokenizer); /* takes NULL */

/* A word: bytes of pl__words.text. head: as in normalizer.h, for this word. */
typedef struct pl__word {
    size_t start, size, head;
} pl__word;

/* Start from {0}. `bytes`: the words are raw bytes, to be read through the byte alphabet. */
typedef struct pl__words {
    pl_bytes text;
    pl__word *items;
    size_t n, capacity;
    bool bytes;
} pl__words;
void pl__words_free(pl__words *words);

/* True when the words come out as raw bytes: byte-level BPE. */
bool pl__pretokenizer_is_byte_level(const pl__pretokenizer *pretokenizer);

/* The pattern whose matches, as they stand in the text, are the words, as raw bytes; NULL: more is done to them. */
const pl__pattern *pl__pretokenizer_words(const pl__pretokenizer *pretokenizer);

/* *words becomes the words of the text; `spare` is room to work in. */
pl_status pl__pretokenize(const pl__pretokenizer *pretokenizer, const char *text, size_t size, size_t head,
                          pl__words *words, pl__words *spare, pl__spans *spans);

#endif
