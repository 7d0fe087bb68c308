/* Prompts: the text that lm-evaluation-harness's fewshot_context makes, and the continuations that may follow it. */
#include <string.h>

#include "base/utf8.h"
#include "task/task_parts.h"

/* A shot must be neither the item itself nor, where items are grouped, one of its own group. */
pl_status pl__shot_refuse_leak(const pl_task *task, const pl_row *item, const pl_row *shot)
{
    if (task->fewshot_is_test && shot->index == item->index)
        return pl_fail(PL_E_INPUT, "task %s: item %zu would stand among its own shots", task->name, item->index);
    if (!task->group || !json_equal(json_object_get(item->item, task->group), json_object_get(shot->item, task->group)))
        return PL_OK;
    return pl_fail(PL_E_INPUT, "task %s: item %zu and shot %zu have the same %s", task->name, item->index, shot->index,
                   task->group);
}

static pl_status check_group(const pl_task *task, const pl_row *row)
{
    if (!task->group || json_object_get(row->item, task->group)) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s:%zu: no field '%s', by which task %s groups its items",
                   pl_row_file(row->data, row->index), pl_row_line(row->data, row->index), task->group, task->name);
}

pl_status pl_task_row(const pl_task *task, const pl_template *t, const pl_row *row, pl_arena *arena, pl_bytes *question,
                      const char **target, size_t *label)
{
    PL_TRY(check_group(task, row));
    PL_TRY(pl__item_text(task, t, row, question));
    return pl_task_target(task, t, row, arena, target, label);
}

static bool ends_in_space(const pl_bytes *text)
{
    uint32_t last;
    (void)pl_utf8_get(&last, text->data + pl_utf8_before(text->data, text->size));
    return pl_utf8_is_space(last);
}

static bool begins_with_space(const char *text)
{
    uint32_t first;
    (void)pl_utf8_get(&first, text);
    return pl_utf8_is_space(first);
}

/* What the answer begins with, behind the text that stands in `out` from byte `start` on: the delimiter between the two
 * where there is no white space. *has: there is one. */
static pl_status append_prefix(pl_bytes *out, bool *has, const pl_template *t, const pl_row *row, size_t start,
                               const char *delimiter)
{
    pl_bytes prefix = {0};
    *has = false;
    if (!t->gen_prefix) return PL_OK;
    pl_status status = pl_jinja_render(t->gen_prefix, row->item, &prefix);
    *has = status == PL_OK && prefix.size > 0;
    bool touch = *has && out->size > start && !ends_in_space(out) && !begins_with_space(prefix.data);
    if (status == PL_OK && touch) status = pl_bytes_text(out, delimiter);
    if (status == PL_OK && *has) status = pl_bytes_append(out, prefix.data, prefix.size);
    pl_bytes_free(&prefix);
    return status;
}

/* text + target_delimiter + target + fewshot_delimiter; an empty target leaves both delimiters out. What the answer
 * begins with stands before it, and a blank between them where there is no white space. */
pl_status pl__append_row(pl_bytes *out, const pl_task *task, const pl_template *t, const pl_row *row, pl_arena *arena)
{
    const char *target;
    size_t label, start = out->size;
    bool has_prefix;
    PL_TRY(pl_task_row(task, t, row, arena, out, &target, &label));
    PL_TRY(append_prefix(out, &has_prefix, t, row, start, t->target_delimiter));
    if (!*target) return PL_OK;
    if (!has_prefix)
        PL_TRY(pl_bytes_text(out, t->target_delimiter));
    else if (!ends_in_space(out) && !begins_with_space(target))
        PL_TRY(pl_bytes_text(out, " "));
    PL_TRY(pl_bytes_text(out, target));
    return pl_bytes_text(out, task->fewshot_delimiter);
}

pl_status pl__shot_open(pl_row *row, const pl_task *task, const pl_row *item, size_t shot)
{
    if (!task->fewshot || shot >= task->fewshot->n)
        return pl_fail(PL_E_INTERNAL, "task %s: no shot %zu", task->name, shot);
    PL_TRY(pl_row_open(row, task->fewshot, shot));
    pl_status status = item ? pl__shot_refuse_leak(task, item, row) : PL_OK;
    if (status != PL_OK) pl_row_close(row);
    return status;
}

/* item NULL: none that the shot could leak. */
static pl_status append_shot(pl_bytes *out, const pl_task *task, const pl_template *t, const pl_row *item, size_t shot,
                             pl_arena *arena)
{
    pl_row row;
    PL_TRY(pl__shot_open(&row, task, item, shot));
    pl_status status = pl__append_row(out, task, t, &row, arena);
    pl_row_close(&row);
    return status;
}

bool pl_prompt_is_right(const pl_prompt *p, size_t choice)
{
    bool is = choice == p->gold;
    for (size_t i = 0; i < p->n_right; i++) is = is || choice == p->right[i];
    return is;
}

/* What is white space between words is Python's \s; words are what re.split makes of them, empty ones among them. */
static size_t count_words(const char *text)
{
    size_t n = 1, size = strlen(text);
    bool before = false;
    for (size_t at = 0; at < size;) {
        uint32_t letter;
        at += pl_utf8_get(&letter, text + at);
        bool is = pl_utf8_is_space(letter);
        n += is && !before;
        before = is;
    }
    return n;
}

