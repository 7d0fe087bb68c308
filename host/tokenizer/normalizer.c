#include "tokenizer/normalizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/base64.h"
#include "base/growth.h"
#include "tokenizer/bert.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/parts.h"
#include "tokenizer/unicode.h"
#include "tokenizer/unicode_form.h"

enum { STEPS_MAX = 64 };

typedef enum kind {
    FORM, /* NFC, NFD, NFKC, NFKD */
    LOWERCASE,
    STRIP,
    STRIP_ACCENTS,
    NMT,
    REPLACE,
    PREPEND,
    BYTE_LEVEL,
    PRECOMPILED,
    BERT,          /* in files; of these it is made: */
    BERT_CLEAN,    /* controls out, white space to spaces */
    BERT_CHINESE,  /* a space on both sides */
    BERT_UNACCENT, /* marks out, of decomposed text */
} kind;

struct step {
    kind kind;
    size_t name; /* index into names */
    pl__form form;
    bool left, right;    /* STRIP */
    pl__pattern pattern; /* REPLACE */
    char *content;       /* REPLACE, PREPEND; owned */
    size_t content_size;
    pl__charsmap map; /* PRECOMPILED */
};

struct pl__normalizer {
    struct step steps[STEPS_MAX];
    size_t n;
    char *where; /* names it in errors; owned */
};

static const struct {
    const char *name;
    kind kind;
    pl__form form;
} names[] = {
    {"NFC", FORM, PL__NFC},
    {"NFD", FORM, PL__NFD},
    {"NFKC", FORM, PL__NFKC},
    {"NFKD", FORM, PL__NFKD},
    {"Lowercase", LOWERCASE, 0},
    {"Strip", STRIP, 0},
    {"Replace", REPLACE, 0},
    {"Prepend", PREPEND, 0},
    {"StripAccents", STRIP_ACCENTS, 0},
    {"Nmt", NMT, 0},
    {"ByteLevel", BYTE_LEVEL, 0},
    {"Precompiled", PRECOMPILED, 0},
    {"BertNormalizer", BERT, 0},
};

/* ---- from the file ---- */

/* The next step of the chain. */
static pl_status add_step(pl__normalizer *normalizer, size_t name, kind kind, pl__form form, const char *where)
{
    if (normalizer->n == STEPS_MAX) return pl_fail(PL_E_INPUT, "%s: more than %d normalizers", where, STEPS_MAX);
    struct step *step = &normalizer->steps[normalizer->n++];
    step->name = name;
    step->kind = kind;
    step->form = form;
    return PL_OK;
}

/* In the order that Hugging Face has them; accents go with capitals where they are not mentioned. */
static pl_status read_bert(pl__normalizer *normalizer, size_t name, const json_t *spec, const char *where)
{
    bool clean = true, chinese = true, lowercase = true;
    PL_TRY(pl_json_get_bool(&clean, spec, "clean_text", where));
    PL_TRY(pl_json_get_bool(&chinese, spec, "handle_chinese_chars", where));
    PL_TRY(pl_json_get_bool(&lowercase, spec, "lowercase", where));
    bool unaccent = lowercase;
    PL_TRY(pl_json_get_bool(&unaccent, spec, "strip_accents", where));
    const struct {
        bool has;
        kind kind;
    } steps[] = {{clean, BERT_CLEAN},
                 {chinese, BERT_CHINESE},
                 {unaccent, FORM},
                 {unaccent, BERT_UNACCENT},
                 {lowercase, LOWERCASE}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].has) PL_TRY(add_step(normalizer, name, steps[i].kind, PL__NFD, where));
    return PL_OK;
}

static pl_status read_map(struct step *step, const json_t *spec, const char *where)
{
    const json_t *text = json_object_get(spec, "precompiled_charsmap");
    pl_bytes map = {0};
    char inner[320];
    snprintf(inner, sizeof inner, "%.280s.precompiled_charsmap", where);
    if (!json_is_string(text)) return pl_fail(PL_E_INPUT, "%s: expected a text in base64", inner);
    pl_status status = pl_base64_read(&map, json_string_value(text), json_string_length(text), inner);
    if (status == PL_OK) status = pl__charsmap_read(&step->map, map.data, map.size, inner);
    pl_bytes_free(&map);
    return status;
}

