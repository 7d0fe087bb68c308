/* The layer plan: which layers see a window of keys alone, and which have no positions. `layer_types` of config.json
 * decides where the family has it, else the family's rule on sliding_window and its switches, as transformers fills
 * layer_types in (each family's configuration class). What transformers does not run is refused, and so is what its
 * attention implementations read differently. */
#include <string.h>

#include "model/config.h"
#include "model/family.h"

/* What the file says, before it is a plan. */
typedef struct reading {
    size_t window;               /* 0: none */
    bool windowed, switched;     /* by use_sliding_window, where the family has it */
    size_t first;                /* of PL__LAST_WINDOWED */
    const json_t *types, *turns; /* layer_types, no_rope_layers; NULL: the rule */
    size_t period;               /* of PL__PERIOD_WINDOWED */
    size_t turn_interval;        /* every n-th layer is not turned */
    const json_t *locals;        /* attention_types; NULL: global and local in turn, twelve times */
    const json_t *named;         /* attention_layers, which goes over it, or NULL */
} reading;

/* A list of one entry a layer; null is absent. */
static pl_status read_list(const json_t **out, const json_t *object, const char *key, size_t n, bool longer,
                           const char *where)
{
    const json_t *v = json_object_get(object, key);
    *out = NULL;
    if (!v || json_is_null(v)) return PL_OK;
    if (!json_is_array(v)) return pl_fail(PL_E_INPUT, "%s: %s: expected a list", where, key);
    if (json_array_size(v) < n || (!longer && json_array_size(v) > n))
        return pl_fail(PL_E_INPUT, "%s: %s: expected %zu entries, one a layer, found %zu", where, key, n,
                       json_array_size(v));
    *out = v;
    return PL_OK;
}

static bool has_switch(const pl_family *family)
{
    return family->windows == PL__LAST_WINDOWED || family->windows == PL__UNTURNED_WINDOWED;
}

static pl_status read_window(reading *r, const pl_family *family, const json_t *object, const char *where)
{
    const char *key = family->window_key ? family->window_key : "sliding_window";
    const json_t *v = json_object_get(object, key);
    r->windowed = !has_switch(family);
    if (has_switch(family)) PL_TRY(pl_json_get_bool(&r->windowed, object, "use_sliding_window", where));
    r->first = 28; /* the class default of both Qwens */
    if (family->windows == PL__LAST_WINDOWED) PL_TRY(pl_json_get_size(&r->first, object, "max_window_layers", where));
    if (!r->windowed || family->windows == PL__NEVER_WINDOWED || (v && json_is_null(v))) return PL_OK;
    r->window = family->window;
    PL_TRY(pl_json_get_size(&r->window, object, key, where));
    if (v && r->window == 0) return pl_fail(PL_E_INPUT, "%s: %s: expected 1 or more, or null, found 0", where, key);
    return PL_OK;
}

/* A kind of GPT-Neo's layers by its name. */
static pl_status is_local(bool *out, const json_t *name, const char *key, const char *where)
{
    const char *text = json_string_value(name);
    *out = text && strcmp(text, "local") == 0;
    if (*out || (text && strcmp(text, "global") == 0)) return PL_OK;
    return pl_fail(PL_E_UNSUPPORTED, "%s: %s: '%s' is not supported; known: global, local", where, key,
                   text ? text : "no text");
}

/* attention_types: a list of [names of kinds in turn, how often], which has to make as many layers as there are. */
static pl_status find_local(bool *out, const json_t *types, size_t L, size_t layer, const char *where)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(types); i++) {
        const json_t *item = json_array_get(types, i), *names = json_array_get(item, 0),
                     *times = json_array_get(item, 1);
        if (!json_is_array(names) || !json_is_integer(times) || json_integer_value(times) < 0 ||
            json_integer_value(times) > PL_LAYERS)
            return pl_fail(PL_E_INPUT, "%s: attention_types: entry %zu: expected [kinds, how often]", where, i);
        const size_t kinds = json_array_size(names), all = kinds * (size_t)json_integer_value(times);
        if (layer >= n && layer < n + all)
            PL_TRY(is_local(out, json_array_get(names, (layer - n) % kinds), "attention_types", where));
        n += all;
    }
    if (n == L) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: attention_types: expected kinds of %zu layers, found %zu", where, L, n);
}

