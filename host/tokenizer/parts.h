/* The parts of tokenizer.json (normalizer, pre-tokenizer, decoder): each an object with a "type", of which Sequence
 * holds a list of others. */
#ifndef PLUMB_TOKENIZER_PARTS_H
#define PLUMB_TOKENIZER_PARTS_H

#include "base/json.h"
#include "base/status.h"

/* One part that is no Sequence. */
typedef pl_status (*pl__part_reader)(void *context, const char *type, const json_t *spec, const char *where);
/* Reads `spec` and, of a Sequence, every part of its list `list`, in order and however nested (up to a limit). */
pl_status pl__parts_read(const json_t *spec, const char *list, const char *where, pl__part_reader read, void *context);

/* A text of a part as an owned copy. */
pl_status pl__part_text(char **out, size_t *size, const json_t *spec, const char *key, const char *where);

#endif
