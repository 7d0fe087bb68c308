/* Templates from outside, rendered on one fixed item and, as a chat template, on one fixed chat: what compiles renders
 * or fails, and twice gives the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/jinja.h"

static void same_twice(pl_status first, const pl_bytes *a, pl_status second, const pl_bytes *b)
{
    if (first != second || a->size != b->size) abort();
    if (a->size && memcmp(a->data, b->data, a->size) != 0) abort();
    if (a->size && pl_utf8_check(a->data, a->size) != a->size) abort();
}

static void as_chat(const char *source)
{
    static const char names_text[] =
        "{\"tools\": null, \"documents\": null, \"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}";
    static const char messages_text[] =
        "[{\"role\": \"system\", \"content\": \"Be \\u00e9 brief. \"}, {\"role\": \"user\", \"content\": \"q\\n\"}, "
        "{\"role\": \"assistant\", \"content\": \"<think>t</think>a\"}, {\"role\": \"user\", \"content\": \"\"}]";
    pl_jinja *jinja;
    json_t *names, *messages;
    pl_bytes first = {0}, second = {0};
    bool refused, again;
    if (pl_jinja_compile_chat(&jinja, source, "fuzz") != PL_OK) return;
    if (pl_json_parse(&names, names_text, strlen(names_text), "names") != PL_OK) abort();
    if (pl_json_parse(&messages, messages_text, strlen(messages_text), "messages") != PL_OK) abort();
    const pl_jinja_chat chat = {.names = names, .messages = messages, .asks = true, .date = "2024-07-26"};
    pl_status status = pl_jinja_render_chat(jinja, &chat, &first, &refused);
    same_twice(status, &first, pl_jinja_render_chat(jinja, &chat, &second, &again), &second);
    if (refused != again || (refused && status != PL_E_INPUT)) abort();
    json_decref(names);
    json_decref(messages);
    pl_jinja_free(jinja);
    pl_bytes_free(&first);
    pl_bytes_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char item_text[] =
        "{\"text\": \"A fine, \\u00e9t\\u00e9 film \\ud83d\\ude00 \", \"label\": 1, \"yes\": true, "
        "\"none\": null, \"real\": 0.5, \"words\": [\"bad\", \"good\"], \"x\": {\"y\": [1, \"z\"]}}";
    pl_jinja *jinja;
    json_t *item, *value;
    pl_bytes source = {0}, first = {0}, second = {0};
    if (pl_bytes_append(&source, data, size) != PL_OK) return 0;
    if (pl_jinja_compile(&jinja, source.data, "fuzz") == PL_OK) {
        if (pl_json_parse(&item, item_text, strlen(item_text), "item") != PL_OK) abort();
        pl_status status = pl_jinja_render(jinja, item, &first);
        same_twice(status, &first, pl_jinja_render(jinja, item, &second), &second);
        if (pl_jinja_value(jinja, item, &value) == PL_OK)
            json_decref(value);
        else if (value)
            abort();
        json_decref(item);
        pl_jinja_free(jinja);
    }
    if (source.data) as_chat(source.data);
    pl_bytes_free(&source);
    pl_bytes_free(&first);
    pl_bytes_free(&second);
    return 0;
}
