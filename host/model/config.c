/* config.json → pl_config. The file holds differences from the class defaults, so an absent key means the default of
 * the family's table, never "off". Files of transformers 4 and 5 are read alike. */
#include "model/config.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/family.h"
#include "model/weights.h"
#include "model/wrapper.h"

/* Token ids are 32-bit. */
static const size_t SIZE_LIMIT = (size_t)1 << 31, LAYER_LIMIT = PL_LAYERS, HEAD_LIMIT = 65536;
static const size_t POSITION_LIMIT = (size_t)1 << 24;
/* Ten times what anyone has trained; it keeps the bytes of all weights, masters and moments far from overflow. */
static const double PARAMETER_LIMIT = 1e13;

static const struct {
    const char *name;
    pl_activation activation;
} activations[] = {
    {"gelu", PL_ACT_GELU_ERF},       {"gelu_python", PL_ACT_GELU_ERF},
    {"gelu_new", PL_ACT_GELU_TANH},  {"gelu_pytorch_tanh", PL_ACT_GELU_TANH},
    {"gelu_fast", PL_ACT_GELU_TANH}, {"gelu_python_tanh", PL_ACT_GELU_TANH},
    {"relu", PL_ACT_RELU},           {"silu", PL_ACT_SILU},
    {"swish", PL_ACT_SILU},          {"quick_gelu", PL_ACT_QUICK_GELU},
};
enum { N_ACTIVATIONS = sizeof activations / sizeof *activations };

static pl_status read_activation(pl_activation *out, const char *name, const char *key, const char *where)
{
    for (size_t i = 0; i < N_ACTIVATIONS; i++) {
        if (strcmp(activations[i].name, name) != 0) continue;
        *out = activations[i].activation;
        return PL_OK;
    }
    pl_bytes known = {0};
    pl_status status;
    for (size_t i = 0; i < N_ACTIVATIONS; i++)
        PL_GOTO(status, done, pl_bytes_format(&known, "%s%s", i ? ", " : "", activations[i].name));
    status = pl_fail(PL_E_UNSUPPORTED, "%s: %s: activation '%s' is not supported; known: %s", where,
                     key ? key : "activation", name, known.data);
done:
    pl_bytes_free(&known);
    return status;
}

/* The name under which the file has the value: the key, else its alias. */
static const char *present_key(const json_t *object, const pl__key_fact *fact)
{
    const json_t *v = json_object_get(object, fact->key);
    return (!v || json_is_null(v)) && fact->alias ? fact->alias : fact->key;
}

static pl_status read_cap(double *out, const pl__key_fact *fact, const json_t *object, const char *where)
{
    const json_t *v = json_object_get(object, fact->key);
    *out = v && json_is_null(v) ? 0 : fact->number;
    PL_TRY(pl_json_get_real(out, object, fact->key, where));
    if (json_is_number(v) && !(*out > 0 && isfinite(*out)))
        return pl_fail(PL_E_INPUT, "%s: %s: expected a number above 0, or null, found %g", where, fact->key, *out);
    return PL_OK;
}

/* Whether a number above 0 stays one in float32, in which the passes have it. */
static bool is_float(double value)
{
    float single = (float)value;
    return single > 0 && isfinite(single);
}

static pl_status read_scale(double *out, const pl__key_fact *fact, const json_t *object, const char *where)
{
    *out = fact->number;
    if (!fact->key) return PL_OK;
    PL_TRY(pl_json_get_real(out, object, fact->key, where));
    if (!(*out > 0 && isfinite(*out)))
        return pl_fail(PL_E_INPUT, "%s: %s: expected a number above 0, found %g", where, fact->key, *out);
    if (is_float(*out) && is_float(1 / *out)) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: %s: expected a number that, like one divided by it, float32 has, found %g", where,
                   fact->key, *out);
}

