#include "task/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "jinja/letters.h"
#include "task/python_regex.h"
#include "task/task_keys.h"
#include "task/task_parts.h"

enum { MAX_STEPS = 16 };

typedef enum kind { TAKE_FIRST, REMOVE_WHITESPACE, LOWERCASE, UPPERCASE, REGEX, MAP, N_KINDS } kind;
static const char *const kind_names[N_KINDS] = {"take_first", "remove_whitespace", "lowercase", "uppercase", "regex",
                                                "map"};

typedef struct step {
    kind kind;
    pl__python_regex *regex;
    long long group_select;
    char *fallback; /* of a map: what any other answer becomes */
    json_t *map;    /* texts */
} step;

struct pl_filter {
    char *name;
    json_t *json;
    size_t n;
    step steps[MAX_STEPS];
};

/* ---- from YAML ---- */

static pl_status read_regex(step *s, const pl_yaml_node *node)
{
    const char *pattern = "#### (\\-?[0-9\\.\\,]+)", *fallback = "[invalid]";
    const pl_yaml_node *value = pl_yaml_get(node, "regex_pattern"), *at = value ? value : node;
    char where[PL_PATH_MAX];
    if (value) PL_TRY(pl_yaml_to_text(&pattern, value));
    if ((value = pl_yaml_get(node, "group_select"))) PL_TRY(pl_yaml_to_integer(&s->group_select, value));
    if ((value = pl_yaml_get(node, "fallback"))) PL_TRY(pl_yaml_to_text(&fallback, value));
    PL_TRY(pl_copy_text(&s->fallback, fallback));
    PL_TRY(pl_path(where, "%s:%zu:%zu: regex_pattern", at->file, at->line, at->column));
    return pl__python_regex_compile(&s->regex, pattern, where);
}

/* lm-evaluation-harness compares answers, which are texts, with the keys as YAML has them: only texts can be met. */
static pl_status read_map(step *s, const pl_yaml_node *node)
{
    const pl_yaml_node *map = pl_yaml_get(node, "mapping_dict"), *other = pl_yaml_get(node, "default_value");
    const char *fallback = "None";
    if (other) PL_TRY(pl_yaml_to_text(&fallback, other));
    if (other && pl_yaml_is_null(other)) fallback = "None";
    PL_TRY(pl_copy_text(&s->fallback, fallback));
    if (map && map->kind != PL_YAML_MAP) return pl_yaml_fail(map, "mapping_dict: expected a map of texts");
    if (!(s->map = json_object())) return pl_fail(PL_E_MEMORY, "out of memory while reading a filter");
    for (size_t i = 0; map && i < map->n; i++) {
        json_t *key, *value;
        PL_TRY(pl_yaml_to_json(&key, map->keys[i]));
        bool texts = json_is_string(key);
        json_decref(key);
        PL_TRY(pl_yaml_to_json(&value, map->items[i]));
        texts = texts && json_is_string(value);
        if (!texts) json_decref(value);
        if (!texts)
            return pl_yaml_fail(map->keys[i], "mapping_dict: expected texts; write '%.60s' and its value in quotes",
                                map->keys[i]->text);
        if (json_object_set_new(s->map, map->keys[i]->text, value) != 0)
            return pl_fail(PL_E_MEMORY, "out of memory while reading a filter");
    }
    return PL_OK;
}

static pl_status read_step(step *s, const pl_yaml_node *node)
{
    static const struct {
        const char *key;
        kind kind;
    } own[] = {{"regex_pattern", REGEX},
               {"group_select", REGEX},
               {"fallback", REGEX},
               {"mapping_dict", MAP},
               {"default_value", MAP}};
    PL_TRY(pl_yaml_check_keys(node, pl_task_filter_step_keys));
    const pl_yaml_node *function = pl_yaml_get(node, "function"), *extra;
    const char *name;
    if (!function) return pl_yaml_fail(node, "function is missing; expected take_first or another filter");
    PL_TRY(pl_yaml_to_text(&name, function));
    while (s->kind < N_KINDS && strcmp(kind_names[s->kind], name) != 0) s->kind++;
    if (s->kind == N_KINDS)
        return pl_yaml_fail(function,
                            "filter '%.60s' is not supported; expected take_first, remove_whitespace, lowercase, "
                            "uppercase, regex or map",
                            name);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i].kind != s->kind && (extra = pl_yaml_get(node, own[i].key)))
            return pl_yaml_fail(extra, "%s belongs to the filter %s, not to %s", own[i].key, kind_names[own[i].kind],
                                name);
    return s->kind == REGEX ? read_regex(s, node) : s->kind == MAP ? read_map(s, node) : PL_OK;
}

