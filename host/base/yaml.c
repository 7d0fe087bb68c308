#include "base/yaml.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/content.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/nearest.h"

/* What a hand-written file never reaches, and a hostile one must not exceed. */
enum { MAX_BYTES = 4 * 1024 * 1024, MAX_NODES = 200000, MAX_DEPTH = 64 };

struct pl_yaml {
    pl_arena *arena;
    pl_yaml_node *root;
};

/* The state of one parse: libyaml's events become arena nodes. */
typedef struct reader {
    yaml_parser_t parser;
    pl_arena *arena;
    const char *file;
    size_t n_nodes;
} reader;

const pl_yaml_node *pl_yaml_root(const pl_yaml *doc)
{
    return doc->root;
}

void pl_yaml_free(pl_yaml *doc)
{
    if (!doc) return;
    pl_arena_free(doc->arena);
    free(doc);
}

pl_status pl_yaml_fail(const pl_yaml_node *at, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!at->line) return pl_fail(PL_E_INPUT, "%s: %s", at->file, text);
    return pl_fail(PL_E_INPUT, "%s:%zu:%zu: %s", at->file, at->line, at->column, text);
}

/* ---- events to nodes ---- */

static pl_status next_event(reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event)) return PL_OK;
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "unreadable";
    if (p->error == YAML_MEMORY_ERROR) return pl_fail(PL_E_MEMORY, "%s: out of memory while reading YAML", r->file);
    if (p->error == YAML_READER_ERROR)
        return pl_fail(PL_E_INPUT, "%s: byte %zu: not valid YAML: %s", r->file, p->problem_offset, problem);
    return pl_fail(PL_E_INPUT, "%s:%zu:%zu: not valid YAML: %s%s%s", r->file, p->problem_mark.line + 1,
                   p->problem_mark.column + 1, problem, p->context ? ", " : "", p->context ? p->context : "");
}

static pl_status refuse_extras(const pl_yaml_node *at, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return pl_yaml_fail(at, "anchor &%.100s: anchors and aliases are not supported; repeat the value", anchor);
    if (tag && strcmp((const char *)tag, "!function") == 0)
        return pl_yaml_fail(at, "tag !function: Python functions are not run; write the field as a template, such as "
                                "\"{{ text | trim }}\", or prepare the data beforehand");
    if (tag) return pl_yaml_fail(at, "tag %.100s: tags are not supported; write a plain or quoted value", tag);
    return PL_OK;
}

static pl_status new_node(reader *r, pl_yaml_node **out, pl_yaml_kind kind, yaml_mark_t mark)
{
    if (++r->n_nodes > MAX_NODES)
        return pl_fail(PL_E_INPUT, "%s:%zu: more than %d values in one YAML file", r->file, mark.line + 1, MAX_NODES);
    PL_TRY(pl_arena_new(r->arena, out, 1));
    **out = (pl_yaml_node){.kind = kind, .file = r->file, .line = mark.line + 1, .column = mark.column + 1};
    return PL_OK;
}

static pl_status read_scalar(reader *r, pl_yaml_node **out, const yaml_event_t *event)
{
    PL_TRY(new_node(r, out, PL_YAML_SCALAR, event->start_mark));
    PL_TRY(refuse_extras(*out, event->data.scalar.anchor, event->data.scalar.tag));
    const char *value = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    if (memchr(value, 0, size)) return pl_yaml_fail(*out, "a text holds the character \\0; remove it");
    char *copy;
    PL_TRY(pl_arena_text(r->arena, &copy, value, size));
    (*out)->text = copy;
    (*out)->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return PL_OK;
}

static pl_status read_node(reader *r, pl_yaml_node **out, yaml_event_t *event, size_t depth);

static int by_text_then_line(const void *a, const void *b)
{
    const pl_yaml_node *x = *(pl_yaml_node *const *)a, *y = *(pl_yaml_node *const *)b;
    int order = strcmp(x->text, y->text);
    if (order == 0) order = (x->line > y->line) - (x->line < y->line);
    return order ? order : (x->column > y->column) - (x->column < y->column);
}

