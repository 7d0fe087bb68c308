/* Templates of a task, and what they make of an item, with lm-evaluation-harness's rules for doc_to_text,
 * doc_to_target and doc_to_choice: a text that is the name of a field means that field; a target that is an integer
 * (or only digits) is an index among the choices; any other target is looked up among them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_build.h"
#include "jinja/jinja.h"
#include "task/task_keys.h"
#include "task/task_parts.h"

/* ---- from YAML ---- */

/* A key of a template, else of the task. */
static const pl_yaml_node *inherited(const pl__task_file *file, const pl_yaml_node *own, const char *key)
{
    const pl_yaml_node *found = own ? pl_yaml_get(own, key) : NULL;
    return found && !pl_yaml_is_null(found) ? found : pl__task_file_get(file, key);
}

static bool has_tags(const char *text)
{
    return strstr(text, "{{") || strstr(text, "{%") || strstr(text, "{#");
}

static pl_status place_of(char out[PL_PATH_MAX], const pl_yaml_node *node)
{
    return pl_path(out, "%s:%zu", node->file, node->line);
}

/* One word, or what leads to one ("a.b", "options[0]"). */
static bool looks_like_a_field(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.[]'\"";
    size_t n = strspn(text, letters);
    return n > 0 && !text[n] && text[n - 1] != '.' && text[n - 1] != '-';
}

/* A field of the data by name, a template, or a fixed text. One word that is no field is most often a misspelled one,
 * and would be the same text for every item: an error, with the way to say that it is meant. */
static pl_status make_one(pl_jinja **out, const json_t *item, const pl_yaml_node *node, const char *key)
{
    const char *text;
    char place[PL_PATH_MAX];
    long long index;
    PL_TRY(pl_yaml_to_text(&text, node));
    PL_TRY(place_of(place, node));
    if (json_object_get(item, text)) return pl_jinja_field(out, text, place);
    bool is_index = strcmp(key, "doc_to_target") == 0 && !node->quoted && pl_yaml_to_integer(&index, node) == PL_OK;
    bool is_empty = *text == 0 && strcmp(key, "doc_to_text") == 0;
    if (is_index || is_empty || has_tags(text) || (*text && !looks_like_a_field(text)))
        return pl_jinja_compile(out, text, place);
    char fields[300] = "";
    size_t used = 0;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)item, name, value)
    {
        int wrote = snprintf(fields + used, sizeof fields - used, "%s'%s'", used ? ", " : "", name);
        used += wrote > 0 ? (size_t)wrote : 0;
        if (used >= sizeof fields) break;
    }
    return pl_yaml_fail(node,
                        "%s: '%.100s' is no field of the data (%s) and no template; write {{ field }}, or "
                        "{{ \"...\" }} for a fixed text",
                        key, text, fields);
}

/* A field of the data by name, else a template: most often a fixed text, of one word too. */
static pl_status make_prefix(pl_jinja **out, const json_t *item, const pl_yaml_node *node)
{
    const char *text;
    char place[PL_PATH_MAX];
    PL_TRY(pl_yaml_to_text(&text, node));
    PL_TRY(place_of(place, node));
    return json_object_get(item, text) ? pl_jinja_field(out, text, place) : pl_jinja_compile(out, text, place);
}

/* One entry of a list of choices: its text or template. YAML would read true, no, 1.0 in ways of its own. */
static pl_status make_choice(pl_jinja **out, const pl_yaml_node *node)
{
    const char *text;
    char place[PL_PATH_MAX], written[32];
    json_t *typed;
    PL_TRY(pl_yaml_to_text(&text, node));
    PL_TRY(place_of(place, node));
    PL_TRY(pl_yaml_to_json(&typed, node));
    bool plain = json_is_string(typed);
    if (json_is_integer(typed)) {
        snprintf(written, sizeof written, "%lld", (long long)json_integer_value(typed));
        plain = strcmp(written, text) == 0;
    }
    json_decref(typed);
    if (!plain)
        return pl_yaml_fail(node, "doc_to_choice: write '%.60s' in quotes; without them YAML makes it no text", text);
    return pl_jinja_compile(out, text, place);
}

