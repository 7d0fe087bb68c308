/* Post-processors: the special tokens around a text. They come down to ids in front and behind. */
#ifndef PLUMB_TOKENIZER_POSTPROCESSOR_H
#define PLUMB_TOKENIZER_POSTPROCESSOR_H

#include "base/json.h"
#include "base/status.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

typedef struct pl__postprocessor {
    pl_ids before, after;
} pl__postprocessor;

/* `spec` is tokenizer.json's "post_processor"; `where` names it in errors. Whether the ids have tokens is for
 * the caller to see. */
pl_status pl__postprocessor_create(pl__postprocessor *out, const json_t *spec, const char *where);
void pl__postprocessor_free(pl__postprocessor *p); /* takes {0} */

#endif
