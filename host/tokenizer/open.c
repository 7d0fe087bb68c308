/* tokenizer.json, or vocab.json and merges.txt, or tokenizer.model, to a tokenizer.
 *
 * tokenizer.json's own parts are the truth, as in transformers 5; over them go tokenizer_config.json's added tokens and
 * its add_prefix_space (for a ByteLevel that stands alone). add_bos_token and add_eos_token hold for the
 * others only: tokenizer.json has a post-processor for that. Its truncation and padding are settings of a call, and are
 * ignored. */
#include "tokenizer/open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "tokenizer/json_reader.h"

pl_status pl__tokenizer_add(pl_tokenizer *tokenizer, const pl__added *token, int64_t wish, const char *where)
{
    const pl__vocabulary *v = pl__model_vocabulary(&tokenizer->model);
    pl__added copy = *token;
    if (token->size == 0) return PL_OK;
    const pl__added *old = pl__added_find(&tokenizer->added, token->text, token->size);
    copy.id = old ? old->id : pl__vocabulary_find(v, token->text, token->size);
    bool fresh = copy.id < 0;
    if (fresh) {
        /* The next free id by count, which is what the library that wrote the file would give. */
        size_t next = v->n_tokens;
        for (size_t i = 0; i < tokenizer->added.n; i++)
            if ((size_t)tokenizer->added.items[i].id >= next) next = (size_t)tokenizer->added.items[i].id + 1;
        if (next > PL__ID_MAX) return pl_fail(PL_E_INPUT, "%s: more than %d tokens", where, PL__ID_MAX + 1);
        copy.id = (int32_t)next;
    }
    if (wish >= 0 && wish != copy.id)
        return pl_fail(PL_E_INPUT, "%s: added token '%.80s' has id %lld, but %s %d", where, token->text,
                       (long long)wish, fresh ? "the next free id is" : "the vocabulary says", copy.id);
    if (fresh && pl__vocabulary_text(v, copy.id, NULL))
        return pl_fail(PL_E_INPUT, "%s: added token '%.80s' would take id %d of '%.80s'", where, token->text, copy.id,
                       pl__vocabulary_text(v, copy.id, NULL));
    return pl__added_put(&tokenizer->added, &copy);
}

static pl_status read_added(pl_tokenizer *tokenizer, const json_t *list, const char *where)
{
    if (list && !json_is_null(list) && !json_is_array(list)) return pl_fail(PL_E_INPUT, "%s: expected a list", where);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *spec = json_array_get(list, i), *id = json_object_get(spec, "id");
        pl__added token;
        char inner[320];
        snprintf(inner, sizeof inner, "%s[%zu]", where, i);
        if (!json_is_integer(id)) return pl_fail(PL_E_INPUT, "%s.id: expected an integer", inner);
        /* -1 means "no wish" further down. */
        if (json_integer_value(id) < 0) return pl_fail(PL_E_INPUT, "%s.id: expected 0 or more", inner);
        PL_TRY(pl__added_read(&token, spec, inner));
        PL_TRY(pl__tokenizer_add(tokenizer, &token, json_integer_value(id), inner));
    }
    return PL_OK;
}

/* Normalizes the added tokens that are looked for in normalized text. */
static pl_status finish_added(pl_tokenizer *tokenizer, const char *where)
{
    pl_bytes text = {0}, spare = {0};
    pl__spans spans = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; i < tokenizer->added.n; i++) {
        pl__added *t = &tokenizer->added.items[i];
        size_t head = 1;
        if (!t->normalized || !tokenizer->normalizer) continue;
        pl_bytes_clear(&text);
        PL_GOTO(status, done, pl_bytes_append(&text, t->text, t->size));
        PL_GOTO(status, done, pl__normalize(tokenizer->normalizer, &text, &spare, &head, &spans));
        if (text.size == t->size && memcmp(text.data, t->text, t->size) == 0) continue;
        PL_GOTO(status, done, pl_new(&t->normalized_text, text.size + 1));
        memcpy(t->normalized_text, text.data, text.size);
        t->normalized_size = text.size;
    }
    status = pl__added_finish(&tokenizer->added, where);
done:
    pl_bytes_free(&text);
    pl_bytes_free(&spare);
    pl__spans_free(&spans);
    return status;
}

