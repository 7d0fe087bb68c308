#include "task/chat_front.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "task/task_parts.h"

static bool touches_space(const char *before, const char *behind)
{
    size_t size = strlen(before);
    uint32_t last, first;
    pl_utf8_get(&last, before + pl_utf8_before(before, size));
    pl_utf8_get(&first, behind);
    return pl_utf8_is_space(last) || pl_utf8_is_space(first);
}

pl_status pl__system_text(pl_bytes *out, const pl_task *task, const pl_chat_use *use)
{
    const char *system = use && use->system ? use->system : "", *description = task->description;
    PL_TRY(pl_bytes_text(out, system));
    if (*system && *description && !touches_space(system, description))
        PL_TRY(pl_bytes_text(out, task->fewshot_delimiter));
    return pl_bytes_text(out, description);
}

/* Task files, items and chats are UTF-8: jansson need not look. */
pl_status pl__chat_add(json_t *messages, const char *role, const char *text, size_t size)
{
    json_t *message = json_object();
    bool made = message && json_object_set_new_nocheck(message, "role", json_string_nocheck(role)) == 0;
    made = made && json_object_set_new_nocheck(message, "content", json_stringn_nocheck(size ? text : "", size)) == 0;
    if (made && json_array_append(messages, message) != 0) made = false;
    json_decref(message);
    return made ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory in a chat");
}

pl_status pl__chat_put_prefix(pl_bytes *out, const pl_template *t, const pl_row *row)
{
    return t->gen_prefix ? pl_jinja_render(t->gen_prefix, row->item, out) : PL_OK;
}

/* Two turns; an answer that is empty is left out. What it begins with stands before it, and a blank between them where
 * there is no white space. */
static pl_status add_turns(pl_chat_front *f, const pl_row *row, pl_arena *arena)
{
    pl_bytes question = {0}, answer = {0};
    const char *target;
    size_t label;
    pl_status status;
    PL_GOTO(status, done, pl_task_row(f->task, f->t, row, arena, &question, &target, &label));
    PL_GOTO(status, done, pl__chat_put_prefix(&answer, f->t, row));
    if (answer.size && *target && !touches_space(answer.data, target))
        PL_GOTO(status, done, pl_bytes_text(&answer, " "));
    PL_GOTO(status, done, pl_bytes_text(&answer, target));
    PL_GOTO(status, done, pl__chat_add(f->messages, "user", question.data, question.size));
    if (answer.size) status = pl__chat_add(f->messages, "assistant", answer.data, answer.size);
done:
    pl_bytes_free(&question);
    pl_bytes_free(&answer);
    return status;
}

static pl_status add_shot(pl_chat_front *f, const pl_row *item, size_t shot, pl_arena *arena)
{
    pl_row *row = &f->rows[f->k];
    PL_TRY(pl__shot_open(row, f->task, item, shot));
    f->shots[f->k++] = shot;
    return f->use.multiturn ? add_turns(f, row, arena) : pl__append_row(&f->user, f->task, f->t, row, arena);
}

static pl_status add_system(pl_chat_front *f)
{
    pl_bytes text = {0};
    pl_status status = pl__system_text(&text, f->task, &f->use);
    if (status == PL_OK && text.size) status = pl__chat_add(f->messages, "system", text.data, text.size);
    if (status == PL_OK && text.size) f->system = json_incref(json_array_get(f->messages, 0));
    pl_bytes_free(&text);
    return status;
}

static bool is_for(const pl_chat_front *f, const pl_task *task, const pl_template *t, const pl_chat_use *use,
                   const size_t *shots, size_t k)
{
    return f->task == task && f->t == t && f->use.chat == use->chat && f->use.system == use->system &&
           f->use.multiturn == use->multiturn && f->use.date == use->date && f->k == k &&
           (k == 0 || memcmp(f->shots, shots, k * sizeof *shots) == 0);
}

pl_status pl__chat_front_make(pl_chat_front *f, const pl_task *task, const pl_template *t, const pl_chat_use *use,
                              const pl_row *item, const size_t *shots, size_t k, pl_arena *arena)
{
    pl_status status = PL_OK;
    if (is_for(f, task, t, use, shots, k)) {
        for (size_t i = 0; item && i < k && status == PL_OK; i++)
            status = pl__shot_refuse_leak(task, item, &f->rows[i]);
        return status;
    }
    pl__chat_front_close(f);
    if (!(f->messages = json_array())) return pl_fail(PL_E_MEMORY, "out of memory in a chat");
    f->task = task;
    f->t = t;
    f->use = *use;
    PL_GOTO(status, done, pl_grow(&f->shots, &f->capacity, k));
    PL_GOTO(status, done, pl_grow(&f->rows, &f->rows_capacity, k));
    PL_GOTO(status, done, add_system(f));
    for (size_t i = 0; i < k; i++) PL_GOTO(status, done, add_shot(f, item, shots[i], arena));
done:
    if (status != PL_OK) pl__chat_front_close(f);
    return status;
}

void pl__chat_front_close(pl_chat_front *f)
{
    for (size_t i = 0; i < f->k; i++) pl_row_close(&f->rows[i]);
    free(f->shots);
    free(f->rows);
    json_decref(f->messages);
    json_decref(f->system);
    pl_bytes_free(&f->user);
    pl_bytes_free(&f->marked);
    pl_bytes_free(&f->marked_prefix);
    *f = (pl_chat_front){0};
}

pl_status pl_chat_front_create(pl_chat_front **out)
{
    return pl_new(out, 1);
}

void pl_chat_front_free(pl_chat_front *front)
{
    if (!front) return;
    pl__chat_front_close(front);
    free(front);
}
