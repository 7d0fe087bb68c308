/* BLOOM and MPT, whose scores lose with distance in place of positions: facts from transformers' modelling and
 * configuration files. */
#include <string.h>

#include "model/family_facts.h"

static const char *const prefixes[] = {"transformer.", "", NULL};
static const char *const ignored[] = {NULL};

/* ---- bloom: a norm behind the embedding. No key limits positions; published files say seq_length. ---------------- */

static const pl__key_fact bloom_keys[] = {
    SIZE(V, "vocab_size", NULL, 250880),
    SIZE(C, "n_embed", "hidden_size", 64),
    SIZE(L, "n_layer", "num_hidden_layers", 2),
    SIZE(H, "n_head", "num_attention_heads", 8),
    SIZE(max_positions, "seq_length", NULL, 2048),
    REAL(norm_eps, "layer_norm_epsilon", 1e-5),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(residual_dropout, "hidden_dropout", 0),
    REAL(attention_dropout, "attention_dropout", 0),
    ACTIVATION(NULL, "gelu_new"),
    BOOL(tied, "tie_word_embeddings", true),
    BOOL(qkv_bias, NULL, true),
    BOOL(output_bias, NULL, true),
    BOOL(mlp_bias, NULL, true),
};

static const pl__refusal bloom_refusals[] = {
    {"apply_residual_connection_post_layernorm", 0, "a residual stream of normed states is not there", NULL},
    {"slow_but_exact", 0, "with a pretraining_tp above 1 it leaves biases out", NULL},
};

static const pl__tensor_fact bloom_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "word_embeddings.weight"},
    {PL__EMBED_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "word_embeddings_layernorm.weight"},
    {PL__EMBED_NORM_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "word_embeddings_layernorm.bias"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.input_layernorm.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.input_layernorm.bias"},
    {PL__QKV, PL__QKV_BY_GROUP, PL__ALWAYS, true, "AC", "h.#.self_attention.query_key_value.weight"},
    {PL__QKV_BIAS, PL__QKV_BY_GROUP, PL__ALWAYS, false, "A", "h.#.self_attention.query_key_value.bias"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "h.#.self_attention.dense.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.self_attention.dense.bias"},
    {PL__NORM_2, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.post_attention_layernorm.weight"},
    {PL__NORM_2_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.post_attention_layernorm.bias"},
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "FC", "h.#.mlp.dense_h_to_4h.weight"},
    {PL__UP_BIAS, PL__WHOLE, PL__ALWAYS, false, "F", "h.#.mlp.dense_h_to_4h.bias"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "h.#.mlp.dense_4h_to_h.weight"},
    {PL__DOWN_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "h.#.mlp.dense_4h_to_h.bias"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "ln_f.weight"},
    {PL__FINAL_NORM_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "ln_f.bias"},
    HEADS,
};

const pl_family pl__bloom = {
    .model_type = "bloom",
    .norm = PL_NORM_LAYER,
    .positions = PL__ALIBI,
    .lm = "BloomForCausalLM",
    .classifier = "BloomForSequenceClassification",
    .prefixes = prefixes,
    .ignored = ignored,
    KEYS(bloom_keys),
    REFUSALS(bloom_refusals),
    TENSORS(bloom_tensors),
};

/* ---- mpt: no biases, also of norms. transformers ignores most switches of MosaicML's own code; where those would make
 * another model it is refused. ------------------------------------------------------------------------------------ */

static const pl__key_fact mpt_keys[] = {
    SIZE(V, "vocab_size", NULL, 50368),
    SIZE(C, "d_model", "hidden_size", 2048),
    SIZE(L, "n_layers", "num_hidden_layers", 24),
    SIZE(H, "n_heads", "num_attention_heads", 16),
    SIZE(max_positions, "max_seq_len", NULL, 2048),
    REAL(norm_eps, "layer_norm_epsilon", 1e-5),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(residual_dropout, "attn_config.attn_pdrop", 0),
    REAL(attention_dropout, "attn_config.attn_pdrop", 0),
    CAP(attention_scale, "attn_config.softmax_scale", 0),
    ACTIVATION(NULL, "gelu"),
    BOOL(tied, "tie_word_embeddings", true),
};

static const pl__refusal mpt_refusals[] = {
    {"attn_config.alibi", 1, "transformers has no other positions and adds it all the same", NULL},
    {"attn_config.alibi_bias_max", 8, "transformers takes 8, whatever it says", NULL},
    {"attn_config.rope", 0, "transformers ignores it", NULL},
    {"attn_config.clip_qkv", 0, "queries, keys and values are not clipped here", NULL},
    {"attn_config.qk_ln", 0, "transformers ignores it", NULL},
    {"attn_config.prefix_lm", 0, "transformers ignores it", NULL},
    {"attn_config.attn_uses_sequence_id", 0, "transformers ignores it", NULL},
    {"expansion_ratio", 4, "transformers ignores it", NULL},
    {"no_bias", 1, "transformers has no biases and ignores it", NULL},
};

static pl_status settle_mpt(pl_config *c, const json_t *object, const char *where)
{
    static const struct {
        const char *key, *known; /* a text; NULL: null alone */
    } texts[] = {{"attn_config.attn_type", "multihead_attention"}, {"norm_type", "layernorm"}, {"logit_scale", NULL}};
    (void)c;
    for (size_t i = 0; i < COUNT(texts); i++) {
        const json_t *v = json_object_get(object, texts[i].key);
        const char *text = json_string_value(v);
        if (!v || json_is_null(v) || (text && texts[i].known && strstr(text, texts[i].known))) continue;
        return pl_fail(PL_E_UNSUPPORTED, "%s: %s: only %s is supported: transformers ignores it", where, texts[i].key,
                       texts[i].known ? texts[i].known : "null");
    }
    return PL_OK;
}

static const pl__tensor_fact mpt_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "wte.weight"},
    {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "blocks.#.norm_1.weight"},
    {PL__QKV, PL__WHOLE, PL__ALWAYS, true, "AC", "blocks.#.attn.Wqkv.weight"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "blocks.#.attn.out_proj.weight"},
    {PL__NORM_2, PL__WHOLE, PL__ALWAYS, false, "C", "blocks.#.norm_2.weight"},
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "FC", "blocks.#.ffn.up_proj.weight"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "blocks.#.ffn.down_proj.weight"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "norm_f.weight"},
    HEADS,
};

const pl_family pl__mpt = {
    .model_type = "mpt",
    .norm = PL_NORM_LAYER,
    .positions = PL__ALIBI,
    .nested = "attn_config",
    .lm = "MptForCausalLM",
    .classifier = "MptForSequenceClassification",
    .prefixes = prefixes,
    .ignored = ignored,
    KEYS(mpt_keys),
    REFUSALS(mpt_refusals),
    TENSORS(mpt_tensors),
    .settle = settle_mpt,
};
