/* Gemma: facts from transformers' modelling and configuration files. Norms multiply by 1 + w and embeddings are scaled;
 * from the second on norms stand on both sides of a branch, and layers with a window take turns with full ones. */
#include <string.h>

#include "model/family_facts.h"

static const char *const gemma_prefixes[] = {"model.", "", NULL};
static const char *const gemma_ignored[] = {".rotary_emb.inv_freq", NULL};

static const pl__refusal gemma_refusals[] = {
    {"use_bidirectional_attention", 0, "a token would see those behind it", NULL},
};

static const pl__tensor_fact gemma_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "embed_tokens.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.weight"},
    SPLIT_QKV,
    {PL__Q_NORM, PL__WHOLE, PL__IF_HEAD_NORMS, false, "D", "layers.#.self_attn.q_norm.weight"},
    {PL__K_NORM, PL__WHOLE, PL__IF_HEAD_NORMS, false, "D", "layers.#.self_attn.k_norm.weight"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "layers.#.self_attn.o_proj.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "layers.#.self_attn.o_proj.bias"},
    {PL__AFTER_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_attention_layernorm.weight"},
    {PL__NORM_2, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.pre_feedforward_layernorm.weight"},
    GATED_MLP,
    {PL__AFTER_2, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_feedforward_layernorm.weight"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "norm.weight"},
    HEADS,
};

/* ---- gemma: the first. Its blocks are Llama's. ------------------------------------------------------------------ */

static const pl__key_fact gemma1_keys[] = {
    SIZE(V, "vocab_size", NULL, 256000),
    SIZE(C, "hidden_size", NULL, 3072),
    SIZE(F, "intermediate_size", NULL, 24576),
    SIZE(L, "num_hidden_layers", NULL, 28),
    SIZE(H, "num_attention_heads", NULL, 16),
    SIZE(G, "num_key_value_heads", NULL, 16),
    SIZE(D, "head_dim", NULL, 256),
    SIZE(max_positions, "max_position_embeddings", NULL, 8192),
    REAL(norm_eps, "rms_norm_eps", 1e-6),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(attention_dropout, "attention_dropout", 0),
    REAL(rope.theta, "rope_theta", 10000),
    REAL(rope.part, NULL, 1),
    ACTIVATION("hidden_act", "gelu_pytorch_tanh"),
    BOOL(tied, "tie_word_embeddings", true),
    BOOL(qkv_bias, "attention_bias", false),
    BOOL(output_bias, "attention_bias", false),
};

static const pl__tensor_fact gemma1_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "embed_tokens.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.weight"},
    SPLIT_QKV,
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "layers.#.self_attn.o_proj.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "layers.#.self_attn.o_proj.bias"},
    {PL__NORM_2, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_attention_layernorm.weight"},
    GATED_MLP,
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "norm.weight"},
    HEADS,
};

/* The models were made with gelu by tanh; early files call it "gelu", as transformers knows too. */
static pl_status settle_gemma(pl_config *c, const json_t *object, const char *where)
{
    const char *name = json_string_value(json_object_get(object, "hidden_act"));
    (void)where;
    if (name && strcmp(name, "gelu") == 0) c->activation = PL_ACT_GELU_TANH;
    return PL_OK;
}

const pl_family pl__gemma = {
    .model_type = "gemma",
    .norm = PL_NORM_RMS_PLUS_ONE,
    .positions = PL__ROTARY,
    .gated = true,
    .padded = true,
    .padding = 0,
    .scaled_embed = true,
    .lm = "GemmaForCausalLM",
    .classifier = "GemmaForSequenceClassification",
    .prefixes = gemma_prefixes,
    .ignored = gemma_ignored,
    KEYS(gemma1_keys),
    REFUSALS(gemma_refusals),
    TENSORS(gemma1_tensors),
    .settle = settle_gemma,
};

#define GEMMA_KEYS(vocabulary, positions)                                                                              \
    SIZE(V, "vocab_size", NULL, vocabulary), SIZE(C, "hidden_size", NULL, 2304),                                       \
        SIZE(F, "intermediate_size", NULL, 9216), SIZE(L, "num_hidden_layers", NULL, 26),                              \
        SIZE(H, "num_attention_heads", NULL, 8), SIZE(G, "num_key_value_heads", NULL, 4),                              \
        SIZE(D, "head_dim", NULL, 256), SIZE(max_positions, "max_position_embeddings", NULL, positions),               \
        REAL(norm_eps, "rms_norm_eps", 1e-6), REAL(initializer_range, "initializer_range", 0.02),                      \
        REAL(attention_dropout, "attention_dropout", 0), REAL(rope.part, NULL, 1),                                     \
        REAL(attention_divisor, "query_pre_attn_scalar", 256), ACTIVATION("hidden_activation", "gelu_pytorch_tanh"),   \
        BOOL(tied, "tie_word_embeddings", true), BOOL(qkv_bias, "attention_bias", false),                              \
        BOOL(output_bias, "attention_bias", false)
#define GEMMA                                                                                                          \
    .norm = PL_NORM_RMS_PLUS_ONE, .positions = PL__ROTARY, .gated = true, .padded = true, .padding = 0,                \
    .window = 4096, .scaled_embed = true, .prefixes = gemma_prefixes, .ignored = gemma_ignored,                        \
    REFUSALS(gemma_refusals), TENSORS(gemma_tensors)

/* ---- gemma2: soft caps on scores and logits; every other layer has a window. --------------------------------------
 */

static const pl__key_fact gemma2_keys[] = {
    GEMMA_KEYS(256000, 8192),
    REAL(rope.theta, "rope_theta", 10000),
    CAP(attention_softcap, "attn_logit_softcapping", 50),
    CAP(logit_softcap, "final_logit_softcapping", 30),
};

const pl_family pl__gemma2 = {
    .model_type = "gemma2",
    GEMMA,
    .windows = PL__EVEN_WINDOWED,
    .lm = "Gemma2ForCausalLM",
    .classifier = "Gemma2ForSequenceClassification",
    KEYS(gemma2_keys),
};

/* ---- gemma3_text: norms of query and key heads; five layers with a window and turns of their own to one full. -----
 */

static const pl__key_fact gemma3_keys[] = {
    GEMMA_KEYS(262208, 131072),
    CAP(logit_softcap, "final_logit_softcapping", 0),
    REAL(rope.theta, "rope_theta", 1000000),
    REAL(local_rope.theta, "rope_local_base_freq", 10000),
    REAL(local_rope.part, NULL, 1),
    BOOL(head_norms, NULL, true),
};

const pl_family pl__gemma3_text = {
    .model_type = "gemma3_text",
    GEMMA,
    .windows = PL__PERIOD_WINDOWED,
    .local_rope = true,
    .lm = "Gemma3ForCausalLM",
    .classifier = "Gemma3TextForSequenceClassification",
    KEYS(gemma3_keys),
};
