/* Rotary positions: the settings in config.json, the inverse frequencies, and the tables of cosine and sine.
 *
 * The arithmetic follows transformers (modeling_rope_utils.py) step by step in float32, because angles at large
 * positions amplify a rounding of the frequency; tests/model/test_rope.c compares every key with it. Two types there
 * depend on the length of the whole input: `dynamic` only beyond the declared positions, which no input reaches;
 * `longrope` has one set of factors up to the original number of positions (pl_config.border) and another for all
 * positions of an input beyond. Here each path's own length decides, never its batch's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"
#include "model/family.h"

static const char THETA[] = "rope_theta", PART[] = "partial_rotary_factor";
static const char SCALING[] = "rope_scaling", PARAMETERS[] = "rope_parameters";
static const double PI = 3.14159265358979323846;

static const struct {
    const char *name;
    pl_rope_kind kind;
} kinds[] = {
    {"default", PL_ROPE_DEFAULT}, {"linear", PL_ROPE_LINEAR}, {"dynamic", PL_ROPE_DYNAMIC},
    {"llama3", PL_ROPE_LLAMA3},   {"yarn", PL_ROPE_YARN},     {"longrope", PL_ROPE_LONGROPE},
};

static bool is_null(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return v && json_is_null(v);
}

/* rope_type, which older files call type. */
static pl_status read_kind(pl_rope_kind *out, const json_t *settings, bool longrope_alone, const char *where)
{
    const char *type = NULL;
    PL_TRY(pl_json_get_text(&type, settings, "type", where));
    PL_TRY(pl_json_get_text(&type, settings, "rope_type", where));
    if (is_null(settings, "rope_type") || (!type && is_null(settings, "type"))) type = "null";
    if (!type) type = "default";
    if (longrope_alone && strcmp(type, "yarn") == 0) type = "longrope";
    if (longrope_alone && strcmp(type, "longrope") != 0 && strcmp(type, "default") != 0)
        return pl_fail(PL_E_UNSUPPORTED, "%s: rope type '%s' is not supported; known in this family: default, longrope",
                       where, type);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, type) != 0) continue;
        *out = kinds[i].kind;
        return PL_OK;
    }
    return pl_fail(PL_E_UNSUPPORTED,
                   "%s: rope type '%s' is not supported; known: default, linear, dynamic, llama3, yarn, longrope",
                   where, type);
}

/* A key that is given is a number above 0; an absent one leaves *out, which then has to be above 0 itself. */
static pl_status need_positive(double *out, const json_t *settings, const char *key, const char *where)
{
    PL_TRY(pl_json_get_real(out, settings, key, where));
    if (!isfinite(*out) || *out <= 0)
        return pl_fail(PL_E_INPUT, "%s: rope: %s: expected a number above 0, found %g", where, key, *out);
    return PL_OK;
}

/* Likewise, where null is not the same as absent. */
static pl_status need_number(double *out, const json_t *settings, const char *key, const char *where)
{
    if (is_null(settings, key))
        return pl_fail(PL_E_INPUT, "%s: rope: %s: expected a number above 0, found null", where, key);
    return need_positive(out, settings, key, where);
}

/* One of longrope's lists: a factor for each pair of features. */
static pl_status read_factors(double out[PL_ROPE_FACTORS], size_t n, const json_t *settings, const char *key,
                              const char *where)
{
    const json_t *list = json_object_get(settings, key);
    if (!json_is_array(list) || json_array_size(list) != n || n > PL_ROPE_FACTORS)
        return pl_fail(PL_E_INPUT, "%s: rope: %s: expected a list of %zu numbers (at most %d), found %zu", where, key,
                       n, PL_ROPE_FACTORS, json_array_size(list));
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        out[i] = json_is_number(v) ? json_number_value(v) : 0;
        if (!isfinite(out[i]) || out[i] <= 0)
            return pl_fail(PL_E_INPUT, "%s: rope: %s: entry %zu is not a number above 0", where, key, i);
    }
    return PL_OK;
}