static pl_status read_step(void *context, const char *type, const json_t *spec, const char *where)
{
    pl__normalizer *normalizer = context;
    size_t i = 0, n = sizeof names / sizeof *names;
    while (i < n && strcmp(names[i].name, type) != 0) i++;
    if (i == n) return pl_fail(PL_E_UNSUPPORTED, "%s: the normalizer '%.80s' is not supported", where, type);
    if (names[i].kind == BERT) return read_bert(normalizer, i, spec, where);
    PL_TRY(add_step(normalizer, i, names[i].kind, names[i].form, where));
    struct step *step = &normalizer->steps[normalizer->n - 1];
    if (step->kind == PRECOMPILED) {
        PL_TRY(read_map(step, spec, where));
    } else if (step->kind == STRIP) {
        PL_TRY(pl_json_get_bool(&step->left, spec, "strip_left", where));
        PL_TRY(pl_json_get_bool(&step->right, spec, "strip_right", where));
    } else if (step->kind == PREPEND) {
        PL_TRY(pl__part_text(&step->content, &step->content_size, spec, "prepend", where));
    } else if (step->kind == REPLACE) {
        PL_TRY(pl__pattern_create(&step->pattern, json_object_get(spec, "pattern"), where));
        PL_TRY(pl__part_text(&step->content, &step->content_size, spec, "content", where));
    }
    return PL_OK;
}

pl_status pl__normalizer_create(pl__normalizer **out, const json_t *spec, const char *where)
{
    *out = NULL;
    if (!spec || json_is_null(spec)) return PL_OK;
    PL_TRY(pl_new(out, 1));
    pl_status status = pl_copy_text(&(*out)->where, where);
    if (status == PL_OK) status = pl__parts_read(spec, "normalizers", where, read_step, *out);
    if (status != PL_OK) {
        pl__normalizer_free(*out);
        *out = NULL;
    }
    return status;
}

void pl__normalizer_free(pl__normalizer *normalizer)
{
    if (!normalizer) return;
    for (size_t i = 0; i < normalizer->n; i++) {
        pl__pattern_free(&normalizer->steps[i].pattern);
        free(normalizer->steps[i].content);
        pl__charsmap_free(&normalizer->steps[i].map);
    }
    free(normalizer->where);
    free(normalizer);
}

/* ---- at work: each step writes `out` from text[0..size) ---- */

static pl_status put_character(pl_bytes *out, uint32_t c)
{
    char bytes[4];
    return pl_bytes_append(out, bytes, pl_utf8_put(bytes, c));
}

/* Character by character, as Rust's to_lowercase does; U+0130 is the one character with a lower case of two. */
static pl_status lowercase(pl_bytes *out, const char *text, size_t size)
{
    uint32_t c;
    for (size_t at = 0; at < size;) {
        at += pl_utf8_get(&c, text + at);
        if (c == 0x130)
            PL_TRY(pl_bytes_text(out, "i\xCC\x87"));
        else
            PL_TRY(put_character(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c)));
    }
    return PL_OK;
}

static pl_status strip(const struct step *step, pl_bytes *out, const char *text, size_t size, size_t *head)
{
    size_t start = 0, end = size, n;
    uint32_t c;
    while (step->left && start < end && (n = pl_utf8_get(&c, text + start), pl__char_is_white_space(c))) start += n;
    while (step->right && end > start) {
        size_t before = pl_utf8_before(text, end);
        pl_utf8_get(&c, text + before);
        if (!pl__char_is_white_space(c)) break;
        end = before;
    }
    *head = *head > start ? *head - start : 0;
    return pl_bytes_append(out, text + start, end - start);
}

/* What SentencePiece's nmt rule does with a character: 0 drops it. */
static uint32_t nmt(uint32_t c)
{
    if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F) return 0;
    if (c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 ||
        c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD)
        return ' ';
    return c;
}

/* What a step that looks at each character alone makes of it; *keep: it stays. */
static uint32_t one_character(kind kind, uint32_t c, bool *keep)
{
    switch (kind) {
    case NMT:
        *keep = c == 0 || nmt(c) != 0;
        return nmt(c);
    case BERT_CLEAN:
        *keep = pl__bert_clean(c) != 0;
        return pl__bert_clean(c);
    case BERT_UNACCENT:
        *keep = !pl__bert_is_accent(c);
        return c;
    default:
        *keep = !pl__char_is_mark(c);
        return c;
    }
}

static pl_status space_chinese(pl_bytes *out, const char *text, size_t size, size_t *head)
{
    uint32_t c;
    size_t front = 0;
    for (size_t at = 0, n; at < size; at += n) {
        n = pl_utf8_get(&c, text + at);
        bool apart = pl__bert_is_chinese(c);
        if (apart) PL_TRY(pl_bytes_append(out, " ", 1));
        PL_TRY(pl_bytes_append(out, text + at, n));
        if (apart) PL_TRY(pl_bytes_append(out, " ", 1));
        if (at < *head) front = out->size;
    }
    *head = front;
    return PL_OK;
}