/* Sorting a copy keeps a map of many keys from costing a comparison for each pair of them. */
static pl_status refuse_duplicates(const pl_yaml_node *map)
{
    if (map->n < 2) return PL_OK;
    pl_yaml_node **sorted = NULL;
    PL_TRY(pl_new(&sorted, map->n));
    memcpy(sorted, map->keys, map->n * sizeof *sorted);
    qsort(sorted, map->n, sizeof *sorted, by_text_then_line);
    pl_status status = PL_OK;
    for (size_t i = 1; i < map->n && status == PL_OK; i++)
        if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0)
            status = pl_yaml_fail(sorted[i], "key '%.200s' is already set on line %zu; keep one of the two",
                                  sorted[i]->text, sorted[i - 1]->line);
    free(sorted);
    return status;
}

/* Reads children up to the end of a list or a map; a map's children alternate between key and value. */
static pl_status read_children(reader *r, pl_yaml_node *node, yaml_event_type_t end, size_t depth)
{
    pl_status status = PL_OK;
    pl_yaml_node **found = NULL;
    size_t n = 0, capacity = 0;
    for (;;) {
        yaml_event_t event;
        PL_GOTO(status, done, next_event(r, &event));
        if (event.type == end) {
            yaml_event_delete(&event);
            break;
        }
        status = pl_grow(&found, &capacity, n + 1);
        if (status == PL_OK) status = read_node(r, &found[n], &event, depth + 1);
        yaml_event_delete(&event);
        if (status != PL_OK) goto done;
        bool is_key = node->kind == PL_YAML_MAP && n % 2 == 0;
        if (is_key && found[n]->kind != PL_YAML_SCALAR) {
            status = pl_yaml_fail(found[n], "a key must be a single text, found a %s",
                                  found[n]->kind == PL_YAML_LIST ? "list" : "map");
            goto done;
        }
        if (is_key && !found[n]->quoted && strcmp(found[n]->text, "<<") == 0) {
            status = pl_yaml_fail(found[n], "merge keys (<<) are not supported; write the keys out");
            goto done;
        }
        n++;
    }
    if (node->kind == PL_YAML_LIST) {
        node->n = n;
        PL_GOTO(status, done, pl_arena_new(r->arena, &node->items, n));
        if (n) memcpy(node->items, found, n * sizeof *found);
        goto done;
    }
    node->n = n / 2;
    PL_GOTO(status, done, pl_arena_new(r->arena, &node->keys, node->n));
    PL_GOTO(status, done, pl_arena_new(r->arena, &node->items, node->n));
    for (size_t i = 0; i < node->n; i++) {
        node->keys[i] = found[2 * i];
        node->items[i] = found[2 * i + 1];
    }
    PL_GOTO(status, done, refuse_duplicates(node));
done:
    free(found);
    return status;
}

static pl_status read_node(reader *r, pl_yaml_node **out, yaml_event_t *event, size_t depth)
{
    if (depth > MAX_DEPTH)
        return pl_fail(PL_E_INPUT, "%s:%zu:%zu: nested deeper than %d levels", r->file, event->start_mark.line + 1,
                       event->start_mark.column + 1, MAX_DEPTH);
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r, out, event);
    case YAML_SEQUENCE_START_EVENT:
        PL_TRY(new_node(r, out, PL_YAML_LIST, event->start_mark));
        PL_TRY(refuse_extras(*out, event->data.sequence_start.anchor, event->data.sequence_start.tag));
        return read_children(r, *out, YAML_SEQUENCE_END_EVENT, depth);
    case YAML_MAPPING_START_EVENT:
        PL_TRY(new_node(r, out, PL_YAML_MAP, event->start_mark));
        PL_TRY(refuse_extras(*out, event->data.mapping_start.anchor, event->data.mapping_start.tag));
        return read_children(r, *out, YAML_MAPPING_END_EVENT, depth);
    case YAML_ALIAS_EVENT:
        return pl_fail(PL_E_INPUT, "%s:%zu:%zu: alias *%.100s: anchors and aliases are not supported; repeat the value",
                       r->file, event->start_mark.line + 1, event->start_mark.column + 1,
                       (const char *)event->data.alias.anchor);
    default:
        return pl_fail(PL_E_INTERNAL, "%s:%zu: unexpected YAML event %d", r->file, event->start_mark.line + 1,
                       (int)event->type);
    }
}

