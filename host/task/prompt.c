/* Prompts: the text that lm-evaluation-harness's fewshot_context makes, and the continuations that may follow it. */
#include <string.h>

#include "task/task_parts.h"

/* A shot must be neither the item itself nor, where items are grouped, one of its own group. */
static pl_status refuse_leak(const pl_task *task, size_t item, size_t shot)
{
    if (task->fewshot_is_test && shot == item)
        return pl_fail(PL_E_INPUT, "task %s: item %zu would stand among its own shots", task->name, item);
    if (!task->group) return PL_OK;
    const json_t *a = json_object_get(task->test->items[item], task->group);
    const json_t *b = json_object_get(task->fewshot->items[shot], task->group);
    if (!a || !b)
        return pl_fail(PL_E_INPUT, "task %s: an item has no field '%s', by which items are grouped", task->name,
                       task->group);
    if (!json_equal(a, b)) return PL_OK;
    return pl_fail(PL_E_INPUT, "task %s: item %zu and shot %zu have the same %s", task->name, item, shot, task->group);
}

pl_status pl_task_row(const pl_task *task, const pl_template *t, const json_t *item, pl_arena *arena,
                      pl_bytes *question, const char **target, size_t *label)
{
    PL_TRY(pl__item_text(task, t, item, question));
    return pl_task_target(task, t, item, arena, target, label);
}

/* text + target_delimiter + target + fewshot_delimiter; an empty target leaves both delimiters out. */
static pl_status append_shot(pl_bytes *out, const pl_task *task, const pl_template *t, const json_t *item,
                             pl_arena *arena)
{
    const char *target;
    size_t label;
    PL_TRY(pl_task_row(task, t, item, arena, out, &target, &label));
    if (!*target) return PL_OK;
    PL_TRY(pl_bytes_text(out, t->target_delimiter));
    PL_TRY(pl_bytes_text(out, target));
    return pl_bytes_text(out, task->fewshot_delimiter);
}

/* The continuations that are scored. For loglikelihood it is the target as it is: lm-evaluation-harness puts no
 * delimiter before it. */
static pl_status make_continuations(pl_prompt *out, const pl_task *task, const pl_template *t, const json_t *item,
                                    pl_arena *arena)
{
    PL_TRY(pl_task_choices(task, t, item, arena, &out->choice_texts, &out->n_choices));
    PL_TRY(pl__item_target(task, t, item, out->choice_texts, out->n_choices, arena, &out->target, &out->gold));
    if (task->output_type == PL_OUTPUT_LOGLIKELIHOOD) {
        out->n_choices = 1;
        out->gold = 0;
        PL_TRY(pl_arena_new(arena, &out->choice_texts, 1));
        out->choice_texts[0] = out->target;
        out->choices = out->choice_texts;
        return PL_OK;
    }
    PL_TRY(pl_arena_new(arena, &out->choices, out->n_choices));
    for (size_t i = 0; i < out->n_choices; i++) {
        char *whole;
        PL_TRY(pl_arena_format(arena, &whole, "%s%s", t->target_delimiter, out->choice_texts[i]));
        out->choices[i] = whole;
    }
    return PL_OK;
}

pl_status pl_prompt_build(pl_prompt *out, const pl_task *task, const pl_template *t, size_t item, const size_t *shots,
                          size_t k, pl_arena *arena)
{
    *out = (pl_prompt){.gold = SIZE_MAX};
    if (item >= task->test->n) return pl_fail(PL_E_INTERNAL, "task %s: no item %zu", task->name, item);
    pl_bytes text = {0};
    pl_status status;
    PL_GOTO(status, done, pl_bytes_text(&text, task->description));
    for (size_t i = 0; i < k; i++) {
        if (!task->fewshot || shots[i] >= task->fewshot->n) {
            status = pl_fail(PL_E_INTERNAL, "task %s: no shot %zu", task->name, shots[i]);
            goto done;
        }
        PL_GOTO(status, done, refuse_leak(task, item, shots[i]));
        PL_GOTO(status, done, append_shot(&text, task, t, task->fewshot->items[shots[i]], arena));
    }
    out->own_offset = text.size;
    PL_GOTO(status, done, pl__item_text(task, t, task->test->items[item], &text));
    char *copy;
    PL_GOTO(status, done, pl_arena_text(arena, &copy, text.data, text.size));
    out->context = copy;
    out->context_size = text.size;
    PL_GOTO(status, done, make_continuations(out, task, t, task->test->items[item], arena));
done:
    pl_bytes_free(&text);
    return status;
}
