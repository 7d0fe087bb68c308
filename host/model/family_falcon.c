/* Falcon: facts from transformers' modelling and configuration files. Three layouts of attention and blocks, which
 * three switches choose between; queries, keys and values are stored by group of heads in all of them. With `alibi`
 * (Falcon-RW) scores lose with distance in place of positions: once, scaled as scores are and in bfloat16, as in
 * transformers' own choice of attention (sdpa); its eager one adds the same twice. */
#include "model/family_facts.h"

static const char *const falcon_prefixes[] = {"transformer.", "", NULL};
static const char *const falcon_ignored[] = {".rotary_emb.inv_freq", NULL};

static const pl__key_fact falcon_keys[] = {
    SIZE(V, "vocab_size", NULL, 65024),
    SIZE(C, "n_embed", "hidden_size", 4544),
    SIZE(F, "ffn_hidden_size", NULL, 0),
    SIZE(L, "num_hidden_layers", NULL, 32),
    SIZE(H, "num_attention_heads", NULL, 71),
    SIZE(G, "num_kv_heads", NULL, 0),
    SIZE(max_positions, "max_position_embeddings", NULL, 2048),
    REAL(norm_eps, "layer_norm_epsilon", 1e-5),
    REAL(initializer_range, "initializer_range", 0.02),
    REAL(rope.theta, "rope_theta", 10000),
    REAL(rope.part, NULL, 1),
    ACTIVATION("activation", "gelu"),
    BOOL(tied, "tie_word_embeddings", true),
    BOOL(alibi, "alibi", false),
    BOOL(qkv_bias, "bias", false),
    BOOL(output_bias, "bias", false),
    BOOL(mlp_bias, "bias", false),
};

static const pl__refusal falcon_refusals[] = {
    {"hidden_dropout", 0, "training would drop of both branches' sum together", NULL},
    {"attention_dropout", 0, "training would drop of a branch in place of probabilities", NULL},
};

/* Null is false here. */
static pl_status read_switch(bool *out, const json_t *object, const char *key, bool absent, const char *where)
{
    const json_t *v = json_object_get(object, key);
    *out = v ? false : absent;
    return pl_json_get_bool(out, object, key, where);
}

/* new_decoder_architecture: parallel branches and groups of heads; else multi_query and parallel_attn say. */
static pl_status settle_falcon(pl_config *c, const json_t *object, const char *where)
{
    bool new, one, parallel;
    PL_TRY(read_switch(&new, object, "new_decoder_architecture", false, where));
    PL_TRY(read_switch(&one, object, "multi_query", true, where));
    PL_TRY(read_switch(&parallel, object, "parallel_attn", true, where));
    size_t norms = new ? 2 : 1, width = c->H ? c->C / c->H : 0;
    const size_t own = width;
    PL_TRY(pl_json_get_size(&norms, object, "num_ln_in_parallel_attn", where));
    PL_TRY(pl_json_get_size(&width, object, "head_dim", where));
    if (width != own)
        return pl_fail(PL_E_INPUT, "%s: head_dim: expected hidden_size / num_attention_heads, %zu, found %zu", where,
                       own, width);
    if (new && !parallel)
        return pl_fail(PL_E_INPUT, "%s: parallel_attn: expected true with new_decoder_architecture, found false",
                       where);
    if (new &&norms != 1 && norms != 2)
        return pl_fail(PL_E_INPUT, "%s: num_ln_in_parallel_attn: expected 1 or 2, found %zu", where, norms);
    if (!new &&parallel && norms == 2)
        return pl_fail(PL_E_INPUT, "%s: num_ln_in_parallel_attn: expected 1 without new_decoder_architecture, found 2",
                       where);
    c->parallel = parallel;
    c->two_norms = new &&norms == 2;
    if (new) return PL_OK;
    if (!one && c->G && c->G != c->H)
        return pl_fail(PL_E_INPUT, "%s: num_kv_heads: expected all %zu heads without multi_query, found %zu", where,
                       c->H, c->G);
    c->G = one ? 1 : c->H;
    return PL_OK;
}

static const pl__tensor_fact falcon_tensors[] = {
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "word_embeddings.weight"},
    {PL__NORM_1, PL__WHOLE, PL__UNLESS_TWO_NORMS, false, "C", "h.#.input_layernorm.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__UNLESS_TWO_NORMS, false, "C", "h.#.input_layernorm.bias"},
    {PL__NORM_1, PL__WHOLE, PL__IF_TWO_NORMS, false, "C", "h.#.ln_attn.weight"},
    {PL__NORM_1_BIAS, PL__WHOLE, PL__IF_TWO_NORMS, false, "C", "h.#.ln_attn.bias"},
    {PL__QKV, PL__QKV_BY_GROUP, PL__ALWAYS, true, "AC", "h.#.self_attention.query_key_value.weight"},
    {PL__QKV_BIAS, PL__QKV_BY_GROUP, PL__IF_QKV_BIAS, false, "A", "h.#.self_attention.query_key_value.bias"},
    {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "h.#.self_attention.dense.weight"},
    {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "h.#.self_attention.dense.bias"},
    {PL__NORM_2, PL__WHOLE, PL__IF_SEQUENTIAL, false, "C", "h.#.post_attention_layernorm.weight"},
    {PL__NORM_2_BIAS, PL__WHOLE, PL__IF_SEQUENTIAL, false, "C", "h.#.post_attention_layernorm.bias"},
    {PL__NORM_2, PL__WHOLE, PL__IF_TWO_NORMS, false, "C", "h.#.ln_mlp.weight"},
    {PL__NORM_2_BIAS, PL__WHOLE, PL__IF_TWO_NORMS, false, "C", "h.#.ln_mlp.bias"},
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "FC", "h.#.mlp.dense_h_to_4h.weight"},
    {PL__UP_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "F", "h.#.mlp.dense_h_to_4h.bias"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "h.#.mlp.dense_4h_to_h.weight"},
    {PL__DOWN_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "C", "h.#.mlp.dense_4h_to_h.bias"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "ln_f.weight"},
    {PL__FINAL_NORM_BIAS, PL__WHOLE, PL__ALWAYS, false, "C", "ln_f.bias"},
    HEADS,
};

const pl_family pl__falcon = {
    .model_type = "falcon",
    .norm = PL_NORM_LAYER,
    .positions = PL__ROTARY,
    .alibi_rounded = true,
    .lm = "FalconForCausalLM",
    .classifier = "FalconForSequenceClassification",
    .prefixes = falcon_prefixes,
    .ignored = falcon_ignored,
    KEYS(falcon_keys),
    REFUSALS(falcon_refusals),
    TENSORS(falcon_tensors),
    .settle = settle_falcon,
};