static int32_t id_of(const pl_tokenizer *tokenizer, const char *text)
{
    if (!text) return -1;
    const pl__added *added = pl__added_find(&tokenizer->added, text, strlen(text));
    return added ? added->id : pl__vocabulary_find(pl__model_vocabulary(&tokenizer->model), text, strlen(text));
}

/* bos or eos: what the files say (null is none) or the class has; else, where transformers knows none, what the
 * post-processor adds at that end (*added; NULL: nothing), or the first of the names that families use. */
static int32_t find_end(const pl_tokenizer *tokenizer, const pl__settings *config, const char *key,
                        const int32_t *added, const char *const names[4])
{
    bool said;
    const char *text = pl__settings_token(config, key, &said);
    if (said) return id_of(tokenizer, text);
    int32_t id = added ? *added : -1;
    for (size_t i = 0; i < 4 && id < 0; i++) id = id_of(tokenizer, names[i]);
    return id;
}

static void find_ends(pl_tokenizer *tokenizer, const pl__settings *config)
{
    static const char *const bos[4] = {"<s>", "<|begin_of_text|>", "<bos>", "<|endoftext|>"};
    static const char *const eos[4] = {"</s>", "<|end_of_text|>", "<eos>", "<|endoftext|>"};
    const pl_ids *before = &tokenizer->postprocessor.before, *after = &tokenizer->postprocessor.after;
    const int32_t *first = before->n ? before->data : NULL, *last = after->n ? after->data + after->n - 1 : NULL;
    if (tokenizer->model.kind == PL__SENTENCEPIECE) {
        first = &tokenizer->model.sentencepiece.bos;
        last = &tokenizer->model.sentencepiece.eos;
    }
    tokenizer->bos = find_end(tokenizer, config, "bos_token", first, bos);
    tokenizer->eos = find_end(tokenizer, config, "eos_token", last, eos);
}

/* add_bos_token and add_eos_token, where no post-processor is written down. */
static pl_status apply_ends(pl_tokenizer *tokenizer, const pl__settings *config)
{
    pl__postprocessor *p = &tokenizer->postprocessor;
    if (config->add_bos == 1 && tokenizer->bos >= 0) PL_TRY(pl_ids_append(&p->before, &tokenizer->bos, 1));
    if (config->add_eos == 1 && tokenizer->eos >= 0) PL_TRY(pl_ids_append(&p->after, &tokenizer->eos, 1));
    return PL_OK;
}

/* Normalizer, pre-tokenizer and decoder, and the added tokens of tokenizer.json. */
static pl_status read_parts(pl_tokenizer *tokenizer, const json_t *root, const char *name, const pl__settings *config)
{
    char where[256];
#define PART(key) (snprintf(where, sizeof where, "%.200s: " key, name), where)
    PL_TRY(pl__normalizer_create(&tokenizer->normalizer, json_object_get(root, "normalizer"), PART("normalizer")));
    PL_TRY(pl__pretokenizer_create(&tokenizer->pretokenizer, json_object_get(root, "pre_tokenizer"),
                                   config->prefix_space, PART("pre_tokenizer")));
    PL_TRY(pl__decoder_create(&tokenizer->decoder, json_object_get(root, "decoder"), PART("decoder")));
    return read_added(tokenizer, json_object_get(root, "added_tokens"), PART("added_tokens"));
#undef PART
}

static void count_ids(pl_tokenizer *tokenizer)
{
    tokenizer->n_ids = pl__model_vocabulary(&tokenizer->model)->n_ids;
    for (size_t i = 0; i < tokenizer->added.n; i++)
        if ((size_t)tokenizer->added.items[i].id >= tokenizer->n_ids)
            tokenizer->n_ids = (size_t)tokenizer->added.items[i].id + 1;
}

/* Cuts model.vocab (an object, or a list) and model.merges (a list) out of the text: their JSON text goes to the
 * sources, the text without them to *rest, where their line ends stay so that errors have the right line. What this
 * does not find or understand stays in, for the parser of the whole to judge. */
