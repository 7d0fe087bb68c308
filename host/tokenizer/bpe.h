/* Byte-pair encoding (Sennrich et al. 2016) as Hugging Face's tokenizers run it: always the lowest-ranked merge first,
 * leftmost among equals. */
#ifndef PLUMB_TOKENIZER_BPE_H
#define PLUMB_TOKENIZER_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "tokenizer/joints.h"
#include "tokenizer/merge_heap.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_cache.h"

typedef struct pl__bpe {
    pl__vocabulary vocabulary;
    struct pl__merge {
        int32_t left, right; /* left -1: a free slot */
        uint32_t rank;
        int32_t id; /* what the two become */
    } * merges;     /* open addressing over (left, right); borrowed as the vocabulary is */
    size_t merges_mask, n_merges;
    bool byte_fallback, fuse_unknown, ignore_merges;
    char *prefix, *suffix;     /* of characters that go on in a word, of its last one; NULL: none; owned */
    char *unknown;             /* the token for what the vocabulary lacks; NULL: such text is dropped; owned */
    int32_t unknown_id;        /* -1: the vocabulary lacks that token too, an error when it is needed */
    int32_t byte_ids[256];     /* of a byte through the byte alphabet; -1: none */
    int32_t fallback_ids[256]; /* of <0x00> to <0xFF>; -1: none */
    int32_t ascii_ids[128];    /* of a character */
    pl__joints joints;         /* where a word of characters comes apart; created by who wants that, before merges */
    pl__word_cache words;
} pl__bpe;

/* Room for n merges; more make room for themselves. */
pl_status pl__bpe_reserve(pl__bpe *bpe, size_t n_merges);
/* Merges on their way into the model, some at a time. Start from {0}. */
enum { PL__MERGES_AT_ONCE = PL__VOCABULARY_KEYS / 3 };
typedef struct pl__merges {
    pl_bytes text; /* of each its left part, its right part, what they make */
    struct pl__merge_text {
        size_t left, right, made; /* bytes */
    } items[PL__MERGES_AT_ONCE];
    size_t n;
    size_t rank;       /* of the first of them: how many went before */
    const char *where; /* names the file in errors */
} pl__merges;
void pl__merges_free(pl__merges *merges);
/* The next merge. A part or a result that the vocabulary lacks is PL_E_INPUT, then or at the end. */
pl_status pl__bpe_add_merge(pl__bpe *bpe, pl__merges *merges, const char *left, size_t left_size, const char *right,
                            size_t right_size);
/* After the last merge. */
pl_status pl__bpe_end_merges(pl__bpe *bpe, pl__merges *merges);
/* After the last token and merge. */
pl_status pl__bpe_finish(pl__bpe *bpe);
void pl__bpe_free(pl__bpe *bpe); /* takes {0} */

/* Room for one word at work. Start from {0}; one thread at a time. */
typedef struct pl__bpe_work {
    struct pl__symbol *symbols;
    pl__merge_heap heap;
    size_t symbols_capacity;
    pl_bytes spelling, character;
} pl__bpe_work;
void pl__bpe_work_free(pl__bpe_work *work);

/* Appends the ids of a word. `bytes`: the word is raw bytes, to be read through the byte alphabet. */
pl_status pl__bpe_encode(const pl__bpe *bpe, const char *word, size_t size, bool bytes, pl__bpe_work *work,
                         pl_ids *out);

#endif
