#include "task/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/environment.h"
#include "base/json_build.h"
#include "task/answer.h"
#include "task/task_keys.h"
#include "task/task_parts.h"

/* ---- texts ---- */

static pl_status copied(const char **out, pl_arena *arena, const char *text)
{
    char *copy;
    PL_TRY(pl_arena_text(arena, &copy, text, strlen(text)));
    *out = copy;
    return PL_OK;
}

/* A text of the task file, or what holds when the key is absent. */
static pl_status read_text(const char **out, const pl_task *task, const pl__task_file *file, const char *key,
                           const char *otherwise)
{
    const pl_yaml_node *node = pl__task_file_get(file, key);
    const char *text = otherwise;
    if (node) PL_TRY(pl_yaml_to_text(&text, node));
    return copied(out, task->arena, text);
}

const char *pl_output_type_name(pl_output_type type)
{
    static const char *const names[PL_OUTPUT_TYPES] = {"multiple_choice", "loglikelihood", "loglikelihood_rolling",
                                                       "generate_until"};
    return names[type];
}

/* ---- fields of lm-evaluation-harness that only some values of are supported ---- */

static pl_status read_output_type(pl_task *task, const pl__task_file *file)
{
    static const char expected[] = "multiple_choice, loglikelihood, loglikelihood_rolling or generate_until";
    const pl_yaml_node *node = pl__task_file_get(file, "output_type");
    const char *text;
    if (!node) return pl__task_file_missing(file, "output_type", expected);
    PL_TRY(pl_yaml_to_text(&text, node));
    for (pl_output_type type = 0; type < PL_OUTPUT_TYPES; type++)
        if (strcmp(text, pl_output_type_name(type)) == 0) {
            task->output_type = type;
            return PL_OK;
        }
    return pl_yaml_fail(node, "output_type '%.60s': expected %s", text, expected);
}

/* A text, or a list of texts. */
static pl_status read_until(pl_task *task, const pl_yaml_node *node)
{
    const pl_yaml_node *const *items = (const pl_yaml_node *const *)node->items;
    size_t n = node->n;
    if (node->kind == PL_YAML_SCALAR) {
        items = &node;
        n = 1;
    }
    if (node->kind == PL_YAML_MAP || n > 64)
        return pl_yaml_fail(node, "until: expected a text or a list of up to 64 texts");
    PL_TRY(pl_arena_new(task->arena, &task->until, n));
    for (size_t i = 0; i < n; i++) {
        const char *text;
        PL_TRY(pl_yaml_to_text(&text, items[i]));
        if (!*text) return pl_yaml_fail(items[i], "until: an empty stop string would stop at once");
        PL_TRY(copied(&task->until[i], task->arena, text));
    }
    task->n_until = n;
    return PL_OK;
}

/* The largest number of tokens, by the first of its names. */
static pl_status read_most_tokens(pl_task *task, const pl_yaml_node *map)
{
    static const char *const names[] = {"max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const pl_yaml_node *node = pl_yaml_get(map, names[i]);
        if (!node) continue;
        PL_TRY(pl_yaml_to_size(&task->max_gen_toks, node));
        return task->max_gen_toks ? PL_OK : pl_yaml_fail(node, "%s: expected 1 or more, found 0", names[i]);
    }
    return PL_OK;
}

/* Generation is greedy: a temperature beside `do_sample: false` changes nothing, as there. */
static pl_status check_greedy(const pl_yaml_node *map)
{
    const pl_yaml_node *node = pl_yaml_get(map, "do_sample");
    bool sample = true;
    double temperature;
    size_t beams;
    if (node) {
        PL_TRY(pl_yaml_to_bool(&sample, node));
        if (sample) return pl_yaml_fail(node, "do_sample: true is not supported; generation is greedy");
    }
    if ((node = pl_yaml_get(map, "temperature"))) {
        PL_TRY(pl_yaml_to_real(&temperature, node));
        if (temperature != 0 && sample)
            return pl_yaml_fail(node, "temperature: expected 0 (generation is greedy), found %g", temperature);
    }
    if (!(node = pl_yaml_get(map, "num_beams"))) return PL_OK;
    PL_TRY(pl_yaml_to_size(&beams, node));
    return beams == 1 ? PL_OK : pl_yaml_fail(node, "num_beams: expected 1 (generation is greedy), found %zu", beams);
}