static double yarn_scale(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static pl_status read_llama3(pl_rope *rope, const json_t *settings, const char *where)
{
    PL_TRY(need_positive(&rope->factor, settings, "factor", where));
    PL_TRY(need_positive(&rope->low_frequency_factor, settings, "low_freq_factor", where));
    PL_TRY(need_positive(&rope->high_frequency_factor, settings, "high_freq_factor", where));
    if (rope->high_frequency_factor <= rope->low_frequency_factor)
        return pl_fail(PL_E_INPUT, "%s: rope: high_freq_factor %g: expected above low_freq_factor %g", where,
                       rope->high_frequency_factor, rope->low_frequency_factor);
    return PL_OK;
}

static pl_status read_yarn(pl_rope *rope, const json_t *settings, double declared, const char *where)
{
    double mscale = 0, mscale_all = 0;
    if (rope->theta <= 1)
        return pl_fail(PL_E_INPUT, "%s: rope: yarn needs a rope_theta above 1, found %g", where, rope->theta);
    if (!json_object_get(settings, "factor"))
        return pl_fail(PL_E_INPUT, "%s: rope: factor is missing: expected a number, or null for declared / original",
                       where);
    rope->factor = declared / rope->original_positions;
    rope->beta_fast = 32;
    rope->beta_slow = 1;
    PL_TRY(need_positive(&rope->factor, settings, "factor", where));
    PL_TRY(need_positive(&rope->beta_fast, settings, "beta_fast", where));
    PL_TRY(need_positive(&rope->beta_slow, settings, "beta_slow", where));
    rope->truncate = !is_null(settings, "truncate");
    PL_TRY(pl_json_get_bool(&rope->truncate, settings, "truncate", where));
    PL_TRY(pl_json_get_real(&mscale, settings, "mscale", where));
    PL_TRY(pl_json_get_real(&mscale_all, settings, "mscale_all_dim", where));
    rope->attention_factor = mscale != 0 && mscale_all != 0
                                 ? yarn_scale(rope->factor, mscale) / yarn_scale(rope->factor, mscale_all)
                                 : yarn_scale(rope->factor, 1);
    return need_positive(&rope->attention_factor, settings, "attention_factor", where);
}

static pl_status read_longrope(pl_rope *rope, pl_config *config, const json_t *settings, const char *where)
{
    rope->factor = (double)config->max_positions / rope->original_positions;
    rope->n_factors = rope->width / 2;
    PL_TRY(need_positive(&rope->factor, settings, "factor", where));
    PL_TRY(read_factors(rope->factors, rope->n_factors, settings, "short_factor", where));
    PL_TRY(read_factors(rope->far_factors, rope->n_factors, settings, "long_factor", where));
    if (rope->factor > 1 && rope->original_positions > 1)
        rope->attention_factor = sqrt(1 + log(rope->factor) / log(rope->original_positions));
    if (rope->original_positions < 1)
        return pl_fail(PL_E_INPUT, "%s: rope: original_max_position_embeddings: expected at least 1, found %g", where,
                       rope->original_positions);
    PL_TRY(need_positive(&rope->attention_factor, settings, "attention_factor", where));
    if ((double)config->max_positions <=
        rope->original_positions) { /* none is far, though other layers have a border */
        memcpy(rope->far_factors, rope->factors, sizeof rope->far_factors);
        return PL_OK;
    }
    const size_t border = (size_t)rope->original_positions;
    if (config->border && config->border != border)
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s: rope: original_max_position_embeddings: %zu in some layers and %zu in others is not "
                       "supported",
                       where, config->border, border);
    config->border = border;
    return PL_OK;
}

/* The base for inputs within the declared positions: the trained one but for a rounding. */
static pl_status read_dynamic(pl_rope *rope, const json_t *settings, const char *where)
{
    PL_TRY(need_positive(&rope->factor, settings, "factor", where));
    if (rope->width <= 2)
        return pl_fail(PL_E_INPUT, "%s: rope: dynamic needs more than 2 features of a head, found %zu", where,
                       rope->width);
    double width = (double)rope->width;
    rope->theta *= pow(rope->factor - (rope->factor - 1), width / (width - 2));
    return PL_OK;
}

/* The type's own settings; rope->original_positions is set. */
static pl_status read_scaling(pl_rope *rope, pl_config *config, const json_t *settings, const char *where)
{
    rope->attention_factor = 1;
    switch (rope->kind) {
    case PL_ROPE_NONE:
    case PL_ROPE_DEFAULT:
        break;
    case PL_ROPE_LINEAR:
        return need_positive(&rope->factor, settings, "factor", where);
    case PL_ROPE_DYNAMIC:
        return read_dynamic(rope, settings, where);
    case PL_ROPE_LLAMA3:
        return read_llama3(rope, settings, where);
    case PL_ROPE_YARN:
        return read_yarn(rope, settings, (double)config->max_positions, where);
    case PL_ROPE_LONGROPE:
        return read_longrope(rope, config, settings, where);
    }
    return PL_OK;
}

/* One of the two keys, where it says something: transformers 5 writes rope_parameters (theta inside), 4 wrote
 * rope_scaling beside rope_theta. */
