/* Normalizers: what is done to a text before it is split. A chain of steps, run in order. */
#ifndef PLUMB_TOKENIZER_NORMALIZER_H
#define PLUMB_TOKENIZER_NORMALIZER_H

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "tokenizer/pattern.h"

typedef struct pl__normalizer pl__normalizer;

/* `spec` is tokenizer.json's "normalizer"; `where` names it in errors. A null spec gives *out == NULL: do nothing. */
pl_status pl__normalizer_create(pl__normalizer **out, const json_t *spec, const char *where);
void pl__normalizer_free(pl__normalizer *normalizer); /* takes NULL */

/* *text becomes the normalized text, `spare` is room to work in.
 * *head counts the bytes in front that come from the first character of the user's text: what Metaspace's scheme
 * "first" asks for. 0 when the text does not begin there, or when its beginning was stripped. */
pl_status pl__normalize(const pl__normalizer *normalizer, pl_bytes *text, pl_bytes *spare, size_t *head,
                        pl__spans *spans);

#endif