static pl_status read_generation(pl_task *task, const pl__task_file *file)
{
    const pl_yaml_node *map = pl__task_file_get(file, "generation_kwargs"), *node;
    task->max_gen_toks = 256; /* lm-evaluation-harness's default */
    if (map) PL_TRY(pl_yaml_check_keys(map, pl_task_generation_keys));
    if (map) PL_TRY(read_most_tokens(task, map));
    if (map) PL_TRY(check_greedy(map));
    if (map && (node = pl_yaml_get(map, "until"))) return read_until(task, node);
    if (!*task->fewshot_delimiter) return PL_OK; /* nothing to stop at but the end of text */
    PL_TRY(pl_arena_new(task->arena, &task->until, 1));
    task->until[task->n_until++] = task->fewshot_delimiter;
    return PL_OK;
}

static pl_status list_unused(pl_task *task, const pl_yaml_node *list)
{
    pl_bytes names = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; list && i < list->n && status == PL_OK; i++) {
        const char *name = pl_yaml_get(list->items[i], "name")->text;
        if (strcmp(name, pl_filter_name(task->filter)) != 0)
            status = pl_bytes_format(&names, "%s%s", names.size ? ", " : "", name);
    }
    if (status == PL_OK) status = copied(&task->unused_filters, task->arena, names.size ? names.data : "");
    pl_bytes_free(&names);
    return status;
}

/* Of several filters the one that `plumb: {filter: NAME}` names, else the first. */
static pl_status read_filter(pl_task *task, const pl__task_file *file)
{
    const pl_yaml_node *list = pl__task_file_get(file, "filter_list"), *plumb = pl__task_file_get(file, "plumb"),
                       *node = plumb && plumb->kind == PL_YAML_MAP ? pl_yaml_get(plumb, "filter") : NULL;
    const char *name = NULL;
    if (node) PL_TRY(pl_yaml_to_text(&name, node));
    PL_TRY(pl_filter_make(&task->filter, list, name));
    PL_TRY(list_unused(task, list));
    return !name || strcmp(pl_filter_name(task->filter), name) == 0
               ? PL_OK
               : pl_yaml_fail(node, "filter: '%.60s' is not in filter_list", name);
}

/* Who chooses the shots; where they come from is task_data.c's. */
static pl_status read_fewshot_config(pl_task *task, const pl__task_file *file)
{
    const pl_yaml_node *map = pl__task_file_get(file, "fewshot_config"), *node;
    const char *text;
    if (!map) return PL_OK;
    PL_TRY(pl_yaml_check_keys(map, pl_task_fewshot_keys));
    if (!(node = pl_yaml_get(map, "sampler")) || pl_yaml_is_null(node)) return PL_OK;
    PL_TRY(pl_yaml_to_text(&text, node));
    task->first_shots = strcmp(text, "first_n") == 0;
    if (task->first_shots || strcmp(text, "default") == 0) return PL_OK;
    return pl_yaml_fail(
        node,
        "sampler '%.60s' is not supported; expected default (the experiment's draws and seed choose the "
        "shots) or first_n (the first ones, in order)",
        text);
}

/* metadata is anyone's in lm-evaluation-harness, of any shape; only the version has a meaning. */
static pl_status read_metadata(pl_task *task, const pl__task_file *file)
{
    const pl_yaml_node *map = pl__task_file_get(file, "metadata"), *node = NULL;
    const char *text = "0";
    for (size_t i = 0; map && map->kind == PL_YAML_LIST && i < map->n && !node; i++)
        if (map->items[i]->kind == PL_YAML_MAP) node = pl_yaml_get(map->items[i], "version");
    if (map && map->kind == PL_YAML_MAP) node = pl_yaml_get(map, "version");
    if (node && node->kind == PL_YAML_SCALAR && !pl_yaml_is_null(node)) PL_TRY(pl_yaml_to_text(&text, node));
    return copied(&task->version, task->arena, text);
}

static pl_status add_idle(pl_task *task, const char *prefix, const char *key, const pl_yaml_node *node)
{
    char *line;
    if (!node) return PL_OK;
    PL_TRY(pl_arena_format(task->arena, &line, "%s%s (%s:%zu)", prefix, key, node->file, node->line));
    task->idle[task->n_idle++] = line;
    return PL_OK;
}

/* Which keys are there and change no number, for --verbose. */
static pl_status list_idle(pl_task *task, const pl__task_file *file)
{
    static const char *const keys[] = {PL_TASK_IDLE_KEYS}, *const greedy[] = {"top_p", "top_k"};
    enum { KEYS = sizeof keys / sizeof *keys, GREEDY = sizeof greedy / sizeof *greedy };
    const pl_yaml_node *map = pl__task_file_get(file, "generation_kwargs");
    PL_TRY(pl_arena_new(task->arena, &task->idle, KEYS + GREEDY));
    for (size_t i = 0; i < KEYS; i++) PL_TRY(add_idle(task, "", keys[i], pl__task_file_get(file, keys[i])));
    for (size_t i = 0; map && i < GREEDY; i++)
        PL_TRY(add_idle(task, "generation_kwargs: ", greedy[i], pl_yaml_get(map, greedy[i])));
    return pl__task_form_list_idle(task, pl__task_file_get(file, "dataset_kwargs"));
}

