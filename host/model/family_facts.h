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
#define SCALE(name, key, value)                                                                                        \
    {                                                                                                                  \
        PL__SCALE, FIELD(name), key, NULL, value, NULL                                                                 \
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

/* Rows of tensors that many families name alike. */
#define SPLIT_QKV                                                                                                      \
    {PL__QKV, PL__PART_Q, PL__ALWAYS, true, "QC", "layers.#.self_attn.q_proj.weight"},                                 \
        {PL__QKV, PL__PART_K, PL__ALWAYS, true, "KC", "layers.#.self_attn.k_proj.weight"},                             \
        {PL__QKV, PL__PART_V, PL__ALWAYS, true, "KC", "layers.#.self_attn.v_proj.weight"},                             \
        {PL__QKV_BIAS, PL__PART_Q, PL__IF_QKV_BIAS, false, "Q", "layers.#.self_attn.q_proj.bias"},                     \
        {PL__QKV_BIAS, PL__PART_K, PL__IF_QKV_BIAS, false, "K", "layers.#.self_attn.k_proj.bias"},                     \
    {                                                                                                                  \
        PL__QKV_BIAS, PL__PART_V, PL__IF_QKV_BIAS, false, "K", "layers.#.self_attn.v_proj.bias"                        \
    }
#define GATED_MLP                                                                                                      \
    {PL__UP, PL__PART_GATE, PL__ALWAYS, true, "FC", "layers.#.mlp.gate_proj.weight"},                                  \
        {PL__UP, PL__PART_UP, PL__ALWAYS, true, "FC", "layers.#.mlp.up_proj.weight"},                                  \
    {                                                                                                                  \
        PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "layers.#.mlp.down_proj.weight"                                   \
    }
#define HEADS                                                                                                          \
    {PL__HEAD, PL__WHOLE, PL__IF_UNTIED, true, "VE", "^lm_head.weight"},                                               \
    {                                                                                                                  \
        PL__HEAD, PL__WHOLE, PL__IF_CLASSIFIER, true, "NE", "^score.weight"                                            \
    }

extern const pl_family pl__gemma, pl__gemma2, pl__gemma3_text;                    /* family_gemma.c */
extern const pl_family pl__olmo2;                                                 /* family_olmo.c */
extern const pl_family pl__phi, pl__phi3;                                         /* family_phi.c */
extern const pl_family pl__granite, pl__granitemoehybrid;                         /* family_granite.c */
extern const pl_family pl__gpt_neo, pl__gptj;                                     /* family_gpt_neo.c */
extern const pl_family pl__falcon;                                                /* family_falcon.c */
extern const pl_family pl__bloom, pl__mpt;                                        /* family_alibi.c */
extern const pl_family pl__stablelm, pl__starcoder2;                              /* family_stablelm.c */
extern const pl_family pl__gpt2, pl__gpt_neox, pl__opt;                           /* family_gpt.c */
extern const pl_family pl__llama, pl__mistral, pl__qwen2, pl__qwen3, pl__smollm3; /* family_llama.c */

#endif
