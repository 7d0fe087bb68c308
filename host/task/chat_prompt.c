/* Prompts as chats: the messages that lm-evaluation-harness's fewshot_context makes (api/task.py, version 0.4.13), and
 * the text that the model's template makes of them. */
#include <string.h>

#include "base/utf8.h"
#include "task/task_parts.h"

/* What the item's text is held against to find where it begins: no prompt has it there. */
static const char MARK[] = "\x01";

typedef struct chat {
    const pl_task *task;
    const pl_template *t;
    const pl_chat_use *use;
    json_t *messages;
    pl_bytes user; /* of one user turn: what stands before the item's text */
    pl_arena *arena;
} chat;

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

static pl_status add_message(chat *c, const char *role, const char *text, size_t size)
{
    json_t *message = json_pack("{s:s, s:o}", "role", role, "content", json_stringn(size ? text : "", size));
    if (message && json_array_append_new(c->messages, message) == 0) return PL_OK;
    return pl_fail(PL_E_MEMORY, "out of memory in a chat");
}

/* A shot: two turns, or text of the one user turn; an answer that is empty is left out, with both delimiters. */
static pl_status add_shot(chat *c, const pl_row *row)
{
    pl_bytes own = {0};
    pl_bytes *question = c->use->multiturn ? &own : &c->user;
    const char *target;
    size_t label;
    pl_status status = pl_task_row(c->task, c->t, row, c->arena, question, &target, &label);
    if (status == PL_OK && c->use->multiturn) {
        status = add_message(c, "user", own.data, own.size);
        if (status == PL_OK && *target) status = add_message(c, "assistant", target, strlen(target));
    } else if (status == PL_OK && *target) {
        status = pl_bytes_text(question, c->t->target_delimiter);
        if (status == PL_OK) status = pl_bytes_text(question, target);
        if (status == PL_OK) status = pl_bytes_text(question, c->task->fewshot_delimiter);
    }
    pl_bytes_free(&own);
    return status;
}

static pl_status add_shots(chat *c, const pl_row *item, const size_t *shots, size_t k)
{
    for (size_t i = 0; i < k; i++) {
        pl_row row;
        PL_TRY(pl__shot_open(&row, c->task, item, shots[i]));
        pl_status status = add_shot(c, &row);
        pl_row_close(&row);
        if (status != PL_OK) return status;
    }
    return PL_OK;
}

/* The last turn, the user's, set to what stands before the item's text and `own`. */
static pl_status set_last(chat *c, size_t last, const char *own, size_t size)
{
    size_t before = c->user.size;
    pl_status status = pl_bytes_append(&c->user, size ? own : "", size);
    if (status == PL_OK && json_array_size(c->messages) > last)
        status = json_array_remove(c->messages, last) == 0 ? PL_OK : pl_fail(PL_E_INTERNAL, "no last turn");
    if (status == PL_OK) status = add_message(c, "user", c->user.data, c->user.size);
    c->user.size = before;
    return status;
}

/* As lm-evaluation-harness does it, a template that refuses the chat with a system text is asked without. */
static pl_status render(chat *c, bool *dropped, pl_bytes *out)
{
    bool refused;
    size_t size = out->size;
    pl_status status = pl_chat_render(c->use->chat, c->messages, c->use->date, out, &refused);
    const char *role = json_string_value(json_object_get(json_array_get(c->messages, 0), "role"));
    if (status == PL_OK || !refused || *dropped || !role || strcmp(role, "system")) return status;
    *dropped = true;
    out->size = size;
    if (json_array_remove(c->messages, 0) != 0) return pl_fail(PL_E_INTERNAL, "no system turn");
    return pl_chat_render(c->use->chat, c->messages, c->use->date, out, &refused);
}

/* The text, and where the item's own begins: where the same chat with another text in its place first differs. */
static pl_status render_both(chat *c, pl_prompt *out, const pl_bytes *own)
{
    pl_bytes text = {0}, marked = {0};
    char *copy;
    size_t last = json_array_size(c->messages), i = 0;
    pl_status status;
    PL_GOTO(status, done, set_last(c, last, own->data, own->size));
    PL_GOTO(status, done, render(c, &out->system_refused, &text));
    PL_GOTO(status, done, set_last(c, json_array_size(c->messages) - 1, MARK, strlen(MARK)));
    PL_GOTO(status, done, render(c, &out->system_refused, &marked));
    while (i < text.size && i < marked.size && text.data[i] == marked.data[i]) i++;
    PL_GOTO(status, done, pl_arena_text(c->arena, &copy, text.size ? text.data : "", text.size));
    out->context = copy;
    out->context_size = text.size;
    out->own_offset = i;
done:
    pl_bytes_free(&text);
    pl_bytes_free(&marked);
    return status;
}

pl_status pl__chat_context(pl_prompt *out, const pl_task *task, const pl_template *t, const pl_row *shown,
                           const pl_row *item, const size_t *shots, size_t k, const pl_chat_use *use, pl_arena *arena)
{
    chat c = {.task = task, .t = t, .use = use, .messages = json_array(), .arena = arena};
    pl_bytes own = {0}, system = {0};
    pl_status status;
    if (!c.messages) return pl_fail(PL_E_MEMORY, "out of memory in a chat");
    PL_GOTO(status, done, pl__system_text(&system, task, use));
    if (system.size) PL_GOTO(status, done, add_message(&c, "system", system.data, system.size));
    PL_GOTO(status, done, add_shots(&c, item, shots, k));
    PL_GOTO(status, done, pl__item_text(task, t, shown, &own));
    status = render_both(&c, out, &own);
done:
    json_decref(c.messages);
    pl_bytes_free(&c.user);
    pl_bytes_free(&own);
    pl_bytes_free(&system);
    return status;
}
