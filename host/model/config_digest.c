/* The digest of what config.json decides: two checkpoints with equal weights and another theta, epsilon or activation
 * give other numbers. Made of the facts as they were understood, not of the file's bytes: a key that says what holds
 * anyway changes nothing. Stop ids are apart, since only generation depends on them. */
#include "base/digest.h"
#include "base/json_build.h"
#include "model/family.h"
#include "model/model.h"

static const char *const norms[] = {
    [PL_NORM_LAYER] = "layer", [PL_NORM_RMS] = "rms", [PL_NORM_RMS_PLUS_ONE] = "rms_plus_one"};
static const char *const activations[] = {
    [PL_ACT_NONE] = "none", [PL_ACT_GELU_ERF] = "gelu_erf", [PL_ACT_GELU_TANH] = "gelu_tanh",
    [PL_ACT_RELU] = "relu", [PL_ACT_SILU] = "silu",         [PL_ACT_QUICK_GELU] = "quick_gelu"};
static const char *const ropes[] = {
    [PL_ROPE_NONE] = "none",     [PL_ROPE_DEFAULT] = "default", [PL_ROPE_LINEAR] = "linear",
    [PL_ROPE_LLAMA3] = "llama3", [PL_ROPE_YARN] = "yarn",       [PL_ROPE_LONGROPE] = "longrope"};

static void put_rope(pl_json_builder *b, const char *key, const pl_rope *r, size_t border)
{
    pl_json_open(b, key);
    pl_json_put_text(b, "kind", ropes[r->kind]);
    pl_json_put_real(b, "theta", r->theta);
    pl_json_put_real(b, "factor", r->factor);
    pl_json_put_real(b, "low_frequency_factor", r->low_frequency_factor);
    pl_json_put_real(b, "high_frequency_factor", r->high_frequency_factor);
    pl_json_put_real(b, "original_positions", r->original_positions);
    pl_json_put_real(b, "attention_factor", r->attention_factor);
    pl_json_put_real(b, "beta_fast", r->beta_fast);
    pl_json_put_real(b, "beta_slow", r->beta_slow);
    pl_json_put_bool(b, "truncate", r->truncate);
    pl_json_put_size(b, "width", r->width);
    pl_json_open_list(b, "factors");
    for (size_t i = 0; i < r->n_factors; i++) pl_json_put_real(b, NULL, r->factors[i]);
    pl_json_close(b);
    if (border) { /* without one no path is far */
        pl_json_open_list(b, "far_factors");
        for (size_t i = 0; i < r->n_factors; i++) pl_json_put_real(b, NULL, r->far_factors[i]);
        pl_json_close(b);
    }
    pl_json_put_bool(b, "interleaved", r->interleaved);
    pl_json_close(b);
}

/* A model whose layers are all alike has no plan to tell. */
static void put_layers(pl_json_builder *b, const pl_config *c)
{
    static const char *const turns[] = {"none", "global", "local"};
    const pl_turn usual = c->rope.kind == PL_ROPE_NONE ? PL_TURN_NONE : PL_TURN_GLOBAL;
    if (c->n_kinds == 1 && c->kinds[0].window == 0 && c->kinds[0].turn == usual) return;
    pl_json_open_list(b, "layers");
    for (size_t l = 0; l < c->L; l++) {
        const pl_layer_kind *kind = pl_config_layer(c, l);
        pl_json_open(b, NULL);
        pl_json_put_size(b, "window", kind->window);
        pl_json_put_text(b, "turn", turns[kind->turn]);
        pl_json_close(b);
    }
    pl_json_close(b);
}

static void put_config(pl_json_builder *b, const pl_config *c)
{
    const struct {
        const char *key;
        size_t value;
    } sizes[] = {{"C", c->C}, {"H", c->H}, {"G", c->G}, {"D", c->D},
                 {"F", c->F}, {"V", c->V}, {"L", c->L}, {"max_positions", c->max_positions}};
    pl_json_put_text(b, "model_type", c->model_type);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) pl_json_put_size(b, sizes[i].key, sizes[i].value);
    pl_json_put_text(b, "norm", norms[c->norm]);
    pl_json_put_real(b, "norm_eps", c->norm_eps);
    pl_json_put_text(b, "activation", activations[c->activation]);
    pl_json_put_bool(b, "tied", c->tied);
    pl_json_put_bool(b, "qkv_bias", c->qkv_bias);
    pl_json_put_bool(b, "output_bias", c->output_bias);
    pl_json_put_bool(b, "mlp_bias", c->mlp_bias);
    pl_json_put_bool(b, "parallel", c->parallel);
    pl_json_put_real(b, "attention_scale", c->attention_scale);
    pl_json_put_real(b, "attention_softcap", c->attention_softcap);
    pl_json_put_real(b, "logit_softcap", c->logit_softcap);
    pl_json_put_real(b, "embed_scale", c->embed_scale);
    if (c->residual_scale != 1) pl_json_put_real(b, "residual_scale", c->residual_scale);
    if (c->logit_divisor != 1) pl_json_put_real(b, "logit_divisor", c->logit_divisor);
    if (c->alibi && c->family->positions != PL__ALIBI) pl_json_put_bool(b, "alibi", true);
    if (c->E != c->C) pl_json_put_size(b, "E", c->E);
    if (!c->norms_before) pl_json_put_bool(b, "norms_before", false);
    if (!c->final_norm) pl_json_put_bool(b, "final_norm", false);
    put_rope(b, "rope", &c->rope, c->border);
    if (c->local_rope.kind != PL_ROPE_NONE) put_rope(b, "local_rope", &c->local_rope, c->border);
    put_layers(b, c);
    if (c->n_labels) pl_json_put_size(b, "labels", c->n_labels);
}

pl_status pl_config_digest(const pl_config *config, char out[PL_HASH_TEXT])
{
    pl_json_builder b;
    json_t *json;
    pl_bytes text = {0};
    pl_json_begin(&b);
    put_config(&b, config);
    PL_TRY(pl_json_end(&b, &json, "a model's facts"));
    pl_status status = pl_json_canonical(&text, json);
    if (status == PL_OK) pl_hash128(out, text.data, text.size);
    pl_bytes_free(&text);
    json_decref(json);
    return status;
}
