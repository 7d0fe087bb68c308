#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/user_cache.h"
#include "tokenizer/open.h"
#include "tokenizer/regex.h"
#include "tokenizer/unicode.h"

/* Smaller files are read as fast as a table of theirs is found. */
enum { FILE_BYTES_MAX = 1 << 28, CACHED_BYTES_MIN = 1 << 20 };

/* ---- ids ---- */

pl_status pl_ids_append(pl_ids *ids, const int32_t *data, size_t n)
{
    if (n > SIZE_MAX - ids->n) return pl_fail(PL_E_MEMORY, "out of memory: %zu ids were asked for", n);
    PL_TRY(pl_grow(&ids->data, &ids->capacity, ids->n + n));
    if (n) memcpy(ids->data + ids->n, data, n * sizeof *data);
    ids->n += n;
    return PL_OK;
}

void pl_ids_free(pl_ids *ids)
{
    if (!ids) return;
    free(ids->data);
    *ids = (pl_ids){0};
}

/* ---- opening ---- */

static const char *const names[PL__SOURCES] = {[PL__TOKENIZER_JSON] = "tokenizer.json",
                                               [PL__VOCAB_JSON] = "vocab.json",
                                               [PL__MERGES_TXT] = "merges.txt",
                                               [PL__TOKENIZER_CONFIG_JSON] = "tokenizer_config.json",
                                               [PL__ADDED_TOKENS_JSON] = "added_tokens.json",
                                               [PL__SPECIAL_TOKENS_MAP_JSON] = "special_tokens_map.json",
                                               [PL__TOKENIZER_MODEL] = "tokenizer.model",
                                               [PL__CONFIG_JSON] = "config.json"};

struct files {
    char paths[PL__SOURCES][PL_PATH_MAX];
    pl_bytes data[PL__SOURCES];
};

/* Reads what the folder has of the files, and of the three ways to hold a vocabulary only one. */
static pl_status read_files(struct files *files, pl__sources *sources, const char *folder)
{
    bool exists[PL__SOURCES];
    for (size_t i = 0; i < PL__SOURCES; i++) {
        PL_TRY(pl_path(files->paths[i], "%s/%s", folder, names[i]));
        PL_TRY(pl_file_find(&exists[i], files->paths[i]));
    }
    if (exists[PL__TOKENIZER_JSON]) exists[PL__VOCAB_JSON] = exists[PL__MERGES_TXT] = false;
    bool pair = exists[PL__VOCAB_JSON] && exists[PL__MERGES_TXT];
    if (exists[PL__TOKENIZER_JSON] || pair) exists[PL__TOKENIZER_MODEL] = false;
    if (!exists[PL__TOKENIZER_JSON] && !pair && !exists[PL__TOKENIZER_MODEL])
        return pl_fail(PL_E_INPUT,
                       "%s: no tokenizer: expected tokenizer.json, or vocab.json and merges.txt, or tokenizer.model",
                       folder);
    if (exists[PL__TOKENIZER_MODEL]) exists[PL__VOCAB_JSON] = exists[PL__MERGES_TXT] = false;
    for (size_t i = 0; i < PL__SOURCES; i++) {
        if (!exists[i]) continue;
        PL_TRY(pl_file_read(&files->data[i], files->paths[i], FILE_BYTES_MAX));
        sources->files[i] = (pl__source){files->paths[i], files->data[i].data, files->data[i].size};
    }
    return PL_OK;
}

static pl_status open_files(pl_tokenizer **out, const char *folder, const char *cache, size_t cached_bytes_min)
{
    *out = NULL;
    struct files *files;
    pl__sources sources = {0};
    PL_TRY(pl_new(&files, 1));
    for (size_t i = 0; i < PL__SOURCES; i++) files->data[i] = (pl_bytes){0};
    pl_status status = read_files(files, &sources, folder);
    if (sources.tokenizer.size + sources.vocabulary.size >= cached_bytes_min) sources.cache = cache;
    if (status == PL_OK) status = pl__tokenizer_parse(out, &sources);
    for (size_t i = 0; i < PL__SOURCES; i++) pl_bytes_free(&files->data[i]);
    free(files);
    return status;
}

pl_status pl__tokenizer_open(pl_tokenizer **out, const char *folder, const char *cache)
{
    return open_files(out, folder, cache, 0);
}

