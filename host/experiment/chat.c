#include "experiment/chat.h"

#include "experiment/plan_parts.h"

const pl_chat_use *pl_unit_chat(pl_chat_use *out, const pl_plan *plan, const pl_plan_unit *unit)
{
    const pl_spec_chat *chat = unit->chat;
    if (!chat) return NULL;
    *out = (pl_chat_use){.chat = chat->apply ? plan->models[unit->model].chat : NULL,
                         .system = chat->system,
                         .multiturn = chat->multiturn,
                         .date = plan->spec->chat_date};
    return out;
}

size_t pl_unit_chat_index(const pl_plan *plan, const pl_plan_unit *unit)
{
    return unit->chat ? 1 + (size_t)(unit->chat - plan->spec->chats) : 0;
}

/* The text of a special token; "": there is none. */
static pl_status token_text(pl_bytes *out, const pl_tokenizer *tokenizer, int32_t id)
{
    PL_TRY(pl_bytes_text(out, ""));
    return id >= 0 ? pl_tokenizer_decode(tokenizer, &id, 1, false, out) : PL_OK;
}

static pl_status open_chat(pl_plan_model *model)
{
    pl_bytes bos = {0}, eos = {0};
    pl_status status;
    PL_GOTO(status, done, token_text(&bos, model->tokenizer, pl_tokenizer_bos(model->tokenizer)));
    PL_GOTO(status, done, token_text(&eos, model->tokenizer, pl_tokenizer_eos(model->tokenizer)));
    status = pl_chat_open(&model->chat, model->folder, bos.size ? bos.data : NULL, eos.size ? eos.data : NULL);
done:
    pl_bytes_free(&bos);
    pl_bytes_free(&eos);
    return status;
}

/* A chat of one question, behind a system text or not. */
static pl_status try_chat(const pl_plan *plan, const pl_plan_model *model, bool system, bool *refused)
{
    pl_bytes text = {0};
    json_t *messages = system ? json_pack("[{s:s, s:s}, {s:s, s:s}]", "role", "system", "content", "text", "role",
                                          "user", "content", "text")
                              : json_pack("[{s:s, s:s}]", "role", "user", "content", "text");
    pl_status status = messages ? pl_chat_render(model->chat, messages, false, plan->spec->chat_date, &text, refused)
                                : pl_fail(PL_E_MEMORY, "out of memory in a chat");
    pl_bytes_free(&text);
    json_decref(messages);
    return status;
}

/* Whether some chat of the experiment begins with a system text: its own, or a task's description. */
static bool has_system(const pl_plan *plan)
{
    bool has = false;
    for (size_t c = 0; c < plan->spec->n_chats; c++)
        has = has || (plan->spec->chats[c].apply && plan->spec->chats[c].system);
    for (size_t t = 0; t < plan->n_tasks; t++) has = has || *plan->tasks[t].task->description;
    return has;
}

pl_status pl_chat_prepare(pl_plan *plan, pl_plan_model *model)
{
    bool applies = false, refused;
    char *line;
    for (size_t c = 0; c < plan->spec->n_chats; c++) applies = applies || plan->spec->chats[c].apply;
    if (!applies) return PL_OK;
    PL_TRY(open_chat(model));
    PL_TRY(try_chat(plan, model, false, &refused));
    if (!has_system(plan)) return PL_OK;
    pl_status status = try_chat(plan, model, true, &refused);
    if (!refused) return status;
    PL_TRY(pl_arena_format(plan->arena, &line,
                           "note: model %s: its chat template refuses a system text: its chats have none, neither "
                           "chat.system nor a task's description",
                           model->spec->name));
    return pl__plan_note(plan, line);
}
