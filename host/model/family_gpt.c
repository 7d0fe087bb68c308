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
    {"scale_attn_by_inverse_layer_idx", 0, "attention scaled by layer is read differently by versions of transformers",
     NULL},
    {"reorder_and_upcast_attn", 0, "it changes the order of roundings, which versions of transformers ignore or honour",
     NULL},
    {"scale_attn_weights", 1, "unscaled attention is read differently by versions of transformers", NULL},
    {"add_cross_attention", 0, "there is no encoder to attend to", NULL},
};

static const pl__tensor_fact gpt2_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "wte.weight"},
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
    HEADS,
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
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "embed_in.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.bias"},
    {PL__QKV, PL__QKV_BY_GROUP, PL__ALWAYS, true, "AC", "layers.#.attention.query_key_value.weight"},
    {PL__QKV_BIAS, PL__QKV_BY_GROUP, PL__IF_QKV_BIAS, false, "A", "layers.#.attention.query_key_value.bias"},
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
    {PL__HEAD, PL__WHOLE, PL__IF_UNTIED, true, "VE", "^embed_out.weight"},
    {PL__HEAD, PL__WHOLE, PL__IF_CLASSIFIER, true, "NE", "^score.weight"},
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

/* ---- opt: positions begin at the third row of their table. Norms stand before branches, or behind sums (the 350m,
 * whose embeddings are narrower, too); a norm of the model's end goes with the first alone.
 * ------------------------------ */

static const char *const opt_prefixes[] = {"model.decoder.", "decoder.", "", NULL};
static const char *const opt_ignored[] = {NULL};

static const pl__key_fact opt_keys[] = {
    SIZE(V, "vocab_size", NULL, 50272),
    SIZE(C, "hidden_size", NULL, 768),
    SIZE(F, "ffn_dim", NULL, 3072),
    SIZE(L, "num_hidden_layers", NULL, 12),
    SIZE(H, "num_attention_heads", NULL, 12),
    SIZE(E, "word_embed_proj_dim", NULL, 0),
    SIZE(max_positions, "max_position_embeddings", NULL, 2048),
    REAL(norm_eps, NULL, 1e-5),
    REAL(initializer_range, "init_std", 0.02),
    REAL(residual_dropout, "dropout", 0.1),
    REAL(attention_dropout, "attention_dropout", 0),
    ACTIVATION("activation_function", "relu"),
    BOOL(tied, "tie_word_embeddings", true),
    BOOL(norms_before, "do_layer_norm_before", true),
    BOOL(qkv_bias, "enable_bias", true),
    BOOL(output_bias, "enable_bias", true),
    BOOL(mlp_bias, "enable_bias", true),
};

static const pl__refusal opt_refusals[] = {
    {"layer_norm_elementwise_affine", 1, "norms without weights are not there yet", NULL},
    {"layerdrop", 0, "training would leave out layers at random", NULL},
};

static pl_status settle_opt(pl_config *c, const json_t *object, const char *where)
{
    bool removed = false;
    PL_TRY(pl_json_get_bool(&removed, object, "_remove_final_layer_norm", where));
    c->final_norm = c->norms_before && !removed;
    if (c->E == 0 && json_is_integer(json_object_get(object, "word_embed_proj_dim")))
        return pl_fail(PL_E_INPUT, "%s: word_embed_proj_dim: expected 1 or more, or null, found 0", where);
    return PL_OK;
}

static const pl__tensor_fact opt_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "embed_tokens.weight"},
    {PL__POSITIONS, PL__WHOLE, PL__ALWAYS, true, "PC", "embed_positions.weight"},
    {PL__PROJECT_IN, PL__WHOLE, PL__IF_PROJECTED, true, "CE", "project_in.weight"},
    {PL__NORM_1, PL__WHOLE, PL__IF_NORMS_BEFORE, false, "C", "layers.#.self_attn_layer_norm.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__IF_NORMS_BEFORE, false, "C", "layers.#.self_attn_layer_norm.bias"},
    {PL__SUM_1, PL__WHOLE, PL__IF_NORMS_BEHIND, false, "C", "layers.#.self_attn_layer_norm.weight"},
    {PL__SUM_1_BIAS, PL__WHOLE, PL__IF_NORMS_BEHIND, false, "C", "layers.#.self_attn_layer_norm.bias"},
    SPLIT_QKV,
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "layers.#.self_attn.out_proj.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "layers.#.self_attn.out_proj.bias"},
    {PL__NORM_2, PL__WHOLE, PL__IF_NORMS_BEFORE, false, "C", "layers.#.final_layer_norm.weight"},
    {PL__NORM_2_BIAS, PL__WHOLE, PL__IF_NORMS_BEFORE, false, "C", "layers.#.final_layer_norm.bias"},
    {PL__SUM_2, PL__WHOLE, PL__IF_NORMS_BEHIND, false, "C", "layers.#.final_layer_norm.weight"},
    {PL__SUM_2_BIAS, PL__WHOLE, PL__IF_NORMS_BEHIND, false, "C", "layers.#.final_layer_norm.bias"},
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "FC", "layers.#.fc1.weight"},
    {PL__UP_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "F", "layers.#.fc1.bias"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "layers.#.fc2.weight"},
    {PL__DOWN_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "C", "layers.#.fc2.bias"},
    {PL__FINAL_NORM, PL__WHOLE, PL__IF_FINAL_NORM, false, "C", "final_layer_norm.weight"},
    {PL__FINAL_NORM_BIAS, PL__WHOLE, PL__IF_FINAL_NORM, false, "C", "final_layer_norm.bias"},
    {PL__PROJECT_OUT, PL__WHOLE, PL__IF_PROJECTED, true, "EC", "project_out.weight"},
    HEADS,
};

const pl_family pl__opt = {
    .model_type = "opt",
    .norm = PL_NORM_LAYER,
    .positions = PL__LEARNED,
    .position_offset = 2,
    .padded = true,
    .padding = 1,
    .lm = "OPTForCausalLM",
    .classifier = "OPTForSequenceClassification",
    .prefixes = opt_prefixes,
    .ignored = opt_ignored,
    KEYS(opt_keys),
    REFUSALS(opt_refusals),
    TENSORS(opt_tensors),
    .settle = settle_opt,
};
