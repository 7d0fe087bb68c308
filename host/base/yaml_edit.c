#include "base/yaml_edit.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/environment.h"
#include "base/utf8.h"

static pl_status copy_node(pl_yaml_node **out, const pl_yaml_node *node, const char *file, pl_arena *arena)
{
    PL_TRY(pl_arena_new(arena, out, 1));
    **out = *node;
    (*out)->file = file;
    if (node->kind == PL_YAML_SCALAR) {
        char *text;
        PL_TRY(pl_arena_text(arena, &text, node->text, strlen(node->text)));
        (*out)->text = text;
        return PL_OK;
    }
    PL_TRY(pl_arena_new(arena, &(*out)->items, node->n));
    if (node->kind == PL_YAML_MAP) PL_TRY(pl_arena_new(arena, &(*out)->keys, node->n));
    for (size_t i = 0; i < node->n; i++) {
        PL_TRY(copy_node(&(*out)->items[i], node->items[i], file, arena));
        if (node->kind == PL_YAML_MAP) PL_TRY(copy_node(&(*out)->keys[i], node->keys[i], file, arena));
    }
    return PL_OK;
}

pl_status pl_yaml_copy(pl_yaml_node **out, const pl_yaml_node *node, pl_arena *arena)
{
    char *file;
    PL_TRY(pl_arena_text(arena, &file, node->file, strlen(node->file)));
    return copy_node(out, node, file, arena);
}

/* Where the value of an override stands: in no file, so that errors name the assignment instead of a line. */
static void place_in_override(pl_yaml_node *node, const char *name)
{
    node->file = name;
    node->line = node->column = 0;
    for (size_t i = 0; i < node->n; i++) {
        place_in_override(node->items[i], name);
        if (node->kind == PL_YAML_MAP) place_in_override(node->keys[i], name);
    }
}

/* Parses the value of an override as YAML; nothing is null. */
static pl_status parse_value(pl_yaml_node **out, const char *value, const char *name, pl_arena *arena)
{
    pl_yaml *doc = NULL;
    bool is_empty = !value[strspn(value, " \t")];
    pl_status status = pl_yaml_parse(&doc, is_empty ? "~" : value, is_empty ? 1 : strlen(value), "value");
    if (status != PL_OK) {
        char text[512];
        const char *what = strstr(pl_error_text(), ": ");
        snprintf(text, sizeof text, "%s", what ? what + 2 : pl_error_text());
        return pl_fail(status, "%s: %s", name, text);
    }
    status = pl_yaml_copy(out, pl_yaml_root(doc), arena);
    if (status == PL_OK) place_in_override(*out, name);
    pl_yaml_free(doc);
    return status;
}

/* The slot of one step of a path; a map gets a new key when it lacks it. */
static pl_status find_slot(pl_yaml_node ***slot, pl_yaml_node *node, const char *step, const char *name,
                           pl_arena *arena)
{
    if (node->kind == PL_YAML_LIST) {
        char *end;
        unsigned long i = strtoul(step, &end, 10);
        if (*end || end == step || i >= node->n)
            return pl_fail(PL_E_USAGE, "%s: '%s' is no index of a list of %zu", name, step, node->n);
        *slot = &node->items[i];
        return PL_OK;
    }
    if (node->kind != PL_YAML_MAP)
        return pl_fail(PL_E_USAGE, "%s: '%s' has nothing to stand in: its parent is a single value", name, step);
    for (size_t i = 0; i < node->n; i++)
        if (strcmp(node->keys[i]->text, step) == 0) {
            *slot = &node->items[i];
            return PL_OK;
        }
    pl_yaml_node **keys, **items;
    char *text;
    PL_TRY(pl_arena_new(arena, &keys, node->n + 1));
    PL_TRY(pl_arena_new(arena, &items, node->n + 1));
    if (node->n) {
        memcpy(keys, node->keys, node->n * sizeof *keys);
        memcpy(items, node->items, node->n * sizeof *items);
    }
    PL_TRY(pl_arena_new(arena, &keys[node->n], 1));
    PL_TRY(pl_arena_text(arena, &text, step, strlen(step)));
    *keys[node->n] = (pl_yaml_node){.kind = PL_YAML_SCALAR, .file = name, .text = text};
    PL_TRY(pl_arena_new(arena, &items[node->n], 1));
    *items[node->n] = (pl_yaml_node){.kind = PL_YAML_MAP, .file = name};
    node->keys = keys;
    node->items = items;
    *slot = &items[node->n++];
    return PL_OK;
}