/* The stream: at most one document with one root. */
static pl_status read_stream(reader *r, pl_yaml_node **root)
{
    for (;;) {
        yaml_event_t event;
        PL_TRY(next_event(r, &event));
        yaml_event_type_t type = event.type;
        pl_status status = PL_OK;
        if (type == YAML_DOCUMENT_START_EVENT && *root)
            status = pl_fail(PL_E_INPUT, "%s:%zu:%zu: a second YAML document begins; expected one document a file",
                             r->file, event.start_mark.line + 1, event.start_mark.column + 1);
        else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                 type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT)
            status = read_node(r, root, &event, 1);
        yaml_event_delete(&event);
        if (status != PL_OK) return status;
        if (type == YAML_STREAM_END_EVENT) return PL_OK;
    }
}

pl_status pl_yaml_parse(pl_yaml **out, const char *text, size_t size, const char *name)
{
    *out = NULL;
    if (size > MAX_BYTES)
        return pl_fail(PL_E_INPUT, "%s: %zu bytes of YAML, expected at most %d", name, size, MAX_BYTES);
    PL_TRY(pl_content_check(text, size, name));
    /* The encoding is fixed to UTF-8, so libyaml sees a byte-order mark as a character. */
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        size -= 3;
    }
    pl_yaml *doc = NULL;
    PL_TRY(pl_new(&doc, 1));
    reader r = {0};
    pl_status status;
    char *file;
    bool parser_open = false;
    PL_GOTO(status, done, pl_arena_create(&doc->arena));
    PL_GOTO(status, done, pl_arena_text(doc->arena, &file, name, strlen(name)));
    r.arena = doc->arena;
    r.file = file;
    parser_open = yaml_parser_initialize(&r.parser);
    if (!parser_open) {
        status = pl_fail(PL_E_MEMORY, "%s: out of memory while reading YAML", name);
        goto done;
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    PL_GOTO(status, done, read_stream(&r, &doc->root));
    pl_yaml_node *root = doc->root;
    bool empty = !root || (root->kind == PL_YAML_SCALAR && !root->quoted && !*root->text);
    if (empty) PL_GOTO(status, done, new_node(&r, &doc->root, PL_YAML_MAP, (yaml_mark_t){0}));
    *out = doc;
    doc = NULL;
done:
    if (parser_open) yaml_parser_delete(&r.parser);
    pl_yaml_free(doc);
    return status;
}

pl_status pl_yaml_read(pl_yaml **out, const char *path)
{
    *out = NULL;
    pl_bytes text;
    PL_TRY(pl_file_read(&text, path, MAX_BYTES));
    pl_status status = pl_yaml_parse(out, text.data, text.size, path);
    pl_bytes_free(&text);
    return status;
}

/* ---- look-ups ---- */

const pl_yaml_node *pl_yaml_get(const pl_yaml_node *map, const char *key)
{
    if (map->kind != PL_YAML_MAP) return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->keys[i]->text, key) == 0) return map->items[i];
    return NULL;
}

static const char *kind_name(const pl_yaml_node *node)
{
    return node->kind == PL_YAML_LIST ? "a list" : node->kind == PL_YAML_MAP ? "a map" : "a single value";
}

