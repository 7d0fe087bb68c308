/* Granite: facts from transformers' modelling and configuration files. Llama's blocks with four scalars: of embeddings,
 * scores, branches and logits. */
#include <string.h>

#include "model/family_facts.h"

static const char *const granite_prefixes[] = {"model.", "", NULL};
static const char *const granite_ignored[] = {".rotary_emb.inv_freq", NULL};

#define GRANITE_KEYS                                                                                                   \
    SIZE(V, "vocab_size", NULL, 32000), SIZE(C, "hidden_size", NULL, 4096), SIZE(L, "num_hidden_layers", NULL, 32),    \
        SIZE(H, "num_attention_heads", NULL, 32), SIZE(G, "num_key_value_heads", NULL, 0),                             \
        SIZE(D, "head_dim", NULL, 0), SIZE(max_positions, "max_position_embeddings", NULL, 2048),                      \
        REAL(norm_eps, "rms_norm_eps", 1e-6), REAL(initializer_range, "initializer_range", 0.02),                      \
        REAL(attention_dropout, "attention_dropout", 0), REAL(rope.theta, "rope_theta", 10000),                        \
        REAL(rope.part, NULL, 1), ACTIVATION("hidden_act", "silu"), BOOL(tied, "tie_word_embeddings", false),          \
        BOOL(qkv_bias, "attention_bias", false), BOOL(output_bias, "attention_bias", false),                           \
        SCALE(embed_scale, "embedding_multiplier", 1), SCALE(attention_scale, "attention_multiplier", 1),              \
        SCALE(residual_scale, "residual_multiplier", 1), SCALE(logit_divisor, "logits_scaling", 1)
#define GRANITE_ATTENTION                                                                                              \
    {PL__EMBED, PL__WHOLE, PL__ALWAYS, true, "VE", "embed_tokens.weight"},                                             \
        {PL__NORM_1, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.input_layernorm.weight"}, SPLIT_QKV,                 \
        {PL__OUT, PL__WHOLE, PL__ALWAYS, true, "CQ", "layers.#.self_attn.o_proj.weight"},                              \
        {PL__OUT_BIAS, PL__WHOLE, PL__IF_OUTPUT_BIAS, false, "C", "layers.#.self_attn.o_proj.bias"},                   \
    {                                                                                                                  \
        PL__NORM_2, PL__WHOLE, PL__ALWAYS, false, "C", "layers.#.post_attention_layernorm.weight"                      \
    }
#define GRANITE                                                                                                        \
    .norm = PL_NORM_RMS, .positions = PL__ROTARY, .gated = true, .padded = true, .padding = -1,                        \
    .prefixes = granite_prefixes, .ignored = granite_ignored

/* ---- granite: Granite 3. ---------------------------------------------------------------------------------------- */

static const pl__key_fact granite_keys[] = {
    GRANITE_KEYS,
    SIZE(F, "intermediate_size", NULL, 11008),
    BOOL(mlp_bias, "mlp_bias", false),
};

static const pl__tensor_fact granite_tensors[] = {
    GRANITE_ATTENTION,
    GATED_MLP,
    {PL__UP_BIAS, PL__PART_GATE, PL__IF_MLP_BIAS, false, "F", "layers.#.mlp.gate_proj.bias"},
    {PL__UP_BIAS, PL__PART_UP, PL__IF_MLP_BIAS, false, "F", "layers.#.mlp.up_proj.bias"},
    {PL__DOWN_BIAS, PL__WHOLE, PL__IF_MLP_BIAS, false, "C", "layers.#.mlp.down_proj.bias"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "norm.weight"},
    HEADS,
};

const pl_family pl__granite = {
    .model_type = "granite",
    GRANITE,
    .lm = "GraniteForCausalLM",
    KEYS(granite_keys),
    TENSORS(granite_tensors),
};

/* ---- granitemoehybrid: Granite 4 where it is dense: every layer attends and there are no experts but the shared one,
 * whose gate and up are stored as one matrix. Positions only where position_embedding_type says so. ---------------- */

static const pl__key_fact hybrid_keys[] = {
    GRANITE_KEYS,
    SIZE(F, "shared_intermediate_size", NULL, 1024),
    SIZE(n_experts, "num_local_experts", NULL, 8),
};

static const pl__tensor_fact hybrid_tensors[] = {
    GRANITE_ATTENTION,
    {PL__UP, PL__WHOLE, PL__ALWAYS, true, "UC", "layers.#.shared_mlp.input_linear.weight"},
    {PL__DOWN, PL__WHOLE, PL__ALWAYS, true, "CF", "layers.#.shared_mlp.output_linear.weight"},
    {PL__FINAL_NORM, PL__WHOLE, PL__ALWAYS, false, "C", "norm.weight"},
    HEADS,
};

static pl_status settle_hybrid(pl_config *c, const json_t *object, const char *where)
{
    const json_t *types = json_object_get(object, "layer_types");
    if (!types || json_is_null(types)) types = json_object_get(object, "layers_block_type"); /* in older files */
    if (c->n_experts)
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s: num_local_experts: %zu is not supported: a mixture of experts is not there; 0 is (absent: "
                       "8)",
                       where, c->n_experts);
    if (!types || json_is_null(types))
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s: layer_types is missing: all layers would be recurrent, which none is here", where);
    if (!json_is_array(types) || json_array_size(types) != c->L)
        return pl_fail(PL_E_INPUT, "%s: layer_types: expected a list of %zu entries, one a layer", where, c->L);
    for (size_t l = 0; l < c->L; l++) {
        const char *type = json_string_value(json_array_get(types, l));
        if (type && (strcmp(type, "full_attention") == 0 || strcmp(type, "attention") == 0)) continue;
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s: layer_types: entry %zu: '%s' is not supported: recurrent layers are not there; known: "
                       "full_attention",
                       where, l, type ? type : "no text");
    }
    return PL_OK;
}

const pl_family pl__granitemoehybrid = {
    .model_type = "granitemoehybrid",
    GRANITE,
    .turned_key = "position_embedding_type",
    .lm = "GraniteMoeHybridForCausalLM",
    KEYS(hybrid_keys),
    TENSORS(hybrid_tensors),
    .settle = settle_hybrid,
};
