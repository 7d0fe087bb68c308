/* The files of a tokenizer, as bytes, and what is made of them. Private to host/tokenizer and its tests. */
#ifndef PLUMB_TOKENIZER_OPEN_H
#define PLUMB_TOKENIZER_OPEN_H

#include "base/digest.h"
#include "base/json.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/decoder.h"
#include "tokenizer/model.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/postprocessor.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/table.h"
#include "tokenizer/tokenizer.h"

struct pl_tokenizer {
    pl__added_tokens added;
    pl__normalizer *normalizer;     /* NULL: none */
    pl__pretokenizer *pretokenizer; /* NULL: none */
    pl__model model;
    pl__postprocessor postprocessor;
    pl__decoder *decoder; /* NULL: none */
    size_t n_ids;         /* largest id + 1, of the vocabulary and the added tokens */
    int32_t bos, eos;     /* -1: none */
    char kind[128];
    char digest[PL_HASH_TEXT];
};

/* One file: absent when data is NULL. `name` stands in errors. */
typedef struct pl__source {
    const char *name;
    const char *data;
    size_t size;
} pl__source;

/* All of them, in the order in which a tokenizer's digest has them; config.json has no place in it. */
enum {
    PL__TOKENIZER_JSON, /* or */
    PL__VOCAB_JSON,
    PL__MERGES_TXT, /* or, as the last, */
    PL__TOKENIZER_CONFIG_JSON,
    PL__ADDED_TOKENS_JSON,
    PL__SPECIAL_TOKENS_MAP_JSON,
    PL__TOKENIZER_MODEL,
    PL__CONFIG_JSON,
    PL__SOURCES,
    PL__HASHED_SOURCES = PL__CONFIG_JSON
};

/* The files by their numbers above, and by what they hold. */
typedef struct pl__sources {
    union {
        pl__source files[PL__SOURCES];
        struct {
            pl__source tokenizer, vocabulary, merges;
            pl__source config;
            pl__source added;         /* {text: id}, of old slow tokenizers */
            pl__source special;       /* likewise */
            pl__source sentencepiece; /* of tokenizer.model */
            pl__source model;         /* its model_type, which says the class when nothing else does */
        };
    };
    const char *cache; /* the folder of compiled tables; NULL: none are read or written */
} pl__sources;
_Static_assert(offsetof(pl__sources, model) == PL__CONFIG_JSON * sizeof(pl__source), "one field a file, in one order");

/* pl_tokenizer_open with another folder for compiled tables, whatever the files' size; NULL: none. */
pl_status pl__tokenizer_open(pl_tokenizer **out, const char *folder, const char *cache);
/* A tokenizer from the bytes of its files. */
pl_status pl__tokenizer_parse(pl_tokenizer **out, const pl__sources *sources);

/* The model: {"type": "BPE", ...}; its "vocab" and "merges", which are large, come as JSON text of their own. `table`:
 * where they come from in place of these, and becomes {0}; or {0}. */
pl_status pl__model_read(pl__model *out, const json_t *model, const char *where, const pl__source *vocabulary,
                         const pl__source *merges, pl__table *table);
/* The texts are not looked into when the model has borrowed what is made of them. */
pl_status pl__bpe_read(pl__bpe *bpe, const json_t *model, const char *where, const pl__source *vocabulary,
                       const pl__source *merges);
/* {"token": id, ...}, and nothing behind it. */
pl_status pl__vocabulary_read(pl__vocabulary *v, const pl__source *source);
/* Whether a source is UTF-8. */
pl_status pl__source_check(const pl__source *source);
/* How often a character stands in a source. */
size_t pl__source_count(const pl__source *source, char c);
/* The model of vocab.json and merges.txt; likewise. */
pl_status pl__bpe_read_files(pl__bpe *bpe, const pl__source *vocabulary, const pl__source *merges);

/* A tokenizer class of transformers, and the special tokens that it has where the files do not say. */
typedef struct pl__tokenizer_class {
    const char *name;
    const char *bos, *eos, *unk; /* NULL: none */
    bool never_byte_level;       /* over a byte-level tokenizer.json transformers puts a class without defaults */
} pl__tokenizer_class;

/* What tokenizer_config.json, special_tokens_map.json, added_tokens.json and the class say, in one place. */
typedef struct pl__settings {
    json_t *config, *special, *added;   /* owned; NULL: no such file */
    const char *where;                  /* tokenizer_config.json's name */
    const pl__tokenizer_class *class;   /* NULL: unknown, without defaults */
    int add_bos, add_eos, prefix_space; /* -1: not said; otherwise 0 or 1 */
    bool split_special;
} pl__settings;
pl_status pl__settings_read(pl__settings *out, const pl__sources *sources);
void pl__settings_free(pl__settings *config); /* takes {0} */
/* The text of bos_token, eos_token, ...: as the files say, else the class's default. *said: a file says it, null
 * ("none") included, or the class has a default. NULL: none. Borrowed. */
const char *pl__settings_token(const pl__settings *config, const char *key, bool *said);
/* Adds, in transformers' order, the added tokens that the configuration names and the tokenizer does not have yet. */
pl_status pl__settings_add_tokens(pl_tokenizer *tokenizer, const pl__settings *config);

/* Adds one token: the id is the vocabulary's, or the next free one; any other wish (-1: none) is PL_E_INPUT. */
pl_status pl__tokenizer_add(pl_tokenizer *tokenizer, const pl__added *token, int64_t wish, const char *where);
/* The flags of an added token from {"content": ..., "lstrip": ...}; text is borrowed from the JSON. */
pl_status pl__added_read(pl__added *out, const json_t *spec, const char *where);

#endif