/* STRIP_ACCENTS, NMT, BERT_CLEAN, BERT_UNACCENT. */
static pl_status filter(const struct step *step, pl_bytes *out, const char *text, size_t size, size_t *head)
{
    uint32_t c;
    size_t front = 0;
    for (size_t at = 0, n; at < size; at += n) {
        n = pl_utf8_get(&c, text + at);
        bool keep;
        c = one_character(step->kind, c, &keep);
        if (keep) PL_TRY(put_character(out, c));
        if (at < *head) front = out->size;
    }
    *head = front;
    return PL_OK;
}

/* Stops once the limit is passed: pl__normalize says so. */
static pl_status replace(const struct step *step, pl_bytes *out, const char *text, size_t size, size_t *head,
                         pl__spans *spans, size_t most)
{
    PL_TRY(pl__pattern_find(&step->pattern, text, size, spans));
    size_t front = 0;
    for (size_t i = 0; i < spans->n && out->size <= most; i++) {
        const pl__span *s = &spans->items[i];
        PL_TRY(s->match ? pl_bytes_append(out, step->content, step->content_size)
                        : pl_bytes_append(out, text + s->start, s->end - s->start));
        /* What replaces a match counts as coming from the match's last character. */
        size_t origin = s->match && s->end > s->start ? pl_utf8_before(text, s->end) : s->start;
        if (origin < *head) front = s->match || s->end <= *head ? out->size : out->size - (s->end - *head);
    }
    *head = front;
    return PL_OK;
}

/* FORM, LOWERCASE, BYTE_LEVEL, PRECOMPILED. */
static pl_status spell(const struct step *step, pl_bytes *out, const char *text, size_t size, size_t most)
{
    return step->kind == FORM          ? pl__unicode_form(out, text, size, step->form)
           : step->kind == LOWERCASE   ? lowercase(out, text, size)
           : step->kind == PRECOMPILED ? pl__charsmap_graphemes(&step->map, out, text, size, most)
                                       : pl__bytes_to_alphabet(out, text, size);
}

static pl_status run_step(const struct step *step, pl_bytes *out, const pl_bytes *in, size_t *head, pl__spans *spans,
                          size_t most)
{
    const char *text = in->data;
    size_t size = in->size;
    switch (step->kind) {
    case STRIP:
        return strip(step, out, text, size, head);
    case BERT_CHINESE:
        return space_chinese(out, text, size, head);
    case STRIP_ACCENTS:
    case NMT:
    case BERT_CLEAN:
    case BERT_UNACCENT:
        return filter(step, out, text, size, head);
    case REPLACE:
        return replace(step, out, text, size, head, spans, most);
    case PREPEND:
        if (*head) *head += step->content_size;
        PL_TRY(pl_bytes_append(out, step->content, step->content_size));
        return pl_bytes_append(out, text, size);
    case FORM:
    case LOWERCASE:
    case BYTE_LEVEL:
    case PRECOMPILED:
    case BERT:
        break;
    }
    /* The front comes out as it would alone, but for a mark behind it that composes: then as one character. */
    size_t front = 0;
    if (*head) {
        PL_TRY(spell(step, out, text, *head < size ? *head : size, most));
        front = out->size;
        pl_bytes_clear(out);
    }
    PL_TRY(spell(step, out, text, size, most));
    size_t first = out->size ? pl_utf8_size(out->data[0]) : 0;
    if (*head) *head = front > first ? front : first;
    return PL_OK;
}

pl_status pl__normalize(const pl__normalizer *normalizer, pl_bytes *text, pl_bytes *spare, size_t *head,
                        pl__spans *spans)
{
    if (!normalizer) return PL_OK;
    pl_growth growth = pl_growth_begin(text->size, normalizer->n);
    for (size_t i = 0; i < normalizer->n && text->size > 0; i++) {
        pl_bytes_clear(spare);
        PL_TRY(run_step(&normalizer->steps[i], spare, text, head, spans, growth.most - growth.made));
        if (!pl_growth_add(&growth, spare->size))
            return pl_fail(PL_E_INPUT,
                           "%s: step %zu of %zu (%s): one text grew by more than %d bytes: expected what a prompt can "
                           "use; look for replacements that feed each other",
                           normalizer->where, i + 1, normalizer->n, names[normalizer->steps[i].name].name,
                           (int)PL_GROWTH_MAX);
        pl_bytes swap = *text;
        *text = *spare;
        *spare = swap;
    }
    return PL_OK;
}
