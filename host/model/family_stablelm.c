/* StableLM and StarCoder2, whose blocks are Llama's with layer norms: facts from transformers' modelling and
 * configuration files. */
#include "model/family_facts.h"

static const char *const prefixes[] = {"model.", "", NULL};
static const char *const ignored[] = {".rotary_emb.inv_freq", NULL};

/* ---- stablelm: a part of a head is turned; a parallel block has one norm; norms of queries and keys, where there are
 * any, have weights of each head. ---------------------------------------------------------------------------------- */

static const pl__key_fact stablelm_keys[] = {
    SIZE(V, "vocab_size", NULL, 50304),
    SIZE(C, "hidden_size", NULL, 2560),
    SIZE(F, "intermediate_size", NULL, 6912),
    SIZE(L, "num_hidden_layers", NULL, 32),
    SIZE(H, "num_attention_heads", NULL, 32),
    SIZE(G, "num_key_value_heads", NULL, 32),
    SIZE(max_positions, "max_position_embeddings", NULL, 4096),
    REAL(norm_eps, "layer_norm_eps", 1e-5),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(attention_dropout, "attention_dropout", 0),
    REAL(rope.theta, "rope_theta", 10000),
    REAL(rope.part, "partial_rotary_factor", 0.25),
    ACTIVATION("hidden_act", "silu"),
    BOOL(tied, "tie_word_embeddings", false),
    BOOL(qkv_bias, "use_qkv_bias", false),
    BOOL(parallel, "use_parallel_residual", false),
    BOOL(head_norms, "qk_layernorm", false),
};

static const pl__refusal stablelm_refusals[] = {
    {"hidden_dropout", 0, "training would drop of the feed-forward's result alone", NULL},
};

static pl_status settle_stablelm(pl_config *c, const json_t *object, const char *where)
{
    size_t width = c->H ? c->C / c->H : 0;
    const size_t own = width;
    PL_TRY(pl_json_get_size(&width, object, "head_dim", where));
    if (width == own) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: head_dim: expected hidden_size / num_attention_heads, %zu, found %zu", where, own,
                   width);
}

static const pl__tensor_fact stablelm_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "embed_tokens.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.bias"},
    SPLIT_QKV,
    {PL__Q_NORM, PL__BY_HEAD, PL__IF_HEAD_NORMS, false, "D", "layers.#.self_attn.q_layernorm.norms.%.weight"},
    {PL__K_NORM, PL__BY_HEAD, PL__IF_HEAD_NORMS, false, "D", "layers.#.self_attn.k_layernorm.norms.%.weight"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "layers.#.self_attn.o_proj.weight"},
    {PL__NORM_2, PL__WHOLE, PL__IF_SEQUENTIAL, false, "C", "layers.#.post_attention_layernorm.weight"},
    {PL__NORM_2_BIAS, PL__WHOLE, PL__IF_SEQUENTIAL, false, "C", "layers.#.post_attention_layernorm.bias"},
    GATED_MLP,
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "norm.weight"},
    {PL__FINAL_NORM_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "norm.bias"},
    HEADS,
};

const pl_family pl__stablelm = {
    .model_type = "stablelm",
    .norm = PL_NORM_LAYER,
    .positions = PL__ROTARY,
    .gated = true,
    .part_key = "partial_rotary_factor",
    .own_norms = true,
    .padded = true,
    .padding = -1,
    .lm = "StableLmForCausalLM",
    .classifier = "StableLmForSequenceClassification",
    .prefixes = prefixes,
    .ignored = ignored,
    KEYS(stablelm_keys),
    REFUSALS(stablelm_refusals),
    TENSORS(stablelm_tensors),
    .settle = settle_stablelm,
};

/* ---- starcoder2: biases everywhere, or nowhere; every layer sees sliding_window keys. ---------------------------- */

static const pl__key_fact starcoder2_keys[] = {
    SIZE(V, "vocab_size", NULL, 49152),
    SIZE(C, "hidden_size", NULL, 3072),
    SIZE(F, "intermediate_size", NULL, 12288),
    SIZE(L, "num_hidden_layers", NULL, 30),
    SIZE(H, "num_attention_heads", NULL, 24),
    SIZE(G, "num_key_value_heads", NULL, 2),
    SIZE(D, "head_dim", NULL, 0),
    SIZE(max_positions, "max_position_embeddings", NULL, 4096),
    REAL(norm_eps, "norm_epsilon", 1e-5),
    REAL(initializer_range, "initializer_range", 0.018042),
    REAL(embed_dropout, "embedding_dropout", 0),
    REAL(residual_dropout, "residual_dropout", 0),
    REAL(attention_dropout, "attention_dropout", 0),
    REAL(rope.theta, "rope_theta", 10000),
    REAL(rope.part, NULL, 1),
    ACTIVATION("hidden_act", "gelu_pytorch_tanh"),
    BOOL(tied, "tie_word_embeddings", true),
    BOOL(qkv_bias, "use_bias", true),
    BOOL(output_bias, "use_bias", true),
    BOOL(mlp_bias, "use_bias", true),
};

static const pl__tensor_fact starcoder2_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "embed_tokens.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.bias"},
    SPLIT_QKV,
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "layers.#.self_attn.o_proj.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "layers.#.self_attn.o_proj.bias"},
    {PL__NORM_2, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_attention_layernorm.weight"},
    {PL__NORM_2_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_attention_layernorm.bias"},
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "FC", "layers.#.mlp.c_fc.weight"},
    {PL__UP_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "F", "layers.#.mlp.c_fc.bias"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "layers.#.mlp.c_proj.weight"},
    {PL__DOWN_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "C", "layers.#.mlp.c_proj.bias"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "norm.weight"},
    {PL__FINAL_NORM_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "norm.bias"},
    HEADS,
};

const pl_family pl__starcoder2 = {
    .model_type = "starcoder2",
    .norm = PL_NORM_LAYER,
    .positions = PL__ROTARY,
    .windows = PL__ALWAYS_WINDOWED,
    .padded = true,
    .padding = -1,
    .lm = "Starcoder2ForCausalLM",
    .classifier = "Starcoder2ForSequenceClassification",
    .prefixes = prefixes,
    .ignored = ignored,
    KEYS(starcoder2_keys),
    TENSORS(starcoder2_tensors),
};
