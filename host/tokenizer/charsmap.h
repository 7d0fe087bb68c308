/* SentencePiece's precompiled map of characters (nmt_nfkc and its like): texts and what replaces them, as a
 * double-array trie (Darts-clone's layout) and a block of NUL-terminated texts behind it. From a file of others: every
 * step of a walk is checked against the trie's size, every value against the block's, and only whole characters of
 * UTF-8 are exchanged for whole ones. */
#ifndef PLUMB_TOKENIZER_CHARSMAP_H
#define PLUMB_TOKENIZER_CHARSMAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

typedef struct pl__charsmap {
    uint32_t *units; /* owned */
    size_t n_units;
    char *texts; /* a NUL behind the last; owned */
    size_t texts_size;
} pl__charsmap;

/* From the bytes of the map; `where` names it in errors. None at all is a map that changes nothing. */
pl_status pl__charsmap_read(pl__charsmap *out, const char *data, size_t size, const char *where);
void pl__charsmap_free(pl__charsmap *map); /* takes {0} */

/* Bytes of the longest text of the map that text[0..size) begins with; 0: none. *to: what it becomes, borrowed. */
size_t pl__charsmap_longest(const pl__charsmap *map, const char *text, size_t size, const char **to);

/* Appends the text as Hugging Face's Precompiled makes it: a grapheme of less than 6 bytes becomes what the shortest
 * text of the map in front of it does, of longer ones and of those without one each character for itself. Ends early
 * once *out is larger than `most` bytes. */
pl_status pl__charsmap_graphemes(const pl__charsmap *map, pl_bytes *out, const char *text, size_t size, size_t most);

#endif
