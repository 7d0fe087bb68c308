#include "store/plan_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_build.h"

/* ---- writing ---- */

static void put_model(pl_json_builder *b, const pl_planned_model *m)
{
    pl_json_open(b, NULL);
    pl_json_put_text(b, "name", m->name);
    pl_json_put_text(b, "weights", m->weights);
    pl_json_put_text(b, "tokenizer", m->tokenizer);
    pl_json_put_text(b, "model_type", m->model_type);
    pl_json_put_size(b, "parameters", m->parameters);
    pl_json_put_bool(b, "random_weights", m->random_weights);
    pl_json_close(b);
}

static void put_template(pl_json_builder *b, const pl_planned_template *t)
{
    pl_json_open(b, NULL);
    pl_json_put_text(b, "name", t->name);
    pl_json_put_text(b, "role", t->role);
    pl_json_put_shared(b, "config", t->config);
    pl_json_close(b);
}

static void put_task(pl_json_builder *b, const pl_planned_task *t)
{
    pl_json_open(b, NULL);
    pl_json_put_text(b, "name", t->name);
    pl_json_put_text(b, "version", t->version);
    pl_json_put_text(b, "task_hash", t->task_hash);
    pl_json_put_text(b, "filter", t->filter);
    if (t->metrics) pl_json_put_shared(b, "metrics", t->metrics);
    pl_json_put_size(b, "items", t->items);
    pl_json_put_size(b, "test_items", t->test_items);
    pl_json_put_size(b, "n_labels", t->n_labels);
    pl_json_open_list(b, "templates");
    for (size_t i = 0; i < t->n_templates; i++) put_template(b, &t->templates[i]);
    pl_json_close(b);
    pl_json_close(b);
}

static void put_unit(pl_json_builder *b, const pl_plan_file *file, const pl_planned_unit *u)
{
    pl_json_open(b, NULL);
    pl_json_put_text(b, "id", u->id);
    pl_json_put_text(b, "model", file->models[u->model].name);
    pl_json_put_text(b, "task", file->tasks[u->task].name);
    pl_json_put_text(b, "arm", u->arm);
    if (u->arm_name) pl_json_put_text(b, "arm_name", u->arm_name);
    if (u->chat) pl_json_put_text(b, "chat", u->chat);
    if (u->system) pl_json_put_text(b, "system", u->system);
    pl_json_put_text(b, "readout", u->readout);
    pl_json_put_text(b, "template", u->template_name);
    pl_json_put_text(b, "role", u->role);
    pl_json_put_size(b, "k", u->k);
    pl_json_put_size(b, "draw", u->draw);
    pl_json_put_size(b, "order", u->order);
    pl_json_put_size(b, "seed", u->seed);
    if (u->train_template) {
        pl_json_put_text(b, "head", u->head);
        pl_json_put_text(b, "train_template", u->train_template);
        pl_json_put_size(b, "n_train", u->n_train);
        pl_json_put_text(b, "labels", u->labels);
        pl_json_put_text(b, "learned_by", u->learned_by);
    }
    pl_json_close(b);
}

pl_status pl_plan_file_json(json_t **out, const pl_plan_file *file)
{
    pl_json_builder b;
    pl_json_begin(&b);
    pl_json_put_size(&b, "format", PL_PLAN_FORMAT_VERSION);
    pl_json_put_text(&b, "name", file->name);
    pl_json_put_text(&b, "hash", file->hash);
    if (file->primary) pl_json_put_shared(&b, "primary", file->primary);
    if (file->verdict) pl_json_put_shared(&b, "verdict", file->verdict);
    if (file->analysis) pl_json_put_shared(&b, "analysis", file->analysis);
    if (file->staged) pl_json_put_bool(&b, "staged", true);
    if (file->maps) pl_json_put_shared(&b, "maps", file->maps);
    pl_json_open_list(&b, "models");
    for (size_t i = 0; i < file->n_models; i++) put_model(&b, &file->models[i]);
    pl_json_close(&b);
    pl_json_open_list(&b, "tasks");
    for (size_t i = 0; i < file->n_tasks; i++) put_task(&b, &file->tasks[i]);
    pl_json_close(&b);
    pl_json_open_list(&b, "units");
    for (size_t i = 0; i < file->n_units; i++) put_unit(&b, file, &file->units[i]);
    pl_json_close(&b);
    return pl_json_end(&b, out, "plan.json");
}

bool pl_planned_learns(const pl_planned_unit *unit)
{
    return unit->train_template && !unit->learned_by;
}

/* ---- reading ---- */