static pl_status read_key(pl_config *config, const pl__key_fact *fact, const json_t *object, const char *where)
{
    char *field = (char *)config + fact->field;
    const char *key = fact->key ? present_key(object, fact) : NULL;
    switch (fact->kind) {
    case PL__SIZE:
    case PL__SIZE_OR_NULL:
        *(size_t *)(void *)field = (size_t)fact->number;
        if (fact->kind == PL__SIZE_OR_NULL && json_is_null(json_object_get(object, key))) *(size_t *)(void *)field = 0;
        return key ? pl_json_get_size((size_t *)(void *)field, object, key, where) : PL_OK;
    case PL__REAL:
        *(double *)(void *)field = fact->number;
        return key ? pl_json_get_real((double *)(void *)field, object, key, where) : PL_OK;
    case PL__CAP:
        return read_cap((double *)(void *)field, fact, object, where);
    case PL__SCALE:
        return read_scale((double *)(void *)field, fact, object, where);
    case PL__BOOL:
        *(bool *)field = fact->number != 0;
        return key ? pl_json_get_bool((bool *)field, object, key, where) : PL_OK;
    case PL__ACTIVATION:
        break;
    }
    const char *name = fact->text;
    if (key) PL_TRY(pl_json_get_text(&name, object, key, where));
    return read_activation((pl_activation *)(void *)field, name, key, where);
}

static pl_status check_refusals(const pl_family *family, const json_t *object, const char *where)
{
    for (size_t i = 0; i < family->n_refusals; i++) {
        const pl__refusal *r = &family->refusals[i];
        const json_t *v = json_object_get(object, r->key),
                     *same = r->same_as ? json_object_get(object, r->same_as) : NULL;
        if (!v || json_is_null(v)) continue;
        if (!json_is_boolean(v) && !json_is_number(v))
            return pl_fail(PL_E_INPUT, "%s: %s: expected true, false or a number", where, r->key);
        const double value = json_is_boolean(v) ? (json_is_true(v) ? 1 : 0) : json_number_value(v),
                     expected = json_is_number(same) ? json_number_value(same) : r->expected;
        if (value == expected) continue;
        if (json_is_boolean(v))
            return pl_fail(PL_E_UNSUPPORTED, "%s: %s: %s is not supported: %s", where, r->key,
                           json_is_true(v) ? "true" : "false", r->why);
        return pl_fail(PL_E_UNSUPPORTED, "%s: %s: %g is not supported: %s", where, r->key, value, r->why);
    }
    return PL_OK;
}

/* The key of the size that lies at `field` of a pl_config. */
static const char *key_of(const pl_config *c, size_t field)
{
    const pl_family *family = c->family;
    for (size_t i = 0; i < family->n_keys; i++)
        if (family->keys[i].field == field && family->keys[i].key) return family->keys[i].key;
    return "config";
}

static pl_status check_range(size_t value, size_t limit, const char *key, const char *what, const char *where)
{
    if (value == 0 || value > limit)
        return pl_fail(PL_E_INPUT, "%s: %s: %s is %zu, expected 1..%zu", where, key, what, value, limit);
    return PL_OK;
}

#define KEY(c, size) key_of(c, offsetof(pl_config, size))

/* The parameters of the family's tensors, as a number that no integer need hold. */
static pl_status check_parameters(const pl_config *c, const char *where)
{
    double n = 0;
    for (size_t i = 0; i < c->family->n_tensors; i++) {
        const pl__tensor_fact *fact = &c->family->tensors[i];
        double part = (double)pl__fact_count(c, fact);
        for (const char *d = fact->dims; *d; d++) part *= (double)pl__dimension(c, *d);
        n += part;
    }
    if (n <= PARAMETER_LIMIT) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: %s %zu, %s %zu, %s %zu, %s %zu: %.2g parameters, expected at most %.2g", where,
                   KEY(c, V), c->V, KEY(c, C), c->C, KEY(c, F), c->F, KEY(c, L), c->L, n, PARAMETER_LIMIT);
}