pl_status pl_tokenizer_open(pl_tokenizer **out, const char *folder)
{
    char cache[PL_PATH_MAX];
    *out = NULL;
    PL_TRY(pl_user_cache(cache, "tokenizers"));
    return open_files(out, folder, *cache ? cache : NULL, CACHED_BYTES_MIN);
}

void pl_tokenizer_free(pl_tokenizer *tokenizer)
{
    if (!tokenizer) return;
    pl__added_free(&tokenizer->added);
    pl__normalizer_free(tokenizer->normalizer);
    pl__pretokenizer_free(tokenizer->pretokenizer);
    pl__model_free(&tokenizer->model);
    pl__postprocessor_free(&tokenizer->postprocessor);
    pl__decoder_free(tokenizer->decoder);
    free(tokenizer);
}

/* ---- encoding ---- */

/* Everything one call works with. */
struct work {
    pl__sections sections, inner;
    pl_bytes text, spare;
    pl__words words, spare_words;
    pl__spans spans;
    pl__model_work model;
};

static void free_work(struct work *w)
{
    free(w->sections.items);
    free(w->inner.items);
    pl_bytes_free(&w->text);
    pl_bytes_free(&w->spare);
    pl__words_free(&w->words);
    pl__words_free(&w->spare_words);
    pl__spans_free(&w->spans);
    pl__model_work_free(&w->model);
}

/* Normalized text without added tokens. head: see normalizer.h. */
static pl_status encode_text(const pl_tokenizer *t, const char *text, size_t size, size_t head, struct work *w,
                             pl_ids *out)
{
    const pl__pattern *pattern = pl__pretokenizer_words(t->pretokenizer);
    if (pattern) {
        for (size_t at = 0, end; at < size; at = end) {
            end = pl__pattern_word(pattern, text, size, at);
            PL_TRY(pl__model_encode(&t->model, text + at, end - at, true, &w->model, out));
        }
        return PL_OK;
    }
    PL_TRY(pl__pretokenize(t->pretokenizer, text, size, head, &w->words, &w->spare_words, &w->spans));
    for (size_t i = 0; i < w->words.n; i++) {
        const pl__word *word = &w->words.items[i];
        PL_TRY(
            pl__model_encode(&t->model, w->words.text.data + word->start, word->size, w->words.bytes, &w->model, out));
    }
    return PL_OK;
}

/* A section of the user's text, between the added tokens that are looked for there. */
static pl_status encode_section(const pl_tokenizer *t, const char *text, const pl__section *section, struct work *w,
                                pl_ids *out)
{
    size_t head = section->start == 0 ? pl_utf8_size(text[0]) : 0;
    pl_bytes_clear(&w->text);
    PL_TRY(pl_bytes_append(&w->text, text + section->start, section->size));
    PL_TRY(pl__normalize(t->normalizer, &w->text, &w->spare, &head, &w->spans));
    PL_TRY(pl__added_cut(&t->added, true, w->text.data, w->text.size, &w->inner));
    for (size_t i = 0; i < w->inner.n; i++) {
        const pl__section *inner = &w->inner.items[i];
        if (inner->id >= 0)
            PL_TRY(pl_ids_append(out, &inner->id, 1));
        else
            PL_TRY(encode_text(t, w->text.data + inner->start, inner->size,
                               head > inner->start ? head - inner->start : 0, w, out));
    }
    return PL_OK;
}

static pl_status encode(const pl_tokenizer *t, const char *text, size_t size, bool special, struct work *w, pl_ids *out)
{
    if (special) PL_TRY(pl_ids_append(out, t->postprocessor.before.data, t->postprocessor.before.n));
    PL_TRY(pl__added_cut(&t->added, false, text, size, &w->sections));
    for (size_t i = 0; i < w->sections.n; i++) {
        const pl__section *section = &w->sections.items[i];
        if (section->id >= 0)
            PL_TRY(pl_ids_append(out, &section->id, 1));
        else
            PL_TRY(encode_section(t, text, section, w, out));
    }
    return special ? pl_ids_append(out, t->postprocessor.after.data, t->postprocessor.after.n) : PL_OK;
}

