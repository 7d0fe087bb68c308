/* Decoders: tokens to text. A chain of steps over a list of texts, joined at the end. */
#ifndef PLUMB_TOKENIZER_DECODER_H
#define PLUMB_TOKENIZER_DECODER_H

#include <stddef.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"

typedef struct pl__decoder pl__decoder;

/* `spec` is tokenizer.json's "decoder"; `where` names it in errors. Null gives *out == NULL: tokens joined by spaces.
 */
pl_status pl__decoder_create(pl__decoder **out, const json_t *spec, const char *where);
void pl__decoder_free(pl__decoder *decoder); /* takes NULL */

/* Texts end to end. Start from {0}. */
typedef struct pl__pieces {
    pl_bytes text;
    size_t *ends;
    size_t n, capacity;
} pl__pieces;
pl_status pl__pieces_add(pl__pieces *pieces, const char *text, size_t size);
void pl__pieces_free(pl__pieces *pieces);

/* Appends the text of the tokens' pieces; *pieces is used up. */
pl_status pl__decode(const pl__decoder *decoder, pl__pieces *pieces, pl_bytes *out);

#endif
