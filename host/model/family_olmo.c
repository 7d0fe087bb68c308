/* OLMo 2: facts from transformers' modelling and configuration files. Branches read the residual stream itself, norms
 * stand behind them; those of queries and keys go over all heads together. */
#include "model/family_facts.h"

static const char *const olmo2_prefixes[] = {"model.", "", NULL};
static const char *const olmo2_ignored[] = {".rotary_emb.inv_freq", NULL};

static const pl__key_fact olmo2_keys[] = {
    SIZE(V, "vocab_size", NULL, 50304),
    SIZE(C, "hidden_size", NULL, 4096),
    SIZE(F, "intermediate_size", NULL, 11008),
    SIZE(L, "num_hidden_layers", NULL, 32),
    SIZE(H, "num_attention_heads", NULL, 32),
    SIZE(G, "num_key_value_heads", NULL, 0),
    SIZE(D, "head_dim", NULL, 0),
    SIZE(max_positions, "max_position_embeddings", NULL, 2048),
    REAL(norm_eps, "rms_norm_eps", 1e-5),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(attention_dropout, "attention_dropout", 0),
    REAL(rope.theta, "rope_theta", 10000),
    REAL(rope.part, NULL, 1),
    ACTIVATION("hidden_act", "silu"),
    BOOL(tied, "tie_word_embeddings", false),
    BOOL(qkv_bias, "attention_bias", false),
    BOOL(output_bias, "attention_bias", false),
};

static const pl__tensor_fact olmo2_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "embed_tokens.weight"},
    SPLIT_QKV,
    {PL__Q_NORM, PL__WHOLE, PL__ALWAYS, false, "q", "layers.#.self_attn.q_norm.weight"},
    {PL__K_NORM, PL__WHOLE, PL__ALWAYS, false, "k", "layers.#.self_attn.k_norm.weight"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "layers.#.self_attn.o_proj.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "layers.#.self_attn.o_proj.bias"},
    {PL__AFTER_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_attention_layernorm.weight"},
    GATED_MLP,
    {PL__AFTER_2, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_feedforward_layernorm.weight"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "norm.weight"},
    HEADS,
};

const pl_family pl__olmo2 = {
    .model_type = "olmo2",
    .norm = PL_NORM_RMS,
    .positions = PL__ROTARY,
    .gated = true,
    .padded = true,
    .padding = 1,
    .wide_norms = true,
    .lm = "Olmo2ForCausalLM",
    .classifier = "Olmo2ForSequenceClassification",
    .prefixes = olmo2_prefixes,
    .ignored = olmo2_ignored,
    KEYS(olmo2_keys),
    TENSORS(olmo2_tensors),
};