/* One object of the file, and how errors name it: "<path>: units[3]". */
typedef struct place {
    const json_t *object;
    char name[PL_PATH_MAX + 64];
    pl_arena *arena;
} place;

static pl_status missing(const place *at, const char *key)
{
    return pl_fail(PL_E_INPUT, "%s: %s: expected a value, found nothing: plan the experiment again", at->name, key);
}

static bool has(const place *at, const char *key)
{
    const json_t *value = json_object_get(at->object, key);
    return value && !json_is_null(value);
}

static pl_status need_text(const place *at, const char **out, const char *key)
{
    const char *text = NULL;
    char *copy;
    PL_TRY(pl_json_get_text(&text, at->object, key, at->name));
    if (!text) return missing(at, key);
    PL_TRY(pl_arena_text(at->arena, &copy, text, strlen(text)));
    *out = copy;
    return PL_OK;
}

static pl_status need_size(const place *at, size_t *out, const char *key)
{
    return has(at, key) ? pl_json_get_size(out, at->object, key, at->name) : missing(at, key);
}

static pl_status need_bool(const place *at, bool *out, const char *key)
{
    return has(at, key) ? pl_json_get_bool(out, at->object, key, at->name) : missing(at, key);
}

/* A list of objects of `at`, as long as *n. */
static pl_status need_list(const place *at, const json_t **out, size_t *n, const char *key)
{
    *out = json_object_get(at->object, key);
    if (!json_is_array(*out))
        return pl_fail(PL_E_INPUT, "%s: %s: expected a list: plan the experiment again", at->name, key);
    *n = json_array_size(*out);
    return PL_OK;
}

/* at->name is set for all of a list's objects: only the index changes. */
static pl_status enter(place *at, const place *outer, const json_t *list, const char *key, size_t i)
{
    at->object = json_array_get(list, i);
    at->arena = outer->arena;
    snprintf(at->name, sizeof at->name, "%.*s: %s[%zu]", PL_PATH_MAX, outer->name, key, i);
    return json_is_object(at->object) ? PL_OK : pl_fail(PL_E_INPUT, "%s: expected an object", at->name);
}

static pl_status read_model(const place *at, pl_planned_model *m)
{
    PL_TRY(need_text(at, &m->name, "name"));
    PL_TRY(need_text(at, &m->weights, "weights"));
    PL_TRY(need_text(at, &m->tokenizer, "tokenizer"));
    PL_TRY(need_text(at, &m->model_type, "model_type"));
    PL_TRY(need_size(at, &m->parameters, "parameters"));
    return need_bool(at, &m->random_weights, "random_weights");
}

static pl_status read_template(const place *at, pl_planned_template *t)
{
    PL_TRY(need_text(at, &t->name, "name"));
    PL_TRY(need_text(at, &t->role, "role"));
    json_t *config = json_object_get(at->object, "config");
    if (!config || json_is_null(config)) return PL_OK;
    if (!json_is_object(config)) return pl_fail(PL_E_INPUT, "%s: config: expected an object", at->name);
    t->config = json_incref(config);
    return PL_OK;
}

static pl_status read_metrics(const place *at, pl_planned_task *t)
{
    json_t *list = json_object_get(at->object, "metrics");
    bool texts = json_is_array(list);
    for (size_t i = 0; texts && i < json_array_size(list); i++) texts = json_is_string(json_array_get(list, i));
    if (!texts) return pl_fail(PL_E_INPUT, "%s: metrics: expected a list of names", at->name);
    t->metrics = json_incref(list);
    return PL_OK;
}

static pl_status read_task(const place *at, pl_planned_task *t)
{
    const json_t *list;
    size_t n = 0;
    place inner;
    PL_TRY(need_text(at, &t->name, "name"));
    PL_TRY(need_text(at, &t->version, "version"));
    PL_TRY(need_text(at, &t->task_hash, "task_hash"));
    PL_TRY(need_text(at, &t->filter, "filter"));
    if (has(at, "metrics")) PL_TRY(read_metrics(at, t));
    PL_TRY(need_size(at, &t->items, "items"));
    PL_TRY(need_size(at, &t->test_items, "test_items"));
    PL_TRY(need_size(at, &t->n_labels, "n_labels"));
    PL_TRY(need_list(at, &list, &n, "templates"));
    PL_TRY(pl_arena_new(at->arena, &t->templates, n));
    for (; t->n_templates < n; t->n_templates++) {
        PL_TRY(enter(&inner, at, list, "templates", t->n_templates));
        PL_TRY(read_template(&inner, &t->templates[t->n_templates]));
    }
    return PL_OK;
}

