/* What the files beside tokenizer.json add: transformers applies them on top, in the order that is kept here.
 * tests/golden/tokenizers/make_ends.py compares bos, eos and what is prepended with transformers itself.
 *
 * tokenizer_config.json's added_tokens_decoder is today's place for added tokens; where it lacks one, the older
 * special_tokens_map.json and added_tokens.json are read, and the former goes over tokenizer_config.json. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/open.h"

static const char *const named[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                    "pad_token", "cls_token", "mask_token"};

/* From transformers 5, tokenization_*.py. GPT2Tokenizer comes first: it is what vocab.json and merges.txt are read as.
 */
static const pl__tokenizer_class classes[] = {
    {"GPT2Tokenizer", "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", false},
    {"GPTNeoXTokenizer", "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", false},
    {"Qwen2Tokenizer", NULL, "<|endoftext|>", "<|endoftext|>", false},
    {"LlamaTokenizer", "<s>", "</s>", "<unk>", true},
};

static pl_status read_object(json_t **out, const pl__source *source)
{
    *out = NULL;
    if (!source->data) return PL_OK;
    PL_TRY(pl_json_parse(out, source->data, source->size, source->name));
    if (!json_is_object(*out)) return pl_fail(PL_E_INPUT, "%s: expected an object", source->name);
    return PL_OK;
}

static pl_status read_flag(int *out, const json_t *config, const char *key, const char *where)
{
    bool value = false;
    *out = -1;
    PL_TRY(pl_json_get_bool(&value, config, key, where));
    if (json_is_boolean(json_object_get(config, key))) *out = value;
    return PL_OK;
}

/* A class by its name, with or without "Fast"; NULL: not one with defaults. */
static const pl__tokenizer_class *find_class(const char *name)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        size_t n = strlen(classes[i].name);
        if (strncmp(name, classes[i].name, n) == 0 && (!name[n] || strcmp(name + n, "Fast") == 0)) return &classes[i];
    }
    return NULL;
}

/* tokenizer_class; else by the model's type, of which transformers knows this one among the families that run here. */
static pl_status read_class(pl__settings *out, const pl__sources *sources)
{
    const char *name = NULL, *model_type = "";
    json_t *model = NULL;
    PL_TRY(pl_json_get_text(&name, out->config, "tokenizer_class", out->where));
    if (name) {
        out->class = find_class(name);
    } else {
        PL_TRY(read_object(&model, &sources->model));
        pl_status status = pl_json_get_text(&model_type, model, "model_type", sources->model.name);
        out->class = status == PL_OK && strcmp(model_type, "gpt2") == 0 ? &classes[0] : NULL;
        json_decref(model);
        PL_TRY(status);
    }
    if (!out->class && sources->merges.data) out->class = &classes[0];
    return PL_OK;
}

static pl_status read_settings(pl__settings *out)
{
    PL_TRY(read_flag(&out->add_bos, out->config, "add_bos_token", out->where));
    PL_TRY(read_flag(&out->add_eos, out->config, "add_eos_token", out->where));
    PL_TRY(read_flag(&out->prefix_space, out->config, "add_prefix_space", out->where));
    return pl_json_get_bool(&out->split_special, out->config, "split_special_tokens", out->where);
}

pl_status pl__settings_read(pl__settings *out, const pl__sources *sources)
{
    *out = (pl__settings){.where = sources->config.name};
    pl_status status;
    PL_GOTO(status, failed, read_object(&out->config, &sources->config));
    PL_GOTO(status, failed, read_object(&out->special, &sources->special));
    PL_GOTO(status, failed, read_object(&out->added, &sources->added));
    PL_GOTO(status, failed, read_settings(out));
    PL_GOTO(status, failed, read_class(out, sources));
    return PL_OK;
failed:
    pl__settings_free(out);
    return status;
}

void pl__settings_free(pl__settings *config)
{
    json_decref(config->config);
    json_decref(config->special);
    json_decref(config->added);
    *config = (pl__settings){0};
}

static bool is_modern(const pl__settings *config)
{
    return json_is_object(json_object_get(config->config, "added_tokens_decoder"));
}

/* bos_token and its like: a text, an object with flags, or null; NULL: not said. */
static const json_t *named_token(const pl__settings *config, const char *key)
{
    const json_t *value = is_modern(config) ? NULL : json_object_get(config->special, key);
    if (!value || json_is_null(value)) value = json_object_get(config->config, key);
    return value;
}

static const char *class_token(const pl__tokenizer_class *class, const char *key)
{
    if (!class) return NULL;
    return strcmp(key, "bos_token") == 0   ? class->bos
           : strcmp(key, "eos_token") == 0 ? class->eos
           : strcmp(key, "unk_token") == 0 ? class->unk
                                           : NULL;
}

static const char *text_of(const json_t *token)
{
    return json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
}

const char *pl__settings_token(const pl__settings *config, const char *key, bool *said)
{
    const json_t *token = named_token(config, key);
    const char *text = token ? text_of(token) : class_token(config->class, key);
    if (said) *said = token || text;
    return text;
}

/* extra_special_tokens, which used to be additional_special_tokens; NULL: none. */
static const json_t *extra_tokens(const pl__settings *config)
{
    static const char *const keys[] = {"extra_special_tokens", "additional_special_tokens"};
    for (size_t i = 0; i < 4; i++) {
        const json_t *from = i % 2 ? config->config : is_modern(config) ? NULL : config->special;
        const json_t *list = json_object_get(from, keys[i / 2]);
        if (json_is_array(list) && json_array_size(list) > 0) return list;
    }
    return NULL;
}