pl_status pl_yaml_override(pl_yaml_node *root, const char *assignment, pl_arena *arena)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return pl_fail(PL_E_USAGE, "'%.200s': expected key=value, such as items=100 or arms.0.draws=3", assignment);
    char *path, *name, *rest = NULL;
    PL_TRY(pl_arena_text(arena, &path, assignment, (size_t)(equals - assignment)));
    PL_TRY(pl_arena_format(arena, &name, "override %.200s", assignment));
    pl_yaml_node **slot = &root;
    for (char *step = strtok_r(path, ".", &rest); step; step = strtok_r(NULL, ".", &rest))
        PL_TRY(find_slot(&slot, *slot, step, name, arena));
    return parse_value(slot, equals + 1, name, arena);
}

pl_status pl_yaml_expand(pl_yaml_node *node, pl_arena *arena)
{
    if (node->kind != PL_YAML_SCALAR) {
        for (size_t i = 0; i < node->n; i++) PL_TRY(pl_yaml_expand(node->items[i], arena));
        return PL_OK;
    }
    if (!strstr(node->text, "${")) return PL_OK;
    pl_bytes text = {0};
    char *copy = NULL;
    pl_status status = pl_yaml_to_path(&text, node);
    if (status == PL_OK) status = pl_arena_text(arena, &copy, text.data, text.size);
    if (status == PL_OK) node->text = copy;
    pl_bytes_free(&text);
    return status;
}

/* Whether a character may stand in double quotes as it is: what YAML calls printable, without its line breaks. */
static bool stands_for_itself(uint32_t c)
{
    if (c == '"' || c == '\\' || c == 0x2028 || c == 0x2029 || c == 0xFEFF) return false;
    return (c >= 0x20 && c <= 0x7E) || (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD) || c >= 0x10000;
}

static pl_status emit_quoted(pl_bytes *out, const char *text)
{
    size_t size = strlen(text), width;
    if (pl_utf8_check(text, size) < size) return pl_fail(PL_E_INPUT, "'%.60s' is not UTF-8", text);
    PL_TRY(pl_bytes_text(out, "\""));
    for (size_t i = 0; i < size; i += width) {
        uint32_t c;
        width = pl_utf8_get(&c, text + i);
        if (stands_for_itself(c))
            PL_TRY(pl_bytes_append(out, text + i, width));
        else if (c == '"' || c == '\\')
            PL_TRY(pl_bytes_format(out, "\\%c", (char)c));
        else if (c == '\n' || c == '\t')
            PL_TRY(pl_bytes_text(out, c == '\n' ? "\\n" : "\\t"));
        else
            PL_TRY(pl_bytes_format(out, c > 0xFFFF ? "\\U%08X" : "\\u%04X", (unsigned)c));
    }
    return pl_bytes_text(out, "\"");
}

/* Whether a text reads back as itself, and as the same kind of value, without quotes. Only what is plain beyond doubt:
 * quotes never change the reading of the rest, which is a text. */
static bool is_plain(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./+~-";
    size_t size = strlen(text);
    if (text[strspn(text, letters)]) return false;
    /* A list's mark, and the marks at which a document begins and ends. */
    return !(size == 1 && *text == '-') && strncmp(text, "---", 3) != 0 && strncmp(text, "...", 3) != 0;
}

/* libyaml reads no key of more than 1024 bytes without its mark. */
static pl_status emit_key(pl_bytes *out, const char *text, int indent)
{
    enum { LONGEST_KEY = 150 }; /* bytes; an escape makes at most six of one */
    if (strlen(text) <= LONGEST_KEY) {
        PL_TRY(emit_quoted(out, text));
        return pl_bytes_text(out, ":");
    }
    PL_TRY(pl_bytes_text(out, "? "));
    PL_TRY(emit_quoted(out, text));
    return pl_bytes_format(out, "\n%*s:", indent, "");
}

static pl_status emit_node(pl_bytes *out, const pl_yaml_node *node, int indent)
{
    if (node->kind == PL_YAML_SCALAR) {
        PL_TRY(pl_bytes_text(out, " "));
        PL_TRY(node->quoted || !is_plain(node->text) ? emit_quoted(out, node->text) : pl_bytes_text(out, node->text));
        return pl_bytes_text(out, "\n");
    }
    if (node->n == 0) return pl_bytes_text(out, node->kind == PL_YAML_MAP ? " {}\n" : " []\n");
    PL_TRY(pl_bytes_text(out, "\n"));
    for (size_t i = 0; i < node->n; i++) {
        PL_TRY(pl_bytes_format(out, "%*s", indent, ""));
        PL_TRY(node->kind == PL_YAML_MAP ? emit_key(out, node->keys[i]->text, indent) : pl_bytes_text(out, "-"));
        PL_TRY(emit_node(out, node->items[i], indent + 2));
    }
    return PL_OK;
}

pl_status pl_yaml_emit(pl_bytes *out, const pl_yaml_node *node)
{
    size_t start = out->size;
    PL_TRY(emit_node(out, node, 0));
    /* emit_node opens a collection with a newline: at the top there is nothing before it. */
    memmove(out->data + start, out->data + start + 1, out->size - start);
    out->size--;
    return PL_OK;
}
