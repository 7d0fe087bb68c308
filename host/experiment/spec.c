#include "experiment/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/yaml.h"
#include "base/yaml_edit.h"
#include "engine/engine.h"
#include "experiment/spec_keys.h"
#include "experiment/spec_parts.h"

static const char *const truncation_names[PL_TRUNCATIONS] = {"error", "skip", "drop_shots", "truncate_left"};
const pl_position pl_positions[PL_POSITIONS] = {{"last", PL_POSITION_LAST},
                                                {"label", PL_POSITION_LABEL},
                                                {"mean", PL_POSITION_MEAN},
                                                {"all", PL_POSITION_ALL},
                                                {"suffix", PL_POSITION_SUFFIX}};

enum { MAX_EXPERIMENT_BYTES = 4 * 1024 * 1024, MAX_NAME = 100 };

const char *pl_truncation_name(pl_truncation truncation)
{
    return truncation_names[truncation];
}

static pl_status resolve_path(pl_spec *spec, const char **out, const char *path)
{
    char folder[PL_PATH_MAX], *text;
    if (path[0] == '/') {
        *out = path;
        return PL_OK;
    }
    PL_TRY(pl_path_folder(folder, spec->path));
    PL_TRY(strcmp(folder, ".") == 0 ? pl_arena_format(spec->arena, &text, "%s", path)
                                    : pl_arena_format(spec->arena, &text, "%s/%s", folder, path));
    *out = text;
    return PL_OK;
}

/* Path, name and type; revisions come after. */
static pl_status read_model(pl_spec *spec, pl_spec_model *model, const pl_yaml_node *node)
{
    const pl_yaml_node *path = node;
    model->compute = PL_F32;
    if (node->kind == PL_YAML_MAP) {
        PL_TRY(pl_yaml_check_keys(node, pl_spec_model_keys));
        path = pl_yaml_get(node, "path");
        if (!path) return pl_yaml_fail(node, "a model needs 'path': a checkpoint folder or a hub name");
    }
    PL_TRY(pl_yaml_to_text(&model->path, path));
    if (!*model->path) return pl_yaml_fail(path, "an empty path: expected a checkpoint folder or a hub name");
    /* A folder beside the experiment file comes first; anything else is a path as given or a hub name. */
    const char *beside;
    PL_TRY(resolve_path(spec, &beside, model->path));
    if (pl_folder_exists(beside)) model->path = beside;
    size_t size = strlen(model->path);
    while (size > 1 && model->path[size - 1] == '/') size--;
    size_t start = size;
    while (start > 0 && model->path[start - 1] != '/') start--;
    char *name;
    PL_TRY(pl_arena_text(spec->arena, &name, model->path + start, size - start));
    model->name = name;
    if (node->kind != PL_YAML_MAP) return PL_OK;
    if (pl_yaml_get(node, "name")) PL_TRY(pl_yaml_to_text(&model->name, pl_yaml_get(node, "name")));
    const pl_yaml_node *dtype = pl_yaml_get(node, "dtype");
    if (dtype) {
        size_t i;
        PL_TRY(pl__one_of(&i, dtype, pl_compute_names, PL_COMPUTE_NAMES));
        model->compute = pl_compute_of(i);
    }
    return PL_OK;
}

/* Model `entry` at one of its revisions: a checkpoint folder below it. */
static pl_status revise(pl_spec *spec, pl_spec_model *model, const pl_yaml_node *revision)
{
    const char *text;
    char *path, *name;
    PL_TRY(pl_yaml_to_text(&text, revision));
    PL_TRY(pl_arena_format(spec->arena, &path, "%s/%s", model->base, text));
    PL_TRY(pl_arena_format(spec->arena, &name, "%s@%s", model->name, text));
    if (!pl_folder_exists(path))
        return pl_yaml_fail(revision, "revision: there is no folder %s: expected a checkpoint of a training run", path);
    model->revision = text;
    model->path = path;
    model->name = name;
    return PL_OK;
}