static pl_status cut_model(pl_bytes *rest, pl__source *vocabulary, pl__source *merges, const pl__source *source)
{
    pl__json_reader r = {source->data, source->data, source->data + source->size, source->name, {{0}}, 0};
    const char *kept = source->data;
    bool in_model = false, go_on = pl__json_next(&r, '{');
    pl_status status = PL_OK;
    while (go_on) {
        const char *key, *value;
        size_t size;
        pl_status found = pl__json_text(&r, &key, &size);
        if (found == PL_E_MEMORY) PL_GOTO(status, done, found);
        if (found != PL_OK || !pl__json_next(&r, ':')) break;
        if (!in_model && size == 5 && memcmp(key, "model", 5) == 0 && pl__json_next(&r, '{')) {
            in_model = true;
            continue;
        }
        pl__source *into = !in_model                                    ? NULL
                           : size == 5 && memcmp(key, "vocab", 5) == 0  ? vocabulary
                           : size == 6 && memcmp(key, "merges", 6) == 0 ? merges
                                                                        : NULL;
        /* Unigram's vocabulary is a list. */
        char open = into == merges || (into && pl__json_next(&r, '[') && r.at--) ? '[' : '{';
        char close = open == '[' ? ']' : '}';
        bool cut = into && !into->data && pl__json_next(&r, open);
        if (cut) r.at--;
        value = r.at;
        if (!pl__json_skip(&r)) break;
        if (cut) {
            into->data = value;
            into->size = (size_t)(r.at - value);
            PL_GOTO(status, done, pl_bytes_append(rest, kept, (size_t)(value - kept)));
            PL_GOTO(status, done, pl_bytes_append(rest, &open, 1));
            for (const char *line = value; (line = memchr(line, '\n', (size_t)(r.at - line))); line++)
                PL_GOTO(status, done, pl_bytes_append(rest, "\n", 1));
            PL_GOTO(status, done, pl_bytes_append(rest, &close, 1));
            kept = r.at;
        }
        go_on = pl__json_next(&r, ',');
    }
    status = pl_bytes_append(rest, kept, (size_t)(r.end - kept));
done:
    pl__json_reader_free(&r);
    return status;
}

/* Digests of the files that decide ids, "-" of those that are not there. */
struct hashes {
    char of[PL__HASHED_SOURCES][PL_HASH_TEXT];
};

static void hash_files(struct hashes *out, const pl__sources *sources)
{
    const pl__source *files = sources->files;
    for (size_t i = 0; i < PL__HASHED_SOURCES; i++)
        if (files[i].data)
            pl_hash128(out->of[i], files[i].data, files[i].size);
        else
            memcpy(out->of[i], "-", 2);
}

/* A tokenizer.json in its parts: vocabulary and merges, as their texts or as a table that is compiled of them, and the
 * rest of it. */
struct whole {
    pl__source vocabulary, merges;
    char vocabulary_name[256], merges_name[256];
    pl_bytes rest; /* owned, but for a table's */
    pl__table table;
    char path[PL_PATH_MAX], key[PL_HASH_TEXT]; /* of the table; path "": no cache */
};

static pl_status take_apart(struct whole *w, const pl__source *source, const char *cache, const char *hash)
{
    *w = (struct whole){.vocabulary = {.name = w->vocabulary_name}, .merges = {.name = w->merges_name}};
    snprintf(w->vocabulary_name, sizeof w->vocabulary_name, "%.200s: model.vocab", source->name);
    snprintf(w->merges_name, sizeof w->merges_name, "%.200s: model.merges", source->name);
    if (cache) PL_TRY(pl__table_path(w->path, w->key, cache, hash, "-"));
    if (!cache || !pl__table_open(&w->table, w->path, w->key))
        return cut_model(&w->rest, &w->vocabulary, &w->merges, source);
    /* What tells the model's kind, in place of the texts. */
    w->vocabulary.data = w->table.model.kind == PL__UNIGRAM ? "[]" : "{}";
    if (w->table.model.kind == PL__BPE) w->merges.data = "[]";
    return pl_bytes_append(&w->rest, w->table.rest, w->table.rest_size);
}

/* After model and added tokens are read from their texts. The root loses its list of added tokens. */
static void keep_table(const struct whole *w, const pl_tokenizer *tokenizer, json_t *root)
{
    json_object_del(root, "added_tokens");
    char *rest = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (rest) pl__table_write(w->path, w->key, &tokenizer->model, &tokenizer->added, rest, strlen(rest));
    free(rest);
}

static void free_whole(struct whole *w)
{
    pl__table_close(&w->table);
    pl_bytes_free(&w->rest);
}

