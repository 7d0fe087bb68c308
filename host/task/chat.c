#include "task/chat.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "jinja/jinja.h"

enum { MAX_TEMPLATE_BYTES = 1024 * 1024, MAX_CONFIG_BYTES = 64 * 1024 * 1024 };

struct pl_chat {
    pl_jinja *jinja;
    json_t *names; /* what every rendering has: special tokens, tools, documents */
    char digest[PL_HASH_TEXT];
    bool has_date;
};

static const char *const TOKENS[] = {"bos_token", "eos_token", "unk_token",  "sep_token",
                                     "pad_token", "cls_token", "mask_token", NULL};

static pl_status set_name(pl_chat *chat, const char *name, json_t *value)
{
    return json_object_set_new(chat->names, name, value) == 0
               ? PL_OK
               : pl_fail(PL_E_MEMORY, "out of memory in a chat template");
}

/* A token is a text, or an object with its content. */
static pl_status take_tokens(pl_chat *chat, const json_t *from)
{
    for (const char *const *t = TOKENS; *t; t++) {
        const json_t *value = json_object_get(from, *t);
        if (json_is_object(value)) value = json_object_get(value, "content");
        if (json_is_string(value)) PL_TRY(set_name(chat, *t, json_incref((json_t *)(uintptr_t)value)));
    }
    return PL_OK;
}

static pl_status read_json(json_t **out, const char *folder, const char *name)
{
    char path[PL_PATH_MAX];
    *out = NULL;
    PL_TRY(pl_path(path, "%s/%s", folder, name));
    return pl_file_exists(path) ? pl_json_read(out, path, MAX_CONFIG_BYTES) : PL_OK;
}

static pl_status take_names(pl_chat *chat, const char *folder, const json_t *config, const char *bos, const char *eos)
{
    json_t *map;
    const struct {
        const char *name, *text;
    } known[] = {{"bos_token", bos}, {"eos_token", eos}};
    for (size_t i = 0; i < 2; i++)
        if (known[i].text) PL_TRY(set_name(chat, known[i].name, json_string(known[i].text)));
    PL_TRY(take_tokens(chat, config));
    PL_TRY(read_json(&map, folder, "special_tokens_map.json"));
    pl_status status = json_object_get(config, "added_tokens_decoder") ? PL_OK : take_tokens(chat, map);
    json_decref(map);
    if (status == PL_OK) status = set_name(chat, "tools", json_null());
    return status == PL_OK ? set_name(chat, "documents", json_null()) : status;
}

/* A text, or a list of named ones of which `default` counts. *out NULL: there is none. */
static pl_status find_template(const char **out, const json_t *config, const char *where)
{
    const json_t *found = json_object_get(config, "chat_template");
    *out = json_string_value(found);
    for (size_t i = 0; i < json_array_size(found) && !*out; i++) {
        const json_t *one = json_array_get(found, i);
        const char *name = json_string_value(json_object_get(one, "name"));
        if (name && !strcmp(name, "default")) *out = json_string_value(json_object_get(one, "template"));
    }
    if (*out || !found || json_is_null(found)) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: chat_template: expected a text, or a list with {name: default, template: a text}",
                   where);
}

static pl_status compile(pl_chat *chat, const char *source, const char *where)
{
    pl_bytes all = {0};
    pl_status status;
    PL_TRY(pl_jinja_compile_chat(&chat->jinja, source, where));
    chat->has_date = strstr(source, "strftime_now") != NULL;
    PL_GOTO(status, done, pl_json_canonical(&all, chat->names));
    PL_GOTO(status, done, pl_bytes_text(&all, source));
    pl_hash128(chat->digest, all.data, all.size);
done:
    pl_bytes_free(&all);
    return status;
}

static pl_status open_template(pl_chat *chat, const char *folder, const json_t *config)
{
    char own[PL_PATH_MAX], where[PL_PATH_MAX];
    const char *source;
    PL_TRY(pl_path(own, "%s/chat_template.jinja", folder));
    PL_TRY(pl_path(where, "%s/tokenizer_config.json: chat_template", folder));
    if (pl_file_exists(own)) {
        pl_bytes text;
        PL_TRY(pl_file_read(&text, own, MAX_TEMPLATE_BYTES));
        pl_status status = compile(chat, text.data ? text.data : "", own);
        pl_bytes_free(&text);
        return status;
    }
    PL_TRY(find_template(&source, config, where));
    if (source) return compile(chat, source, where);
    return pl_fail(
        PL_E_INPUT,
        "%s: chat: apply: true, and the model has no chat template: expected chat_template.jinja or "
        "chat_template in tokenizer_config.json, as instruction-tuned checkpoints have; take the model out, or "
        "apply: false",
        folder);
}