static pl_status refuse_repeated_choices(const pl_yaml_node *list)
{
    for (size_t i = 0; i < list->n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(list->items[i]->text, list->items[k]->text) == 0)
                return pl_yaml_fail(list->items[i], "doc_to_choice: '%.60s' stands in the list twice",
                                    list->items[i]->text);
    return PL_OK;
}

static pl_status make_choices(pl_jinja **out, const json_t *item, const pl_yaml_node *node)
{
    enum { MAX_CHOICES = 1000 };
    char place[PL_PATH_MAX];
    if (node->kind != PL_YAML_LIST) return make_one(out, item, node, "doc_to_choice");
    if (node->n < 2 || node->n > MAX_CHOICES)
        return pl_yaml_fail(node, "doc_to_choice: expected 2 to %d choices, found %zu", (int)MAX_CHOICES, node->n);
    PL_TRY(place_of(place, node));
    pl_jinja **parts = NULL;
    size_t n = 0;
    PL_TRY(pl_new(&parts, node->n));
    pl_status status = PL_OK;
    for (; n < node->n; n++) PL_GOTO(status, failed, make_choice(&parts[n], node->items[n]));
    PL_GOTO(status, failed, refuse_repeated_choices(node));
    status = pl_jinja_list(out, parts, n, place); /* takes the parts over */
    free(parts);
    return status;
failed:
    for (size_t i = 0; i < n; i++) pl_jinja_free(parts[i]);
    free(parts);
    return status;
}

/* Which items are clusters decides no text: it is no part of the hash. */
static pl_status add_group(json_t *config, const char *group)
{
    if (json_object_set_new(config, "plumb", json_pack("{s:s}", "group", group)) == 0) return PL_OK;
    return pl_fail(PL_E_MEMORY, "out of memory while reading a template");
}

/* What is asked of an item beside its texts; absent where nothing is. */
static void put_kind(pl_json_builder *b, const pl_task *task)
{
    static const char *const asked[] = {"acc_bytes", "acc_mutual_info", "exact_match"};
    if (task->max_length) pl_json_put_size(b, "max_length", task->max_length);
    if (task->words) pl_json_put_text(b, "words", task->words);
    if (task->bytes) pl_json_put_text(b, "bytes", task->bytes);
    bool any = false;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) any = any || pl_task_names(task, asked[i]);
    if (!any) return;
    pl_json_open_list(b, "metric_list");
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        if (pl_task_names(task, asked[i])) pl_json_put_text(b, NULL, asked[i]);
    pl_json_close(b);
}

/* All that decides a template's texts, as the files say it, and its XXH3-128. */
static pl_status make_config(pl_template *t, const pl_task *task, const pl__task_file *file, const pl_yaml_node *own)
{
    static const char *const keys[] = {"doc_to_text", "doc_to_target", "doc_to_choice", "gen_prefix", NULL};
    pl_bytes text = {0};
    pl_json_builder b;
    pl_status status = PL_OK;
    pl_json_begin(&b);
    for (const char *const *key = keys; *key && status == PL_OK; key++) {
        const pl_yaml_node *node = inherited(file, own, *key);
        json_t *value = NULL;
        if (!node) continue;
        status = pl_yaml_to_json(&value, node);
        if (status == PL_OK) pl_json_put(&b, *key, value);
    }
    pl_json_put_text(&b, "description", task->description);
    pl_json_put_text(&b, "target_delimiter", t->target_delimiter);
    pl_json_put_text(&b, "fewshot_delimiter", task->fewshot_delimiter);
    pl_json_put_text(&b, "output_type", pl_output_type_name(task->output_type));
    put_kind(&b, task);
    if (status == PL_OK)
        status = pl_json_end(&b, &t->config, "a template's description");
    else
        pl_json_discard(&b);
    if (status == PL_OK) status = pl_json_canonical(&text, t->config);
    if (status == PL_OK) pl_hash128(t->digest, text.data, text.size);
    pl_bytes_free(&text);
    if (status == PL_OK && task->group) status = add_group(t->config, task->group);
    return status;
}