static pl_status unknown_key(const pl_yaml_node *key, const pl_yaml_key *known)
{
    const char *nearest = NULL;
    size_t least = strlen(key->text) > 3 ? PL_NEAR + 1 : PL_NEAR; /* two letters of three are another word */
    for (const pl_yaml_key *k = known; k->name; k++) {
        size_t d = pl_edit_distance(key->text, k->name);
        if (d < least) {
            least = d;
            nearest = k->name;
        }
    }
    if (nearest) return pl_yaml_fail(key, "unknown key '%.200s'; did you mean '%s'?", key->text, nearest);
    char list[700] = "";
    size_t used = 0;
    for (const pl_yaml_key *k = known; k->name && used < sizeof list; k++) {
        int wrote = snprintf(list + used, sizeof list - used, "%s%s", k == known ? "" : ", ", k->name);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    return pl_yaml_fail(key, "unknown key '%.200s'; expected one of: %s", key->text, list);
}

pl_status pl_yaml_check_keys(const pl_yaml_node *map, const pl_yaml_key *known)
{
    if (map->kind != PL_YAML_MAP)
        return pl_yaml_fail(map, "expected a map of keys and values, found %s", kind_name(map));
    for (size_t i = 0; i < map->n; i++) {
        const pl_yaml_key *k = known;
        while (k->name && strcmp(k->name, map->keys[i]->text) != 0) k++;
        if (!k->name) return unknown_key(map->keys[i], known);
    }
    return PL_OK;
}

/* ---- typed scalars: YAML 1.2, core schema ---- */

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(text, *list) == 0) return true;
    return false;
}

static bool is_null(const char *text)
{
    static const char *const forms[] = {"", "~", "null", "Null", "NULL", NULL};
    return is_one_of(text, forms);
}

bool pl_yaml_is_null(const pl_yaml_node *node)
{
    return node->kind == PL_YAML_SCALAR && !node->quoted && is_null(node->text);
}

static bool is_true(const char *text)
{
    static const char *const forms[] = {"true", "True", "TRUE", NULL};
    return is_one_of(text, forms);
}

static bool is_false(const char *text)
{
    static const char *const forms[] = {"false", "False", "FALSE", NULL};
    return is_one_of(text, forms);
}

static const char *const DIGITS = "0123456789";

