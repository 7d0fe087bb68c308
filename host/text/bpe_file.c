/* A BPE model from JSON, or from vocab.json and merges.txt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer_file.h"

static pl_status read_vocabulary(pl__vocabulary *v, const json_t *object, const char *where)
{
    if (!json_is_object(object)) return pl_fail(PL_E_INPUT, "%s: expected an object of tokens and ids", where);
    size_t text_bytes = 0;
    void *at;
    json_t *list = (json_t *)(uintptr_t)object; /* jansson's iterators want it writable and do not write */
    for (at = json_object_iter(list); at; at = json_object_iter_next(list, at))
        text_bytes += strlen(json_object_iter_key(at));
    PL_TRY(pl__vocabulary_reserve(v, json_object_size(object), text_bytes));
    for (at = json_object_iter(list); at; at = json_object_iter_next(list, at)) {
        const char *token = json_object_iter_key(at);
        const json_t *id = json_object_iter_value(at);
        if (!json_is_integer(id)) return pl_fail(PL_E_INPUT, "%s: token '%.80s': expected an integer id", where, token);
        PL_TRY(pl__vocabulary_add(v, token, strlen(token), json_integer_value(id), where));
    }
    return PL_OK;
}

/* "left right": one space, as no token has one in byte-level and SentencePiece vocabularies. */
static pl_status add_merge_line(pl__bpe *bpe, const char *line, size_t size, size_t rank, const char *where)
{
    const char *space = memchr(line, ' ', size);
    size_t left = space ? (size_t)(space - line) : 0;
    if (!space || memchr(space + 1, ' ', size - left - 1))
        return pl_fail(PL_E_INPUT, "%s: merge %zu: expected two tokens and one space, found '%.*s'", where, rank,
                       (int)(size < 80 ? size : 80), line);
    return pl__bpe_add_merge(bpe, line, left, space + 1, size - left - 1, rank, where);
}

static pl_status read_merges(pl__bpe *bpe, const json_t *list, const char *where)
{
    if (!json_is_array(list)) return pl_fail(PL_E_INPUT, "%s: expected a list", where);
    PL_TRY(pl__bpe_reserve(bpe, json_array_size(list)));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *merge = json_array_get(list, i), *left = json_array_get(merge, 0),
                     *right = json_array_get(merge, 1);
        if (json_is_string(merge))
            PL_TRY(add_merge_line(bpe, json_string_value(merge), json_string_length(merge), i, where));
        else if (json_array_size(merge) == 2 && json_is_string(left) && json_is_string(right))
            PL_TRY(pl__bpe_add_merge(bpe, json_string_value(left), json_string_length(left), json_string_value(right),
                                     json_string_length(right), i, where));
        else
            return pl_fail(PL_E_INPUT, "%s: merge %zu: expected \"left right\" or [\"left\", \"right\"]", where, i);
    }
    return PL_OK;
}

/* Options of BPE that change the ids and that no tokenizer of our families uses. */
static pl_status refuse_options(const json_t *model, const char *where)
{
    double dropout = 0;
    const char *prefix = "", *suffix = "";
    PL_TRY(pl_json_get_real(&dropout, model, "dropout", where));
    PL_TRY(pl_json_get_text(&prefix, model, "continuing_subword_prefix", where));
    PL_TRY(pl_json_get_text(&suffix, model, "end_of_word_suffix", where));
    if (dropout != 0) return pl_fail(PL_E_UNSUPPORTED, "%s.dropout: %g is not supported, only none", where, dropout);
    if (*prefix)
        return pl_fail(PL_E_UNSUPPORTED, "%s.continuing_subword_prefix: '%.80s' is not supported, only none", where,
                       prefix);
    if (*suffix)
        return pl_fail(PL_E_UNSUPPORTED, "%s.end_of_word_suffix: '%.80s' is not supported, only none", where, suffix);
    return PL_OK;
}

pl_status pl__bpe_read(pl__bpe *bpe, const json_t *model, const char *where)
{
    const char *type = "", *unknown = NULL;
    if (!json_is_object(model)) return pl_fail(PL_E_INPUT, "%s: expected an object", where);
    PL_TRY(pl_json_get_text(&type, model, "type", where));
    /* Files from before 0.9 do not say the type; merges do. */
    if (strcmp(type, "BPE") != 0 && !(*type == 0 && json_object_get(model, "merges")))
        return pl_fail(PL_E_UNSUPPORTED, "%s: the model '%.80s' is not supported, only BPE", where, type);
    PL_TRY(refuse_options(model, where));
    PL_TRY(pl_json_get_bool(&bpe->fuse_unknown, model, "fuse_unk", where));
    PL_TRY(pl_json_get_bool(&bpe->byte_fallback, model, "byte_fallback", where));
    PL_TRY(pl_json_get_bool(&bpe->ignore_merges, model, "ignore_merges", where));
    PL_TRY(pl_json_get_text(&unknown, model, "unk_token", where));
    if (unknown) PL_TRY(pl_copy_text(&bpe->unknown, unknown));
    char inner[320];
    snprintf(inner, sizeof inner, "%s.vocab", where);
    PL_TRY(read_vocabulary(&bpe->vocabulary, json_object_get(model, "vocab"), inner));
    snprintf(inner, sizeof inner, "%s.merges", where);
    PL_TRY(read_merges(bpe, json_object_get(model, "merges"), inner));
    return pl__bpe_finish(bpe);
}

/* The next line of *at, without its end; false at the end. */
static bool next_line(const char **at, const char *end, const char **line, size_t *size)
{
    if (*at == end) return false;
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    *line = *at;
    *size = (size_t)((stop ? stop : end) - *at);
    *at = stop ? stop + 1 : end;
    if (*size > 0 && (*line)[*size - 1] == '\r') --*size;
    return true;
}

pl_status pl__bpe_read_files(pl__bpe *bpe, const json_t *vocabulary, const pl__source *vocabulary_source,
                             const pl__source *merges)
{
    static const char version[] = "#version";
    const char *at = merges->data, *end = merges->data + merges->size, *line;
    size_t n_lines = 0, rank = 0, size;
    PL_TRY(read_vocabulary(&bpe->vocabulary, vocabulary, vocabulary_source->name));
    while (next_line(&at, end, &line, &size)) n_lines++;
    PL_TRY(pl__bpe_reserve(bpe, n_lines));
    at = merges->data;
    while (next_line(&at, end, &line, &size)) {
        if (size >= sizeof version - 1 && memcmp(line, version, sizeof version - 1) == 0) continue;
        if (size == 0 && at == end) break;
        PL_TRY(add_merge_line(bpe, line, size, rank++, merges->name));
    }
    return pl__bpe_finish(bpe);
}