/* Derives what was left open and checks that the sizes fit each other. */
static pl_status settle_sizes(pl_config *c, const char *where)
{
    PL_TRY(check_range(c->V, SIZE_LIMIT, KEY(c, V), "vocabulary size", where));
    PL_TRY(check_range(c->C, SIZE_LIMIT, KEY(c, C), "hidden size", where));
    PL_TRY(check_range(c->L, LAYER_LIMIT, KEY(c, L), "number of layers", where));
    PL_TRY(check_range(c->H, HEAD_LIMIT, KEY(c, H), "number of attention heads", where));
    PL_TRY(check_range(c->max_positions, POSITION_LIMIT, KEY(c, max_positions), "number of positions", where));
    if (c->G == 0) c->G = c->H;
    if (c->E == 0) c->E = c->C;
    PL_TRY(check_range(c->E, SIZE_LIMIT, KEY(c, E), "width of embeddings", where));
    if (c->D == 0 && c->C % c->H != 0)
        return pl_fail(PL_E_INPUT, "%s: hidden size %zu is not a multiple of the %zu attention heads", where, c->C,
                       c->H);
    const char *width = KEY(c, C), *inner = KEY(c, C); /* keys that decide what is derived */
    if (c->D == 0)
        c->D = c->C / c->H;
    else
        width = KEY(c, D);
    if (c->F == 0)
        c->F = 4 * c->C;
    else
        inner = KEY(c, F);
    PL_TRY(check_range(c->D, HEAD_LIMIT, width, "head width", where));
    PL_TRY(check_range(c->F, SIZE_LIMIT, inner, "feed-forward size", where));
    if (c->G > c->H || c->H % c->G != 0)
        return pl_fail(PL_E_INPUT, "%s: %zu attention heads are not a multiple of %zu key/value heads", where, c->H,
                       c->G);
    if (!isfinite(c->norm_eps) || c->norm_eps < 0 || c->norm_eps > 1)
        return pl_fail(PL_E_INPUT, "%s: norm epsilon is %g, expected 0..1", where, c->norm_eps);
    return PL_OK;
}

static int by_id(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* One id of eos_token_id; -1, which some files write for "none", is left out. */
static pl_status add_stop(pl_stops *out, const json_t *id, const char *where)
{
    if (!json_is_integer(id) || json_integer_value(id) < -1 || json_integer_value(id) > INT32_MAX)
        return pl_fail(PL_E_INPUT, "%s: eos_token_id: expected a token id, a list of them, or null", where);
    if (json_integer_value(id) < 0) return PL_OK;
    if (out->n == PL_STOP_IDS)
        return pl_fail(PL_E_UNSUPPORTED, "%s: eos_token_id: more than %d ids", where, PL_STOP_IDS);
    out->ids[out->n++] = (int32_t)json_integer_value(id);
    return PL_OK;
}

static pl_status read_stops(pl_stops *out, const json_t *object, const char *where)
{
    const json_t *v = json_object_get(object, "eos_token_id");
    *out = (pl_stops){.said = v != NULL};
    if (!v || json_is_null(v)) return PL_OK;
    if (!json_is_array(v)) return add_stop(out, v, where);
    for (size_t i = 0; i < json_array_size(v); i++) PL_TRY(add_stop(out, json_array_get(v, i), where));
    if (out->n) qsort(out->ids, out->n, sizeof *out->ids, by_id);
    size_t n = 0;
    for (size_t i = 0; i < out->n; i++)
        if (n == 0 || out->ids[n - 1] != out->ids[i]) out->ids[n++] = out->ids[i];
    out->n = n;
    return PL_OK;
}

pl_status pl__generation_config_parse(pl_stops *out, const char *text, size_t size, const char *where)
{
    json_t *object = NULL;
    PL_TRY(pl_json_parse(&object, text, size, where));
    pl_status status = json_is_object(object) ? read_stops(out, object, where)
                                              : pl_fail(PL_E_INPUT, "%s: expected a JSON object", where);
    json_decref(object);
    return status;
}

/* pad_token_id, where it is nn.Embedding's padding_idx: one below 0 counts from the end. One that is no row is none. */
static pl_status read_padding(pl_config *c, const json_t *object, const char *where)
{
    const json_t *v = json_object_get(object, "pad_token_id");
    if (!c->family->padded || (v && json_is_null(v))) return PL_OK;
    if (v && !json_is_integer(v)) return pl_fail(PL_E_INPUT, "%s: pad_token_id: expected a token id or null", where);
    const json_int_t V = (json_int_t)c->V, id = v ? json_integer_value(v) : c->family->padding;
    if (!v && id < 0) return PL_OK;
    c->has_padding = id >= -V && id < V;
    if (c->has_padding) c->padding = (int32_t)(id < 0 ? id + V : id);
    return PL_OK;
}

/* The type the checkpoint was saved in, for people; NULL when the file does not say. */
static pl_status read_dtype(const char **out, const json_t *object, const char *where)
{
    static const char *const known[] = {"float32", "float16", "bfloat16", "float64"};
    const char *name = NULL;
    *out = NULL;
    PL_TRY(pl_json_get_text(&name, object, "torch_dtype", where));
    PL_TRY(pl_json_get_text(&name, object, "dtype", where));
    if (!name) return PL_OK;
    if (strncmp(name, "torch.", 6) == 0) name += 6;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], name) == 0) *out = known[i];
    return PL_OK;
}

