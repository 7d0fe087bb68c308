/* SentencePiece models (Kudo and Richardson 2018) as their own library runs them: a whole text is normalized and cut,
 * by merging or by a unigram model, without words in between. The ids are those of PyPI `sentencepiece`. */
#ifndef PLUMB_TOKENIZER_SENTENCEPIECE_H
#define PLUMB_TOKENIZER_SENTENCEPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/merge_heap.h"
#include "tokenizer/prefix_tree.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unigram.h"

/* As the file numbers them. */
typedef enum pl__piece_type {
    PL__PIECE_NORMAL = 1,
    PL__PIECE_UNKNOWN = 2,
    PL__PIECE_CONTROL = 3,
    PL__PIECE_DEFINED = 4, /* by the user: never cut, never merged */
    PL__PIECE_UNUSED = 5,  /* merges go through it, no text keeps it */
    PL__PIECE_BYTE = 6
} pl__piece_type;

typedef struct pl__sentencepiece {
    bool merges;         /* byte-pair merging; otherwise unigram */
    pl__unigram unigram; /* the vocabulary, scores and unknown id of both kinds */
    uint8_t *types;      /* by id, pl__piece_type */
    size_t types_capacity;
    bool has_unused;
    pl__prefix_tree defined; /* the user's pieces */
    pl__charsmap map;
    bool dummy_prefix;  /* a blank in front of the text, or behind it with `blank_behind` */
    bool remove_blanks; /* at both ends, and all but one of several */
    bool escape_blanks; /* U+2581 for them */
    bool blank_behind;
    char *unknown_text; /* what an unknown id is decoded to; owned */
    int32_t bos, eos;   /* -1: none */
} pl__sentencepiece;

/* From the bytes of a tokenizer.model; `where` names it in errors. */
pl_status pl__sentencepiece_read(pl__sentencepiece *out, const char *data, size_t size, const char *where);
void pl__sentencepiece_free(pl__sentencepiece *s); /* takes {0} */

/* Room for one text at work. Start from {0}; one thread at a time. */
typedef struct pl__sentencepiece_work {
    pl_bytes text; /* normalized */
    struct pl__piece_symbol *symbols;
    pl__merge_heap heap;
    struct pl__piece_part *parts;
    size_t symbols_capacity, parts_capacity;
    size_t *splits; /* by id: bytes of the left part of an unused piece */
    pl__unigram_work unigram;
} pl__sentencepiece_work;
void pl__sentencepiece_work_free(pl__sentencepiece_work *work);

/* Appends the ids of a text (valid UTF-8). */
pl_status pl__sentencepiece_encode(const pl__sentencepiece *s, const char *text, size_t size,
                                   pl__sentencepiece_work *work, pl_ids *out);

/* Appends the text of the ids, which all have pieces. */
pl_status pl__sentencepiece_decode(const pl__sentencepiece *s, const int32_t *ids, size_t n, pl_bytes *out);

#endif
