#include "model/layer_text.h"

#include "model/family.h"

static bool is_equal(const pl_config *config, size_t a, size_t b)
{
    const pl_layer_kind *x = pl_config_layer(config, a), *y = pl_config_layer(config, b);
    return x->window == y->window && x->turn == y->turn;
}

pl_status pl_layer_numbers(pl_bytes *out, bool *first, const pl_config *config, size_t layer)
{
    const char *comma = "";
    *first = true;
    for (size_t from = 0, to; from < config->L; from = to) {
        to = from + 1;
        if (!is_equal(config, from, layer)) continue;
        *first = *first && from >= layer;
        while (to < config->L && is_equal(config, to, layer)) to++;
        PL_TRY(to - from == 1 ? pl_bytes_format(out, "%s%zu", comma, from)
                              : pl_bytes_format(out, "%s%zu-%zu", comma, from, to - 1));
        comma = ", ";
    }
    return PL_OK;
}

static pl_status put_mixer(pl_bytes *out, const pl_config *c, size_t layer)
{
    const size_t window = pl_config_layer(c, layer)->window;
    PL_TRY(window ? pl_bytes_format(out, "window of %zu keys", window) : pl_bytes_text(out, "full attention"));
    PL_TRY(pl_bytes_format(out, ", %zu heads of %zu", c->H, c->D));
    if (c->G != c->H) PL_TRY(pl_bytes_format(out, ", %zu key/value head%s", c->G, c->G == 1 ? "" : "s"));
    if (pl__config_has(c, PL__Q_NORM))
        PL_TRY(pl_bytes_text(out, c->family->wide_norms ? ", norms over all queries and all keys"
                                                        : ", norms of each query and key head"));
    if (c->attention_softcap != 0) PL_TRY(pl_bytes_format(out, ", soft cap %g", c->attention_softcap));
    return PL_OK;
}

static pl_status put_positions(pl_bytes *out, const pl_config *c, size_t layer)
{
    static const char *const kinds[] = {[PL_ROPE_NONE] = "",
                                        [PL_ROPE_DEFAULT] = "",
                                        [PL_ROPE_LINEAR] = " linear",
                                        [PL_ROPE_DYNAMIC] = " dynamic",
                                        [PL_ROPE_LLAMA3] = " llama3",
                                        [PL_ROPE_YARN] = " yarn",
                                        [PL_ROPE_LONGROPE] = " longrope"};
    const pl_rope *rope = pl_config_rope(c, layer);
    if (c->family->positions == PL__LEARNED) return pl_bytes_text(out, "; learned positions");
    if (c->alibi) return pl_bytes_text(out, "; positions by ALiBi");
    if (!rope) return pl_bytes_text(out, "; no positions");
    PL_TRY(pl_bytes_format(out, "; rotary%s, theta %.9g", kinds[rope->kind], rope->theta));
    if (rope->kind == PL_ROPE_LONGROPE && rope->original_positions < (double)c->max_positions)
        PL_TRY(pl_bytes_format(out, ", other factors beyond %zu tokens", c->border));
    return rope->width == c->D ? PL_OK : pl_bytes_format(out, ", %zu of %zu features", rope->width, c->D);
}

static pl_status put_norms(pl_bytes *out, const pl_config *c)
{
    static const char *const kinds[] = {[PL_NORM_LAYER] = "layer norm",
                                        [PL_NORM_RMS] = "RMS norm",
                                        [PL_NORM_RMS_PLUS_ONE] = "RMS norm (1 + w)",
                                        [PL_NORM_NONE] = "norm"};
    bool before = pl__config_has(c, PL__NORM_1), after = pl__config_has(c, PL__AFTER_1);
    if (pl__config_has(c, PL__SUM_1)) return pl_bytes_format(out, "; %s of each sum", kinds[c->norm]);
    if (!before && !after) return pl_bytes_text(out, "; no norms");
    PL_TRY(pl_bytes_format(out, "; %s %s", kinds[c->norm],
                           before && after ? "before and after each"
                           : before        ? "before each"
                                           : "after each"));
    if (!c->parallel) return PL_OK;
    return pl_bytes_text(out, pl__config_has(c, PL__NORM_2) ? ", side by side" : ", side by side, one for both");
}

static pl_status put_feed_forward(pl_bytes *out, const pl_config *c)
{
    static const char *const activations[] = {
        [PL_ACT_NONE] = "no activation", [PL_ACT_GELU_ERF] = "GELU", [PL_ACT_GELU_TANH] = "GELU by tanh",
        [PL_ACT_RELU] = "ReLU",          [PL_ACT_SILU] = "SiLU",     [PL_ACT_QUICK_GELU] = "quick GELU"};
    return pl_bytes_format(out, "; feed-forward %zu, %s%s", c->F, activations[c->activation],
                           c->family->gated ? ", gated" : "");
}

pl_status pl_layer_text(pl_bytes *out, const pl_config *config, size_t layer)
{
    PL_TRY(put_mixer(out, config, layer));
    PL_TRY(put_positions(out, config, layer));
    PL_TRY(put_norms(out, config));
    return put_feed_forward(out, config);
}