pl_status pl_chat_open(pl_chat **out, const char *folder, const char *bos, const char *eos)
{
    pl_chat *chat = NULL;
    json_t *config = NULL;
    pl_status status;
    *out = NULL;
    PL_GOTO(status, failed, pl_new(&chat, 1));
    if (!(chat->names = json_object())) {
        status = pl_fail(PL_E_MEMORY, "out of memory in a chat template");
        goto failed;
    }
    PL_GOTO(status, failed, read_json(&config, folder, "tokenizer_config.json"));
    PL_GOTO(status, failed, take_names(chat, folder, config, bos, eos));
    PL_GOTO(status, failed, open_template(chat, folder, config));
    json_decref(config);
    *out = chat;
    return PL_OK;
failed:
    json_decref(config);
    pl_chat_free(chat);
    return status;
}

void pl_chat_free(pl_chat *chat)
{
    if (!chat) return;
    pl_jinja_free(chat->jinja);
    json_decref(chat->names);
    free(chat);
}

const char *pl_chat_digest(const pl_chat *chat)
{
    return chat->digest;
}

bool pl_chat_has_date(const pl_chat *chat)
{
    return chat->has_date;
}

/* ---- rendering ---- */

static pl_status render(const pl_chat *chat, const json_t *messages, bool asks, const char *date, pl_bytes *out,
                        bool *refused)
{
    const pl_jinja_chat given = {
        .names = chat->names, .messages = (json_t *)(uintptr_t)messages, .asks = asks, .date = date};
    return pl_jinja_render_chat(chat->jinja, &given, out, refused);
}

/* Behind the last message's content, to be found again; a blank at its end shows whether contents are trimmed. */
static const char TAG[] = "CONTINUE_FINAL_MESSAGE_TAG ";

static pl_status put_tag(json_t **out, const json_t *messages)
{
    json_t *copy = json_deep_copy(messages), *last = json_array_get(copy, json_array_size(copy) - 1);
    const char *content = json_string_value(json_object_get(last, "content"));
    pl_bytes text = {0};
    pl_status status = copy && content ? PL_OK : pl_fail(PL_E_INTERNAL, "a chat without a last message");
    if (status == PL_OK) status = pl_bytes_text(&text, content);
    if (status == PL_OK) status = pl_bytes_text(&text, TAG);
    if (status == PL_OK && json_object_set_new(last, "content", json_string(text.data)) != 0)
        status = pl_fail(PL_E_MEMORY, "out of memory in a chat");
    pl_bytes_free(&text);
    if (status == PL_OK) *out = copy;
    if (status != PL_OK) json_decref(copy);
    return status;
}

/* The text up to the last tag, without the white space that stands before it where the template trims contents. */
static pl_status cut_at_tag(pl_bytes *text)
{
    const size_t n = strlen(TAG), trimmed = n - 1;
    size_t at = text->size;
    while (at > 0 && (text->size - at < trimmed || memcmp(text->data + at, TAG, trimmed) != 0)) at--;
    if (text->size < trimmed || memcmp(text->data + at, TAG, trimmed) != 0)
        return pl_fail(PL_E_INPUT,
                       "the chat template leaves out an answer that is begun: expected its text at the end");
    bool whole = text->size - at >= n && text->data[at + trimmed] == ' ';
    text->size = whole ? at : pl_utf8_rstrip(text->data, at);
    return PL_OK;
}

pl_status pl_chat_render(const pl_chat *chat, const json_t *messages, bool goes_on, const char *date, pl_bytes *out,
                         bool *refused)
{
    json_t *tagged;
    pl_bytes text = {0};
    *refused = false;
    if (!goes_on) return render(chat, messages, true, date, out, refused);
    PL_TRY(put_tag(&tagged, messages));
    pl_status status = render(chat, tagged, false, date, &text, refused);
    if (status == PL_OK) status = cut_at_tag(&text);
    if (status == PL_OK) status = pl_bytes_append(out, text.data, text.size);
    json_decref(tagged);
    pl_bytes_free(&text);
    return status;
}