pl_status pl__added_read(pl__added *out, const json_t *spec, const char *where)
{
    const json_t *content = json_object_get(spec, "content");
    if (!json_is_string(content)) return pl_fail(PL_E_INPUT, "%s: expected a text in 'content'", where);
    *out = (pl__added){.text = (char *)(uintptr_t)json_string_value(content), .size = json_string_length(content)};
    PL_TRY(pl_json_get_bool(&out->single_word, spec, "single_word", where));
    PL_TRY(pl_json_get_bool(&out->lstrip, spec, "lstrip", where));
    PL_TRY(pl_json_get_bool(&out->rstrip, spec, "rstrip", where));
    PL_TRY(pl_json_get_bool(&out->special, spec, "special", where));
    out->normalized = !out->special;
    return pl_json_get_bool(&out->normalized, spec, "normalized", where);
}

struct entry {
    int64_t id;
    pl__added token;
};

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct entry *)a)->id, y = ((const struct entry *)b)->id;
    return (x > y) - (x < y);
}

/* True when added_tokens.json's token is among the special ones. */
static bool is_special(const pl__settings *config, const char *text)
{
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        const char *other = pl__settings_token(config, named[i], NULL);
        if (other && strcmp(other, text) == 0) return true;
    }
    const json_t *extra = extra_tokens(config);
    for (size_t i = 0; i < json_array_size(extra); i++) {
        const char *other = text_of(json_array_get(extra, i));
        if (other && strcmp(other, text) == 0) return true;
    }
    return false;
}

/* One entry of added_tokens_decoder ("id": {flags}) or of added_tokens.json ("text": id). */
static pl_status read_entry(struct entry *out, const pl__settings *config, const char *key, const json_t *value)
{
    if (is_modern(config)) {
        char *end;
        errno = 0;
        out->id = strtoll(key, &end, 10);
        if (end == key || *end || errno)
            return pl_fail(PL_E_INPUT, "%s: added_tokens_decoder: expected ids as keys, found '%.80s'", config->where,
                           key);
        return pl__added_read(&out->token, value, config->where);
    }
    if (!json_is_integer(value)) return pl_fail(PL_E_INPUT, "added_tokens.json: '%.80s': expected an integer id", key);
    bool special = is_special(config, key);
    out->id = json_integer_value(value);
    out->token =
        (pl__added){.text = (char *)(uintptr_t)key, .size = strlen(key), .special = special, .normalized = !special};
    return PL_OK;
}

/* Modern entries go over what tokenizer.json says; old ones only fill in. */
static pl_status add_listed(pl_tokenizer *tokenizer, const pl__settings *config)
{
    json_t *list = is_modern(config) ? json_object_get(config->config, "added_tokens_decoder") : config->added;
    struct entry *entries = NULL;
    size_t n = 0;
    pl_status status;
    PL_GOTO(status, done, pl_new(&entries, json_object_size(list)));
    for (void *at = json_object_iter(list); at; at = json_object_iter_next(list, at))
        PL_GOTO(status, done, read_entry(&entries[n++], config, json_object_iter_key(at), json_object_iter_value(at)));
    qsort(entries, n, sizeof *entries, by_id);
    for (size_t i = 0; i < n; i++) {
        const pl__added *t = &entries[i].token;
        if (!is_modern(config) && pl__added_find(&tokenizer->added, t->text, t->size)) continue;
        PL_GOTO(status, done, pl__tokenizer_add(tokenizer, t, entries[i].id, config->where));
    }
done:
    free(entries);
    return status;
}

/* A special token by name. One that was listed (its place is below n_listed) is left alone; among equal names that were
 * not, the last one's flags hold. spec NULL: the text alone. */
static pl_status add_named(pl_tokenizer *tokenizer, const pl__settings *config, const json_t *spec, const char *text,
                           size_t n_listed)
{
    if (!text || !*text) return PL_OK;
    const pl__added *old = pl__added_find(&tokenizer->added, text, strlen(text));
    if (old && (size_t)(old - tokenizer->added.items) < n_listed) return PL_OK;
    pl__added token = {.text = (char *)(uintptr_t)text, .size = strlen(text)};
    if (json_is_object(spec)) PL_TRY(pl__added_read(&token, spec, config->where));
    token.special = true;
    /* A class's default that the vocabulary lacks would be an id that no model has. */
    if (!spec && !old && pl__vocabulary_find(pl__model_vocabulary(&tokenizer->model), text, strlen(text)) < 0)
        return PL_OK;
    return pl__tokenizer_add(tokenizer, &token, -1, config->where);
}

pl_status pl__settings_add_tokens(pl_tokenizer *tokenizer, const pl__settings *config)
{
    PL_TRY(add_listed(tokenizer, config));
    size_t n_listed = tokenizer->added.n;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        PL_TRY(add_named(tokenizer, config, named_token(config, named[i]), pl__settings_token(config, named[i], NULL),
                         n_listed));
    const json_t *extra = extra_tokens(config);
    for (size_t i = 0; i < json_array_size(extra); i++) {
        const json_t *one = json_array_get(extra, i);
        PL_TRY(add_named(tokenizer, config, one, text_of(one), n_listed));
    }
    return PL_OK;
}
