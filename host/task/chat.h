/* Chats: the template that a checkpoint's folder brings, and how prompts are put into it, as lm-evaluation-harness'
 * flags
 * --apply_chat_template, --system_instruction and --fewshot_as_multiturn have it. */
#ifndef PLUMB_TASK_CHAT_H
#define PLUMB_TASK_CHAT_H

#include <stdbool.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"

typedef struct pl_chat pl_chat;

/* The template of a checkpoint's folder: chat_template.jinja, else chat_template of tokenizer_config.json (a text, or
 * of a list the one that is named default). Its special tokens (bos_token, eos_token, ...) are those of
 * tokenizer_config.json, and of special_tokens_map.json where that one has no added_tokens_decoder, as transformers
 * reads them; `bos` and `eos` (NULL: none) where no file names them. PL_E_INPUT: there is none, or it cannot be read.
 */
pl_status pl_chat_open(pl_chat **out, const char *folder, const char *bos, const char *eos);
void pl_chat_free(pl_chat *chat);                /* takes NULL */
const char *pl_chat_digest(const pl_chat *chat); /* XXH3-128 of template and special tokens */
bool pl_chat_has_date(const pl_chat *chat);      /* its texts depend on the day */

/* Appends the text of `messages` (a list of {"role", "content"}) with what asks for an answer behind it; `goes_on`: the
 * last message is an answer's beginning, and the text ends where it does, as with transformers' continue_final_message.
 * date: "YYYY-MM-DD", the template's today. *refused: PL_E_INPUT because the template raised an exception. */
pl_status pl_chat_render(const pl_chat *chat, const json_t *messages, bool goes_on, const char *date, pl_bytes *out,
                         bool *refused);

/* What the chats of one draw's shots have in common: the messages before the item's, and where the item's text begins.
 * Who makes many prompts one after the other keeps one, and what does not change is made once; a prompt's text is the
 * same with it and without. It holds on to task, template and shots of the last prompt: it goes before they do. Of one
 * thread. */
typedef struct pl_chat_front pl_chat_front;
pl_status pl_chat_front_create(pl_chat_front **out);
void pl_chat_front_free(pl_chat_front *front); /* takes NULL */

/* How prompts are asked. All is borrowed. */
typedef struct pl_chat_use {
    const pl_chat *chat; /* NULL: plain text, with the system text in front */
    const char *system;  /* NULL: none */
    bool multiturn;      /* shots are turns of the chat, else one user turn holds all */
    const char *date;
    pl_chat_front *front; /* NULL: none is kept */
} pl_chat_use;

#endif
