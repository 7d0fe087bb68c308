/* Compiled tables: a model's vocabulary and what is made of it (merges, prefix trees, scores) as they lie in memory, in
 * a file of the user's cache, so that a tokenizer of 262 144 pieces is mapped instead of read.
 *
 * A file belongs to the digest of what it was made from, to this format and to this machine's layout of numbers. It is
 * trusted when nobody but this user can have written it (base/user_cache.h) and all of that, its size, its checksum,
 * every index and every character in it are right; that its ids are those of the tokenizer.json is the word of who
 * wrote it. Any other is as good as none, and is made again. Writing is a favour: where it fails, nothing is said. */
#ifndef PLUMB_TOKENIZER_TABLE_H
#define PLUMB_TOKENIZER_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/status.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/model.h"

/* The added tokens that a file lists, in a map: borrowed. */
typedef struct pl__table_added {
    const struct pl__table_token {
        uint32_t size;
        int32_t id;
        uint32_t flags; /* of table.c */
    } * tokens;
    size_t n;
    const char *text; /* of one after the other, a NUL behind each */
} pl__table_added;

typedef struct pl__table {
    pl_map map;
    pl__model model; /* its kind, and what of it lies in the map: borrowed */
    pl__table_added added;
    const char *rest; /* what else is of the file that it was made from, in the map */
    size_t rest_size;
} pl__table;

/* Where the table of two texts lies in `folder`, and the key that it must have; by their digests, "-" for none. */
pl_status pl__table_path(char out[PL_PATH_MAX], char key[PL_HASH_TEXT], const char *folder, const char *first,
                         const char *second);

/* True: *out is a table that can be trusted. Otherwise *out is {0}. */
bool pl__table_open(pl__table *out, const char *path, const char key[PL_HASH_TEXT]);
/* The same of a map that *t has already, which stays as it is: true when the rest of *t points into it. */
bool pl__table_read(pl__table *t, const char key[PL_HASH_TEXT]);
void pl__table_close(pl__table *table); /* takes {0} */

/* Writes the table of a model that is read, and of the added tokens of the same file, whole or not at all. */
void pl__table_write(const char *path, const char key[PL_HASH_TEXT], const pl__model *model,
                     const pl__added_tokens *added, const char *rest, size_t rest_size);

/* The model, which has nothing yet, gets what lies in the map, and the map with it; *table becomes {0}. */
void pl__table_give(pl__model *model, pl__table *table);
/* The added tokens, as they were when the table was written; the map must still be there. */
pl_status pl__table_add(const pl__table_added *from, pl__added_tokens *to);

#endif
