#include "tokenizer/decoder.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/parts.h"
#include "tokenizer/pattern.h"
#include "tokenizer/unicode.h"

enum { STEPS_MAX = 64 };

typedef enum kind { BYTE_LEVEL, BYTE_FALLBACK, FUSE, STRIP, REPLACE, METASPACE, BPE, WORDPIECE } kind;

struct step {
    kind kind;
    pl__pattern pattern; /* REPLACE */
    char *content;       /* owned. REPLACE: what comes in; STRIP: the character; METASPACE: what stands for a space;
                          BPE: the suffix; WORDPIECE: the prefix */
    size_t content_size;
    size_t start, stop; /* STRIP: how many at most */
    bool drop_first;    /* METASPACE: no spaces at all in the first piece */
    bool cleanup;       /* WORDPIECE: no spaces before marks and short forms */
};

struct pl__decoder {
    struct step steps[STEPS_MAX];
    size_t n;
};

/* ---- from the file ---- */

static const struct {
    const char *name;
    kind kind;
} names[] = {{"ByteLevel", BYTE_LEVEL}, {"ByteFallback", BYTE_FALLBACK}, {"Fuse", FUSE},      {"Strip", STRIP},
             {"Replace", REPLACE},      {"Metaspace", METASPACE},        {"BPEDecoder", BPE}, {"WordPiece", WORDPIECE}};

/* One character of the part. */
static pl_status read_character(struct step *step, const json_t *spec, const char *key, const char *where)
{
    PL_TRY(pl__part_text(&step->content, &step->content_size, spec, key, where));
    if (step->content_size == 0 || step->content_size != pl_utf8_size(step->content[0]))
        return pl_fail(PL_E_INPUT, "%s.%s: expected one character, found '%.80s'", where, key, step->content);
    return PL_OK;
}

static pl_status read_settings(struct step *step, const json_t *spec, const char *where)
{
    if (step->kind == REPLACE) {
        PL_TRY(pl__pattern_create(&step->pattern, json_object_get(spec, "pattern"), where));
        return pl__part_text(&step->content, &step->content_size, spec, "content", where);
    }
    if (step->kind == STRIP) {
        PL_TRY(pl_json_get_size(&step->start, spec, "start", where));
        PL_TRY(pl_json_get_size(&step->stop, spec, "stop", where));
        return read_character(step, spec, "content", where);
    }
    if (step->kind == BPE) {
        PL_TRY(pl__part_text(&step->content, &step->content_size, spec, "suffix", where));
        if (step->content_size == 0)
            return pl_fail(PL_E_UNSUPPORTED, "%s.suffix: an empty one is not supported", where);
        return PL_OK;
    }
    if (step->kind == WORDPIECE) {
        step->cleanup = true;
        PL_TRY(pl_json_get_bool(&step->cleanup, spec, "cleanup", where));
        return pl__part_text(&step->content, &step->content_size, spec, "prefix", where);
    }
    if (step->kind == METASPACE) {
        const char *scheme = "always";
        bool prefix = true;
        PL_TRY(pl_json_get_text(&scheme, spec, "prepend_scheme", where));
        PL_TRY(pl_json_get_bool(&prefix, spec, "add_prefix_space", where));
        step->drop_first = prefix && strcmp(scheme, "never") != 0;
        return read_character(step, spec, "replacement", where);
    }
    return PL_OK;
}

static pl_status read_step(void *context, const char *type, const json_t *spec, const char *where)
{
    pl__decoder *decoder = context;
    if (decoder->n == STEPS_MAX) return pl_fail(PL_E_INPUT, "%s: more than %d decoders", where, STEPS_MAX);
    struct step *step = &decoder->steps[decoder->n++];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(type, names[i].name) == 0) {
            step->kind = names[i].kind;
            return read_settings(step, spec, where);
        }
    return pl_fail(PL_E_UNSUPPORTED, "%s: the decoder '%.80s' is not supported", where, type);
}

pl_status pl__decoder_create(pl__decoder **out, const json_t *spec, const char *where)
{
    *out = NULL;
    if (!spec || json_is_null(spec)) return PL_OK;
    PL_TRY(pl_new(out, 1));
    pl_status status = pl__parts_read(spec, "decoders", where, read_step, *out);
    if (status != PL_OK) {
        pl__decoder_free(*out);
        *out = NULL;
    }
    return status;
}

void pl__decoder_free(pl__decoder *decoder)
{
    if (!decoder) return;
    for (size_t i = 0; i < decoder->n; i++) {
        pl__pattern_free(&decoder->steps[i].pattern);
        free(decoder->steps[i].content);
    }
    free(decoder);
}