static pl_status parse_rest(pl_tokenizer *tokenizer, json_t *root, const char *name, struct whole *w,
                            pl__settings *config)
{
    char where[256];
    const pl__table_added added = w->table.added; /* its map goes to the model */
    if (!json_is_object(root)) return pl_fail(PL_E_INPUT, "%s: expected an object", name);
    snprintf(where, sizeof where, "%.200s: model", name);
    PL_TRY(pl__model_read(&tokenizer->model, json_object_get(root, "model"), where, &w->vocabulary, &w->merges,
                          &w->table));
    PL_TRY(read_parts(tokenizer, root, name, config));
    if (tokenizer->model.table.data)
        PL_TRY(pl__table_add(&added, &tokenizer->added));
    else if (*w->path)
        keep_table(w, tokenizer, root);
    if (config->class && config->class->never_byte_level && pl__pretokenizer_is_byte_level(tokenizer->pretokenizer))
        config->class = NULL;
    PL_TRY(pl__settings_add_tokens(tokenizer, config));
    count_ids(tokenizer);
    snprintf(where, sizeof where, "%.200s: post_processor", name);
    return pl__postprocessor_create(&tokenizer->postprocessor, json_object_get(root, "post_processor"), where);
}

static pl_status parse_json(pl_tokenizer *tokenizer, const pl__sources *sources, const struct hashes *hashes,
                            pl__settings *config)
{
    const pl__source *source = &sources->tokenizer;
    json_t *root = NULL;
    struct whole *w;
    pl_status status;
    PL_TRY(pl_new(&w, 1));
    PL_GOTO(status, done, take_apart(w, source, sources->cache, hashes->of[PL__TOKENIZER_JSON]));
    PL_GOTO(status, done, pl_json_parse(&root, w->rest.data, w->rest.size, source->name));
    status = parse_rest(tokenizer, root, source->name, w, config);
done:
    json_decref(root);
    free_whole(w);
    free(w);
    return status;
}

/* What transformers builds around vocab.json and merges.txt: GPT2Tokenizer, or Qwen2Tokenizer where that is said. */
static const char gpt2_parts[] = "{\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false},"
                                 " \"decoder\": {\"type\": \"ByteLevel\"}}";
static const char qwen2_parts[] =
    "{\"normalizer\": {\"type\": \"NFC\"}, \"decoder\": {\"type\": \"ByteLevel\"},"
    " \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": ["
    "{\"type\": \"Split\", \"behavior\": \"Isolated\", \"invert\": false, \"pattern\": {\"Regex\": "
    "\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| "
    "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*"
    "|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}},"
    "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}}";

static pl_status parse_files(pl_tokenizer *tokenizer, const pl__sources *sources, const struct hashes *hashes,
                             const pl__settings *config)
{
    const char *parts = strcmp(config->class->name, "Qwen2Tokenizer") == 0 ? qwen2_parts : gpt2_parts;
    const pl__source *vocabulary = &sources->vocabulary, *merges = &sources->merges;
    char path[PL_PATH_MAX] = "", key[PL_HASH_TEXT];
    pl__model *model = &tokenizer->model;
    pl__table table = {0};
    json_t *root = NULL;
    pl_status status;
    if (config->class->never_byte_level)
        return pl_fail(
            PL_E_UNSUPPORTED,
            "%s: tokenizer_class '%s' beside vocab.json and merges.txt is not supported: transformers makes no "
            "byte-level BPE of it; expected a tokenizer.json",
            config->where, config->class->name);
    PL_GOTO(status, done, pl_json_parse(&root, parts, strlen(parts), "the parts of a byte-level BPE"));
    if (sources->cache) {
        PL_GOTO(status, done,
                pl__table_path(path, key, sources->cache, hashes->of[PL__VOCAB_JSON], hashes->of[PL__MERGES_TXT]));
        if (pl__table_open(&table, path, key) && table.model.kind == PL__BPE) pl__table_give(model, &table);
    }
    PL_GOTO(status, done, pl__bpe_read_files(&model->bpe, vocabulary, merges));
    if (*path && !model->table.data) pl__table_write(path, key, model, &tokenizer->added, "", 0);
    PL_GOTO(status, done, read_parts(tokenizer, root, sources->vocabulary.name, config));
    PL_GOTO(status, done, pl__settings_add_tokens(tokenizer, config));
    count_ids(tokenizer);
done:
    json_decref(root);
    pl__table_close(&table);
    return status;
}

/* The pieces of SentencePiece; what it calls control pieces is no added token unless a file beside it says so. */
static pl_status parse_sentencepiece(pl_tokenizer *tokenizer, const pl__source *source, const pl__settings *config)
{
    tokenizer->model.kind = PL__SENTENCEPIECE;
    PL_TRY(pl__sentencepiece_read(&tokenizer->model.sentencepiece, source->data, source->size, source->name));
    PL_TRY(pl__settings_add_tokens(tokenizer, config));
    count_ids(tokenizer);
    return PL_OK;
}

/* Ids that the post-processor adds must have tokens; added tokens are sorted by now. */
static pl_status check_ends(const pl_tokenizer *tokenizer, const char *where)
{
    const pl_ids *ends[] = {&tokenizer->postprocessor.before, &tokenizer->postprocessor.after};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < ends[i]->n; k++)
            if (!pl_tokenizer_piece(tokenizer, ends[i]->data[k]))
                return pl_fail(PL_E_INPUT, "%s: post_processor: id %d is not in the vocabulary of %zu ids", where,
                               ends[i]->data[k], tokenizer->n_ids);
    return PL_OK;
}

