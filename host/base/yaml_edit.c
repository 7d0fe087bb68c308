#include "base/yaml_edit.h"

#include <stdlib.h>
#include <string.h>

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

/* Parses the value of an override as YAML. */
static pl_status parse_value(pl_yaml_node **out, const char *value, const char *assignment, pl_arena *arena)
{
    pl_bytes text = {0};
    pl_yaml *doc = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_bytes_format(&text, "value: %s\n", value));
    PL_GOTO(status, done, pl_yaml_parse(&doc, text.data, text.size, "command line"));
    const pl_yaml_node *node = pl_yaml_get(pl_yaml_root(doc), "value");
    if (!node) {
        status = pl_fail(PL_E_USAGE, "%s: expected key=value with a YAML value", assignment);
        goto done;
    }
    PL_GOTO(status, done, pl_yaml_copy(out, node, arena));
done:
    pl_yaml_free(doc);
    pl_bytes_free(&text);
    return status;
}

/* The slot of one step of a path; a map gets a new key when it lacks it. */
static pl_status find_slot(pl_yaml_node ***slot, pl_yaml_node *node, const char *step, const char *assignment,
                           pl_arena *arena)
{
    if (node->kind == PL_YAML_LIST) {
        char *end;
        unsigned long i = strtoul(step, &end, 10);
        if (*end || end == step || i >= node->n)
            return pl_fail(PL_E_USAGE, "%s: '%s' is no index of a list of %zu", assignment, step, node->n);
        *slot = &node->items[i];
        return PL_OK;
    }
    if (node->kind != PL_YAML_MAP)
        return pl_fail(PL_E_USAGE, "%s: '%s' has nothing to stand in: its parent is a single value", assignment, step);
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
    *keys[node->n] =
        (pl_yaml_node){.kind = PL_YAML_SCALAR, .file = "command line", .line = 1, .column = 1, .text = text};
    PL_TRY(pl_arena_new(arena, &items[node->n], 1));
    *items[node->n] = (pl_yaml_node){.kind = PL_YAML_MAP, .file = "command line", .line = 1, .column = 1};
    node->keys = keys;
    node->items = items;
    *slot = &items[node->n++];
    return PL_OK;
}

pl_status pl_yaml_override(pl_yaml_node *root, const char *assignment, pl_arena *arena)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment) return pl_fail(PL_E_USAGE, "%s: expected key=value", assignment);
    char *path, *rest = NULL;
    PL_TRY(pl_arena_text(arena, &path, assignment, (size_t)(equals - assignment)));
    pl_yaml_node **slot = &root;
    for (char *step = strtok_r(path, ".", &rest); step; step = strtok_r(NULL, ".", &rest))
        PL_TRY(find_slot(&slot, *slot, step, assignment, arena));
    return parse_value(slot, equals + 1, assignment, arena);
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

/* A double-quoted scalar: JSON's escapes are YAML's. */
static pl_status emit_quoted(pl_bytes *out, const char *text)
{
    json_t *value = json_string(text);
    if (!value) return pl_fail(PL_E_INPUT, "a text is not UTF-8");
    char *quoted = json_dumps(value, JSON_ENCODE_ANY);
    json_decref(value);
    if (!quoted) return pl_fail(PL_E_MEMORY, "out of memory while writing YAML");
    pl_status status = pl_bytes_text(out, quoted);
    free(quoted);
    return status;
}

static pl_status emit_node(pl_bytes *out, const pl_yaml_node *node, int indent)
{
    if (node->kind == PL_YAML_SCALAR) {
        PL_TRY(pl_bytes_text(out, " "));
        PL_TRY(node->quoted || strpbrk(node->text, ":#{}[],&*!|>'\"%@`\n\\") ? emit_quoted(out, node->text)
                                                                             : pl_bytes_text(out, node->text));
        return pl_bytes_text(out, "\n");
    }
    if (node->n == 0) return pl_bytes_text(out, node->kind == PL_YAML_MAP ? " {}\n" : " []\n");
    PL_TRY(pl_bytes_text(out, "\n"));
    for (size_t i = 0; i < node->n; i++) {
        PL_TRY(pl_bytes_format(out, "%*s", indent, ""));
        if (node->kind == PL_YAML_MAP) {
            PL_TRY(emit_quoted(out, node->keys[i]->text));
            PL_TRY(pl_bytes_text(out, ":"));
        } else {
            PL_TRY(pl_bytes_text(out, "-"));
        }
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