static pl_status find_model(const place *at, const pl_plan_file *file, size_t *out)
{
    const char *name = NULL;
    PL_TRY(pl_json_get_text(&name, at->object, "model", at->name));
    if (!name) return missing(at, "model");
    for (*out = 0; *out < file->n_models; (*out)++)
        if (!strcmp(file->models[*out].name, name)) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: model '%s' is not among the plan's models", at->name, name);
}

static pl_status find_task(const place *at, const pl_plan_file *file, size_t *out)
{
    const char *name = NULL;
    PL_TRY(pl_json_get_text(&name, at->object, "task", at->name));
    if (!name) return missing(at, "task");
    for (*out = 0; *out < file->n_tasks; (*out)++)
        if (!strcmp(file->tasks[*out].name, name)) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: task '%s' is not among the plan's tasks", at->name, name);
}

static pl_status read_unit(const place *at, const pl_plan_file *file, pl_planned_unit *u)
{
    size_t seed = 0;
    PL_TRY(need_text(at, &u->id, "id"));
    if (pl_path_check_name("id", u->id) != PL_OK) /* it becomes a part of paths */
        return pl_fail(PL_E_INPUT, "%s: %s: plan the experiment again", at->name, pl_error_text());
    PL_TRY(find_model(at, file, &u->model));
    PL_TRY(find_task(at, file, &u->task));
    PL_TRY(need_text(at, &u->arm, "arm"));
    if (has(at, "arm_name")) PL_TRY(need_text(at, &u->arm_name, "arm_name"));
    if (has(at, "chat")) PL_TRY(need_text(at, &u->chat, "chat"));
    if (has(at, "system")) PL_TRY(need_text(at, &u->system, "system"));
    PL_TRY(need_text(at, &u->readout, "readout"));
    PL_TRY(need_text(at, &u->template_name, "template"));
    PL_TRY(need_text(at, &u->role, "role"));
    PL_TRY(need_size(at, &u->k, "k"));
    PL_TRY(need_size(at, &u->draw, "draw"));
    PL_TRY(need_size(at, &u->order, "order"));
    PL_TRY(need_size(at, &seed, "seed"));
    u->seed = seed;
    if (!has(at, "train_template")) return PL_OK;
    PL_TRY(need_text(at, &u->train_template, "train_template"));
    PL_TRY(need_text(at, &u->head, "head"));
    PL_TRY(need_text(at, &u->labels, "labels"));
    PL_TRY(need_size(at, &u->n_train, "n_train"));
    return has(at, "learned_by") ? need_text(at, &u->learned_by, "learned_by") : PL_OK;
}

static pl_status read_models_and_tasks(const place *at, pl_plan_file *file)
{
    const json_t *list;
    size_t n = 0;
    place inner;
    PL_TRY(need_list(at, &list, &n, "models"));
    PL_TRY(pl_arena_new(file->arena, &file->models, n));
    for (; file->n_models < n; file->n_models++) {
        PL_TRY(enter(&inner, at, list, "models", file->n_models));
        PL_TRY(read_model(&inner, &file->models[file->n_models]));
    }
    PL_TRY(need_list(at, &list, &n, "tasks"));
    PL_TRY(pl_arena_new(file->arena, &file->tasks, n));
    while (file->n_tasks < n) {
        PL_TRY(enter(&inner, at, list, "tasks", file->n_tasks));
        PL_TRY(read_task(&inner, &file->tasks[file->n_tasks++])); /* counted first: its configs are freed */
    }
    return PL_OK;
}

static pl_status read_primary(const place *at, pl_plan_file *file)
{
    const json_t *list;
    size_t n = 0;
    place inner;
    PL_TRY(need_list(at, &list, &n, "primary"));
    for (size_t i = 0; i < n; i++) {
        const char *text;
        PL_TRY(enter(&inner, at, list, "primary", i));
        PL_TRY(need_text(&inner, &text, "task"));
        PL_TRY(need_text(&inner, &text, "metric"));
        PL_TRY(need_text(&inner, &text, "templates"));
        PL_TRY(need_text(&inner, &text, "readout"));
    }
    file->primary = json_incref((json_t *)(uintptr_t)list);
    return PL_OK;
}

static pl_status read_verdict(const place *at, pl_plan_file *file)
{
    const char *key;
    json_t *object = json_object_get(at->object, "verdict"), *value;
    bool good = json_is_object(object);
    json_object_foreach(object, key, value) good = good && json_is_number(value);
    if (!good) return pl_fail(PL_E_INPUT, "%s: verdict: expected numbers: plan the experiment again", at->name);
    file->verdict = json_incref(object);
    return PL_OK;
}