static pl_status find_object(const json_t **out, const json_t *object, const char *key, const char *where)
{
    const json_t *v = json_object_get(object, key);
    *out = NULL;
    if (!v || json_is_null(v)) return PL_OK;
    if (!json_is_object(v)) return pl_fail(PL_E_INPUT, "%s: %s: expected an object", where, key);
    *out = v;
    return PL_OK;
}

/* The settings of all layers; where both keys say something, the old one holds. */
static pl_status find_settings(const json_t **out, const json_t *object, const char *where)
{
    const char *key;
    json_t *value;
    PL_TRY(find_object(out, object, SCALING, where));
    if (json_object_size(*out) == 0) PL_TRY(find_object(out, object, PARAMETERS, where));
    json_object_foreach((json_t *)(uintptr_t)*out, key, value) if (json_is_object(value)) return pl_fail(
        PL_E_UNSUPPORTED, "%s: rope: %s: settings for each kind of layer are not supported in this family", where, key);
    return PL_OK;
}

/* The settings of each kind of layer, which a family with two sets has: in rope_parameters by the name of the kind, and
 * rope_scaling, which older files have, is of the full layers. NULL: the defaults. */
static pl_status find_two_settings(const json_t **full, const json_t **local, const json_t *object, const char *where)
{
    const json_t *both, *old;
    PL_TRY(find_object(&both, object, PARAMETERS, where));
    PL_TRY(find_object(&old, object, SCALING, where));
    if (both && old)
        return pl_fail(PL_E_UNSUPPORTED, "%s: rope_parameters beside rope_scaling is not supported: keep the first",
                       where);
    *full = old;
    if (both) PL_TRY(find_object(full, both, "full_attention", where));
    PL_TRY(find_object(local, both, "sliding_attention", where));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)both, key,
                        value) if (!json_is_object(value) &&
                                   !json_is_null(value)) return pl_fail(PL_E_UNSUPPORTED,
                                                                        "%s: rope_parameters: %s: expected "
                                                                        "full_attention and sliding_attention alone",
                                                                        where, key);
    return PL_OK;
}

/* The part of a head that is turned. A Llama turns whole heads: of the default type's keys transformers ignores this
 * one, and with the others, which heed it, the model does not run. */
static pl_status read_part(pl_rope *rope, const pl_config *config, const json_t *settings, const json_t *object,
                           const char *where)
{
    double part = 1;
    if (config->family->part_key) {
        const bool inside = json_object_get(settings, PART) != NULL;
        PL_TRY(need_number(&rope->part, inside ? settings : object, inside ? PART : config->family->part_key, where));
        if (rope->part <= 1) return PL_OK;
        return pl_fail(PL_E_INPUT, "%s: rope: %s: expected at most 1, found %g", where, config->family->part_key,
                       rope->part);
    }
    if (rope->kind == PL_ROPE_DEFAULT) return PL_OK;
    PL_TRY(pl_json_get_real(&part, object, PART, where));
    if (json_object_get(settings, PART)) part = NAN;
    PL_TRY(pl_json_get_real(&part, settings, PART, where));
    if (part == 1) return PL_OK;
    return pl_fail(
        PL_E_UNSUPPORTED,
        "%s: rope: partial_rotary_factor: with this rope type only 1 is supported: transformers does not run "
        "a model of this family that turns a part of its heads",
        where);
}

/* One set of settings; `beside`: the key of theta in config.json itself. */
static pl_status read_rope(pl_rope *rope, pl_config *config, const json_t *settings, const json_t *object,
                           const char *beside, const char *where)
{
    PL_TRY(read_kind(&rope->kind, settings, config->family->longrope_alone, where));
    const bool inside = json_object_get(settings, THETA) != NULL;
    PL_TRY(need_number(&rope->theta, inside ? settings : object, inside ? THETA : beside, where));
    PL_TRY(read_part(rope, config, settings, object, where));
    rope->width = (size_t)((double)config->D * rope->part);
    if (rope->width == 0 || rope->width % 2 != 0)
        return pl_fail(PL_E_INPUT, "%s: %zu of a head's %zu features are rotated, expected an even number above 0",
                       where, rope->width, config->D);

    if (config->family->own_original) return read_scaling(rope, config, settings, where);
    rope->original_positions = (double)config->max_positions;
    if (rope->kind == PL_ROPE_LLAMA3 || rope->kind == PL_ROPE_YARN || rope->kind == PL_ROPE_LONGROPE) {
        static const char key[] = "original_max_position_embeddings";
        const bool whole = !config->family->local_rope && json_object_get(object, key);
        PL_TRY(need_number(&rope->original_positions, whole ? object : settings, key, where));
    }
    return read_scaling(rope, config, settings, where);
}