pl_status pl_tokenizer_encode(const pl_tokenizer *t, const char *text, size_t size, bool special, pl_ids *out)
{
    size_t good = pl_utf8_check(text, size), n = out->n;
    if (good < size)
        return pl_fail(PL_E_INPUT, "the text is not UTF-8: byte 0x%02X at offset %zu of %zu", (uint8_t)text[good], good,
                       size);
    struct work work = {0};
    pl_status status = encode(t, text, size, special, &work, out);
    free_work(&work);
    if (status != PL_OK) out->n = n;
    return status;
}

/* ---- decoding ---- */

static pl_status add_piece(const pl_tokenizer *t, int32_t id, bool skip_special, pl__pieces *pieces)
{
    const pl__added *added = pl__added_by_id(&t->added, id);
    size_t size;
    if (!added) {
        const char *text = pl__vocabulary_text(pl__model_vocabulary(&t->model), id, &size);
        if (!text) return PL_OK; /* a row that pads the model's vocabulary beyond the tokenizer's */
        return pl__pieces_add(pieces, text, size);
    }
    const char *text = added->normalized_text ? added->normalized_text : added->text;
    size = added->normalized_text ? added->normalized_size : added->size;
    /* Hugging Face asks by text, after normalization: a special token that was changed by it is not skipped. */
    const pl__added *asked = pl__added_find(&t->added, text, size);
    if (skip_special && asked && asked->special) return PL_OK;
    return pl__pieces_add(pieces, text, size);
}

/* SentencePiece's own decoding: what stands between added tokens that its vocabulary lacks. */
static pl_status decode_pieces(const pl_tokenizer *t, const int32_t *ids, size_t n, bool skip_special, pl_bytes *out)
{
    const pl__vocabulary *v = pl__model_vocabulary(&t->model);
    pl_ids run = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; i < n; i++) {
        const pl__added *added = pl__added_by_id(&t->added, ids[i]);
        bool skipped = skip_special && added && added->special;
        if (pl__vocabulary_text(v, ids[i], NULL)) {
            if (!skipped) PL_GOTO(status, done, pl_ids_append(&run, &ids[i], 1));
        } else if (added && !skipped) {
            PL_GOTO(status, done, pl__sentencepiece_decode(&t->model.sentencepiece, run.data, run.n, out));
            run.n = 0;
            PL_GOTO(status, done, pl_bytes_append(out, added->text, added->size));
        }
    }
    status = pl__sentencepiece_decode(&t->model.sentencepiece, run.data, run.n, out);
done:
    pl_ids_free(&run);
    return status;
}

pl_status pl_tokenizer_decode(const pl_tokenizer *t, const int32_t *ids, size_t n, bool skip_special, pl_bytes *out)
{
    pl__pieces pieces = {0};
    pl_status status = PL_OK;
    if (t->model.kind == PL__SENTENCEPIECE) return decode_pieces(t, ids, n, skip_special, out);
    for (size_t i = 0; i < n; i++) PL_GOTO(status, done, add_piece(t, ids[i], skip_special, &pieces));
    status = pl__decode(t->decoder, &pieces, out);
done:
    pl__pieces_free(&pieces);
    return status;
}

/* ---- facts ---- */

const char *pl_tokenizer_piece(const pl_tokenizer *t, int32_t id)
{
    const pl__added *added = pl__added_by_id(&t->added, id);
    return added ? added->text : pl__vocabulary_text(pl__model_vocabulary(&t->model), id, NULL);
}

size_t pl_tokenizer_size(const pl_tokenizer *t)
{
    return t->n_ids;
}

int32_t pl_tokenizer_bos(const pl_tokenizer *t)
{
    return t->bos;
}

int32_t pl_tokenizer_eos(const pl_tokenizer *t)
{
    return t->eos;
}

const char *pl_tokenizer_kind(const pl_tokenizer *t)
{
    return t->kind;
}

void pl_tokenizer_unicode(char out[PL_UNICODE_TEXT])
{
    char regex[PL__REGEX_VERSION];
    pl__regex_unicode(regex);
    snprintf(out, PL_UNICODE_TEXT, "utf8proc %.20s, PCRE2 %s", utf8proc_unicode_version(), regex);
}

const char *pl_tokenizer_digest(const pl_tokenizer *t)
{
    return t->digest;
}
