/* The task as one file that stands alone: what it includes is in it, its data files are named by absolute path and
 * digest. Everything that makes a number reads from it as from the files it was made of. */
#include <string.h>

#include "base/yaml_edit.h"
#include "task/task_keys.h"
#include "task/task_parts.h"

static pl_status new_scalar(pl_yaml_node **out, const char *text, pl_arena *arena)
{
    char *copy;
    PL_TRY(pl_arena_new(arena, out, 1));
    PL_TRY(pl_arena_text(arena, &copy, text, strlen(text)));
    **out = (pl_yaml_node){.kind = PL_YAML_SCALAR, .quoted = true, .file = "", .text = copy};
    return PL_OK;
}

static pl_status new_map(pl_yaml_node **out, size_t capacity, pl_arena *arena)
{
    PL_TRY(pl_arena_new(arena, out, 1));
    **out = (pl_yaml_node){.kind = PL_YAML_MAP, .file = ""};
    PL_TRY(pl_arena_new(arena, &(*out)->keys, capacity));
    return pl_arena_new(arena, &(*out)->items, capacity);
}

/* The map has room. */
static pl_status add(pl_yaml_node *map, const char *key, pl_yaml_node *value, pl_arena *arena)
{
    PL_TRY(new_scalar(&map->keys[map->n], key, arena));
    map->keys[map->n]->quoted = false;
    map->items[map->n++] = value;
    return PL_OK;
}

static pl_status add_text(pl_yaml_node *map, const char *key, const char *text, pl_arena *arena)
{
    pl_yaml_node *node;
    if (!text) return PL_OK;
    PL_TRY(new_scalar(&node, text, arena));
    return add(map, key, node, arena);
}

static pl_status add_size(pl_yaml_node *map, const char *key, size_t value, pl_arena *arena)
{
    char *text;
    PL_TRY(pl_arena_format(arena, &text, "%zu", value));
    PL_TRY(add_text(map, key, text, arena));
    map->items[map->n - 1]->quoted = false;
    return PL_OK;
}

static pl_status add_texts(pl_yaml_node *map, const char *key, const char *const *texts, size_t n, pl_arena *arena)
{
    pl_yaml_node *list;
    PL_TRY(pl_arena_new(arena, &list, 1));
    *list = (pl_yaml_node){.kind = PL_YAML_LIST, .file = ""};
    PL_TRY(pl_arena_new(arena, &list->items, n));
    for (; list->n < n; list->n++) PL_TRY(new_scalar(&list->items[list->n], texts[list->n], arena));
    return add(map, key, list, arena);
}

/* How the files are read, as pl__task_form_read reads it back. */
static pl_status add_form(pl_yaml_node *split, const pl_data_form *form, pl_arena *arena)
{
    pl_yaml_node *map;
    PL_TRY(add_text(split, "format", form->format, arena));
    PL_TRY(new_map(&map, 7, arena));
    PL_TRY(add_text(map, "field", form->field, arena));
    PL_TRY(add_text(map, "sep", form->separator, arena));
    if (form->quote && !*form->quote)
        PL_TRY(add_size(map, "quoting", 3, arena));
    else
        PL_TRY(add_text(map, "quotechar", form->quote, arena));
    if (form->skip_rows) PL_TRY(add_size(map, "skiprows", form->skip_rows, arena));
    if (form->n_names) PL_TRY(add_texts(map, "names", form->names, form->n_names, arena));
    if (form->no_header) {
        PL_TRY(add_text(map, "header", "null", arena));
        map->items[map->n - 1]->quoted = false;
    } else if (form->header || form->n_names) {
        PL_TRY(add_size(map, "header", form->header, arena));
    }
    return map->n ? add(split, "dataset_kwargs", map, arena) : PL_OK;
}

/* Of several files lists of paths and digests. */
static pl_status add_split(pl_yaml_node *root, const char *key, const pl_data *data, pl_arena *arena)
{
    pl_yaml_node *map;
    const char **paths, **digests;
    if (!data || (!*data->path && data->n_parts == 0)) return PL_OK; /* none, or written in fewshot_config */
    PL_TRY(new_map(&map, 4, arena));
    if (data->n_parts == 0) {
        PL_TRY(add_text(map, "path", data->path, arena));
        PL_TRY(add_text(map, "sha256", data->file_sha256, arena));
    } else {
        PL_TRY(pl_arena_new(arena, &paths, data->n_parts));
        PL_TRY(pl_arena_new(arena, &digests, data->n_parts));
        for (size_t i = 0; i < data->n_parts; i++) {
            paths[i] = data->parts[i]->path;
            digests[i] = data->parts[i]->file_sha256;
        }
        PL_TRY(add_texts(map, "path", paths, data->n_parts, arena));
        PL_TRY(add_texts(map, "sha256", digests, data->n_parts, arena));
    }
    PL_TRY(add_form(map, data->form, arena));
    return add(root, key, map, arena);
}

/* Whether a key says only where files lie. */
static bool is_place(const char *key)
{
    static const char *const places[] = {PL_TASK_PLACE_KEYS, NULL};
    const char *const *place = places;
    while (*place && strcmp(*place, key) != 0) place++;
    return *place != NULL;
}

/* fewshot_split says where the shots come from. */
static void leave_out_split(pl_yaml_node *config)
{
    size_t n = 0;
    if (config->kind != PL_YAML_MAP) return;
    for (size_t i = 0; i < config->n; i++) {
        if (strcmp(config->keys[i]->text, "split") == 0) continue;
        config->keys[n] = config->keys[i];
        config->items[n++] = config->items[i];
    }
    config->n = n;
}

static pl_status make_tree(pl_yaml_node **root, const pl_task *task, const pl__task_file *file, pl_arena *arena)
{
    size_t n = 2;
    for (const pl_yaml_key *key = pl_task_root_keys; key->name; key++) n++;
    PL_TRY(new_map(root, n, arena));
    for (const pl_yaml_key *key = pl_task_root_keys; key->name; key++) {
        const pl_yaml_node *node = pl__task_file_get(file, key->name);
        pl_yaml_node *copy;
        if (!node || is_place(key->name)) continue;
        PL_TRY(pl_yaml_copy(&copy, node, arena));
        if (strcmp(key->name, "fewshot_config") == 0) leave_out_split(copy);
        PL_TRY(add(*root, key->name, copy, arena));
    }
    PL_TRY(add_split(*root, "test_split", task->test, arena));
    return add_split(*root, "fewshot_split", task->fewshot, arena);
}

pl_status pl__task_freeze(pl_task *task, const pl__task_file *file)
{
    pl_arena *arena;
    pl_yaml_node *root;
    pl_bytes text = {0};
    char *copy;
    PL_TRY(pl_arena_create(&arena));
    pl_status status = make_tree(&root, task, file, arena);
    if (status == PL_OK) status = pl_yaml_emit(&text, root);
    if (status == PL_OK) status = pl_arena_text(task->arena, &copy, text.data, text.size);
    if (status == PL_OK) task->frozen = copy;
    pl_bytes_free(&text);
    pl_arena_free(arena);
    return status;
}
