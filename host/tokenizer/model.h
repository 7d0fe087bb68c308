/* A model: what turns a word into ids. One of four kinds, which each have a file of their own. */
#ifndef PLUMB_TOKENIZER_MODEL_H
#define PLUMB_TOKENIZER_MODEL_H

#include "base/file.h"
#include "tokenizer/bpe.h"
#include "tokenizer/sentencepiece.h"
#include "tokenizer/unigram.h"
#include "tokenizer/wordpiece.h"

typedef enum pl__model_kind { PL__BPE, PL__UNIGRAM, PL__WORDPIECE, PL__SENTENCEPIECE } pl__model_kind;

/* Start from {0}; it stays where it is once it has a kind. */
typedef struct pl__model {
    pl__model_kind kind;
    union {
        pl__bpe bpe;
        pl__unigram unigram;
        pl__wordpiece wordpiece;
        pl__sentencepiece sentencepiece; /* works on whole texts, without normalizer and pre-tokenizer */
    };
    pl_map table; /* where what is borrowed lies, of a compiled table; otherwise {0} */
} pl__model;
void pl__model_free(pl__model *model); /* takes {0} */

const pl__vocabulary *pl__model_vocabulary(const pl__model *model);
/* For people: "BPE with byte fallback". */
const char *pl__model_name(const pl__model *model, bool byte_level);

/* Room for one word at work. Start from {0}; one thread at a time. */
typedef struct pl__model_work {
    pl__bpe_work bpe;
    pl__unigram_work unigram;
    pl__sentencepiece_work sentencepiece;
} pl__model_work;
void pl__model_work_free(pl__model_work *work);

/* Appends the ids of a word that is not empty. `bytes`: the word is raw bytes, to be read through the byte alphabet. */
pl_status pl__model_encode(const pl__model *model, const char *word, size_t size, bool bytes, pl__model_work *work,
                           pl_ids *out);

#endif