/* One model, or one for each revision; appended to models. */
static pl_status read_entry(pl_spec *spec, pl_spec_model *models, size_t entry, const pl_yaml_node *node)
{
    const pl_yaml_node *revisions = node->kind == PL_YAML_MAP ? pl_yaml_get(node, "revision") : NULL;
    pl_spec_model model = {.entry = entry};
    pl__list l = {.n = 1};
    PL_TRY(read_model(spec, &model, node));
    model.base = model.path;
    if (revisions) PL_TRY(pl__list_of(&l, revisions));
    for (size_t i = 0; i < l.n; i++) {
        pl_spec_model *out = &models[spec->n_models];
        *out = model;
        if (revisions) PL_TRY(revise(spec, out, pl__list_item(&l, i)));
        for (size_t j = 0; j < spec->n_models; j++)
            if (strcmp(models[j].name, out->name) == 0)
                return pl_yaml_fail(node, "two models are called '%s'; give one a 'name'", out->name);
        spec->n_models++;
    }
    return PL_OK;
}

static pl_status read_models(pl_spec *spec, const pl_yaml_node *root)
{
    const pl_yaml_node *node = pl_yaml_get(root, "models");
    if (!node) return pl_yaml_fail(root, "'models' is missing: a list of checkpoint folders or hub names");
    pl__list l;
    pl_spec_model *models;
    size_t n = 0;
    PL_TRY(pl__list_of(&l, node));
    for (size_t i = 0; i < l.n; i++) {
        const pl_yaml_node *item = pl__list_item(&l, i),
                           *revisions = item->kind == PL_YAML_MAP ? pl_yaml_get(item, "revision") : NULL;
        n += revisions && revisions->kind == PL_YAML_LIST ? revisions->n : 1;
    }
    PL_TRY(pl_arena_new(spec->arena, &models, n));
    for (size_t i = 0; i < l.n; i++) PL_TRY(read_entry(spec, models, i, pl__list_item(&l, i)));
    spec->models = models;
    return PL_OK;
}

static pl_status read_tasks(pl_spec *spec, const pl_yaml_node *root)
{
    const pl_yaml_node *node = pl_yaml_get(root, "tasks");
    if (!node) return pl_yaml_fail(root, "'tasks' is missing: a list of task files");
    pl__list l;
    PL_TRY(pl__list_of(&l, node));
    PL_TRY(pl_arena_new(spec->arena, &spec->tasks, l.n));
    spec->n_tasks = l.n;
    for (size_t i = 0; i < l.n; i++) {
        const char *path;
        PL_TRY(pl_yaml_to_text(&path, pl__list_item(&l, i)));
        PL_TRY(resolve_path(spec, &spec->tasks[i], path));
    }
    return PL_OK;
}

static pl_status read_templates(pl_spec *spec, const pl_yaml_node *root)
{
    static const char *const roles[] = {"id", "dev", "ood", NULL};
    const pl_yaml_node *node = pl_yaml_get(root, "templates");
    if (!node) return PL_OK;
    PL_TRY(pl_yaml_check_keys(node, pl_spec_template_keys));
    size_t n = 0;
    for (size_t i = 0; i < node->n; i++) n += node->items[i]->kind == PL_YAML_LIST ? node->items[i]->n : 1;
    if (n == 0) return pl_yaml_fail(node, "no template is named; leave 'templates' out for all of a task's");
    pl_spec_template *templates;
    PL_TRY(pl_arena_new(spec->arena, &templates, n));
    for (int role = PL_ROLE_ID; role <= PL_ROLE_OOD; role++) {
        const pl_yaml_node *names = pl_yaml_get(node, roles[role]);
        pl__list l;
        if (!names || (names->kind == PL_YAML_LIST && names->n == 0)) continue;
        PL_TRY(pl__list_of(&l, names));
        for (size_t i = 0; i < l.n; i++) {
            pl_spec_template *t = &templates[spec->n_templates++];
            t->role = (pl_role)role;
            PL_TRY(pl_yaml_to_text(&t->name, pl__list_item(&l, i)));
            for (size_t j = 0; j + 1 < spec->n_templates; j++)
                if (strcmp(templates[j].name, t->name) == 0)
                    return pl_yaml_fail(pl__list_item(&l, i), "template '%s' is named twice", t->name);
        }
    }
    spec->templates = templates;
    return PL_OK;
}

