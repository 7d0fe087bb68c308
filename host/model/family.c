/* The facts of each family, from transformers' modelling and configuration files. */
#include "model/family.h"

#include <stddef.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define FIELD(name) offsetof(pl_config, name)
#define SIZE(name, key, alias, value)                                                                                  \
    {                                                                                                                  \
        PL__SIZE, FIELD(name), key, alias, value, NULL                                                                 \
    }
#define REAL(name, key, value)                                                                                         \
    {                                                                                                                  \
        PL__REAL, FIELD(name), key, NULL, value, NULL                                                                  \
    }
#define BOOL(name, key, value)                                                                                         \
    {                                                                                                                  \
        PL__BOOL, FIELD(name), key, NULL, value, NULL                                                                  \
    }
#define ACTIVATION(key, value)                                                                                         \
    {                                                                                                                  \
        PL__ACTIVATION, FIELD(activation), key, NULL, 0, value                                                         \
    }

static const pl__slot_fact slots[PL__SLOTS] = {
    [PL__EMBED] = {PL__TABLE, 'V', 'C'},       [PL__POSITIONS] = {PL__TABLE, 'P', 'C'},
    [PL__FINAL_NORM] = {PL__VECTOR, '1', 'C'}, [PL__FINAL_NORM_BIAS] = {PL__VECTOR, '1', 'C'},
    [PL__HEAD] = {PL__MATRIX, 'N', 'C'},       [PL__HEAD_BIAS] = {PL__VECTOR, '1', 'N'},
    [PL__NORM_1] = {PL__VECTOR, '1', 'C'},     [PL__NORM_1_BIAS] = {PL__VECTOR, '1', 'C'},
    [PL__QKV] = {PL__MATRIX, 'A', 'C'},        [PL__QKV_BIAS] = {PL__VECTOR, '1', 'A'},
    [PL__Q_NORM] = {PL__VECTOR, '1', 'D'},     [PL__K_NORM] = {PL__VECTOR, '1', 'D'},
    [PL__OUT] = {PL__MATRIX, 'C', 'Q'},        [PL__OUT_BIAS] = {PL__VECTOR, '1', 'C'},
    [PL__NORM_2] = {PL__VECTOR, '1', 'C'},     [PL__NORM_2_BIAS] = {PL__VECTOR, '1', 'C'},
    [PL__UP] = {PL__MATRIX, 'U', 'C'},         [PL__UP_BIAS] = {PL__VECTOR, '1', 'U'},
    [PL__DOWN] = {PL__MATRIX, 'C', 'F'},       [PL__DOWN_BIAS] = {PL__VECTOR, '1', 'C'},
};

/* ---- gpt2: GPT-2, DistilGPT-2. Conv1D weights are stored [in, out]; c_attn gives queries | keys | values. ------- */

static const char *const gpt2_prefixes[] = {"transformer.", "", NULL};
static const char *const gpt2_ignored[] = {".attn.bias", ".attn.masked_bias", NULL};

static const pl__key_fact gpt2_keys[] = {
    SIZE(V, "vocab_size", NULL, 50257),
    SIZE(C, "n_embd", "hidden_size", 768),
    SIZE(L, "n_layer", "num_hidden_layers", 12),
    SIZE(H, "n_head", "num_attention_heads", 12),
    SIZE(F, "n_inner", NULL, 0),
    SIZE(max_positions, "n_positions", "max_position_embeddings", 1024),
    REAL(norm_eps, "layer_norm_epsilon", 1e-5),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(embed_dropout, "embd_pdrop", 0.1),
    REAL(residual_dropout, "resid_pdrop", 0.1),
    REAL(attention_dropout, "attn_pdrop", 0.1),
    ACTIVATION("activation_function", "gelu_new"),
    BOOL(tied, "tie_word_embeddings", true),
    BOOL(qkv_bias, NULL, true),
    BOOL(output_bias, NULL, true),
    BOOL(mlp_bias, NULL, true),
};

static const pl__refusal gpt2_refusals[] = {
    {"scale_attn_by_inverse_layer_idx", false,
     "attention scaled by layer is read differently by versions of transformers"},
    {"reorder_and_upcast_attn", false,
     "it changes the order of roundings, which versions of transformers ignore or honour"},
    {"scale_attn_weights", true, "unscaled attention is read differently by versions of transformers"},
    {"add_cross_attention", false, "there is no encoder to attend to"},
};

