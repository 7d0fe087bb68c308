/* A BPE model: its options from a JSON tree, its vocabulary and merges from JSON text or from merges.txt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/json_reader.h"
#include "tokenizer/open.h"
#include "tokenizer/unicode.h"

/* "left right": one space, as no token has one in byte-level and SentencePiece vocabularies. */
static pl_status add_merge_line(pl__bpe *bpe, pl__merges *merges, const char *line, size_t size)
{
    const char *space = memchr(line, ' ', size);
    size_t left = space ? (size_t)(space - line) : 0;
    if (!space || memchr(space + 1, ' ', size - left - 1))
        return pl_fail(PL_E_INPUT, "%s: merge %zu: expected two tokens and one space, found '%.*s'", merges->where,
                       merges->rank + merges->n, (int)(size < 80 ? size : 80), line);
    return pl__bpe_add_merge(bpe, merges, line, left, space + 1, size - left - 1);
}

/* ["left right", ...] or [["left", "right"], ...], and nothing behind it. */
static pl_status merge_entries(pl__bpe *bpe, pl__merges *merges, pl__json_reader *r)
{
    if (!pl__json_next(r, '[')) return pl__json_expected(r, "a list of merges");
    for (bool more = !pl__json_next(r, ']'); more; more = !pl__json_next(r, ']')) {
        const char *left, *right;
        size_t left_size, right_size;
        if (merges->rank + merges->n > 0 && !pl__json_next(r, ',')) return pl__json_expected(r, "',' or ']'");
        if (!pl__json_next(r, '[')) {
            PL_TRY(pl__json_text(r, &left, &left_size));
            PL_TRY(add_merge_line(bpe, merges, left, left_size));
            continue;
        }
        PL_TRY(pl__json_text(r, &left, &left_size));
        if (!pl__json_next(r, ',')) return pl__json_expected(r, "the second token of a merge");
        PL_TRY(pl__json_text(r, &right, &right_size));
        if (!pl__json_next(r, ']')) return pl__json_expected(r, "']' behind two tokens");
        PL_TRY(pl__bpe_add_merge(bpe, merges, left, left_size, right, right_size));
    }
    return pl__json_end(r) ? PL_OK : pl__json_expected(r, "the end");
}

static pl_status read_merges(pl__bpe *bpe, const pl__source *source)
{
    pl__json_reader r = {source->data, source->data, source->data + source->size, source->name, {{0}}, 0};
    PL_TRY(pl__source_check(source));
    /* One list a merge, or a text of its own; a bracket or a quote in one makes room that nobody needs. */
    size_t lists = pl__source_count(source, '['), texts = pl__source_count(source, '"') / 2;
    size_t n = lists > 1 ? lists - 1 : texts;
    if (bpe->byte_fallback) PL_TRY(pl__joints_create(&bpe->joints));
    PL_TRY(pl__bpe_reserve(bpe, n < PL__ID_MAX ? n : PL__ID_MAX));
    pl__merges merges = {.where = source->name};
    pl_status status = merge_entries(bpe, &merges, &r);
    if (status == PL_OK) status = pl__bpe_end_merges(bpe, &merges);
    pl__merges_free(&merges);
    pl__json_reader_free(&r);
    return status;
}

/* An affix of BPE; an empty one is none. */
static pl_status read_affix(char **out, const json_t *model, const char *key, const char *where)
{
    const char *affix = "";
    PL_TRY(pl_json_get_text(&affix, model, key, where));
    return *affix ? pl_copy_text(out, affix) : PL_OK;
}

pl_status pl__bpe_read(pl__bpe *bpe, const json_t *model, const char *where, const pl__source *vocabulary,
                       const pl__source *merges)
{
    const char *unknown = NULL;
    double dropout = 0;
    PL_TRY(pl_json_get_real(&dropout, model, "dropout", where));
    if (dropout != 0) return pl_fail(PL_E_UNSUPPORTED, "%s.dropout: %g is not supported, only none", where, dropout);
    PL_TRY(read_affix(&bpe->prefix, model, "continuing_subword_prefix", where));
    PL_TRY(read_affix(&bpe->suffix, model, "end_of_word_suffix", where));
    PL_TRY(pl_json_get_bool(&bpe->fuse_unknown, model, "fuse_unk", where));
    PL_TRY(pl_json_get_bool(&bpe->byte_fallback, model, "byte_fallback", where));
    PL_TRY(pl_json_get_bool(&bpe->ignore_merges, model, "ignore_merges", where));
    PL_TRY(pl_json_get_text(&unknown, model, "unk_token", where));
    if (unknown) PL_TRY(pl_copy_text(&bpe->unknown, unknown));
    if (!vocabulary->data || vocabulary->data[0] == '[')
        return pl_fail(PL_E_INPUT, "%s.vocab: expected an object of tokens and ids", where);
    if (!merges->data) return pl_fail(PL_E_INPUT, "%s.merges: expected a list of merges", where);
    if (!bpe->vocabulary.borrowed) {
        PL_TRY(pl__vocabulary_read(&bpe->vocabulary, vocabulary));
        PL_TRY(read_merges(bpe, merges));
    }
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

pl_status pl__bpe_read_files(pl__bpe *bpe, const pl__source *vocabulary, const pl__source *merges)
{
    static const char version[] = "#version";
    const char *at = merges->data, *end = merges->data + merges->size, *line;
    size_t size;
    pl__merges read = {.where = merges->name};
    pl_status status = PL_OK;
    if (bpe->vocabulary.borrowed) return pl__bpe_finish(bpe);
    PL_TRY(pl__vocabulary_read(&bpe->vocabulary, vocabulary));
    PL_TRY(pl__bpe_reserve(bpe, bpe->vocabulary.n_tokens));
    while (status == PL_OK && next_line(&at, end, &line, &size)) {
        if (size >= sizeof version - 1 && memcmp(line, version, sizeof version - 1) == 0) continue;
        if (size == 0 && at == end) break;
        status = add_merge_line(bpe, &read, line, size);
    }
    if (status == PL_OK) status = pl__bpe_end_merges(bpe, &read);
    pl__merges_free(&read);
    return status == PL_OK ? pl__bpe_finish(bpe) : status;
}