/* A family that reads no settings: theta and the features that are turned are all. */
static pl_status read_width(pl_rope *rope, const pl_config *config, const char *where)
{
    rope->kind = PL_ROPE_DEFAULT;
    rope->attention_factor = 1;
    if (rope->width > 0 && rope->width % 2 == 0 && rope->width <= config->D) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: %s: expected an even number of a head's %zu features, found %zu", where,
                   config->family->width_key, config->D, rope->width);
}

pl_status pl__rope_parse(pl_config *config, const json_t *object, const char *where)
{
    const json_t *settings = NULL, *local = NULL;
    if (config->family->width_key) return read_width(&config->rope, config, where);
    const char *beside = config->family->theta_key ? config->family->theta_key : THETA;
    if (!config->family->local_rope) {
        PL_TRY(find_settings(&settings, object, where));
        return read_rope(&config->rope, config, settings, object, beside, where);
    }
    PL_TRY(find_two_settings(&settings, &local, object, where));
    PL_TRY(read_rope(&config->rope, config, settings, object, beside, where));
    return read_rope(&config->local_rope, config, local, object, "rope_local_base_freq", where);
}

/* ---- Frequencies ------------------------------------------------------------------------------------------------ */

/* Llama 3.1: long waves are divided by the factor, short ones kept, those between blended. */
static float llama3_frequency(float f, const pl_rope *rope)
{
    float low = (float)rope->low_frequency_factor, high = (float)rope->high_frequency_factor;
    float factor = (float)rope->factor, original = (float)rope->original_positions;
    float wave = (float)(2 * PI) / f;
    if (wave > (float)(rope->original_positions / rope->low_frequency_factor)) return f / factor;
    if (wave < (float)(rope->original_positions / rope->high_frequency_factor)) return f;
    float smooth = (original / wave - low) / (high - low);
    return (1 - smooth) * f / factor + smooth * f;
}

/* YaRN's dimension that turns `rotations` times over the original length. */
static double yarn_dimension(double rotations, const pl_rope *rope)
{
    return (double)rope->width * log(rope->original_positions / (rotations * 2 * PI)) / (2 * log(rope->theta));
}

static void yarn_frequencies(float *out, const float *power, const pl_rope *rope)
{
    double low = yarn_dimension(rope->beta_fast, rope), high = yarn_dimension(rope->beta_slow, rope);
    if (rope->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, (double)rope->width - 1);
    if (low == high) high += 0.001;
    for (size_t j = 0; j < rope->width / 2; j++) {
        float ramp = ((float)j - (float)low) / (float)(high - low);
        float keep = 1 - fminf(fmaxf(ramp, 0), 1); /* 1: as trained, 0: interpolated */
        out[j] = 1 / ((float)rope->factor * power[j]) * (1 - keep) + 1 / power[j] * keep;
    }
}

void pl__rope_frequencies(float *out, const pl_rope *rope, bool far)
{
    size_t n = rope->width / 2;
    /* out first holds theta^(2j / width), then its inverse. */
    for (size_t j = 0; j < n; j++) out[j] = powf((float)rope->theta, (float)(2 * j) / (float)rope->width);
    if (rope->kind == PL_ROPE_YARN) {
        yarn_frequencies(out, out, rope);
        return;
    }
    const double *factors = far ? rope->far_factors : rope->factors;
    for (size_t j = 0; j < n; j++) {
        float inverse = 1 / (rope->kind == PL_ROPE_LONGROPE ? (float)factors[j] * out[j] : out[j]);
        if (rope->kind == PL_ROPE_LINEAR) inverse /= (float)rope->factor;
        if (rope->kind == PL_ROPE_LLAMA3) inverse = llama3_frequency(inverse, rope);
        out[j] = inverse;
    }
}

pl_status pl__rope_table(float *cosine, float *sine, const pl_rope *rope, bool far, size_t n_positions)
{
    size_t n = rope->width / 2;
    float *frequency, scale = (float)rope->attention_factor;
    PL_TRY(pl_new(&frequency, n));
    pl__rope_frequencies(frequency, rope, far);
    for (size_t p = 0; p < n_positions; p++)
        for (size_t j = 0; j < n; j++) {
            float s, c;
            sincosf((float)p * frequency[j], &s, &c);
            cosine[p * n + j] = c * scale;
            sine[p * n + j] = s * scale;
        }
    free(frequency);
    return PL_OK;
}