static pl_status read_count(size_t *out, const pl_task *task, const pl_row *row, const char *field)
{
    const json_t *value = json_object_get(row->item, field);
    if (json_is_integer(value) && json_integer_value(value) > 0) {
        *out = (size_t)json_integer_value(value);
        return PL_OK;
    }
    return pl_fail(PL_E_INPUT, "%s:%zu: field '%s' of task %s: expected a number of 1 or more",
                   pl_row_file(row->data, row->index), pl_row_line(row->data, row->index), field, task->name);
}

/* One continuation, the target. For loglikelihood lm-evaluation-harness puts no delimiter before it. */
static pl_status make_alone(pl_prompt *out, const pl_task *task, const pl_row *row, pl_arena *arena)
{
    out->alone = true;
    out->n_choices = 1;
    out->gold = 0;
    PL_TRY(pl_arena_new(arena, &out->choice_texts, 1));
    out->choice_texts[0] = out->target;
    out->choices = out->choice_texts;
    out->rolling = task->output_type == PL_OUTPUT_LOGLIKELIHOOD_ROLLING;
    if (!out->rolling) return PL_OK;
    out->words = count_words(out->target);
    out->bytes = strlen(out->target);
    if (task->words) PL_TRY(read_count(&out->words, task, row, task->words));
    if (task->bytes) PL_TRY(read_count(&out->bytes, task, row, task->bytes));
    if (out->bytes) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s:%zu: an empty text has no log-likelihood [task %s]",
                   pl_row_file(row->data, row->index), pl_row_line(row->data, row->index), task->name);
}

/* Whether the task's gen_prefix, as it is written, has no white space at its end: only then a delimiter stands before a
 * choice of a chat, for else the chat template's end does. */
static bool begins_bare(const pl_template *t)
{
    const char *source = json_string_value(json_object_get(t->config, "gen_prefix"));
    size_t size = source ? strlen(source) : 0;
    return size > 0 && pl_utf8_rstrip(source, size) == size;
}

/* The delimiter before each of n texts; step 0: before the same one. */
static pl_status join_each(const char ***out, const char *delimiter, const char *const *texts, size_t step, size_t n,
                           pl_arena *arena)
{
    PL_TRY(pl_arena_new(arena, out, n));
    for (size_t i = 0; i < n; i++) {
        char *whole;
        PL_TRY(pl_arena_format(arena, &whole, "%s%s", delimiter, texts[i * step]));
        (*out)[i] = whole;
    }
    return PL_OK;
}

/* The continuations that are scored. */
static pl_status make_continuations(pl_prompt *out, const pl_task *task, const pl_template *t, const pl_row *row,
                                    const pl_chat_use *chat, pl_arena *arena)
{
    const char *delimiter = chat && chat->chat && !begins_bare(t) ? "" : t->target_delimiter;
    PL_TRY(pl_task_choices(task, t, row, arena, &out->choice_texts, &out->n_choices));
    PL_TRY(pl__item_target(task, t, row, out->choice_texts, out->n_choices, arena, &out->target, &out->gold));
    if (task->output_type == PL_OUTPUT_GENERATE_UNTIL || t->several_right)
        PL_TRY(pl__item_targets(out, task, t, row, arena));
    if (task->output_type == PL_OUTPUT_LOGLIKELIHOOD || task->output_type == PL_OUTPUT_LOGLIKELIHOOD_ROLLING)
        return make_alone(out, task, row, arena);
    PL_TRY(join_each(&out->choices, delimiter, t->several_contexts ? &out->target : out->choice_texts,
                     t->several_contexts ? 0 : 1, out->n_choices, arena));
    if (!out->n_choices || !pl_task_names(task, "acc_mutual_info")) return PL_OK;
    out->unconditional = out->choices;
    return t->several_contexts ? join_each(&out->unconditional, delimiter, out->choice_texts, 1, out->n_choices, arena)
                               : PL_OK;
}

/* One context a choice: `front`, the choice, and what the answer begins with; there is no delimiter between them, but
 * in shots there is. */
static pl_status make_contexts(pl_prompt *out, const pl_template *t, const pl_row *row, const pl_bytes *front,
                               pl_arena *arena)
{
    struct pl_context *contexts;
    pl_bytes text = {0};
    pl_status status = PL_OK;
    bool has;
    PL_TRY(pl_arena_new(arena, &contexts, out->n_choices));
    for (size_t i = 0; i < out->n_choices && status == PL_OK; i++) {
        char *copy;
        pl_bytes_clear(&text);
        PL_GOTO(status, done, pl_bytes_append(&text, front->size ? front->data : "", front->size));
        PL_GOTO(status, done, pl_bytes_text(&text, out->choice_texts[i]));
        PL_GOTO(status, done, append_prefix(&text, &has, t, row, front->size, ""));
        PL_GOTO(status, done, pl_arena_text(arena, &copy, text.data, text.size));
        contexts[i] = (struct pl_context){copy, text.size};
    }
    out->contexts = contexts;
    out->context = contexts[0].text;
    out->context_size = contexts[0].size;
done:
    pl_bytes_free(&text);
    return status;
}