static pl_status copy_text(const char **out, const pl_task *task, const pl_yaml_node *node)
{
    const char *text;
    char *copy;
    PL_TRY(pl_yaml_to_text(&text, node));
    PL_TRY(pl_arena_text(task->arena, &copy, text, strlen(text)));
    *out = copy;
    return PL_OK;
}

static pl_status make_role(pl_role *out, const pl_yaml_node *own)
{
    const char *text;
    const pl_yaml_node *node = pl_yaml_get(own, "role");
    if (!node) return pl_yaml_fail(own, "role is missing; expected id, dev or ood");
    PL_TRY(pl_yaml_to_text(&text, node));
    if (pl_role_parse(out, text)) return PL_OK;
    return pl_yaml_fail(node, "role '%.60s': expected id, dev or ood", text);
}

/* `own`: the entry of plumb: templates:, or NULL for the task's own template. `first`: a row, for its fields. */
static pl_status make_template(pl_template *t, const pl_task *task, const pl__task_file *file, const pl_yaml_node *own,
                               const pl_row *first)
{
    t->name = "default";
    t->role = PL_ROLE_ID;
    if (own && own->kind != PL_YAML_MAP)
        return pl_yaml_fail(own,
                            "a template is a map with name and role (id, dev or ood), and doc_to_text, doc_to_target, "
                            "doc_to_choice or target_delimiter where they differ from the task's: {name: short, role: "
                            "id, doc_to_text: \"...\"}");
    if (own) {
        PL_TRY(pl_yaml_check_keys(own, pl_task_template_keys));
        const pl_yaml_node *name = pl_yaml_get(own, "name");
        if (!name) return pl_yaml_fail(own, "name is missing; expected a name for the template");
        PL_TRY(copy_text(&t->name, task, name));
        PL_TRY(pl__check_name(name, t->name));
        PL_TRY(make_role(&t->role, own));
    }
    const pl_yaml_node *text = inherited(file, own, "doc_to_text"), *target = inherited(file, own, "doc_to_target"),
                       *choice = inherited(file, own, "doc_to_choice"), *prefix = inherited(file, own, "gen_prefix"),
                       *delimiter = inherited(file, own, "target_delimiter");
    if (!text) return pl__task_file_missing(file, "doc_to_text", "a template such as \"Review: {{ text }}\"");
    if (!target) return pl__task_file_missing(file, "doc_to_target", "a field or template that gives the answer");
    if (!choice && task->output_type == PL_OUTPUT_MULTIPLE_CHOICE)
        return pl__task_file_missing(file, "doc_to_choice", "a list of choices, as output_type is multiple_choice");
    t->target_delimiter = " ";
    if (delimiter) PL_TRY(copy_text(&t->target_delimiter, task, delimiter));
    PL_TRY(make_one(&t->doc_to_text, first->item, text, "doc_to_text"));
    PL_TRY(make_one(&t->doc_to_target, first->item, target, "doc_to_target"));
    if (choice) PL_TRY(make_choices(&t->doc_to_choice, first->item, choice));
    if (prefix) PL_TRY(make_prefix(&t->gen_prefix, first->item, prefix));
    PL_TRY(pl__several_find(t, task, first));
    return make_config(t, task, file, own);
}

/* `first`: a row of each set, so that a mistake shows before anything runs. */
static pl_status try_template(const pl_task *task, const pl_template *t, const pl_row first[2])
{
    pl_bytes text = {0};
    pl_arena *arena = NULL;
    const char *target;
    size_t label;
    pl_status status;
    PL_GOTO(status, done, pl_arena_create(&arena));
    for (size_t i = 0; i < 2; i++) {
        if (!first[i].item) continue;
        PL_GOTO(status, done, pl__item_text(task, t, &first[i], &text));
        PL_GOTO(status, done, pl_task_target(task, t, &first[i], arena, &target, &label));
    }
done:
    pl_bytes_free(&text);
    pl_arena_free(arena);
    return status;
}

