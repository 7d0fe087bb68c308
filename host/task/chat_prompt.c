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
    pl_bytes user;   /* of one user turn: what stands before the item's text */
    pl_bytes prefix; /* what the item's answer begins with; empty: nothing */
    size_t n_tail;   /* messages of the item, at the end */
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

static pl_status put_prefix(pl_bytes *out, const pl_template *t, const pl_row *row)
{
    return t->gen_prefix ? pl_jinja_render(t->gen_prefix, row->item, out) : PL_OK;
}

/* Two turns; an answer that is empty is left out. What it begins with stands before it, and a blank between them where
 * there is no white space. */
static pl_status add_turns(chat *c, const pl_row *row)
{
    pl_bytes question = {0}, answer = {0};
    const char *target;
    size_t label;
    pl_status status;
    PL_GOTO(status, done, pl_task_row(c->task, c->t, row, c->arena, &question, &target, &label));
    PL_GOTO(status, done, put_prefix(&answer, c->t, row));
    if (answer.size && *target && !touches_space(answer.data, target))
        PL_GOTO(status, done, pl_bytes_text(&answer, " "));
    PL_GOTO(status, done, pl_bytes_text(&answer, target));
    PL_GOTO(status, done, add_message(c, "user", question.data, question.size));
    if (answer.size) status = add_message(c, "assistant", answer.data, answer.size);
done:
    pl_bytes_free(&question);
    pl_bytes_free(&answer);
    return status;
}

static pl_status add_shots(chat *c, const pl_row *item, const size_t *shots, size_t k)
{
    for (size_t i = 0; i < k; i++) {
        pl_row row;
        PL_TRY(pl__shot_open(&row, c->task, item, shots[i]));
        pl_status status =
            c->use->multiturn ? add_turns(c, &row) : pl__append_row(&c->user, c->task, c->t, &row, c->arena);
        pl_row_close(&row);
        if (status != PL_OK) return status;
    }
    return PL_OK;
}

/* The item's messages: the user's, set to what stands before the item's text and `own`, and its answer's beginning. */
static pl_status set_tail(chat *c, const char *own, size_t size)
{
    size_t before = c->user.size;
    for (; c->n_tail > 0; c->n_tail--)
        if (json_array_remove(c->messages, json_array_size(c->messages) - 1) != 0)
            return pl_fail(PL_E_INTERNAL, "no last turn");
    pl_status status = pl_bytes_append(&c->user, size ? own : "", size);
    if (status == PL_OK) status = add_message(c, "user", c->user.data, c->user.size);
    c->user.size = before;
    c->n_tail = 1;
    if (status != PL_OK || !c->prefix.size) return status;
    c->n_tail = 2;
    return add_message(c, "assistant", c->prefix.data, c->prefix.size);
}

/* As lm-evaluation-harness does it, a template that refuses the chat with a system text is asked without. */
static pl_status render(chat *c, bool *dropped, pl_bytes *out)
{
    bool refused;
    size_t size = out->size;
    pl_status status = pl_chat_render(c->use->chat, c->messages, c->prefix.size > 0, c->use->date, out, &refused);
    const char *role = json_string_value(json_object_get(json_array_get(c->messages, 0), "role"));
    if (status == PL_OK || !refused || *dropped || !role || strcmp(role, "system")) return status;
    *dropped = true;
    out->size = size;
    if (json_array_remove(c->messages, 0) != 0) return pl_fail(PL_E_INTERNAL, "no system turn");
    return pl_chat_render(c->use->chat, c->messages, c->prefix.size > 0, c->use->date, out, &refused);
}

/* The text of the chat about `own`. */
static pl_status make_text(chat *c, pl_prompt *out, const char *own, size_t size, struct pl_context *context)
{
    pl_bytes text = {0};
    char *copy;
    pl_status status;
    PL_GOTO(status, done, set_tail(c, own, size));
    PL_GOTO(status, done, render(c, &out->system_refused, &text));
    PL_GOTO(status, done, pl_arena_text(c->arena, &copy, text.size ? text.data : "", text.size));
    *context = (struct pl_context){copy, text.size};
done:
    pl_bytes_free(&text);
    return status;
}

/* Where the item's own text begins: where the same chat with another text in its place first differs. */
static pl_status find_own(chat *c, pl_prompt *out)
{
    pl_bytes marked = {0};
    size_t i = 0;
    pl_status status = set_tail(c, MARK, strlen(MARK));
    if (status == PL_OK) status = render(c, &out->system_refused, &marked);
    while (i < out->context_size && i < marked.size && out->context[i] == marked.data[i]) i++;
    out->own_offset = i;
    pl_bytes_free(&marked);
    return status;
}

/* One context, or of choices that are contexts one each. */
static pl_status make_texts(chat *c, pl_prompt *out, const pl_row *shown)
{
    struct pl_context *contexts;
    pl_bytes own = {0};
    size_t n = c->t->several_contexts ? out->n_choices : 1;
    pl_status status;
    PL_GOTO(status, done, pl_arena_new(c->arena, &contexts, n));
    if (!c->t->several_contexts) {
        PL_GOTO(status, done, pl__item_text(c->task, c->t, shown, &own));
        PL_GOTO(status, done, make_text(c, out, own.data, own.size, &contexts[0]));
    }
    for (size_t i = 0; c->t->several_contexts && i < n; i++)
        PL_GOTO(status, done, make_text(c, out, out->choice_texts[i], strlen(out->choice_texts[i]), &contexts[i]));
    if (c->t->several_contexts) out->contexts = contexts;
    out->context = contexts[0].text;
    out->context_size = contexts[0].size;
    status = find_own(c, out);
done:
    pl_bytes_free(&own);
    return status;
}

pl_status pl__chat_context(pl_prompt *out, const pl_task *task, const pl_template *t, const pl_row *shown,
                           const pl_row *item, const size_t *shots, size_t k, const pl_chat_use *use, pl_arena *arena)
{
    chat c = {.task = task, .t = t, .use = use, .messages = json_array(), .arena = arena};
    pl_bytes system = {0};
    pl_status status;
    if (!c.messages) return pl_fail(PL_E_MEMORY, "out of memory in a chat");
    PL_GOTO(status, done, pl__system_text(&system, task, use));
    if (system.size) PL_GOTO(status, done, add_message(&c, "system", system.data, system.size));
    PL_GOTO(status, done, add_shots(&c, item, shots, k));
    PL_GOTO(status, done, put_prefix(&c.prefix, t, shown));
    status = make_texts(&c, out, shown);
done:
    json_decref(c.messages);
    pl_bytes_free(&c.user);
    pl_bytes_free(&c.prefix);
    pl_bytes_free(&system);
    return status;
}