static pl_status read_analysis(const place *at, pl_plan_file *file)
{
    const char *key;
    json_t *object = json_object_get(at->object, "analysis"), *value;
    bool good = json_is_object(object);
    json_object_foreach(object, key, value) good = good && json_is_true(value);
    if (!good) return pl_fail(PL_E_INPUT, "%s: analysis: expected what is true: plan the experiment again", at->name);
    file->analysis = json_incref(object);
    return PL_OK;
}

bool pl_planned_analysis(const pl_plan_file *file, const char *what)
{
    return json_is_true(json_object_get(file->analysis, what));
}

static pl_status read_maps(const place *at, pl_plan_file *file)
{
    static const char *const numbers[] = {"perplexity", "dims", "seeds"};
    const json_t *list;
    size_t n = 0, value;
    place inner = {.object = json_object_get(at->object, "maps"), .arena = at->arena};
    snprintf(inner.name, sizeof inner.name, "%.*s: maps", PL_PATH_MAX, at->name);
    PL_TRY(need_list(&inner, &list, &n, "layers"));
    for (size_t i = 0; i < n; i++)
        if (!json_is_string(json_array_get(list, i)))
            return pl_fail(PL_E_INPUT, "%s: layers: expected texts: plan the experiment again", inner.name);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        PL_TRY(need_size(&inner, &value, numbers[i]));
        if (value == 0 || value > 1000000)
            return pl_fail(PL_E_INPUT, "%s: %s: found %zu: plan the experiment again", inner.name, numbers[i], value);
    }
    file->maps = json_incref(json_object_get(at->object, "maps"));
    return PL_OK;
}

static pl_status read_file(const place *at, pl_plan_file *file)
{
    const json_t *list;
    size_t n = 0, version = 0;
    place inner;
    PL_TRY(need_size(at, &version, "format"));
    if (version != PL_PLAN_FORMAT_VERSION)
        return pl_fail(PL_E_INPUT,
                       "%s: format %zu, this plumb reads %d: use the version of plumb that made the run, or plan the "
                       "experiment again",
                       at->name, version, (int)PL_PLAN_FORMAT_VERSION);
    PL_TRY(need_text(at, &file->name, "name"));
    PL_TRY(need_text(at, &file->hash, "hash"));
    PL_TRY(read_models_and_tasks(at, file));
    if (has(at, "primary")) PL_TRY(read_primary(at, file));
    if (has(at, "verdict")) PL_TRY(read_verdict(at, file));
    if (has(at, "analysis")) PL_TRY(read_analysis(at, file));
    if (has(at, "staged")) PL_TRY(need_bool(at, &file->staged, "staged"));
    if (has(at, "maps")) PL_TRY(read_maps(at, file));
    PL_TRY(need_list(at, &list, &n, "units"));
    PL_TRY(pl_arena_new(file->arena, &file->units, n));
    for (; file->n_units < n; file->n_units++) {
        PL_TRY(enter(&inner, at, list, "units", file->n_units));
        PL_TRY(read_unit(&inner, file, &file->units[file->n_units]));
    }
    return PL_OK;
}

pl_status pl_plan_file_parse(pl_plan_file **out, const json_t *json, const char *path)
{
    pl_plan_file *file;
    place at = {.object = json};
    *out = NULL;
    PL_TRY(pl_new(&file, 1));
    pl_status status;
    PL_GOTO(status, failed, pl_arena_create(&file->arena));
    at.arena = file->arena;
    snprintf(at.name, sizeof at.name, "%s", path);
    PL_GOTO(status, failed, read_file(&at, file));
    *out = file;
    return PL_OK;
failed:
    pl_plan_file_free(file);
    return status;
}

pl_status pl_plan_file_read(pl_plan_file **out, const pl_run_folder *run)
{
    char path[PL_PATH_MAX];
    json_t *json;
    *out = NULL;
    PL_TRY(pl_path(path, "%s/plan.json", run->path));
    PL_TRY(pl_run_folder_plan(run, &json));
    pl_status status = pl_plan_file_parse(out, json, path);
    json_decref(json);
    return status;
}

void pl_plan_file_free(pl_plan_file *file)
{
    if (!file) return;
    for (size_t t = 0; t < file->n_tasks; t++) {
        for (size_t i = 0; i < file->tasks[t].n_templates; i++) json_decref(file->tasks[t].templates[i].config);
        json_decref(file->tasks[t].metrics);
    }
    if (file->arena) {
        json_decref(file->primary);
        json_decref(file->verdict);
        json_decref(file->analysis);
        json_decref(file->maps);
    }
    pl_arena_free(file->arena);
    free(file);
}
