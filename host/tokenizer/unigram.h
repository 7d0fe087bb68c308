/* Unigram language models over pieces (Kudo 2018): the pieces of a word whose scores have the largest sum, found by
 * Viterbi's algorithm. Two libraries run them, and they differ where one adds in double and the other in single
 * precision, and in what becomes of unknown characters. */
#ifndef PLUMB_TOKENIZER_UNIGRAM_H
#define PLUMB_TOKENIZER_UNIGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "tokenizer/prefix_tree.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

typedef struct pl__unigram {
    pl__vocabulary vocabulary;
    pl__prefix_tree tree; /* the pieces that a text can have, to ids */
    double *scores;       /* by id: logarithms of probabilities; borrowed as the vocabulary is */
    size_t scores_capacity;
    double least;       /* the lowest score: an unknown character has 10 less */
    int32_t unknown_id; /* -1: none, an error when it is needed */
    bool sentencepiece; /* as SentencePiece has it; otherwise as Hugging Face's tokenizers do */
    bool byte_fallback;
    int32_t fallback_ids[256]; /* of <0x00> to <0xFF>; -1: none */
} pl__unigram;

/* Adds the next piece; its id is the number of those before it. `found`: texts may be cut into it. */
pl_status pl__unigram_add(pl__unigram *u, const char *text, size_t size, double score, bool found, const char *where);
/* After the last piece. */
void pl__unigram_finish(pl__unigram *u);
void pl__unigram_free(pl__unigram *u); /* takes {0} */

/* Room for one word at work. Start from {0}; one thread at a time. */
typedef struct pl__unigram_work {
    struct pl__path *ends; /* by bytes: the best way to get there */
    size_t *cuts;          /* the ends of the pieces of the best way, from the last */
    size_t ends_capacity, cuts_capacity;
} pl__unigram_work;
void pl__unigram_work_free(pl__unigram_work *work);

/* Appends the ids of a word that is not empty. */
pl_status pl__unigram_encode(const pl__unigram *u, const char *word, size_t size, pl__unigram_work *work, pl_ids *out);

/* Appends the ids of the bytes of a text; *all false, and nothing appended: one of them has no token. */
pl_status pl__unigram_bytes(const pl__unigram *u, const char *text, size_t size, bool *all, pl_ids *out);

#endif