/* The labels of a sequence classifier: as many as id2label names, else num_labels, else two, as transformers has it. */
static pl_status read_labels(pl_config *c, const json_t *object, const char *where)
{
    static const char ending[] = "ForSequenceClassification";
    const char *name = json_string_value(json_array_get(json_object_get(object, "architectures"), 0));
    const size_t n = name ? strlen(name) : 0, m = sizeof ending - 1;
    if (n < m || strcmp(name + n - m, ending) != 0) return PL_OK;
    if (!c->family->classifier)
        return pl_fail(PL_E_UNSUPPORTED, "%s: architectures: transformers has no sequence classifier of a %s", where,
                       c->model_type);
    const json_t *names = json_object_get(object, "id2label");
    c->n_labels = 2;
    PL_TRY(pl_json_get_size(&c->n_labels, object, "num_labels", where));
    if (json_is_object(names)) c->n_labels = json_object_size(names);
    c->tied = false; /* there is no vocabulary head to tie */
    return check_range(c->n_labels, HEAD_LIMIT, "id2label", "number of labels", where);
}

static pl_status check_training(const pl_config *c, const char *where)
{
    const struct {
        const char *what;
        double value;
    } dropouts[] = {{"dropout of embeddings", c->embed_dropout},
                    {"residual dropout", c->residual_dropout},
                    {"attention dropout", c->attention_dropout}};
    for (size_t i = 0; i < sizeof dropouts / sizeof *dropouts; i++)
        if (!(dropouts[i].value >= 0 && dropouts[i].value < 1))
            return pl_fail(PL_E_INPUT, "%s: %s is %g, expected 0 up to (not) 1", where, dropouts[i].what,
                           dropouts[i].value);
    if (!(c->initializer_range > 0 && c->initializer_range < 1e3))
        return pl_fail(PL_E_INPUT, "%s: initializer_range is %g, expected a number above 0", where,
                       c->initializer_range);
    return PL_OK;
}