/* A digest of what decides ids, of the digests of all files in a fixed order; an absent file counts as such, but for
 * tokenizer.model, which older digests do not know. Of config.json only the class that it leads to counts. */
static pl_status digest(pl_tokenizer *tokenizer, const struct hashes *hashes, const pl__settings *config)
{
    pl_bytes text = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; i < PL__HASHED_SOURCES; i++)
        if (i != PL__TOKENIZER_MODEL || *hashes->of[i] != '-')
            PL_GOTO(status, done, pl_bytes_format(&text, "%s\n", hashes->of[i]));
    PL_GOTO(status, done, pl_bytes_format(&text, "class %s\n", config->class ? config->class->name : "-"));
    pl_hash128(tokenizer->digest, text.data, text.size);
done:
    pl_bytes_free(&text);
    return status;
}

static void describe(pl_tokenizer *tokenizer)
{
    const pl__vocabulary *v = pl__model_vocabulary(&tokenizer->model);
    size_t n = v->n_tokens;
    for (size_t i = 0; i < tokenizer->added.n; i++)
        n += pl__vocabulary_text(v, tokenizer->added.items[i].id, NULL) == NULL;
    const char *what = pl__model_name(&tokenizer->model, pl__pretokenizer_is_byte_level(tokenizer->pretokenizer));
    snprintf(tokenizer->kind, sizeof tokenizer->kind, "%s, %zu tokens", what, n);
}

pl_status pl__tokenizer_parse(pl_tokenizer **out, const pl__sources *sources)
{
    pl__settings config = {0};
    struct hashes hashes;
    pl_status status;
    *out = NULL;
    PL_TRY(pl_new(out, 1));
    pl_tokenizer *tokenizer = *out;
    PL_GOTO(status, failed, pl__settings_read(&config, sources));
    tokenizer->added.split_special = config.split_special;
    hash_files(&hashes, sources);
    const pl__source *main = sources->tokenizer.data       ? &sources->tokenizer
                             : sources->sentencepiece.data ? &sources->sentencepiece
                                                           : &sources->vocabulary;
    PL_GOTO(status, failed,
            main == &sources->tokenizer       ? parse_json(tokenizer, sources, &hashes, &config)
            : main == &sources->sentencepiece ? parse_sentencepiece(tokenizer, main, &config)
                                              : parse_files(tokenizer, sources, &hashes, &config));
    PL_GOTO(status, failed, finish_added(tokenizer, main->name));
    find_ends(tokenizer, &config);
    if (!sources->tokenizer.data) PL_GOTO(status, failed, apply_ends(tokenizer, &config));
    PL_GOTO(status, failed, check_ends(tokenizer, main->name));
    PL_GOTO(status, failed, digest(tokenizer, &hashes, &config));
    describe(tokenizer);
    pl__settings_free(&config);
    return PL_OK;
failed:
    pl__settings_free(&config);
    pl_tokenizer_free(tokenizer);
    *out = NULL;
    return status;
}
