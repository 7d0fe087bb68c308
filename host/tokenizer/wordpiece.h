/* WordPiece as BERT has it: always the longest token that goes on; a word that cannot be cut whole is one unknown. */
#ifndef PLUMB_TOKENIZER_WORDPIECE_H
#define PLUMB_TOKENIZER_WORDPIECE_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "tokenizer/prefix_tree.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

typedef struct pl__wordpiece {
    pl__vocabulary vocabulary;
    pl__prefix_tree first, rest; /* tokens that begin a word; those that go on in one, without their prefix */
    char *unknown;               /* owned */
    int32_t unknown_id;          /* -1: the vocabulary lacks it, an error when it is needed */
    size_t word_characters_max;  /* a longer word is unknown */
} pl__wordpiece;

/* After the last token of the vocabulary, or after both trees came with it; `prefix` stands in front of tokens that go
 * on in a word ("##"). */
pl_status pl__wordpiece_finish(pl__wordpiece *w, const char *prefix, const char *where);
void pl__wordpiece_free(pl__wordpiece *w); /* takes {0} */

/* Appends the ids of a word that is not empty. */
pl_status pl__wordpiece_encode(const pl__wordpiece *w, const char *word, size_t size, pl_ids *out);

#endif