/* Fields that change no number at the only value they may have here. */
static pl_status check_idle(const pl__task_file *file)
{
    const pl_yaml_node *node;
    size_t repeats;
    bool truth;
    if ((node = pl__task_file_get(file, "should_decontaminate"))) PL_TRY(pl_yaml_to_bool(&truth, node));
    if (!(node = pl__task_file_get(file, "repeats"))) return PL_OK;
    PL_TRY(pl_yaml_to_size(&repeats, node));
    if (repeats == 1) return PL_OK;
    return pl_yaml_fail(node, "repeats: expected 1, found %zu: generation is greedy, and would repeat itself", repeats);
}

/* By the first item, so that a misspelled field shows where it is written; each row that is used is looked at later. */
static pl_status check_field(const pl_yaml_node *node, const char *key, const pl_data *data, const char *field)
{
    pl_row row;
    if (!data) return PL_OK;
    PL_TRY(pl_row_open(&row, data, 0));
    bool found = json_object_get(row.item, field) != NULL;
    pl_row_close(&row);
    return found ? PL_OK : pl_yaml_fail(node, "%s: item 0 has no field '%.100s'", key, field);
}

/* Those of Zhao et al. (2021). */
static pl_status set_calibration(pl_task *task)
{
    static const char *const inputs[] = {"N/A", "[MASK]", ""};
    task->n_calibration = sizeof inputs / sizeof *inputs;
    PL_TRY(pl_arena_new(task->arena, &task->calibration, task->n_calibration));
    for (size_t i = 0; i < task->n_calibration; i++) task->calibration[i] = inputs[i];
    return PL_OK;
}

static pl_status read_calibration(pl_task *task, const pl_yaml_node *list)
{
    if (list->kind != PL_YAML_LIST)
        return pl_yaml_fail(list, "calibration: expected a list of content-free texts such as [N/A, \"\"]");
    task->n_calibration = list->n;
    PL_TRY(pl_arena_new(task->arena, &task->calibration, list->n));
    for (size_t i = 0; i < list->n; i++) {
        const char *text;
        PL_TRY(pl_yaml_to_text(&text, list->items[i]));
        PL_TRY(copied(&task->calibration[i], task->arena, text));
    }
    return PL_OK;
}

/* What loglikelihood_rolling asks beside the text: the length of a window, and what counts its words and bytes. */
static pl_status read_rolling(pl_task *task, const pl_yaml_node *map)
{
    static const char *const keys[] = {"max_length", "words", "bytes"};
    const char **const fields[] = {NULL, &task->words, &task->bytes};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const pl_yaml_node *node = pl_yaml_get(map, keys[k]);
        const char *text;
        if (!node) continue;
        if (task->output_type != PL_OUTPUT_LOGLIKELIHOOD_ROLLING)
            return pl_yaml_fail(node, "%s is of output_type loglikelihood_rolling", keys[k]);
        if (k == 0) {
            PL_TRY(pl_yaml_to_size(&task->max_length, node));
            if (task->max_length == 0) return pl_yaml_fail(node, "max_length: expected 1 or more, found 0");
            continue;
        }
        PL_TRY(pl_yaml_to_text(&text, node));
        PL_TRY(check_field(node, keys[k], task->test, text));
        PL_TRY(copied(fields[k], task->arena, text));
    }
    return PL_OK;
}

static pl_status read_plumb(pl_task *task, const pl__task_file *file)
{
    const pl_yaml_node *map = pl__task_file_get(file, "plumb"), *node;
    PL_TRY(set_calibration(task));
    if (!map) return PL_OK;
    PL_TRY(pl_yaml_check_keys(map, pl_task_plumb_keys));
    if ((node = pl_yaml_get(map, "balance"))) {
        bool balance;
        PL_TRY(pl_yaml_to_bool(&balance, node));
        if (!balance) return pl_yaml_fail(node, "balance: false belongs to an arm of the experiment, not to the task");
    }
    if ((node = pl_yaml_get(map, "calibration"))) PL_TRY(read_calibration(task, node));
    PL_TRY(read_rolling(task, map));
    if (!(node = pl_yaml_get(map, "group"))) return PL_OK;
    const char *group;
    PL_TRY(pl_yaml_to_text(&group, node));
    for (size_t s = 0; s < 2; s++) PL_TRY(check_field(node, "group", s ? task->fewshot : task->test, group));
    return copied(&task->group, task->arena, group);
}

/* ---- the whole ---- */