static const pl__tensor_fact gpt2_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VC", "wte.weight"},
    {PL__POSITIONS, PL__WHOLE, PL__ALWAYS, true, "PC", "wpe.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.ln_1.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.ln_1.bias"},
    {PL__QKV, PL__WHOLE, PL__ALWAYS, true, "CA", "h.#.attn.c_attn.weight"},
    {PL__QKV_BIAS, PL__WHOLE, PL__IF_QKV_BIAS, false, "A", "h.#.attn.c_attn.bias"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "QC", "h.#.attn.c_proj.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "h.#.attn.c_proj.bias"},
    {PL__NORM_2, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.ln_2.weight"},
    {PL__NORM_2_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.ln_2.bias"},
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "CF", "h.#.mlp.c_fc.weight"},
    {PL__UP_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "F", "h.#.mlp.c_fc.bias"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "FC", "h.#.mlp.c_proj.weight"},
    {PL__DOWN_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "C", "h.#.mlp.c_proj.bias"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "ln_f.weight"},
    {PL__FINAL_NORM_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "ln_f.bias"},
    {PL__HEAD, PL__WHOLE, PL__IF_UNTIED, true, "VC", "^lm_head.weight"},
    {PL__HEAD, PL__WHOLE, PL__IF_CLASSIFIER, true, "NC", "^score.weight"},
};

/* ---- llama: Llama 1-3, TinyLlama, SmolLM, SmolLM2. attention_bias is for q, k, v and o alike. ------------------- */

static const char *const llama_prefixes[] = {"model.", "", NULL};
static const char *const llama_ignored[] = {".rotary_emb.inv_freq", NULL};

static const pl__key_fact llama_keys[] = {
    SIZE(V, "vocab_size", NULL, 32000),
    SIZE(C, "hidden_size", NULL, 4096),
    SIZE(F, "intermediate_size", NULL, 11008),
    SIZE(L, "num_hidden_layers", NULL, 32),
    SIZE(H, "num_attention_heads", NULL, 32),
    SIZE(G, "num_key_value_heads", NULL, 0),
    SIZE(D, "head_dim", NULL, 0),
    SIZE(max_positions, "max_position_embeddings", NULL, 2048),
    REAL(norm_eps, "rms_norm_eps", 1e-6),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(attention_dropout, "attention_dropout", 0),
    REAL(rope.theta, "rope_theta", 10000),
    REAL(rope.part, NULL, 1),
    ACTIVATION("hidden_act", "silu"),
    BOOL(tied, "tie_word_embeddings", false),
    BOOL(qkv_bias, "attention_bias", false),
    BOOL(output_bias, "attention_bias", false),
    BOOL(mlp_bias, "mlp_bias", false),
};

static const pl__tensor_fact llama_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VC", "embed_tokens.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.weight"},
    {PL__QKV, PL__PART_Q, PL__ALWAYS, true, "QC", "layers.#.self_attn.q_proj.weight"},
    {PL__QKV, PL__PART_K, PL__ALWAYS, true, "KC", "layers.#.self_attn.k_proj.weight"},
    {PL__QKV, PL__PART_V, PL__ALWAYS, true, "KC", "layers.#.self_attn.v_proj.weight"},
    {PL__QKV_BIAS, PL__PART_Q, PL__IF_QKV_BIAS, false, "Q", "layers.#.self_attn.q_proj.bias"},
    {PL__QKV_BIAS, PL__PART_K, PL__IF_QKV_BIAS, false, "K", "layers.#.self_attn.k_proj.bias"},
    {PL__QKV_BIAS, PL__PART_V, PL__IF_QKV_BIAS, false, "K", "layers.#.self_attn.v_proj.bias"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "layers.#.self_attn.o_proj.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "layers.#.self_attn.o_proj.bias"},
    {PL__NORM_2, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_attention_layernorm.weight"},
    {PL__UP, PL__PART_GATE, PL__ALWAYS, true, "FC", "layers.#.mlp.gate_proj.weight"},
    {PL__UP, PL__PART_UP, PL__ALWAYS, true, "FC", "layers.#.mlp.up_proj.weight"},
    {PL__UP_BIAS, PL__PART_GATE, PL__IF_MLP_BIAS, false, "F", "layers.#.mlp.gate_proj.bias"},
    {PL__UP_BIAS, PL__PART_UP, PL__IF_MLP_BIAS, false, "F", "layers.#.mlp.up_proj.bias"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "layers.#.mlp.down_proj.weight"},
    {PL__DOWN_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "C", "layers.#.mlp.down_proj.bias"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "norm.weight"},
    {PL__HEAD, PL__WHOLE, PL__IF_UNTIED, true, "VC", "^lm_head.weight"},
    {PL__HEAD, PL__WHOLE, PL__IF_CLASSIFIER, true, "NC", "^score.weight"},
};

/* ---- The table ------------------------------------------------------------------------------------------------- */

static const pl_family families[] = {
    {
        .model_type = "gpt2",
        .norm = PL_NORM_LAYER,
        .positions = PL__LEARNED,
        .scaled_residuals = true,
        .lm = "GPT2LMHeadModel",
        .classifier = "GPT2ForSequenceClassification",
        .prefixes = gpt2_prefixes,
        .ignored = gpt2_ignored,
        .keys = gpt2_keys,
        .n_keys = COUNT(gpt2_keys),
        .refusals = gpt2_refusals,
        .n_refusals = COUNT(gpt2_refusals),
        .tensors = gpt2_tensors,
        .n_tensors = COUNT(gpt2_tensors),
    },
    {
        .model_type = "llama",
        .norm = PL_NORM_RMS,
        .positions = PL__ROTARY,
        .gated = true,
        .padded = true,
        .lm = "LlamaForCausalLM",
        .classifier = "LlamaForSequenceClassification",
        .prefixes = llama_prefixes,
        .ignored = llama_ignored,
        .keys = llama_keys,
        .n_keys = COUNT(llama_keys),
        .tensors = llama_tensors,
        .n_tensors = COUNT(llama_tensors),
    },
};

const pl_family *pl__family_find(const char *model_type)
{
    for (size_t i = 0; i < COUNT(families); i++)
        if (strcmp(families[i].model_type, model_type) == 0) return &families[i];
    return NULL;
}

pl_status pl__family_names(pl_bytes *out)
{
    for (size_t i = 0; i < COUNT(families); i++)
        PL_TRY(pl_bytes_format(out, "%s%s", i ? ", " : "", families[i].model_type));
    return PL_OK;
}

const pl__slot_fact *pl__slot_facts(pl__slot slot)
{
    return &slots[slot];
}

size_t pl_config_outputs(const pl_config *config)
{
    return config->n_labels ? config->n_labels : config->V;
}

size_t pl__dimension(const pl_config *config, char letter)
{
    switch (letter) {
    case 'V':
        return config->V;
    case 'N':
        return pl_config_outputs(config);
    case 'C':
        return config->C;
    case 'F':
        return config->F;
    case 'U':
        return config->family->gated ? 2 * config->F : config->F;
    case 'D':
        return config->D;
    case 'Q':
        return config->H * config->D;
    case 'K':
        return config->G * config->D;
    case 'A':
        return (config->H + 2 * config->G) * config->D;
    case 'P':
        return config->max_positions + config->family->position_offset;
    default:
        return 1;
    }
}

bool pl__holds(const pl_config *config, pl__when when)
{
    switch (when) {
    case PL__IF_QKV_BIAS:
        return config->qkv_bias;
    case PL__IF_OUTPUT_BIAS:
        return config->output_bias;
    case PL__IF_MLP_BIAS:
        return config->mlp_bias;
    case PL__IF_UNTIED:
        return !config->tied && !config->n_labels;
    case PL__IF_CLASSIFIER:
        return config->n_labels > 0;
    case PL__ALWAYS:
        break;
    }
    return true;
}

bool pl__config_has(const pl_config *config, pl__slot slot)
{
    const pl_family *family = config->family;
    for (size_t i = 0; i < family->n_tensors; i++)
        if (family->tensors[i].slot == slot && pl__holds(config, family->tensors[i].when)) return true;
    return false;
}