static pl_status read_filter(pl_filter *filter, const pl_yaml_node *one)
{
    const pl_yaml_node *name, *steps;
    const char *text = "";
    PL_TRY(pl_yaml_check_keys(one, pl_task_filter_keys));
    if (!(name = pl_yaml_get(one, "name"))) return pl_yaml_fail(one, "name is missing; expected the filter's name");
    PL_TRY(pl_yaml_to_text(&text, name));
    PL_TRY(pl__check_name(name, text));
    PL_TRY(pl_copy_text(&filter->name, text));
    steps = pl_yaml_get(one, "filter");
    if (!steps || steps->kind != PL_YAML_LIST || steps->n > MAX_STEPS)
        return pl_yaml_fail(one, "filter: expected a list of up to %d functions", (int)MAX_STEPS);
    PL_TRY(pl_yaml_to_json(&filter->json, steps));
    for (size_t i = 0; i < steps->n; i++) PL_TRY(read_step(&filter->steps[filter->n++], steps->items[i]));
    return PL_OK;
}

/* Every filter of the list is read, so that what is wrong with one shows; *out is the wanted one, else the first. */
static pl_status read_filters(pl_filter **out, const pl_yaml_node *list, const char *wanted)
{
    if (list->kind != PL_YAML_LIST || list->n == 0)
        return pl_yaml_fail(list, "filter_list: expected a list of filters, {name, filter: [{function}, ...]}");
    for (size_t i = 0; i < list->n; i++) {
        pl_filter *one = NULL;
        PL_TRY(pl_new(&one, 1));
        pl_status status = read_filter(one, list->items[i]);
        bool better = status == PL_OK && (!*out || (wanted && strcmp(one->name, wanted) == 0));
        if (better) pl_filter_free(*out);
        if (better)
            *out = one;
        else
            pl_filter_free(one);
        PL_TRY(status);
    }
    return PL_OK;
}

pl_status pl_filter_make(pl_filter **out, const pl_yaml_node *list, const char *wanted)
{
    *out = NULL;
    if (!list) {
        PL_TRY(pl_new(out, 1));
        return pl_copy_text(&(*out)->name, "none");
    }
    pl_status status = read_filters(out, list, wanted);
    if (status == PL_OK) return PL_OK;
    pl_filter_free(*out);
    *out = NULL;
    return status;
}

void pl_filter_free(pl_filter *filter)
{
    if (!filter) return;
    for (size_t i = 0; i < filter->n; i++) {
        pl__python_regex_free(filter->steps[i].regex);
        free(filter->steps[i].fallback);
        json_decref(filter->steps[i].map);
    }
    json_decref(filter->json);
    free(filter->name);
    free(filter);
}

const char *pl_filter_name(const pl_filter *filter)
{
    return filter->name;
}

json_t *pl_filter_json(const pl_filter *filter)
{
    return filter->json;
}

/* ---- running ---- */

static pl_status append_stripped(pl_bytes *out, const char *text, size_t size)
{
    const char *begin = pl_strip(text, &size, true, true);
    return pl_bytes_append(out, begin, size);
}

static pl_status pick(const step *s, pl_bytes *out, const char *text, size_t size)
{
    size_t n, start, end;
    PL_TRY(pl__python_regex_pick(s->regex, text, size, s->group_select, &n, &start, &end));
    if (n == 0) return pl_bytes_text(out, s->fallback);
    bool is_there = s->group_select < 0 ? s->group_select >= -(long long)n : s->group_select < (long long)n;
    if (!is_there)
        return pl_fail(PL_E_INPUT,
                       "filter regex: group_select is %lld, but an answer has %zu matches (lm-evaluation-harness fails "
                       "there too); choose 0 or -1",
                       s->group_select, n);
    /* All groups of a match were empty: lm-evaluation-harness takes the fallback, and strips it. */
    return start == SIZE_MAX ? append_stripped(out, s->fallback, strlen(s->fallback))
                             : append_stripped(out, text + start, end - start);
}

static pl_status append_mapped(const step *s, pl_bytes *out, const char *text, size_t size)
{
    const json_t *value = json_object_getn(s->map, text, size);
    return pl_bytes_text(out, value ? json_string_value(value) : s->fallback);
}

static pl_status run_step(const step *s, pl_bytes *out, const char *text, size_t size)
{
    switch (s->kind) {
    case REMOVE_WHITESPACE:
        return append_stripped(out, text, size);
    case LOWERCASE:
        return pl_lower(out, text, size);
    case UPPERCASE:
        return pl_upper(out, text, size);
    case REGEX:
        return pick(s, out, text, size);
    case MAP:
        return append_mapped(s, out, text, size);
    default:
        return pl_bytes_append(out, text, size);
    }
}

pl_status pl_filter_apply(const pl_filter *filter, pl_bytes *out, const char *text, size_t size)
{
    pl_bytes now = {0}, next = {0};
    pl_status status;
    PL_GOTO(status, done, pl_bytes_append(&now, text, size));
    for (size_t i = 0; i < filter->n; i++) {
        pl_bytes_clear(&next);
        PL_GOTO(status, done, run_step(&filter->steps[i], &next, now.data ? now.data : "", now.size));
        pl_bytes swapped = now;
        now = next;
        next = swapped;
    }
    status = pl_bytes_append(out, now.data ? now.data : "", now.size);
done:
    pl_bytes_free(&now);
    pl_bytes_free(&next);
    return status;
}