/* [-+]?[0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+ ; *base and *digits serve strtoll. */
static bool is_integer(const char *text, int *base, const char **digits)
{
    *base = 10;
    *digits = text;
    if (text[0] == '0' && (text[1] == 'o' || text[1] == 'x')) {
        *base = text[1] == 'o' ? 8 : 16;
        *digits = text + 2;
        const char *set = *base == 8 ? "01234567" : "0123456789abcdefABCDEF";
        return **digits && !(*digits)[strspn(*digits, set)];
    }
    const char *c = text + (*text == '-' || *text == '+');
    return *c && !c[strspn(c, DIGITS)];
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_real(const char *text)
{
    const char *c = text + (*text == '-' || *text == '+');
    size_t whole = strspn(c, DIGITS), fraction = 0;
    c += whole;
    if (*c == '.') {
        fraction = strspn(c + 1, DIGITS);
        c += 1 + fraction;
    }
    if (whole + fraction == 0) return false;
    if (*c == 'e' || *c == 'E') {
        c += 1 + (c[1] == '-' || c[1] == '+');
        size_t exponent = strspn(c, DIGITS);
        if (exponent == 0) return false;
        c += exponent;
    }
    return *c == 0;
}

static bool is_not_finite(const char *text)
{
    static const char *const forms[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
    return is_one_of(*text == '-' || *text == '+' ? text + 1 : text, forms);
}

/* "expected X, found ..." for a node of any kind. */
static pl_status expected(const pl_yaml_node *node, const char *what)
{
    if (node->kind != PL_YAML_SCALAR) return pl_yaml_fail(node, "expected %s, found %s", what, kind_name(node));
    if (node->quoted) return pl_yaml_fail(node, "expected %s, found the text \"%.100s\"", what, node->text);
    if (is_null(node->text)) return pl_yaml_fail(node, "expected %s, found %s", what, *node->text ? "null" : "nothing");
    return pl_yaml_fail(node, "expected %s, found '%.100s'", what, node->text);
}

pl_status pl_yaml_to_text(const char **out, const pl_yaml_node *node)
{
    if (node->kind != PL_YAML_SCALAR || (!node->quoted && is_null(node->text)))
        return expected(node, "a text (in quotes when it is empty)");
    *out = node->text;
    return PL_OK;
}

pl_status pl_yaml_to_integer(long long *out, const pl_yaml_node *node)
{
    int base;
    const char *digits;
    if (node->kind != PL_YAML_SCALAR || node->quoted || !is_integer(node->text, &base, &digits))
        return expected(node, "an integer");
    errno = 0;
    long long value = strtoll(digits, NULL, base);
    if (errno == ERANGE) return expected(node, "an integer of at most 64 bits");
    *out = value;
    return PL_OK;
}

pl_status pl_yaml_to_size(size_t *out, const pl_yaml_node *node)
{
    long long value = 0;
    PL_TRY(pl_yaml_to_integer(&value, node));
    if (value < 0) return expected(node, "an integer of 0 or more");
    *out = (size_t)value;
    return PL_OK;
}

pl_status pl_yaml_to_real(double *out, const pl_yaml_node *node)
{
    int base;
    const char *digits;
    if (node->kind == PL_YAML_SCALAR && !node->quoted && is_integer(node->text, &base, &digits) && base != 10) {
        long long value;
        PL_TRY(pl_yaml_to_integer(&value, node));
        *out = (double)value;
        return PL_OK;
    }
    if (node->kind != PL_YAML_SCALAR || node->quoted || !is_real(node->text)) return expected(node, "a finite number");
    double value = strtod(node->text, NULL);
    if (!isfinite(value)) return expected(node, "a finite number");
    *out = value;
    return PL_OK;
}

pl_status pl_yaml_to_bool(bool *out, const pl_yaml_node *node)
{
    bool plain = node->kind == PL_YAML_SCALAR && !node->quoted;
    if (!plain || (!is_true(node->text) && !is_false(node->text))) return expected(node, "true or false");
    *out = is_true(node->text);
    return PL_OK;
}

static pl_status scalar_to_json(json_t **out, const pl_yaml_node *node)
{
    int base;
    const char *digits;
    if (node->quoted)
        *out = json_string(node->text);
    else if (is_null(node->text))
        *out = json_null();
    else if (is_true(node->text) || is_false(node->text))
        *out = json_boolean(is_true(node->text));
    else if (is_integer(node->text, &base, &digits)) {
        long long value;
        PL_TRY(pl_yaml_to_integer(&value, node));
        *out = json_integer(value);
    } else if (is_real(node->text) || is_not_finite(node->text)) {
        double value;
        PL_TRY(pl_yaml_to_real(&value, node));
        *out = json_real(value);
    } else
        *out = json_string(node->text);
    return *out ? PL_OK : pl_fail(PL_E_MEMORY, "%s:%zu: out of memory", node->file, node->line);
}

pl_status pl_yaml_to_json(json_t **out, const pl_yaml_node *node)
{
    *out = NULL;
    if (node->kind == PL_YAML_SCALAR) return scalar_to_json(out, node);
    json_t *whole = node->kind == PL_YAML_LIST ? json_array() : json_object();
    if (!whole) return pl_fail(PL_E_MEMORY, "%s:%zu: out of memory", node->file, node->line);
    for (size_t i = 0; i < node->n; i++) {
        json_t *child;
        pl_status status = pl_yaml_to_json(&child, node->items[i]);
        /* The _new functions take over the child, also when they fail. */
        if (status == PL_OK &&
            (node->kind == PL_YAML_LIST ? json_array_append_new(whole, child)
                                        : json_object_set_new(whole, node->keys[i]->text, child)) != 0)
            status = pl_fail(PL_E_MEMORY, "%s:%zu: out of memory", node->file, node->line);
        if (status != PL_OK) {
            json_decref(whole);
            return status;
        }
    }
    *out = whole;
    return PL_OK;
}
