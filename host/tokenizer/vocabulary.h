/* The vocabulary: text to id and back. Texts lie end to end in one block; the table is open addressing over ids. */
#ifndef PLUMB_TOKENIZER_VOCABULARY_H
#define PLUMB_TOKENIZER_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* The largest vocabularies of today have 262 144 tokens. */
enum { PL__ID_MAX = (1 << 22) - 1 };

typedef struct pl__vocabulary {
    pl_bytes text; /* every token, a NUL behind each */
    struct pl__vocabulary_token {
        uint32_t start, size; /* in text; start UINT32_MAX: no token has this id */
    } * tokens;
    size_t n_ids;    /* largest id + 1 */
    size_t n_tokens; /* ids that have a token */
    size_t longest;  /* bytes */
    struct pl__vocabulary_slot {
        uint32_t hash; /* compared before the text is */
        int32_t id;    /* -1: free */
    } * slots;
    size_t mask; /* slots - 1; 0 before the first reserve */
    size_t ids_capacity;
    bool repeats;  /* a text may be given again, and is found by its last id; set before the first add */
    bool borrowed; /* of a compiled table (table.h), as all that is made of it: nothing is added, nothing is freed */
} pl__vocabulary;

/* Room for n_tokens tokens without rehashing; called before the first add. */
pl_status pl__vocabulary_reserve(pl__vocabulary *v, size_t n_tokens, size_t text_bytes);

/* Adds a token. An id out of range or given twice, or without `repeats` a text given twice, is PL_E_INPUT that names
 * `where`. */
pl_status pl__vocabulary_add(pl__vocabulary *v, const char *text, size_t size, int64_t id, const char *where);

/* The id of a text; -1: none. */
int32_t pl__vocabulary_find(const pl__vocabulary *v, const char *text, size_t size);

/* The same of n texts at once, for those who have very many: memory is asked for ahead. */
typedef struct pl__vocabulary_key {
    const char *text;
    size_t size;
    int32_t id; /* the answer */
} pl__vocabulary_key;
enum { PL__VOCABULARY_KEYS = 96 };
void pl__vocabulary_find_all(const pl__vocabulary *v, pl__vocabulary_key *keys, size_t n); /* n: at most that */

/* The text of an id (NUL-terminated, borrowed); NULL: none. *size may be NULL. */
const char *pl__vocabulary_text(const pl__vocabulary *v, int32_t id, size_t *size);

void pl__vocabulary_free(pl__vocabulary *v); /* takes {0} */

#endif