/* Why a type of model that labs use is not there. */
static const char *why_not(const char *type)
{
    static const struct {
        const char *part, *why; /* part: of the type's name */
    } reasons[] = {
        {"decoder", "no facts of it"},
        {"moe", "a mixture of experts"},
        {"mixtral", "a mixture of experts"},
        {"gpt_oss", "a mixture of experts"},
        {"deepseek", "a mixture of experts"},
        {"dbrx", "a mixture of experts"},
        {"jamba", "recurrent layers"},
        {"mamba", "recurrent layers"},
        {"bamba", "recurrent layers"},
        {"rwkv", "recurrent layers"},
        {"recurrent", "recurrent layers"},
        {"zamba", "recurrent layers"},
        {"bert", "an encoder"},
        {"t5", "an encoder and a decoder"},
        {"bart", "an encoder and a decoder"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strstr(type, reasons[i].part)) return reasons[i].why;
    return "no facts of it";
}

static pl_status find_family(const pl_family **out, const json_t *object, const char *where)
{
    const char *type = NULL;
    PL_TRY(pl_json_get_text(&type, object, "model_type", where));
    *out = type ? pl__family_find(type) : NULL;
    if (*out) return PL_OK;
    pl_bytes known = {0};
    pl_status status;
    PL_GOTO(status, done, pl__family_names(&known));
    PL_GOTO(status, done, pl_bytes_text(&known, "; text models of "));
    PL_GOTO(status, done, pl__wrapper_names(&known));
    status = type && *type ? pl_fail(PL_E_UNSUPPORTED, "%s: model_type '%s' is not supported (%s); known: %s", where,
                                     type, why_not(type), known.data)
                           : pl_fail(PL_E_INPUT, "%s: model_type is %s; known: %s", where, type ? "empty" : "missing",
                                     known.data);
done:
    pl_bytes_free(&known);
    return status;
}

static pl_status has_turns(bool *out, const pl_config *c, const json_t *object, const char *where)
{
    const pl_family *family = c->family;
    const char *kind = NULL;
    *out = family->positions == PL__ROTARY && !c->alibi;
    if (!family->turned_key) return PL_OK;
    PL_TRY(pl_json_get_text(&kind, object, family->turned_key, where));
    *out = *out && kind && strcmp(kind, "rope") == 0;
    return PL_OK;
}

/* The keys of an object inside, under names of their own. */
static pl_status flatten(json_t *object, const char *name, const char *where)
{
    const json_t *inner = name ? json_object_get(object, name) : NULL;
    const char *key;
    json_t *value;
    if (!inner || json_is_null(inner)) return PL_OK;
    if (!json_is_object(inner)) return pl_fail(PL_E_INPUT, "%s: %s: expected an object", where, name);
    json_object_foreach((json_t *)(uintptr_t)inner, key, value)
    {
        char full[128];
        (void)snprintf(full, sizeof full, "%s.%s", name, key);
        if (json_object_set(object, full, value) != 0) return pl_fail(PL_E_MEMORY, "out of memory for %s", where);
    }
    return PL_OK;
}

static pl_status read_config(pl_config *c, json_t *object, const char *where)
{
    if (!json_is_object(object)) return pl_fail(PL_E_INPUT, "%s: expected a JSON object", where);
    const pl_family *family;
    PL_TRY(find_family(&family, object, where));
    *c = (pl_config){
        .family = family,
        .model_type = family->model_type,
        .norm = family->norm,
        .embed_scale = 1,
        .residual_scale = 1,
        .logit_divisor = 1,
        .norms_before = true,
        .alibi = family->positions == PL__ALIBI,
        .final_norm = true,
    };
    PL_TRY(flatten(object, family->nested, where));
    for (size_t i = 0; i < family->n_keys; i++) PL_TRY(read_key(c, &family->keys[i], object, where));
    PL_TRY(check_refusals(family, object, where));
    if (family->settle) PL_TRY(family->settle(c, object, where));
    PL_TRY(settle_sizes(c, where));
    PL_TRY(read_labels(c, object, where));
    PL_TRY(check_parameters(c, where));
    PL_TRY(check_training(c, where));
    if (c->attention_divisor < 0 || !isfinite(c->attention_divisor))
        return pl_fail(PL_E_INPUT, "%s: query_pre_attn_scalar: expected a number above 0, found %g", where,
                       c->attention_divisor);
    if (c->attention_scale == 0)
        c->attention_scale = 1 / sqrt(c->attention_divisor > 0 ? c->attention_divisor : (double)c->D);
    if (family->scaled_embed) c->embed_scale = sqrt((double)c->C);
    bool turned;
    PL_TRY(has_turns(&turned, c, object, where));
    if (turned) {
        PL_TRY(pl__rope_parse(c, object, where));
        c->rope.interleaved = c->local_rope.interleaved = family->rope_interleaved;
    }
    PL_TRY(pl__layers_parse(c, object, where));
    PL_TRY(read_stops(&c->stops, object, where));
    PL_TRY(read_padding(c, object, where));
    PL_TRY(read_dtype(&c->dtype, object, where));
    return pl_json_get_bool(&c->random_weights, object, "plumb_random_weights", where);
}

pl_status pl__config_parse(pl_config *out, const char *text, size_t size, const char *where)
{
    json_t *object = NULL;
    PL_TRY(pl_json_parse(&object, text, size, where));
    const pl__wrapper *wrapper;
    json_t *own = NULL;
    pl_status status = pl__wrapper_open(&wrapper, &own, object, where);
    if (status == PL_OK) status = read_config(out, own, where);
    out->wrapper = wrapper;
    json_decref(own);
    json_decref(object);
    return status;
}
