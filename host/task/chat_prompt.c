/* Prompts as chats: the messages that lm-evaluation-harness's fewshot_context makes (api/task.py, version 0.4.13), and
 * the text that the model's template makes of them. */
#include <string.h>

#include "task/chat_front.h"
#include "task/task_parts.h"

/* What the item's text is held against to find where it begins: no prompt has it there. */
static const char MARK[] = "\x01";

typedef struct chat {
    pl_chat_front *front; /* its messages are lent: `give_back` leaves them as they were */
    const pl_chat_use *use;
    pl_bytes prefix; /* what the item's answer begins with; empty: nothing */
    size_t n_tail;   /* messages of the item, at the end */
    bool without;    /* the system text was taken out: the template refuses it */
    pl_arena *arena;
} chat;

static pl_status drop_tail(chat *c)
{
    json_t *messages = c->front->messages;
    for (; c->n_tail > 0; c->n_tail--)
        if (json_array_remove(messages, json_array_size(messages) - 1) != 0)
            return pl_fail(PL_E_INTERNAL, "no last turn");
    return PL_OK;
}

/* The item's messages: the user's, set to what stands before the item's text and `own`, and its answer's beginning. */
static pl_status set_tail(chat *c, const char *own, size_t size)
{
    pl_chat_front *f = c->front;
    size_t before = f->user.size;
    PL_TRY(drop_tail(c));
    pl_status status = pl_bytes_append(&f->user, size ? own : "", size);
    if (status == PL_OK) status = pl__chat_add(f->messages, "user", f->user.data, f->user.size);
    f->user.size = before;
    c->n_tail = status == PL_OK;
    if (status != PL_OK || !c->prefix.size) return status;
    PL_TRY(pl__chat_add(f->messages, "assistant", c->prefix.data, c->prefix.size));
    c->n_tail = 2;
    return PL_OK;
}

static pl_status give_back(chat *c)
{
    PL_TRY(drop_tail(c));
    if (!c->without || json_array_insert(c->front->messages, 0, c->front->system) == 0) return PL_OK;
    return pl_fail(PL_E_MEMORY, "out of memory in a chat");
}

/* As lm-evaluation-harness does it, a template that refuses the chat with a system text is asked without. */
static pl_status render(chat *c, pl_bytes *out)
{
    bool refused;
    size_t size = out->size;
    json_t *messages = c->front->messages;
    pl_status status = pl_chat_render(c->use->chat, messages, c->prefix.size > 0, c->use->date, out, &refused);
    if (status == PL_OK || !refused || c->without || !c->front->system) return status;
    out->size = size;
    if (json_array_remove(messages, 0) != 0) return pl_fail(PL_E_INTERNAL, "no system turn");
    c->without = true;
    return pl_chat_render(c->use->chat, messages, c->prefix.size > 0, c->use->date, out, &refused);
}

/* The text of the chat about `own`. */
static pl_status make_text(chat *c, const char *own, size_t size, struct pl_context *context)
{
    pl_bytes text = {0};
    char *copy;
    pl_status status;
    PL_GOTO(status, done, set_tail(c, own, size));
    PL_GOTO(status, done, render(c, &text));
    PL_GOTO(status, done, pl_arena_text(c->arena, &copy, text.size ? text.data : "", text.size));
    *context = (struct pl_context){copy, text.size};
done:
    pl_bytes_free(&text);
    return status;
}

static bool same_bytes(const pl_bytes *a, const pl_bytes *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* The chat with a mark for the item's text: one for all items whose answers begin alike. */
static pl_status make_marked(chat *c)
{
    pl_chat_front *f = c->front;
    if (f->has_marked && f->marked_without == c->without && same_bytes(&f->marked_prefix, &c->prefix)) return PL_OK;
    f->has_marked = false;
    f->marked_without = c->without;
    pl_bytes_clear(&f->marked);
    pl_bytes_clear(&f->marked_prefix);
    PL_TRY(pl_bytes_append(&f->marked_prefix, c->prefix.size ? c->prefix.data : "", c->prefix.size));
    PL_TRY(set_tail(c, MARK, strlen(MARK)));
    PL_TRY(render(c, &f->marked));
    f->marked_refused = c->without;
    f->has_marked = true;
    return PL_OK;
}

/* Where the item's own text begins: where the same chat with another text in its place first differs. */
static pl_status find_own(chat *c, pl_prompt *out)
{
    size_t i = 0;
    PL_TRY(make_marked(c));
    const pl_bytes *marked = &c->front->marked;
    while (i < out->context_size && i < marked->size && out->context[i] == marked->data[i]) i++;
    out->own_offset = i;
    out->system_refused = c->front->marked_refused;
    return PL_OK;
}

/* One context, or of choices that are contexts one each. */
static pl_status make_texts(chat *c, pl_prompt *out, const pl_row *shown)
{
    const pl_template *t = c->front->t;
    struct pl_context *contexts;
    pl_bytes own = {0};
    size_t n = t->several_contexts ? out->n_choices : 1;
    pl_status status;
    PL_GOTO(status, done, pl_arena_new(c->arena, &contexts, n));
    if (!t->several_contexts) {
        PL_GOTO(status, done, pl__item_text(c->front->task, t, shown, &own));
        PL_GOTO(status, done, make_text(c, own.data, own.size, &contexts[0]));
    }
    for (size_t i = 0; t->several_contexts && i < n; i++)
        PL_GOTO(status, done, make_text(c, out->choice_texts[i], strlen(out->choice_texts[i]), &contexts[i]));
    if (t->several_contexts) out->contexts = contexts;
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
    pl_chat_front own = {0};
    chat c = {.front = use->front ? use->front : &own, .use = use, .arena = arena};
    pl_status status;
    PL_GOTO(status, done, pl__chat_front_make(c.front, task, t, use, item, shots, k, arena));
    PL_GOTO(status, done, pl__chat_put_prefix(&c.prefix, t, shown));
    status = make_texts(&c, out, shown);
    pl_status given = give_back(&c);
    if (status == PL_OK) status = given;
    if (given != PL_OK) pl__chat_front_close(c.front);
done:
    pl_bytes_free(&c.prefix);
    pl__chat_front_close(&own);
    return status;
}