/* Position `suffix` is kept where there is one. */
static pl_status read_positions(pl_spec *spec, const pl_yaml_node *value)
{
    const char *names[PL_POSITIONS];
    size_t n = 0;
    if (!value) return PL_OK;
    spec->positions = 0;
    if (value->kind == PL_YAML_LIST && value->n == 0) return PL_OK; /* no states at all */
    for (; n < PL_POSITIONS && pl_positions[n].bit != PL_POSITION_SUFFIX; n++) names[n] = pl_positions[n].name;
    pl__list l;
    PL_TRY(pl__list_of(&l, value));
    for (size_t i = 0; i < l.n; i++) {
        size_t which;
        PL_TRY(pl__one_of(&which, pl__list_item(&l, i), names, n));
        spec->positions |= pl_positions[which].bit;
    }
    return PL_OK;
}

static pl_status read_capture(pl_spec *spec, const pl_yaml_node *root)
{
    static const char *default_layers[] = {"default"};
    spec->layers = default_layers;
    spec->n_layers = 1;
    spec->positions = PL_POSITION_LAST;
    const pl_yaml_node *node = pl_yaml_get(root, "capture"), *value;
    if (!node) return PL_OK;
    PL_TRY(pl_yaml_check_keys(node, pl_spec_capture_keys));
    if ((value = pl_yaml_get(node, "layers"))) PL_TRY(pl__read_texts(spec, &spec->layers, &spec->n_layers, value));
    if ((value = pl_yaml_get(node, "items"))) PL_TRY(pl_yaml_to_size(&spec->capture_items, value));
    if ((value = pl_yaml_get(node, "dtype"))) {
        const char *name;
        PL_TRY(pl_yaml_to_text(&name, value));
        if (pl_storage_parse(&spec->storage, name) != PL_OK)
            return pl_yaml_fail(value, "expected float32, float16 or bfloat16; found '%s'", name);
    }
    PL_TRY(read_positions(spec, pl_yaml_get(node, "positions")));
    if (!(value = pl_yaml_get(node, "suffix"))) return PL_OK;
    PL_TRY(pl_yaml_to_text(&spec->suffix, value));
    if (!*spec->suffix) return pl_yaml_fail(value, "suffix: expected a text that is not empty");
    spec->positions |= PL_POSITION_SUFFIX;
    return PL_OK;
}

static pl_status read_root(pl_spec *spec, const pl_yaml_node *root)
{
    PL_TRY(pl_yaml_check_keys(root, pl_spec_root_keys));
    const pl_yaml_node *node = pl_yaml_get(root, "name");
    if (!node) return pl_yaml_fail(root, "'name' is missing: it names the run folder");
    PL_TRY(pl__read_name(&spec->name, node, MAX_NAME));
    PL_TRY(read_models(spec, root));
    PL_TRY(read_tasks(spec, root));
    PL_TRY(read_templates(spec, root));
    PL_TRY(pl__read_arms(spec, root));
    PL_TRY(pl__read_chat(spec, root));
    PL_TRY(read_capture(spec, root));
    PL_TRY(pl__read_primary(spec, root));
    PL_TRY(pl__read_verdict(spec, root));
    PL_TRY(pl__read_analysis(spec, root));
    if ((node = pl_yaml_get(root, "truncation"))) {
        size_t which;
        PL_TRY(pl__one_of(&which, node, truncation_names, PL_TRUNCATIONS));
        spec->truncation = (pl_truncation)which;
    }
    if ((node = pl_yaml_get(root, "items"))) {
        PL_TRY(pl_yaml_to_size(&spec->items, node));
        if (spec->items == 0) return pl_yaml_fail(node, "items: expected 1 or more");
    }
    if ((node = pl_yaml_get(root, "seed"))) {
        long long seed;
        PL_TRY(pl_yaml_to_integer(&seed, node));
        if (seed < 0) return pl_yaml_fail(node, "seed: expected 0 or more, found %lld", seed);
        spec->seed = (uint64_t)seed;
    }
    return PL_OK;
}