static pl_status make_templates(pl_task *task, const pl__task_file *file, const pl_row first[2])
{
    const pl_yaml_node *plumb = pl__task_file_get(file, "plumb"),
                       *list = plumb ? pl_yaml_get(plumb, "templates") : NULL;
    if (list && (list->kind != PL_YAML_LIST || list->n == 0))
        return pl_yaml_fail(list, "templates: expected a list of at least one template");
    size_t n = list ? list->n : 1;
    PL_TRY(pl_arena_new(task->arena, &task->templates, n));
    for (size_t i = 0; i < n; i++) {
        pl_template *t = &task->templates[task->n_templates++]; /* counted first: a half-made one is freed too */
        PL_TRY(make_template(t, task, file, list ? list->items[i] : NULL, &first[0]));
        for (size_t k = 0; k < i; k++)
            if (strcmp(task->templates[k].name, t->name) == 0)
                return pl_yaml_fail(list->items[i], "two templates are called '%s'; expected different names", t->name);
        PL_TRY(try_template(task, t, first));
    }
    return PL_OK;
}

pl_status pl__templates_make(pl_task *task, const pl__task_file *file)
{
    pl_row first[2] = {{0}, {0}};
    pl_status status;
    PL_GOTO(status, done, pl_row_open(&first[0], task->test, 0));
    if (task->fewshot) PL_GOTO(status, done, pl_row_open(&first[1], task->fewshot, 0));
    status = make_templates(task, file, first);
done:
    pl_row_close(&first[0]);
    pl_row_close(&first[1]);
    return status;
}

/* ---- texts of an item ---- */

/* Adds which item a failure is about. */
static pl_status at_item(pl_status status, const pl_task *task, const pl_template *t, const pl_row *row)
{
    if (status == PL_OK) return PL_OK;
    return pl_fail(status, "%s:%zu: %s [task %s, template %s, %s item doc_id %zu]", pl_row_file(row->data, row->index),
                   pl_row_line(row->data, row->index), pl_error_text(), task->name, t->name,
                   row->data == task->test ? "evaluated" : "few-shot", row->index);
}

static bool is_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == 0;
}

/* lm-evaluation-harness reads a text of digits as an index among the choices; that is never meant for a prompt. */
static pl_status item_text(const pl_template *t, const json_t *item, pl_bytes *out)
{
    json_t *value;
    pl_bytes text = {0};
    PL_TRY(pl_jinja_value(t->doc_to_text, item, &value));
    pl_status status;
    PL_GOTO(status, done, pl_jinja_text(t->doc_to_text, 0, value, &text));
    bool field_text = pl_jinja_is_field(t->doc_to_text) && json_is_string(value);
    if (t->doc_to_choice && !field_text && text.size && is_digits(text.data)) {
        status = pl_jinja_fail(
            t->doc_to_text, 0,
            "doc_to_text gives only the digits '%.40s', which lm-evaluation-harness takes for the index of "
            "a choice; add a word, or name the field without braces",
            text.data);
        goto done;
    }
    PL_GOTO(status, done, pl_bytes_append(out, text.data, text.size));
done:
    json_decref(value);
    pl_bytes_free(&text);
    return status;
}

static pl_status text_of_value(const pl_jinja *j, const json_t *value, pl_arena *arena, const char **out)
{
    pl_bytes text = {0};
    char *copy;
    pl_status status;
    PL_GOTO(status, done, pl_jinja_text(j, 0, value, &text));
    PL_GOTO(status, done, pl_arena_text(arena, &copy, text.size ? text.data : "", text.size));
    *out = copy;
done:
    pl_bytes_free(&text);
    return status;
}