static pl_status is_local_layer(bool *out, const reading *r, size_t L, size_t layer, const char *where)
{
    if (r->named) return is_local(out, json_array_get(r->named, layer), "attention_layers", where);
    if (r->locals) return find_local(out, r->locals, L, layer, where);
    *out = layer % 2 == 1;
    if (L == 24) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: attention_types is missing: its default is of 24 layers, not %zu", where, L);
}

static pl_status read_locals(reading *r, const pl_config *c, const json_t *object, const char *where)
{
    const json_t *v = json_object_get(object, "attention_types");
    if (c->family->windows != PL__LOCAL_WINDOWED) return PL_OK;
    if (v && !json_is_null(v) && !json_is_array(v))
        return pl_fail(PL_E_INPUT, "%s: attention_types: expected a list", where);
    if (!r->window) return pl_fail(PL_E_INPUT, "%s: %s: expected 1 or more, found null", where, c->family->window_key);
    if (json_array_size(v) > PL_LAYERS)
        return pl_fail(PL_E_INPUT, "%s: attention_types: expected at most %d entries, found %zu", where, PL_LAYERS,
                       json_array_size(v));
    r->locals = v && !json_is_null(v) ? v : NULL;
    return read_list(&r->named, object, "attention_layers", c->L, false, where);
}

/* Gemma's: its attention makes both masks, whether or not a layer needs them. */
static pl_status check_window(reading *r, const pl_config *c, const json_t *object, const char *where)
{
    const pl__window_rule rule = c->family->windows;
    if (rule != PL__EVEN_WINDOWED && rule != PL__PERIOD_WINDOWED) return PL_OK;
    if (!r->window) return pl_fail(PL_E_INPUT, "%s: sliding_window: expected 1 or more, found null", where);
    r->period = 6;
    if (rule == PL__PERIOD_WINDOWED) PL_TRY(pl_json_get_size(&r->period, object, "sliding_window_pattern", where));
    if (!r->types && r->period == 0)
        return pl_fail(PL_E_INPUT, "%s: sliding_window_pattern: expected 1 or more, found 0", where);
    return PL_OK;
}

static pl_status read_turns(reading *r, const pl_config *c, const json_t *object, const char *where)
{
    if (!c->family->unturned_layers) return PL_OK;
    PL_TRY(read_list(&r->turns, object, "no_rope_layers", c->L, true, where));
    r->turn_interval = 4;
    PL_TRY(pl_json_get_size(&r->turn_interval, object, "no_rope_layer_interval", where));
    if (!r->turns && r->turn_interval == 0)
        return pl_fail(PL_E_INPUT, "%s: no_rope_layer_interval: expected 1 or more, found 0", where);
    return PL_OK;
}

/* Other families ignore the list, but one that is malformed is no configuration. */
static pl_status read_types(reading *r, const pl_config *c, const json_t *object, const char *where)
{
    const pl__window_rule rule = c->family->windows;
    const json_t *types;
    PL_TRY(read_list(&types, object, "layer_types", c->L, false, where));
    for (size_t l = 0; types && l < c->L; l++)
        if (!json_is_string(json_array_get(types, l)))
            return pl_fail(PL_E_INPUT, "%s: layer_types: entry %zu: expected a text", where, l);
    if (types && rule == PL__ALWAYS_WINDOWED)
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s: layer_types: a %s has none: transformers gives all of its layers sliding_window, whatever "
                       "they say",
                       where, c->model_type);
    if (rule != PL__NEVER_WINDOWED && rule != PL__LOCAL_WINDOWED) r->types = types;
    return PL_OK;
}

