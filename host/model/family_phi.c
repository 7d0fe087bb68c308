/* Phi 1 to 3 and Phi-4-mini: facts from transformers' modelling and configuration files. */
#include "model/family_facts.h"

static const char *const phi_prefixes[] = {"model.", "", NULL};
static const char *const phi_ignored[] = {".rotary_emb.inv_freq", NULL};

/* ---- phi: Phi-1, 1.5, 2. Both branches of a block read one norm; half of a head is turned; the head has a bias. ---
 */

static const pl__key_fact phi_keys[] = {
    SIZE(V, "vocab_size", NULL, 51200),
    SIZE(C, "hidden_size", NULL, 2048),
    SIZE(F, "intermediate_size", NULL, 8192),
    SIZE(L, "num_hidden_layers", NULL, 24),
    SIZE(H, "num_attention_heads", NULL, 32),
    SIZE(G, "num_key_value_heads", NULL, 0),
    SIZE(D, "head_dim", NULL, 0),
    SIZE(max_positions, "max_position_embeddings", NULL, 2048),
    REAL(norm_eps, "layer_norm_eps", 1e-5),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(embed_dropout, "embd_pdrop", 0),
    REAL(residual_dropout, "resid_pdrop", 0),
    REAL(attention_dropout, "attention_dropout", 0),
    REAL(rope.theta, "rope_theta", 10000),
    REAL(rope.part, "partial_rotary_factor", 0.5),
    ACTIVATION("hidden_act", "gelu_new"),
    BOOL(tied, "tie_word_embeddings", false),
    BOOL(parallel, NULL, true),
    BOOL(head_norms, "qk_layernorm", false),
    BOOL(qkv_bias, NULL, true),
    BOOL(output_bias, NULL, true),
    BOOL(mlp_bias, NULL, true),
};

/* Norms of queries and keys are as wide as heads are by default. */
static pl_status settle_phi(pl_config *c, const json_t *object, const char *where)
{
    (void)object;
    if (!c->head_norms || c->D == 0 || c->D * c->H == c->C) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: head_dim: expected hidden_size / num_attention_heads with qk_layernorm, found %zu",
                   where, c->D);
}

static const pl__tensor_fact phi_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "embed_tokens.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.bias"},
    SPLIT_QKV,
    {PL__Q_NORM, PL__WHOLE, PL__IF_HEAD_NORMS, false, "D", "layers.#.self_attn.q_layernorm.weight"},
    {PL__Q_NORM_BIAS, PL__WHOLE, PL__IF_HEAD_NORMS, false, "D", "layers.#.self_attn.q_layernorm.bias"},
    {PL__K_NORM, PL__WHOLE, PL__IF_HEAD_NORMS, false, "D", "layers.#.self_attn.k_layernorm.weight"},
    {PL__K_NORM_BIAS, PL__WHOLE, PL__IF_HEAD_NORMS, false, "D", "layers.#.self_attn.k_layernorm.bias"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "layers.#.self_attn.dense.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "layers.#.self_attn.dense.bias"},
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "FC", "layers.#.mlp.fc1.weight"},
    {PL__UP_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "F", "layers.#.mlp.fc1.bias"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "layers.#.mlp.fc2.weight"},
    {PL__DOWN_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "C", "layers.#.mlp.fc2.bias"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "final_layernorm.weight"},
    {PL__FINAL_NORM_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "final_layernorm.bias"},
    {PL__HEAD, PL__WHOLE, PL__IF_UNTIED, true, "VE", "^lm_head.weight"},
    {PL__HEAD_BIAS, PL__WHOLE, PL__IF_VOCABULARY, false, "V", "^lm_head.bias"},
    {PL__HEAD, PL__WHOLE, PL__IF_CLASSIFIER, true, "NE", "^score.weight"},
};

const pl_family pl__phi = {
    .model_type = "phi",
    .norm = PL_NORM_LAYER,
    .positions = PL__ROTARY,
    .part_key = "partial_rotary_factor",
    .padded = true,
    .padding = -1,
    .lm = "PhiForCausalLM",
    .classifier = "PhiForSequenceClassification",
    .prefixes = phi_prefixes,
    .ignored = phi_ignored,
    KEYS(phi_keys),
    TENSORS(phi_tensors),
    .settle = settle_phi,
};

/* ---- phi3: Phi-3, Phi-3.5, Phi-4-mini. Queries, keys and values are stored as one matrix, gate and up as another. --
 */

static const pl__key_fact phi3_keys[] = {
    SIZE(V, "vocab_size", NULL, 32064),
    SIZE(C, "hidden_size", NULL, 3072),
    SIZE(F, "intermediate_size", NULL, 8192),
    SIZE(L, "num_hidden_layers", NULL, 32),
    SIZE(H, "num_attention_heads", NULL, 32),
    SIZE(G, "num_key_value_heads", NULL, 0),
    SIZE(D, "head_dim", NULL, 0),
    SIZE(max_positions, "max_position_embeddings", NULL, 4096),
    REAL(norm_eps, "rms_norm_eps", 1e-5),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(residual_dropout, "resid_pdrop", 0),
    REAL(attention_dropout, "attention_dropout", 0),
    REAL(rope.theta, "rope_theta", 10000),
    REAL(rope.part, "partial_rotary_factor", 1),
    REAL(rope.original_positions, "original_max_position_embeddings", 4096),
    ACTIVATION("hidden_act", "silu"),
    BOOL(tied, "tie_word_embeddings", false),
};

static const pl__tensor_fact phi3_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "embed_tokens.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.weight"},
    {PL__QKV, PL__WHOLE, PL__ALWAYS, true, "AC", "layers.#.self_attn.qkv_proj.weight"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "layers.#.self_attn.o_proj.weight"},
    {PL__NORM_2, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_attention_layernorm.weight"},
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "UC", "layers.#.mlp.gate_up_proj.weight"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "layers.#.mlp.down_proj.weight"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "norm.weight"},
    HEADS,
};

const pl_family pl__phi3 = {
    .model_type = "phi3",
    .norm = PL_NORM_RMS,
    .positions = PL__ROTARY,
    .gated = true,
    .longrope_alone = true,
    .own_original = true,
    .part_key = "partial_rotary_factor",
    .windows = PL__ALWAYS_WINDOWED,
    .padded = true,
    .padding = 32000,
    .lm = "Phi3ForCausalLM",
    .classifier = "Phi3ForSequenceClassification",
    .prefixes = phi_prefixes,
    .ignored = phi_ignored,
    KEYS(phi3_keys),
    TENSORS(phi3_tensors),
};