static pl_status item_choices(const pl_task *task, const pl_template *t, const json_t *item, pl_arena *arena,
                              const char ***out, size_t *n)
{
    const pl_jinja *j = t->doc_to_choice;
    json_t *value;
    pl_status status;
    PL_TRY(pl_jinja_value(j, item, &value));
    size_t least = task->output_type == PL_OUTPUT_MULTIPLE_CHOICE && !t->several_right ? 2 : 1,
           found = json_array_size(value);
    if (!json_is_array(value) || found < least) {
        status =
            pl_jinja_fail(j, 0, "doc_to_choice: expected a list of %zu or more choices, such as {{ [a, b] }}", least);
        goto done;
    }
    PL_GOTO(status, done, pl_arena_new(arena, out, found));
    for (size_t i = 0; i < found; i++) {
        PL_GOTO(status, done, text_of_value(j, json_array_get(value, i), arena, &(*out)[i]));
        if (*(*out)[i]) continue;
        status = pl_jinja_fail(j, 0, "doc_to_choice: choice %zu is empty", i);
        goto done;
    }
    *n = found;
done:
    json_decref(value);
    return status;
}

pl_status pl_task_choices(const pl_task *task, const pl_template *t, const pl_row *row, pl_arena *arena,
                          const char ***out, size_t *n)
{
    *out = NULL;
    *n = 0;
    if (!t->doc_to_choice) return PL_OK;
    return at_item(item_choices(task, t, row->item, arena, out, n), task, t, row);
}

/* The right one of the contexts, behind which the target stands. */
static pl_status right_context(const pl_task *task, const pl_template *t, const json_t *item, pl_bytes *out)
{
    pl_arena *arena;
    const char **choices;
    size_t n, index;
    PL_TRY(pl_arena_create(&arena));
    pl_status status = item_choices(task, t, item, arena, &choices, &n);
    if (status == PL_OK) status = pl__context_index(t, item, n, &index);
    if (status == PL_OK) status = pl_bytes_text(out, choices[index]);
    pl_arena_free(arena);
    return status;
}

pl_status pl__item_text(const pl_task *task, const pl_template *t, const pl_row *row, pl_bytes *out)
{
    pl_status status = t->several_contexts ? right_context(task, t, row->item, out) : item_text(t, row->item, out);
    return at_item(status, task, t, row);
}

static pl_status outside(const pl_jinja *j, const char *label, const char *const *choices, size_t n)
{
    char set[400] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && used < sizeof set; i++) {
        int wrote = snprintf(set + used, sizeof set - used, "%s%zu = '%.60s'", i ? ", " : "", i, choices[i]);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    return pl_jinja_fail(j, 0, "label '%.100s' is outside the set of choices (%s)", label, set);
}

/* The index of a gold value among the choices. */
static pl_status find_label(const pl_jinja *j, const json_t *value, const char *text, const char *const *choices,
                            size_t n, size_t *out)
{
    size_t named = 0;
    while (named < n && strcmp(choices[named], text) != 0) named++;
    bool whole = json_is_integer(value) || (pl_jinja_is_field(j) && json_is_boolean(value));
    bool digits = !pl_jinja_is_field(j) && json_is_string(value) && is_digits(text);
    if (whole || digits) {
        long long index = json_is_integer(value) ? (long long)json_integer_value(value) : json_is_true(value);
        if (digits) index = strlen(text) < 10 ? atoll(text) : -1;
        if (index < 0 || (unsigned long long)index >= n) return outside(j, text, choices, n);
        *out = (size_t)index;
        if (!digits || named == n || named == *out) return PL_OK;
        return pl_jinja_fail(
            j, 0,
            "label '%s' is the text of choice %zu but, as lm-evaluation-harness reads digits, the index of "
            "choice %zu; name the field without braces for its text",
            text, named, *out);
    }
    if (named == n) return outside(j, text, choices, n);
    *out = named;
    return PL_OK;
}