/* ---- pieces ---- */

/* Ends a piece at the end of the text. */
static pl_status end_piece(pl__pieces *pieces)
{
    PL_TRY(pl_bytes_append(&pieces->text, "", 0)); /* there is a text, if an empty one */
    PL_TRY(pl_grow(&pieces->ends, &pieces->capacity, pieces->n + 1));
    pieces->ends[pieces->n++] = pieces->text.size;
    return PL_OK;
}

pl_status pl__pieces_add(pl__pieces *pieces, const char *text, size_t size)
{
    PL_TRY(pl_bytes_append(&pieces->text, text, size));
    return end_piece(pieces);
}

void pl__pieces_free(pl__pieces *pieces)
{
    pl_bytes_free(&pieces->text);
    free(pieces->ends);
    *pieces = (pl__pieces){0};
}

/* ---- at work ---- */

/* Characters of the byte alphabet to bytes; a token with any other character is its own UTF-8. */
static pl_status byte_level(pl__pieces *out, const pl__pieces *in)
{
    pl_bytes bytes = {0};
    pl_status status = PL_OK;
    uint32_t c;
    for (size_t i = 0, at = 0; i < in->n; at = in->ends[i++]) {
        size_t mark = bytes.size, end = in->ends[i];
        for (size_t k = at, n; k < end; k += n) {
            n = pl_utf8_get(&c, in->text.data + k);
            int byte = pl__char_to_byte(c);
            if (byte < 0) {
                bytes.size = mark;
                PL_GOTO(status, done, pl_bytes_append(&bytes, in->text.data + at, end - at));
                break;
            }
            char one = (char)byte;
            PL_GOTO(status, done, pl_bytes_append(&bytes, &one, 1));
        }
    }
    PL_GOTO(status, done, pl_utf8_lossy(&out->text, bytes.data, bytes.size));
    PL_GOTO(status, done, end_piece(out));
done:
    pl_bytes_free(&bytes);
    return status;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* The byte of a token <0x41>; -1: not such a token. */
static int fallback_byte(const char *text, size_t size)
{
    if (size != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    int high = hex_digit(text[3]), low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* A run of byte tokens is one text when it is UTF-8, otherwise U+FFFD for each of them. */
static pl_status end_bytes(pl__pieces *out, pl_bytes *bytes)
{
    size_t n = bytes->size;
    if (n == 0) return PL_OK;
    if (pl_utf8_check(bytes->data, n) == n)
        PL_TRY(pl__pieces_add(out, bytes->data, n));
    else
        for (size_t i = 0; i < n; i++) PL_TRY(pl__pieces_add(out, "\xEF\xBF\xBD", 3));
    pl_bytes_clear(bytes);
    return PL_OK;
}

static pl_status byte_fallback(pl__pieces *out, const pl__pieces *in)
{
    pl_bytes bytes = {0};
    pl_status status = PL_OK;
    for (size_t i = 0, at = 0; i < in->n; at = in->ends[i++]) {
        const char *text = in->text.data + at;
        size_t size = in->ends[i] - at;
        int byte = fallback_byte(text, size);
        char one = (char)byte;
        if (byte >= 0) {
            PL_GOTO(status, done, pl_bytes_append(&bytes, &one, 1));
            continue;
        }
        PL_GOTO(status, done, end_bytes(out, &bytes));
        PL_GOTO(status, done, pl__pieces_add(out, text, size));
    }
    status = end_bytes(out, &bytes);
done:
    pl_bytes_free(&bytes);
    return status;
}

static pl_status strip(const struct step *step, pl__pieces *out, const char *text, size_t size)
{
    size_t n = step->content_size;
    for (size_t i = 0; i < step->start && size >= n && memcmp(text, step->content, n) == 0; i++) {
        text += n;
        size -= n;
    }
    for (size_t i = 0; i < step->stop && size >= n && memcmp(text + size - n, step->content, n) == 0; i++) size -= n;
    return pl__pieces_add(out, text, size);
}

static pl_status replace(const struct step *step, pl__pieces *out, const char *text, size_t size, pl__spans *spans)
{
    PL_TRY(pl__pattern_find(&step->pattern, text, size, spans));
    for (size_t i = 0; i < spans->n; i++) {
        const pl__span *s = &spans->items[i];
        PL_TRY(s->match ? pl_bytes_append(&out->text, step->content, step->content_size)
                        : pl_bytes_append(&out->text, text + s->start, s->end - s->start));
    }
    return end_piece(out);
}

static pl_status metaspace(const struct step *step, pl__pieces *out, const char *text, size_t size, bool first)
{
    for (size_t at = 0, n; at < size; at += n) {
        n = pl_utf8_size(text[at]);
        bool space = n == step->content_size && memcmp(text + at, step->content, n) == 0;
        if (!space)
            PL_TRY(pl_bytes_append(&out->text, text + at, n));
        else if (!first || !step->drop_first)
            PL_TRY(pl_bytes_append(&out->text, " ", 1));
    }
    return end_piece(out);
}

/* Appends text with `to` for every `from`. */
static pl_status replace_all(pl_bytes *out, const char *text, size_t size, const char *from, size_t from_size,
                             const char *to)
{
    size_t at = 0;
    for (const char *hit; at < size && (hit = memmem(text + at, size - at, from, from_size));) {
        PL_TRY(pl_bytes_append(out, text + at, (size_t)(hit - text) - at));
        PL_TRY(pl_bytes_text(out, to));
        at = (size_t)(hit - text) + from_size;
    }
    return pl_bytes_append(out, text + at, size - at);
}

/* The suffix ends a word: a space, but for the last piece. */
static pl_status bpe(const struct step *step, pl__pieces *out, const char *text, size_t size, bool last)
{
    PL_TRY(replace_all(&out->text, text, size, step->content, step->content_size, last ? "" : " "));
    return end_piece(out);
}

/* One after another, as Hugging Face does it. */
static const char *const cleanups[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                          {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                          {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};

static pl_status wordpiece(const struct step *step, pl__pieces *out, const char *text, size_t size, bool first)
{
    bool goes_on = size >= step->content_size && memcmp(text, step->content, step->content_size) == 0;
    size_t skip = !first && goes_on ? step->content_size : 0;
    pl_bytes from = {0}, to = {0};
    pl_status status = PL_OK;
    if (!first && !goes_on) PL_GOTO(status, done, pl_bytes_append(&from, " ", 1));
    PL_GOTO(status, done, pl_bytes_append(&from, text + skip, size - skip));
    for (size_t i = 0; step->cleanup && i < sizeof cleanups / sizeof *cleanups; i++) {
        pl_bytes_clear(&to);
        PL_GOTO(status, done,
                replace_all(&to, from.data, from.size, cleanups[i][0], strlen(cleanups[i][0]), cleanups[i][1]));
        pl_bytes swap = from;
        from = to;
        to = swap;
    }
    status = pl__pieces_add(out, from.data, from.size);
done:
    pl_bytes_free(&from);
    pl_bytes_free(&to);
    return status;
}

static pl_status run_step(const struct step *step, pl__pieces *out, const pl__pieces *in, pl__spans *spans)
{
    switch (step->kind) {
    case BYTE_LEVEL:
        return byte_level(out, in);
    case BYTE_FALLBACK:
        return byte_fallback(out, in);
    case FUSE:
        return pl__pieces_add(out, in->text.data, in->text.size);
    case STRIP:
    case REPLACE:
    case METASPACE:
    case BPE:
    case WORDPIECE:
        break;
    }
    for (size_t i = 0, at = 0; i < in->n; at = in->ends[i++]) {
        const char *text = in->text.data + at;
        size_t size = in->ends[i] - at;
        PL_TRY(step->kind == STRIP       ? strip(step, out, text, size)
               : step->kind == REPLACE   ? replace(step, out, text, size, spans)
               : step->kind == BPE       ? bpe(step, out, text, size, i + 1 == in->n)
               : step->kind == WORDPIECE ? wordpiece(step, out, text, size, i == 0)
                                         : metaspace(step, out, text, size, i == 0));
    }
    return PL_OK;
}

static pl_status join(const pl__pieces *pieces, const char *between, pl_bytes *out)
{
    for (size_t i = 0, at = 0; i < pieces->n; at = pieces->ends[i++]) {
        if (i > 0) PL_TRY(pl_bytes_text(out, between));
        PL_TRY(pl_bytes_append(out, pieces->text.data + at, pieces->ends[i] - at));
    }
    return PL_OK;
}

pl_status pl__decode(const pl__decoder *decoder, pl__pieces *pieces, pl_bytes *out)
{
    pl__pieces spare = {0};
    pl__spans spans = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; decoder && i < decoder->n; i++) {
        spare.n = 0;
        pl_bytes_clear(&spare.text);
        PL_GOTO(status, done, run_step(&decoder->steps[i], &spare, pieces, &spans));
        pl__pieces swap = *pieces;
        *pieces = spare;
        spare = swap;
    }
    status = join(pieces, decoder ? "" : " ", out);
done:
    pl__pieces_free(&spare);
    pl__spans_free(&spans);
    return status;
}
