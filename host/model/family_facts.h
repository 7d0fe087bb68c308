/* Inside of the family table: how its rows are written. family.c lists them; each group of families is a file. */
#ifndef PLUMB_MODEL_FAMILY_FACTS_H
#define PLUMB_MODEL_FAMILY_FACTS_H

#include <stddef.h>

#include "model/family.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define FIELD(name) offsetof(pl_config, name)
#define SIZE(name, key, alias, value)                                                                                  \
    {                                                                                                                  \
        PL__SIZE, FIELD(name), key, alias, value, NULL                                                                 \
    }
#define SIZE_OR_NULL(name, key, value)                                                                                 \
    {                                                                                                                  \
        PL__SIZE_OR_NULL, FIELD(name), key, NULL, value, NULL                                                          \
    }
#define REAL(name, key, value)                                                                                         \
    {                                                                                                                  \
        PL__REAL, FIELD(name), key, NULL, value, NULL                                                                  \
    }
#define CAP(name, key, value)                                                                                          \
    {                                                                                                                  \
        PL__CAP, FIELD(name), key, NULL, value, NULL                                                                   \
    }
#define BOOL(name, key, value)                                                                                         \
    {                                                                                                                  \
        PL__BOOL, FIELD(name), key, NULL, value, NULL                                                                  \
    }
#define ACTIVATION(key, value)                                                                                         \
    {                                                                                                                  \
        PL__ACTIVATION, FIELD(activation), key, NULL, 0, value                                                         \
    }

/* Facts of a row from its arrays. */
#define KEYS(list)     .keys = list, .n_keys = COUNT(list)
#define TENSORS(list)  .tensors = list, .n_tensors = COUNT(list)
#define REFUSALS(list) .refusals = list, .n_refusals = COUNT(list)

extern const pl_family pl__gemma2, pl__gemma3_text;                               /* family_gemma.c */
extern const pl_family pl__olmo2;                                                 /* family_olmo.c */
extern const pl_family pl__phi, pl__phi3;                                         /* family_phi.c */
extern const pl_family pl__gpt2, pl__gpt_neox, pl__opt;                           /* family_gpt.c */
extern const pl_family pl__llama, pl__mistral, pl__qwen2, pl__qwen3, pl__smollm3; /* family_llama.c */

#endif