/* Description, shots and the item's own text. */
static pl_status make_context(pl_prompt *out, const pl_task *task, const pl_template *t, const pl_row *shown,
                              const pl_row *item, const size_t *shots, size_t k, const pl_chat_use *chat,
                              pl_arena *arena)
{
    pl_bytes text = {0};
    char *copy;
    pl_status status;
    bool has_prefix;
    out->context = "";
    if (out->rolling) return PL_OK;
    if (chat && chat->chat) return pl__chat_context(out, task, t, shown, item, shots, k, chat, arena);
    PL_GOTO(status, done, pl__system_text(&text, task, chat));
    for (size_t i = 0; i < k; i++) PL_GOTO(status, done, append_shot(&text, task, t, item, shots[i], arena));
    out->own_offset = text.size;
    if (t->several_contexts) {
        status = make_contexts(out, t, shown, &text, arena);
        goto done;
    }
    PL_GOTO(status, done, pl__item_text(task, t, shown, &text));
    PL_GOTO(status, done, append_prefix(&text, &has_prefix, t, shown, out->own_offset, t->target_delimiter));
    PL_GOTO(status, done, pl_arena_text(arena, &copy, text.data, text.size));
    out->context = copy;
    out->context_size = text.size;
done:
    pl_bytes_free(&text);
    return status;
}

static pl_status open_item(pl_row *row, const pl_task *task, size_t item)
{
    if (item >= task->test->n) return pl_fail(PL_E_INTERNAL, "task %s: no item %zu", task->name, item);
    return pl_row_open(row, task->test, item);
}

pl_status pl_prompt_build(pl_prompt *out, const pl_task *task, const pl_template *t, size_t item, const size_t *shots,
                          size_t k, pl_arena *arena)
{
    return pl_prompt_build_chat(out, task, t, item, shots, k, NULL, arena);
}

pl_status pl_prompt_build_chat(pl_prompt *out, const pl_task *task, const pl_template *t, size_t item,
                               const size_t *shots, size_t k, const pl_chat_use *chat, pl_arena *arena)
{
    pl_row row;
    *out = (pl_prompt){.gold = SIZE_MAX};
    PL_TRY(open_item(&row, task, item));
    pl_status status = make_continuations(out, task, t, &row, chat, arena);
    if (status == PL_OK) status = make_context(out, task, t, &row, &row, shots, k, chat, arena);
    pl_row_close(&row);
    return status;
}

/* ---- content-free ---- */

static pl_status empty_of_content(json_t **out, const json_t *value, const char *input);

static pl_status empty_array(json_t **out, const json_t *array, const char *input)
{
    pl_status status = PL_OK;
    *out = json_array();
    for (size_t i = 0; *out && status == PL_OK && i < json_array_size(array); i++) {
        json_t *part = NULL;
        status = empty_of_content(&part, json_array_get(array, i), input);
        if (status == PL_OK && json_array_append_new(*out, part) != 0)
            status = pl_fail(PL_E_MEMORY, "out of memory while making a content-free item");
    }
    return status;
}

static pl_status empty_object(json_t **out, const json_t *object, const char *input)
{
    const char *key;
    json_t *child;
    pl_status status = PL_OK;
    *out = json_object();
    json_object_foreach((json_t *)(uintptr_t)object, key, child)
    {
        json_t *part = NULL;
        if (status == PL_OK) status = empty_of_content(&part, child, input);
        if (status == PL_OK && json_object_set_new(*out, key, part) != 0)
            status = pl_fail(PL_E_MEMORY, "out of memory while making a content-free item");
    }
    return status;
}

/* The value with `input` for every text and number in it. A new reference, also on failure. */
static pl_status empty_of_content(json_t **out, const json_t *value, const char *input)
{
    pl_status status = PL_OK;
    if (json_is_array(value))
        status = empty_array(out, value, input);
    else if (json_is_object(value))
        status = empty_object(out, value, input);
    else
        *out = json_is_string(value) || json_is_number(value) ? json_string(input) : json_deep_copy(value);
    return *out || status != PL_OK ? status : pl_fail(PL_E_MEMORY, "out of memory while making a content-free item");
}

pl_status pl_prompt_build_content_free(pl_prompt *out, const pl_task *task, const pl_template *t, size_t item,
                                       const char *input, const size_t *shots, size_t k, const pl_chat_use *chat,
                                       pl_arena *arena)
{
    pl_row row, shown;
    json_t *empty = NULL;
    *out = (pl_prompt){.gold = SIZE_MAX};
    PL_TRY(open_item(&row, task, item));
    shown = row;
    pl_status status = empty_of_content(&empty, row.item, input);
    shown.item = empty;
    if (status == PL_OK) status = make_continuations(out, task, t, &row, chat, arena);
    if (status == PL_OK) status = make_context(out, task, t, &shown, NULL, shots, k, chat, arena);
    out->unconditional = NULL;
    out->gold = SIZE_MAX;
    json_decref(empty);
    pl_row_close(&row);
    return status;
}
