/* GPT-Neo and GPT-J: facts from transformers' modelling and configuration files. */
#include "model/family_facts.h"

static const char *const prefixes[] = {"transformer.", "", NULL};
static const char *const ignored[] = {".attn.attention.bias", ".attn.attention.masked_bias", ".attn.bias",
                                      ".attn.masked_bias",    ".attn.embed_positions",       NULL};

/* ---- gpt_neo: scores are not scaled; every other layer sees window_size keys. ------------------------------------ */

static const pl__key_fact neo_keys[] = {
    SIZE(V, "vocab_size", NULL, 50257),
    SIZE(C, "hidden_size", NULL, 2048),
    SIZE(L, "num_layers", "num_hidden_layers", 24),
    SIZE(H, "num_heads", "num_attention_heads", 16),
    SIZE(F, "intermediate_size", NULL, 0),
    SIZE(max_positions, "max_position_embeddings", NULL, 2048),
    REAL(norm_eps, "layer_norm_epsilon", 1e-5),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(embed_dropout, "embed_dropout", 0),
    REAL(residual_dropout, "resid_dropout", 0),
    REAL(attention_dropout, "attention_dropout", 0),
    SCALE(attention_scale, NULL, 1),
    ACTIVATION("activation_function", "gelu_new"),
    BOOL(tied, "tie_word_embeddings", true),
    BOOL(output_bias, NULL, true),
    BOOL(mlp_bias, NULL, true),
};

static const pl__tensor_fact neo_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "wte.weight"},
    {PL__POSITIONS, PL__WHOLE, PL__ALWAYS, true, "PC", "wpe.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.ln_1.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.ln_1.bias"},
    {PL__QKV, PL__PART_Q, PL__ALWAYS, true, "QC", "h.#.attn.attention.q_proj.weight"},
    {PL__QKV, PL__PART_K, PL__ALWAYS, true, "KC", "h.#.attn.attention.k_proj.weight"},
    {PL__QKV, PL__PART_V, PL__ALWAYS, true, "KC", "h.#.attn.attention.v_proj.weight"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "h.#.attn.attention.out_proj.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "h.#.attn.attention.out_proj.bias"},
    {PL__NORM_2, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.ln_2.weight"},
    {PL__NORM_2_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.ln_2.bias"},
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "FC", "h.#.mlp.c_fc.weight"},
    {PL__UP_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "F", "h.#.mlp.c_fc.bias"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "h.#.mlp.c_proj.weight"},
    {PL__DOWN_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "C", "h.#.mlp.c_proj.bias"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "ln_f.weight"},
    {PL__FINAL_NORM_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "ln_f.bias"},
    HEADS,
};

const pl_family pl__gpt_neo = {
    .model_type = "gpt_neo",
    .norm = PL_NORM_LAYER,
    .positions = PL__LEARNED,
    .windows = PL__LOCAL_WINDOWED,
    .window_key = "window_size",
    .window = 256,
    .lm = "GPTNeoForCausalLM",
    .classifier = "GPTNeoForSequenceClassification",
    .prefixes = prefixes,
    .ignored = ignored,
    KEYS(neo_keys),
    TENSORS(neo_tensors),
};

/* ---- gptj: pairs of neighbours are turned, rotary_dim features of a head; both branches read one norm; the head has a
 * bias. ----------------------------------------------------------------------------------------------------------- */

static const pl__key_fact gptj_keys[] = {
    SIZE(V, "vocab_size", NULL, 50400),
    SIZE(C, "n_embd", "hidden_size", 4096),
    SIZE(L, "n_layer", "num_hidden_layers", 28),
    SIZE(H, "n_head", "num_attention_heads", 16),
    SIZE(F, "n_inner", NULL, 0),
    SIZE(max_positions, "n_positions", "max_position_embeddings", 2048),
    SIZE(rope.width, "rotary_dim", NULL, 64),
    REAL(rope.theta, NULL, 10000),
    REAL(norm_eps, "layer_norm_epsilon", 1e-5),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(embed_dropout, "embd_pdrop", 0),
    REAL(residual_dropout, "resid_pdrop", 0),
    REAL(attention_dropout, "attn_pdrop", 0),
    ACTIVATION("activation_function", "gelu_new"),
    BOOL(tied, "tie_word_embeddings", false),
    BOOL(parallel, NULL, true),
    BOOL(mlp_bias, NULL, true),
};

static const pl__tensor_fact gptj_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "wte.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.ln_1.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.ln_1.bias"},
    {PL__QKV, PL__PART_Q, PL__ALWAYS, true, "QC", "h.#.attn.q_proj.weight"},
    {PL__QKV, PL__PART_K, PL__ALWAYS, true, "KC", "h.#.attn.k_proj.weight"},
    {PL__QKV, PL__PART_V, PL__ALWAYS, true, "KC", "h.#.attn.v_proj.weight"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "h.#.attn.out_proj.weight"},
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "FC", "h.#.mlp.fc_in.weight"},
    {PL__UP_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "F", "h.#.mlp.fc_in.bias"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "h.#.mlp.fc_out.weight"},
    {PL__DOWN_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "C", "h.#.mlp.fc_out.bias"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "ln_f.weight"},
    {PL__FINAL_NORM_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "ln_f.bias"},
    {PL__HEAD, PL__WHOLE, PL__IF_UNTIED, true, "VE", "^lm_head.weight"},
    {PL__HEAD_BIAS, PL__WHOLE, PL__IF_VOCABULARY, false, "V", "^lm_head.bias"},
    {PL__HEAD, PL__WHOLE, PL__IF_CLASSIFIER, true, "NE", "^score.weight"},
};

const pl_family pl__gptj = {
    .model_type = "gptj",
    .norm = PL_NORM_LAYER,
    .positions = PL__ROTARY,
    .rope_interleaved = true,
    .width_key = "rotary_dim",
    .lm = "GPTJForCausalLM",
    .classifier = "GPTJForSequenceClassification",
    .prefixes = prefixes,
    .ignored = ignored,
    KEYS(gptj_keys),
    TENSORS(gptj_tensors),
};
