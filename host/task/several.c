/* Items with several of something: a context a choice (doc_to_text is the index of the right one, the target what
 * stands behind each), and several right choices (doc_to_target is a list). Which of these a template has, its first
 * item says, as in lm-evaluation-harness. */
#include <stdlib.h>
#include <string.h>

#include "task/task_parts.h"

static bool is_digits(const char *text, size_t size)
{
    return size > 0 && strspn(text, "0123456789") == size;
}

/* Whether doc_to_text gives an index, as lm-evaluation-harness reads one: an integer, or a text of digits that is not a
 * field by its name. */
static pl_status index_of_text(bool *is, size_t *index, const pl_template *t, const json_t *item)
{
    json_t *value;
    pl_bytes text = {0};
    PL_TRY(pl_jinja_value(t->doc_to_text, item, &value));
    pl_status status = pl_jinja_text(t->doc_to_text, 0, value, &text);
    bool field_text = pl_jinja_is_field(t->doc_to_text) && json_is_string(value);
    *is = status == PL_OK && !field_text && text.size < 10 && is_digits(text.size ? text.data : "", text.size);
    *index = *is ? (size_t)atoll(text.data) : SIZE_MAX;
    pl_bytes_free(&text);
    json_decref(value);
    return status;
}

pl_status pl__context_index(const pl_template *t, const json_t *item, size_t n, size_t *out)
{
    bool is;
    PL_TRY(index_of_text(&is, out, t, item));
    if (is && *out < n) return PL_OK;
    if (!is)
        return pl_jinja_fail(t->doc_to_text, 0,
                             "doc_to_text gives no index here, where the first item has one: with a context a choice "
                             "it is the place of the right one in doc_to_choice, from 0");
    return pl_jinja_fail(t->doc_to_text, 0, "doc_to_text gives %zu: expected an index of the %zu choices", *out, n);
}

/* An index where the target is itself an index or a choice is a text that came out as digits: an error later on. */
static pl_status find_contexts(pl_template *t, const pl_task *task, const pl_row *first, pl_arena *arena,
                               const json_t *target)
{
    const char **choices;
    size_t n, index;
    bool is, is_choice = json_is_integer(target);
    const char *text = json_string_value(target);
    PL_TRY(index_of_text(&is, &index, t, first->item));
    if (!is) return PL_OK;
    PL_TRY(pl_task_choices(task, t, first, arena, &choices, &n));
    is_choice = is_choice || !text || is_digits(text, strlen(text));
    for (size_t i = 0; i < n && !is_choice; i++) is_choice = strcmp(choices[i], text) == 0;
    t->several_contexts = !is_choice;
    return PL_OK;
}

pl_status pl__several_find(pl_template *t, const pl_task *task, const pl_row *first)
{
    json_t *target;
    pl_arena *arena = NULL;
    if (task->output_type != PL_OUTPUT_MULTIPLE_CHOICE || !t->doc_to_choice) return PL_OK;
    PL_TRY(pl_jinja_value(t->doc_to_target, first->item, &target));
    t->several_right = json_is_array(target);
    pl_status status = pl_arena_create(&arena);
    if (status == PL_OK) status = find_contexts(t, task, first, arena, target);
    pl_arena_free(arena);
    json_decref(target);
    return status == PL_E_INPUT ? PL_OK : status; /* said again, with its place, when the template is tried */
}
