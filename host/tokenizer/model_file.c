/* The model of tokenizer.json: which kind it is, and what Unigram and WordPiece say of themselves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/json_reader.h"
#include "tokenizer/open.h"

/* [["piece", score], ...], and nothing behind it. */
static pl_status unigram_entries(pl__unigram *u, pl__json_reader *r)
{
    if (!pl__json_next(r, '[')) return pl__json_expected(r, "a list of pieces and scores");
    for (bool more = !pl__json_next(r, ']'); more; more = !pl__json_next(r, ']')) {
        const char *piece;
        size_t size;
        double score;
        if (u->vocabulary.n_tokens > 0 && !pl__json_next(r, ',')) return pl__json_expected(r, "',' or ']'");
        if (!pl__json_next(r, '[')) return pl__json_expected(r, "[\"piece\", score]");
        PL_TRY(pl__json_text(r, &piece, &size));
        if (!pl__json_next(r, ',')) return pl__json_expected(r, "the score of a piece");
        PL_TRY(pl__json_real(r, &score));
        if (!pl__json_next(r, ']')) return pl__json_expected(r, "']' behind piece and score");
        PL_TRY(pl__unigram_add(u, piece, size, score, true, r->where));
        if (score < u->least) u->least = score;
    }
    return pl__json_end(r) ? PL_OK : pl__json_expected(r, "the end");
}

static pl_status unigram_vocabulary(pl__unigram *u, const pl__source *source)
{
    pl__json_reader r = {source->data, source->data, source->data + source->size, source->name, {{0}}, 0};
    PL_TRY(pl__source_check(source));
    u->least = INFINITY;
    u->vocabulary.repeats = true; /* the library's map from pieces to ids keeps the last of equal ones */
    pl_status status = unigram_entries(u, &r);
    pl__json_reader_free(&r);
    return status;
}

static pl_status read_unigram(pl__unigram *u, const json_t *model, const char *where, const pl__source *vocabulary)
{
    const json_t *unknown = json_object_get(model, "unk_id");
    u->unknown_id = -1;
    PL_TRY(pl_json_get_bool(&u->byte_fallback, model, "byte_fallback", where));
    if (!vocabulary->data || vocabulary->data[0] != '[')
        return pl_fail(PL_E_INPUT, "%s.vocab: expected a list of pieces and scores", where);
    if (!u->vocabulary.borrowed) PL_TRY(unigram_vocabulary(u, vocabulary));
    if (unknown && !json_is_null(unknown)) {
        size_t n = u->vocabulary.n_ids;
        if (!json_is_integer(unknown) || json_integer_value(unknown) < 0 || (size_t)json_integer_value(unknown) >= n)
            return pl_fail(PL_E_INPUT, "%s.unk_id: expected the id of one of the %zu pieces", where, n);
        u->unknown_id = (int32_t)json_integer_value(unknown);
    }
    pl__unigram_finish(u);
    return PL_OK;
}

static pl_status read_wordpiece(pl__wordpiece *w, const json_t *model, const char *where, const pl__source *vocabulary)
{
    const char *unknown = "[UNK]", *prefix = "##";
    w->word_characters_max = 100;
    PL_TRY(pl_json_get_text(&unknown, model, "unk_token", where));
    PL_TRY(pl_json_get_text(&prefix, model, "continuing_subword_prefix", where));
    PL_TRY(pl_json_get_size(&w->word_characters_max, model, "max_input_chars_per_word", where));
    PL_TRY(pl_copy_text(&w->unknown, unknown));
    if (!vocabulary->data || vocabulary->data[0] == '[')
        return pl_fail(PL_E_INPUT, "%s.vocab: expected an object of tokens and ids", where);
    if (!w->vocabulary.borrowed) PL_TRY(pl__vocabulary_read(&w->vocabulary, vocabulary));
    return pl__wordpiece_finish(w, prefix, where);
}

/* The kind of a file that does not say it: from before 0.9 of the library that writes them. */
static const char *guess(const json_t *model, const pl__source *vocabulary, const pl__source *merges)
{
    if (merges->data) return "BPE";
    if (vocabulary->data && vocabulary->data[0] == '[') return "Unigram";
    return json_object_get(model, "max_input_chars_per_word") ? "WordPiece" : "";
}

/* What the table has of the model, whose kind is known. */
static pl_status take_table(pl__model *out, pl__model_kind kind, pl__table *table, const char *where)
{
    out->kind = kind;
    if (!table->map.data) return PL_OK;
    if (table->model.kind != kind)
        return pl_fail(PL_E_INPUT, "%s: its compiled table in the user's cache is of another kind of model: remove it",
                       where);
    pl__table_give(out, table);
    return PL_OK;
}

pl_status pl__model_read(pl__model *out, const json_t *model, const char *where, const pl__source *vocabulary,
                         const pl__source *merges, pl__table *table)
{
    const char *type = "";
    if (!json_is_object(model)) return pl_fail(PL_E_INPUT, "%s: expected an object", where);
    PL_TRY(pl_json_get_text(&type, model, "type", where));
    if (!*type) type = guess(model, vocabulary, merges);
    if (strcmp(type, "BPE") == 0) {
        PL_TRY(take_table(out, PL__BPE, table, where));
        return pl__bpe_read(&out->bpe, model, where, vocabulary, merges);
    }
    if (strcmp(type, "Unigram") == 0) {
        PL_TRY(take_table(out, PL__UNIGRAM, table, where));
        return read_unigram(&out->unigram, model, where, vocabulary);
    }
    if (strcmp(type, "WordPiece") == 0) {
        PL_TRY(take_table(out, PL__WORDPIECE, table, where));
        return read_wordpiece(&out->wordpiece, model, where, vocabulary);
    }
    if (*type)
        return pl_fail(PL_E_UNSUPPORTED, "%s: the model '%.80s' is not supported, only BPE, Unigram and WordPiece",
                       where, type);
    return pl_fail(PL_E_UNSUPPORTED,
                   "%s: the type is not said and there are no merges and no scores (an old WordLevel file): not "
                   "supported, only BPE, Unigram and WordPiece",
                   where);
}