/* no_rope_layers says where positions are: 1; 0 where they are not. */
static pl_status is_turned(bool *out, const reading *r, const pl_config *c, size_t layer, const char *where)
{
    *out = c->rope.kind != PL_ROPE_NONE;
    if (!c->family->unturned_layers) return PL_OK;
    if (!r->turns) {
        *out = (layer + 1) % r->turn_interval != 0;
        return PL_OK;
    }
    const json_t *v = json_array_get(r->turns, layer);
    if (!json_is_integer(v) || (json_integer_value(v) != 0 && json_integer_value(v) != 1))
        return pl_fail(PL_E_INPUT, "%s: no_rope_layers: entry %zu: expected 0 or 1", where, layer);
    *out = json_integer_value(v) == 1;
    return PL_OK;
}

static bool is_windowed_by_rule(const reading *r, const pl_config *c, size_t layer, bool turned)
{
    switch (c->family->windows) {
    case PL__NEVER_WINDOWED:
    case PL__LOCAL_WINDOWED:
        break;
    case PL__ALWAYS_WINDOWED:
        return r->window > 0;
    case PL__LAST_WINDOWED:
        return r->windowed && r->window > 0 && layer >= r->first;
    case PL__UNTURNED_WINDOWED:
        return r->windowed && r->window > 0 && !turned;
    case PL__EVEN_WINDOWED:
        return layer % 2 == 0;
    case PL__PERIOD_WINDOWED:
        return (layer + 1) % r->period != 0;
    }
    return false;
}

static pl_status is_windowed(bool *out, const reading *r, const pl_config *c, size_t layer, bool turned,
                             const char *where)
{
    if (c->family->windows == PL__LOCAL_WINDOWED) return is_local_layer(out, r, c->L, layer, where);
    if (!r->types) {
        *out = is_windowed_by_rule(r, c, layer, turned);
        return PL_OK;
    }
    const char *type = json_string_value(json_array_get(r->types, layer));
    if (strcmp(type, "full_attention") == 0 || strcmp(type, "attention") == 0) { /* the second is an old name */
        *out = false;
        return PL_OK;
    }
    if (strcmp(type, "sliding_attention") != 0)
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s: layer_types: entry %zu: '%s' is not supported; known: full_attention, sliding_attention",
                       where, layer, type);
    if (!r->windowed || !r->window)
        return pl_fail(PL_E_INPUT, "%s: layer_types: entry %zu is sliding_attention, but %s: no window is given", where,
                       layer, r->windowed ? "sliding_window is null" : "use_sliding_window is false");
    *out = true;
    return PL_OK;
}

/* The number of a kind among those of the config; new ones are added. Two windows and two ways of positions make four.
 */
static uint8_t kind_number(pl_config *c, pl_layer_kind kind)
{
    size_t i = 0;
    while (i < c->n_kinds && (c->kinds[i].window != kind.window || c->kinds[i].turn != kind.turn)) i++;
    if (i == c->n_kinds) c->kinds[c->n_kinds++] = kind;
    return (uint8_t)i;
}

pl_status pl__layers_parse(pl_config *c, const json_t *object, const char *where)
{
    reading r = {0};
    PL_TRY(read_window(&r, c->family, object, where));
    PL_TRY(read_turns(&r, c, object, where));
    PL_TRY(read_types(&r, c, object, where));
    PL_TRY(check_window(&r, c, object, where));
    PL_TRY(read_locals(&r, c, object, where));
    c->n_kinds = 0;
    for (size_t l = 0; l < c->L; l++) {
        bool turned = false, windowed = false;
        PL_TRY(is_turned(&turned, &r, c, l, where));
        PL_TRY(is_windowed(&windowed, &r, c, l, turned, where));
        const pl_turn turn = !turned                             ? PL_TURN_NONE
                             : windowed && c->family->local_rope ? PL_TURN_LOCAL
                                                                 : PL_TURN_GLOBAL;
        c->plan[l] = kind_number(c, (pl_layer_kind){.window = windowed ? r.window : 0, .turn = turn});
    }
    return PL_OK;
}
