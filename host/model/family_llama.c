/* Llama and its kin, whose tensors have the same names: facts from transformers' modelling and configuration files. */
#include "model/family_facts.h"

static const char *const llama_prefixes[] = {"model.", "", NULL};
static const char *const llama_ignored[] = {".rotary_emb.inv_freq", NULL};

static const pl__tensor_fact llama_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "embed_tokens.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.weight"},
    SPLIT_QKV,
    {PL__Q_NORM, PL__WHOLE, PL__IF_HEAD_NORMS, false, "D", "layers.#.self_attn.q_norm.weight"},
    {PL__K_NORM, PL__WHOLE, PL__IF_HEAD_NORMS, false, "D", "layers.#.self_attn.k_norm.weight"},
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
    HEADS,
};

/* What the rows share: keys with their class defaults, and the facts. */
#define LLAMA_SIZES(vocabulary, width, inner, layers, heads, positions)                                                \
    SIZE(V, "vocab_size", NULL, vocabulary), SIZE(C, "hidden_size", NULL, width),                                      \
        SIZE(F, "intermediate_size", NULL, inner), SIZE(L, "num_hidden_layers", NULL, layers),                         \
        SIZE(H, "num_attention_heads", NULL, heads), SIZE(max_positions, "max_position_embeddings", NULL, positions)
#define LLAMA_REALS(epsilon, theta_default)                                                                            \
    REAL(norm_eps, "rms_norm_eps", epsilon), REAL(initializer_range, "initializer_range", 0.02),                       \
        REAL(attention_dropout, "attention_dropout", 0), REAL(rope.theta, "rope_theta", theta_default),                \
        REAL(rope.part, NULL, 1), ACTIVATION("hidden_act", "silu")
#define LLAMA_KIN                                                                                                      \
    .norm = PL_NORM_RMS, .positions = PL__ROTARY, .gated = true, .padded = true, .prefixes = llama_prefixes,           \
    .ignored = llama_ignored, TENSORS(llama_tensors)

/* ---- llama: Llama 1-3, TinyLlama, SmolLM, SmolLM2. attention_bias is for q, k, v and o alike. ------------------- */

static const pl__key_fact llama_keys[] = {
    LLAMA_SIZES(32000, 4096, 11008, 32, 32, 2048), LLAMA_REALS(1e-6, 10000),
    SIZE(G, "num_key_value_heads", NULL, 0),       SIZE(D, "head_dim", NULL, 0),
    BOOL(tied, "tie_word_embeddings", false),      BOOL(qkv_bias, "attention_bias", false),
    BOOL(output_bias, "attention_bias", false),    BOOL(mlp_bias, "mlp_bias", false),
};

const pl_family pl__llama = {
    .model_type = "llama",
    LLAMA_KIN,
    .padding = -1,
    .lm = "LlamaForCausalLM",
    .classifier = "LlamaForSequenceClassification",
    KEYS(llama_keys),
};

/* ---- mistral: every layer sees sliding_window keys. No biases. --------------------------------------------------- */

static const pl__key_fact mistral_keys[] = {
    LLAMA_SIZES(32000, 4096, 14336, 32, 32, 131072), LLAMA_REALS(1e-6, 10000),
    SIZE_OR_NULL(G, "num_key_value_heads", 8),       SIZE(D, "head_dim", NULL, 0),
    BOOL(tied, "tie_word_embeddings", false),
};

const pl_family pl__mistral = {
    .model_type = "mistral",
    LLAMA_KIN,
    .padding = -1,
    .windows = PL__ALWAYS_WINDOWED,
    .window = 4096,
    .lm = "MistralForCausalLM",
    .classifier = "MistralForSequenceClassification",
    KEYS(mistral_keys),
};

/* ---- qwen2: Qwen 1.5, 2, 2.5. q, k and v have biases, o has none. ------------------------------------------------ */

static const pl__key_fact qwen2_keys[] = {
    LLAMA_SIZES(151936, 4096, 22016, 32, 32, 32768), LLAMA_REALS(1e-6, 10000),
    SIZE_OR_NULL(G, "num_key_value_heads", 32),      SIZE(D, "head_dim", NULL, 0),
    BOOL(tied, "tie_word_embeddings", false),        BOOL(qkv_bias, NULL, true),
};

const pl_family pl__qwen2 = {
    .model_type = "qwen2",
    LLAMA_KIN,
    .padding = -1,
    .windows = PL__LAST_WINDOWED,
    .window = 4096,
    .lm = "Qwen2ForCausalLM",
    .classifier = "Qwen2ForSequenceClassification",
    KEYS(qwen2_keys),
};

/* ---- qwen3: a norm of each query and key head; head_dim is 128 unless the file says otherwise. ------------------- */

static const pl__key_fact qwen3_keys[] = {
    LLAMA_SIZES(151936, 4096, 22016, 32, 32, 32768), LLAMA_REALS(1e-6, 10000),
    SIZE_OR_NULL(G, "num_key_value_heads", 32),      SIZE(D, "head_dim", NULL, 128),
    BOOL(tied, "tie_word_embeddings", false),        BOOL(qkv_bias, "attention_bias", false),
    BOOL(output_bias, "attention_bias", false),      BOOL(head_norms, NULL, true),
};

const pl_family pl__qwen3 = {
    .model_type = "qwen3",
    LLAMA_KIN,
    .padding = -1,
    .windows = PL__LAST_WINDOWED,
    .window = 4096,
    .lm = "Qwen3ForCausalLM",
    .classifier = "Qwen3ForSequenceClassification",
    KEYS(qwen3_keys),
};

/* ---- smollm3: every fourth layer has no positions. --------------------------------------------------------------- */

static const pl__key_fact smollm3_keys[] = {
    LLAMA_SIZES(128256, 2048, 11008, 36, 16, 32768), LLAMA_REALS(1e-6, 2000000),
    SIZE_OR_NULL(G, "num_key_value_heads", 4),       SIZE(D, "head_dim", NULL, 0),
    BOOL(tied, "tie_word_embeddings", true),         BOOL(qkv_bias, "attention_bias", false),
    BOOL(output_bias, "attention_bias", false),      BOOL(mlp_bias, "mlp_bias", false),
};

const pl_family pl__smollm3 = {
    .model_type = "smollm3",
    LLAMA_KIN,
    .padding = 128004,
    .windows = PL__UNTURNED_WINDOWED,
    .unturned_layers = true,
    .lm = "SmolLM3ForCausalLM",
    .classifier = "SmolLM3ForSequenceClassification",
    KEYS(smollm3_keys),
};