static pl_status make_digest(pl_task *task, const pl__task_file *file)
{
    json_t *all;
    pl_bytes text = {0};
    PL_TRY(pl__task_file_json(&all, file));
    pl_status status = PL_OK;
    if (json_object_set_new(all, "test_sha256", json_string(task->test->sha256)) != 0 ||
        (task->fewshot && json_object_set_new(all, "fewshot_sha256", json_string(task->fewshot->sha256)) != 0))
        status = pl_fail(PL_E_MEMORY, "out of memory while reading a task");
    if (status == PL_OK) status = pl_json_canonical(&text, all);
    if (status == PL_OK) pl_sha256(task->digest, text.data, text.size);
    pl_bytes_free(&text);
    json_decref(all);
    return status;
}

static pl_status read_all(pl_task *task, const pl__task_file *file)
{
    const pl_yaml_node *node = pl__task_file_get(file, "task");
    if (!node) return pl__task_file_missing(file, "task", "the name of the task");
    if (node->kind == PL_YAML_LIST)
        return pl_yaml_fail(node, "task: a list makes this the file of a group; name its tasks in the experiment");
    PL_TRY(read_text(&task->name, task, file, "task", ""));
    PL_TRY(pl__check_name(node, task->name));
    PL_TRY(read_output_type(task, file));
    PL_TRY(read_text(&task->description, task, file, "description", ""));
    PL_TRY(read_text(&task->fewshot_delimiter, task, file, "fewshot_delimiter", "\n\n"));
    if (strstr(task->description, "{{") || strstr(task->description, "{%") || strstr(task->description, "{#"))
        return pl_yaml_fail(pl__task_file_get(file, "description"),
                            "description: expected a fixed text, found a template");
    if ((node = pl__task_file_get(file, "num_fewshot"))) PL_TRY(pl_yaml_to_size(&task->num_fewshot, node));
    PL_TRY(read_generation(task, file));
    PL_TRY(read_metadata(task, file));
    PL_TRY(check_idle(file));
    PL_TRY(list_idle(task, file));
    PL_TRY(pl__metric_list_read(task, file));
    PL_TRY(read_filter(task, file));
    PL_TRY(read_fewshot_config(task, file));
    PL_TRY(pl__task_data_open(task, file));
    PL_TRY(read_plumb(task, file));
    PL_TRY(pl__templates_make(task, file));
    PL_TRY(pl__task_freeze(task, file));
    return make_digest(task, file);
}

pl_status pl_task_open(pl_task **out, const char *path)
{
    *out = NULL;
    pl__task_file file;
    pl_task *task = NULL;
    pl_status status;
    PL_TRY(pl__task_file_open(&file, path));
    PL_GOTO(status, done, pl_new(&task, 1));
    PL_GOTO(status, done, pl_arena_create(&task->arena));
    PL_GOTO(status, done, copied(&task->path, task->arena, path));
    PL_GOTO(status, done, read_all(task, &file));
    *out = task;
    task = NULL;
done:
    pl_task_free(task);
    pl__task_file_close(&file);
    return status;
}

void pl_task_free(pl_task *task)
{
    if (!task) return;
    for (size_t i = 0; i < task->n_templates; i++) {
        pl_jinja_free(task->templates[i].doc_to_text);
        pl_jinja_free(task->templates[i].doc_to_target);
        pl_jinja_free(task->templates[i].doc_to_choice);
        pl_jinja_free(task->templates[i].gen_prefix);
        json_decref(task->templates[i].config);
    }
    pl_exact_match_free(task->exact_match);
    pl_filter_free(task->filter);
    json_decref(task->metrics);
    pl_data_free(task->test);
    pl_data_free(task->fewshot);
    pl_arena_free(task->arena);
    free(task);
}

pl_status pl_task_generation_json(json_t **out, const pl_task *task)
{
    json_t *flags = NULL;
    pl_json_builder b;
    PL_TRY(pl_exact_match_flags(task->exact_match, &flags));
    pl_json_begin(&b);
    pl_json_open_list(&b, "until");
    for (size_t i = 0; i < task->n_until; i++) pl_json_put_text(&b, NULL, task->until[i]);
    pl_json_close(&b);
    pl_json_put_size(&b, "max_gen_toks", task->max_gen_toks);
    pl_json_put_shared(&b, "filter", pl_filter_json(task->filter));
    pl_json_put(&b, "exact_match", flags);
    pl_json_put_integer(&b, "answer_rule", PL_ANSWER_RULE);
    return pl_json_end(&b, out, "a task's generation");
}

const pl_template *pl_task_template(const pl_task *task, const char *name)
{
    for (size_t i = 0; i < task->n_templates; i++)
        if (strcmp(task->templates[i].name, name) == 0) return &task->templates[i];
    return NULL;
}
