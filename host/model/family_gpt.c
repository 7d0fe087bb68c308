/* Families that descend from GPT-2: facts from transformers' modelling and configuration files. */
#include "model/family_facts.h"

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

const pl_family pl__gpt2 = {
    .model_type = "gpt2",
    .norm = PL_NORM_LAYER,
    .positions = PL__LEARNED,
    .scaled_residuals = true,
    .lm = "GPT2LMHeadModel",
    .classifier = "GPT2ForSequenceClassification",
    .prefixes = gpt2_prefixes,
    .ignored = gpt2_ignored,
    KEYS(gpt2_keys),
    REFUSALS(gpt2_refusals),
    TENSORS(gpt2_tensors),
};

/* ---- gpt_neox: GPT-NeoX, Pythia, PolyPythias. query_key_value is stored by head; a part of a head is turned; both
 * branches of a block read its input. ---------------------------------------------------------------------------- */

static const char *const neox_prefixes[] = {"gpt_neox.", "", NULL};
static const char *const neox_ignored[] = {".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq", NULL};

static const pl__key_fact neox_keys[] = {
    SIZE(V, "vocab_size", NULL, 50432),
    SIZE(C, "hidden_size", NULL, 6144),
    SIZE(F, "intermediate_size", NULL, 24576),
    SIZE(L, "num_hidden_layers", NULL, 44),
    SIZE(H, "num_attention_heads", NULL, 64),
    SIZE(max_positions, "max_position_embeddings", NULL, 2048),
    REAL(norm_eps, "layer_norm_eps", 1e-5),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(embed_dropout, "hidden_dropout", 0),
    REAL(residual_dropout, "hidden_dropout", 0),
    REAL(attention_dropout, "attention_dropout", 0),
    REAL(rope.theta, "rotary_emb_base", 10000),
    REAL(rope.part, "rotary_pct", 0.25),
    ACTIVATION("hidden_act", "gelu"),
    BOOL(tied, "tie_word_embeddings", false),
    BOOL(parallel, "use_parallel_residual", true),
    BOOL(qkv_bias, "attention_bias", true),
    BOOL(output_bias, "attention_bias", true),
    BOOL(mlp_bias, NULL, true),
};

static const pl__tensor_fact neox_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VC", "embed_in.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.bias"},
    {PL__QKV, PL__QKV_BY_HEAD, PL__ALWAYS, true, "AC", "layers.#.attention.query_key_value.weight"},
    {PL__QKV_BIAS, PL__QKV_BY_HEAD, PL__IF_QKV_BIAS, false, "A", "layers.#.attention.query_key_value.bias"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "layers.#.attention.dense.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "layers.#.attention.dense.bias"},
    {PL__NORM_2, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_attention_layernorm.weight"},
    {PL__NORM_2_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_attention_layernorm.bias"},
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "FC", "layers.#.mlp.dense_h_to_4h.weight"},
    {PL__UP_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "F", "layers.#.mlp.dense_h_to_4h.bias"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "layers.#.mlp.dense_4h_to_h.weight"},
    {PL__DOWN_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "C", "layers.#.mlp.dense_4h_to_h.bias"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "final_layer_norm.weight"},
    {PL__FINAL_NORM_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "final_layer_norm.bias"},
    {PL__HEAD, PL__WHOLE, PL__IF_UNTIED, true, "VC", "^embed_out.weight"},
    {PL__HEAD, PL__WHOLE, PL__IF_CLASSIFIER, true, "NC", "^score.weight"},
};

const pl_family pl__gpt_neox = {
    .model_type = "gpt_neox",
    .norm = PL_NORM_LAYER,
    .positions = PL__ROTARY,
    .theta_key = "rotary_emb_base",
    .part_key = "rotary_pct",
    .lm = "GPTNeoXForCausalLM",
    .classifier = "GPTNeoXForSequenceClassification",
    .prefixes = neox_prefixes,
    .ignored = neox_ignored,
    KEYS(neox_keys),
    TENSORS(neox_tensors),
};