pl_status pl_spec_parse(pl_spec **out, const char *text, size_t size, const char *path, const char *const *overrides,
                        size_t n_overrides)
{
    pl_yaml *doc = NULL;
    pl_spec *spec = NULL;
    char *copy;
    pl_status status;
    *out = NULL;
    PL_GOTO(status, done, pl_new(&spec, 1));
    PL_GOTO(status, done, pl_arena_create(&spec->arena));
    PL_GOTO(status, done, pl_arena_text(spec->arena, &copy, path, strlen(path)));
    *spec = (pl_spec){.arena = spec->arena, .path = copy, .items = SIZE_MAX, .capture_items = SIZE_MAX, .seed = 1234};
    PL_GOTO(status, done, pl_yaml_parse(&doc, text, size, path));
    PL_GOTO(status, done, pl_yaml_copy(&spec->root, pl_yaml_root(doc), spec->arena));
    for (size_t i = 0; i < n_overrides; i++)
        PL_GOTO(status, done, pl_yaml_override(spec->root, overrides[i], spec->arena));
    PL_GOTO(status, done, pl_yaml_expand(spec->root, spec->arena));
    PL_GOTO(status, done, read_root(spec, spec->root));
    *out = spec;
    spec = NULL;
done:
    pl_yaml_free(doc);
    pl_spec_free(spec);
    return status;
}

pl_status pl_spec_read(pl_spec **out, const char *path, const char *const *overrides, size_t n_overrides)
{
    pl_bytes text;
    *out = NULL;
    PL_TRY(pl_file_read(&text, path, MAX_EXPERIMENT_BYTES));
    pl_status status = pl_spec_parse(out, text.data, text.size, path, overrides, n_overrides);
    pl_bytes_free(&text);
    return status;
}

/* Item i of a list, or the scalar or map that stands for a list of one. */
static pl_yaml_node *item_in(pl_yaml_node *node, size_t i)
{
    return node->kind == PL_YAML_LIST ? node->items[i] : node;
}

static pl_yaml_node *value_in(pl_yaml_node *map, const char *key)
{
    size_t i = 0;
    while (strcmp(map->keys[i]->text, key) != 0) i++; /* it was read: it is there */
    return map->items[i];
}

static pl_status freeze_models(pl_yaml_node *models, const pl_spec *spec, pl_arena *arena)
{
    for (size_t i = 0; i < spec->n_models; i++) {
        char whole[PL_PATH_MAX], *copy;
        if (!pl_folder_exists(spec->models[i].base)) continue; /* a name in the cache */
        PL_TRY(pl_path_real(whole, spec->models[i].base));
        PL_TRY(pl_arena_text(arena, &copy, whole, strlen(whole)));
        pl_yaml_node *node = item_in(models, spec->models[i].entry);
        if (node->kind == PL_YAML_MAP) node = value_in(node, "path");
        node->text = copy;
        node->quoted = true;
    }
    return PL_OK;
}

pl_status pl_spec_freeze(pl_bytes *out, const pl_spec *spec, const char *const *tasks)
{
    pl_arena *arena;
    pl_yaml_node *root;
    pl_status status;
    PL_TRY(pl_arena_create(&arena));
    PL_GOTO(status, done, pl_yaml_copy(&root, spec->root, arena));
    PL_GOTO(status, done, freeze_models(value_in(root, "models"), spec, arena));
    for (size_t i = 0; i < spec->n_tasks; i++) {
        pl_yaml_node *node = item_in(value_in(root, "tasks"), i);
        node->text = tasks[i];
        node->quoted = true;
    }
    status = pl_yaml_emit(out, root);
done:
    pl_arena_free(arena);
    return status;
}

void pl_spec_free(pl_spec *spec)
{
    if (!spec) return;
    json_decref(spec->primary);
    json_decref(spec->verdict);
    json_decref(spec->analysis);
    json_decref(spec->maps);
    pl_arena_free(spec->arena);
    free(spec);
}
