/* Multimodal checkpoints: config.json is of the whole, and text_config inside it of the model that is read here. */
#ifndef PLUMB_MODEL_WRAPPER_H
#define PLUMB_MODEL_WRAPPER_H

#include "base/json.h"

typedef struct pl__wrapper {
    const char *model_type, *text; /* text: the model_type of a text_config that names none */
    bool tied;                     /* the class default of tie_word_embeddings */
    bool either;                   /* it is also what text_config says */
    /* The text model's names begin with one of `prefixes`, those outside it ('^') with the `outer` of the same place;
     * NULL-terminated. What begins with one of `skipped` belongs to the rest. */
    const char *const *prefixes, *const *outer, *const *skipped;
} pl__wrapper;

/* *wrapper: of a config.json whose model_type is one, else NULL. *text: the text model's configuration, with what the
 * whole says of types, tying and ends of generations; a new reference, also where there is no wrapper. */
pl_status pl__wrapper_open(const pl__wrapper **wrapper, json_t **text, json_t *object, const char *where);
/* "gemma3, llava": for messages. */
pl_status pl__wrapper_names(pl_bytes *out);

#endif