/* Of several right answers the first stands behind a shot, as lm-evaluation-harness has it. */
static pl_status first_answer(const pl_template *t, const json_t *answers, const json_t **out)
{
    if (t->several_contexts)
        return pl_jinja_fail(t->doc_to_target, 0, "doc_to_target gives a list: expected the text behind each context");
    if (json_array_size(answers) == 0)
        return pl_jinja_fail(t->doc_to_target, 0, "doc_to_target gives an empty list: expected an answer");
    *out = json_array_get(answers, 0);
    return PL_OK;
}

static pl_status item_target(const pl_template *t, const json_t *item, const char *const *choices, size_t n,
                             pl_arena *arena, const char **text, size_t *label)
{
    const pl_jinja *j = t->doc_to_target;
    json_t *value;
    pl_status status;
    *label = SIZE_MAX;
    PL_TRY(pl_jinja_value(j, item, &value));
    const json_t *one = value;
    if (json_is_array(value)) PL_GOTO(status, done, first_answer(t, value, &one));
    PL_GOTO(status, done, text_of_value(j, one, arena, text));
    if (!t->doc_to_choice) goto done;
    if (t->several_contexts) {
        status = pl__context_index(t, item, n, label);
        goto done;
    }
    PL_GOTO(status, done, find_label(j, one, *text, choices, n, label));
    *text = choices[*label];
done:
    json_decref(value);
    return status;
}

pl_status pl__item_target(const pl_task *task, const pl_template *t, const pl_row *row, const char *const *choices,
                          size_t n, pl_arena *arena, const char **text, size_t *label)
{
    return at_item(item_target(t, row->item, choices, n, arena, text, label), task, t, row);
}

/* The places of several right choices. */
static pl_status item_rights(pl_prompt *out, const pl_template *t, const json_t *list, pl_arena *arena)
{
    size_t *right, n = json_array_size(list);
    PL_TRY(pl_arena_new(arena, &right, n));
    for (size_t i = 0; i < n; i++) {
        const char *text;
        PL_TRY(text_of_value(t->doc_to_target, json_array_get(list, i), arena, &text));
        PL_TRY(
            find_label(t->doc_to_target, json_array_get(list, i), text, out->choice_texts, out->n_choices, &right[i]));
    }
    out->right = right;
    out->n_right = n;
    return PL_OK;
}

static pl_status item_answers(pl_prompt *out, const pl_template *t, const json_t *list, pl_arena *arena)
{
    PL_TRY(pl_arena_new(arena, &out->targets, json_array_size(list)));
    for (size_t i = 0; i < json_array_size(list); i++)
        PL_TRY(text_of_value(t->doc_to_target, json_array_get(list, i), arena, &out->targets[out->n_targets++]));
    return PL_OK;
}

static pl_status item_targets(pl_prompt *out, const pl_template *t, const json_t *item, pl_arena *arena)
{
    json_t *value;
    pl_bytes text = {0};
    char *copy;
    pl_status status = PL_OK;
    if (t->several_contexts) return PL_OK;
    PL_TRY(pl_jinja_value(t->doc_to_target, item, &value));
    if (!json_is_array(value)) goto done;
    PL_GOTO(status, done, t->doc_to_choice ? item_rights(out, t, value, arena) : item_answers(out, t, value, arena));
    PL_GOTO(status, done, pl_jinja_repr(t->doc_to_target, 0, value, &text));
    PL_GOTO(status, done, pl_arena_text(arena, &copy, text.data, text.size));
    out->targets_text = copy;
done:
    json_decref(value);
    pl_bytes_free(&text);
    return status;
}

pl_status pl__item_targets(pl_prompt *out, const pl_task *task, const pl_template *t, const pl_row *row,
                           pl_arena *arena)
{
    return at_item(item_targets(out, t, row->item, arena), task, t, row);
}

pl_status pl_task_target(const pl_task *task, const pl_template *t, const pl_row *row, pl_arena *arena,
                         const char **text, size_t *label)
{
    const char **choices;
    size_t n;
    PL_TRY(pl_task_choices(task, t, row, arena, &choices, &n));
    return pl__item_target(task, t, row, choices, n, arena, text, label);
}
