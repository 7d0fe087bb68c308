#include "tokenizer/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/unicode.h"

#define GPT2_TEXT "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define CL100K_TEXT(number)                                                                                            \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" number                                               \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct {
    const char *text;
    pl__pattern_kind kind;
    size_t digits;
} by_hand[] = {
    {GPT2_TEXT, PL__PATTERN_GPT2, 0},
    {CL100K_TEXT("\\p{N}"), PL__PATTERN_CL100K, 1},
    {CL100K_TEXT("\\p{N}{1,3}"), PL__PATTERN_CL100K, 3},
};

static pl_status keep_text(pl__pattern *out, const char *text, size_t size)
{
    PL_TRY(pl_new(&out->text, size + 1));
    memcpy(out->text, text, size);
    out->size = size;
    return PL_OK;
}

pl_status pl__pattern_text(pl__pattern *out, const char *text, size_t size, const char *where)
{
    *out = (pl__pattern){.kind = PL__PATTERN_TEXT};
    if (size == 0) return pl_fail(PL_E_UNSUPPORTED, "%s: an empty pattern is not supported", where);
    return keep_text(out, text, size);
}

pl_status pl__pattern_regex(pl__pattern *out, const char *pattern, size_t size, const char *where)
{
    *out = (pl__pattern){.kind = PL__PATTERN_REGEX};
    for (size_t i = 0; i < sizeof by_hand / sizeof *by_hand; i++)
        if (strlen(by_hand[i].text) == size && memcmp(by_hand[i].text, pattern, size) == 0) {
            *out = (pl__pattern){.kind = by_hand[i].kind, .digits = by_hand[i].digits};
            return PL_OK;
        }
    return pl__regex_compile(&out->regex, pattern, size, where);
}

pl_status pl__pattern_create(pl__pattern *out, const json_t *spec, const char *where)
{
    *out = (pl__pattern){0};
    const json_t *text = json_object_get(spec, "String"), *regex = json_object_get(spec, "Regex");
    if (json_is_string(text)) return pl__pattern_text(out, json_string_value(text), json_string_length(text), where);
    if (json_is_string(regex))
        return pl__pattern_regex(out, json_string_value(regex), json_string_length(regex), where);
    return pl_fail(PL_E_INPUT, "%s.pattern: expected {\"String\": ...} or {\"Regex\": ...}", where);
}

void pl__pattern_free(pl__pattern *pattern)
{
    free(pattern->text);
    pl__regex_free(pattern->regex);
    *pattern = (pl__pattern){0};
}

void pl__spans_free(pl__spans *spans)
{
    free(spans->items);
    pl__regex_work_free(spans->work);
    *spans = (pl__spans){0};
}

static inline pl_status add(pl__spans *spans, size_t start, size_t end, bool match)
{
    if (spans->n == spans->capacity) PL_TRY(pl_grow(&spans->items, &spans->capacity, spans->n + 1));
    spans->items[spans->n++] = (pl__span){start, end, match};
    return PL_OK;
}

/* Adds a match at [start, end) and what stands between the last match and this one. */
static pl_status add_match(pl__spans *spans, size_t *done, size_t start, size_t end)
{
    if (*done != start) PL_TRY(add(spans, *done, start, false));
    PL_TRY(add(spans, start, end, true));
    *done = end;
    return PL_OK;
}

static pl_status find_text(const pl__pattern *p, const char *text, size_t size, pl__spans *spans)
{
    size_t done = 0;
    for (const char *hit; done < size && (hit = memmem(text + done, size - done, p->text, p->size));)
        PL_TRY(add_match(spans, &done, (size_t)(hit - text), (size_t)(hit - text) + p->size));
    return done < size ? add(spans, done, size, false) : PL_OK;
}

static pl_status find_characters(const pl__pattern *p, const char *text, size_t size, pl__spans *spans)
{
    size_t done = 0;
    uint32_t c;
    for (size_t at = 0, n; at < size; at += n) {
        n = pl_utf8_get(&c, text + at);
        if (p->is(c)) PL_TRY(add_match(spans, &done, at, at + n));
    }
    return done < size ? add(spans, done, size, false) : PL_OK;
}

/* Oniguruma's order of matches: an empty match right behind a match does not count, the search moves on by one. */
static pl_status find_regex(const pl__pattern *p, const char *text, size_t size, pl__spans *spans)
{
    size_t done = 0, last = SIZE_MAX, start, end;
    for (size_t from = 0; from <= size;) {
        PL_TRY(pl__regex_find(p->regex, &spans->work, text, size, from, &start, &end));
        if (start == SIZE_MAX) break;
        if (start == end && end == last) {
            from += from < size ? pl_utf8_size(text[from]) : 1;
            continue;
        }
        PL_TRY(add_match(spans, &done, start, end));
        from = last = end;
    }
    return done < size ? add(spans, done, size, false) : PL_OK;
}

/* pl__char_class of ASCII. */
enum { O = PL__OTHER, L = PL__LETTER, N = PL__NUMBER, S = PL__SPACE };
static const uint8_t ascii_classes[128] = {
    O, O, O, O, O, O, O, O, O, S, S, S, S, S, O, O, /* 00 */
    O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* 10 */
    S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* 20 */
    N, N, N, N, N, N, N, N, N, N, O, O, O, O, O, O, /* 30 */
    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, /* 40 */
    L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O, /* 50 */
    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, /* 60 */
    L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O, /* 70 */
};

/* The class of the character at `at` and its size; the end of the text has size 0. */
static inline pl__class class_at(const char *text, size_t size, size_t at, size_t *n)
{
    if (at >= size) {
        *n = 0;
        return PL__SPACE;
    }
    if ((uint8_t)text[at] < 0x80) {
        *n = 1;
        return (pl__class)ascii_classes[(uint8_t)text[at]];
    }
    uint32_t c;
    *n = pl_utf8_get(&c, text + at);
    return pl__char_class(c);
}

/* The end of the run of `class` that goes on at `at`, at most `limit` characters. */
static inline size_t run(const char *text, size_t size, size_t at, pl__class class, size_t limit)
{
    size_t n;
    while (limit-- > 0 && class_at(text, size, at, &n) == class && n > 0) at += n;
    return at;
}

/* Length of 's 't 're 've 'm 'll 'd at `at`; 0: none. Without case, s also is U+017F. */
static size_t contraction(const char *text, size_t size, size_t at, bool any_case)
{
    if (text[at] != '\'' || at + 1 >= size) return 0;
    char first = text[at + 1], second = at + 2 < size ? text[at + 2] : 0;
    if (any_case) {
        if (first == '\xC5' && second == '\xBF') return 3;
        first = first >= 'A' && first <= 'Z' ? (char)(first + 32) : first;
        second = second >= 'A' && second <= 'Z' ? (char)(second + 32) : second;
    }
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    if ((first == 'r' || first == 'v') && second == 'e') return 3;
    return first == 'l' && second == 'l' ? 3 : 0;
}

/* \s+(?!\S)|\s+ : a run of white space, without its last character when a word follows and something is left. */
static size_t spaces(const char *text, size_t size, size_t at)
{
    size_t end = run(text, size, at, PL__SPACE, SIZE_MAX);
    if (end == size) return end;
    size_t last = pl_utf8_before(text, end);
    return last > at ? last : end;
}

static size_t gpt2_word(const char *text, size_t size, size_t at)
{
    size_t short_form = contraction(text, size, at, false);
    if (short_form) return at + short_form;
    size_t n;
    pl__class class = class_at(text, size, at, &n);
    if (class != PL__SPACE) return run(text, size, at + n, class, SIZE_MAX);
    if (text[at] == ' ') {
        class = class_at(text, size, at + 1, &n);
        if (class != PL__SPACE) return run(text, size, at + 1 + n, class, SIZE_MAX);
    }
    return spaces(text, size, at);
}

static bool is_newline(char c)
{
    return c == '\r' || c == '\n';
}

static size_t cl100k_word(const char *text, size_t size, size_t at, size_t digits)
{
    size_t short_form = contraction(text, size, at, true);
    if (short_form) return at + short_form;
    size_t n, next_n;
    pl__class class = class_at(text, size, at, &n);
    if (class == PL__LETTER) return run(text, size, at + n, class, SIZE_MAX);
    if (class == PL__NUMBER) return run(text, size, at + n, class, digits - 1);
    pl__class next = class_at(text, size, at + n, &next_n);
    if (next == PL__LETTER && !is_newline(text[at])) return run(text, size, at + n, next, SIZE_MAX);
    if (class == PL__OTHER || (text[at] == ' ' && next == PL__OTHER)) {
        size_t end = run(text, size, at + n, PL__OTHER, SIZE_MAX);
        while (end < size && is_newline(text[end])) end++;
        return end;
    }
    /* \s*[\r\n]+ : up to the last line end of the white space. */
    for (size_t end = run(text, size, at, PL__SPACE, SIZE_MAX); end > at; end--)
        if (is_newline(text[end - 1])) return end;
    return spaces(text, size, at);
}

size_t pl__pattern_word(const pl__pattern *p, const char *text, size_t size, size_t at)
{
    return p->kind == PL__PATTERN_GPT2 ? gpt2_word(text, size, at) : cl100k_word(text, size, at, p->digits);
}

static pl_status find_words(const pl__pattern *p, const char *text, size_t size, pl__spans *spans)
{
    for (size_t at = 0, end; at < size; at = end) {
        end = pl__pattern_word(p, text, size, at);
        PL_TRY(add(spans, at, end, true));
    }
    return PL_OK;
}

pl_status pl__pattern_find(const pl__pattern *pattern, const char *text, size_t size, pl__spans *spans)
{
    spans->n = 0;
    if (size == 0) return PL_OK;
    switch (pattern->kind) {
    case PL__PATTERN_TEXT:
        return find_text(pattern, text, size, spans);
    case PL__PATTERN_CHARACTER:
        return find_characters(pattern, text, size, spans);
    case PL__PATTERN_REGEX:
        return find_regex(pattern, text, size, spans);
    case PL__PATTERN_GPT2:
    case PL__PATTERN_CL100K:
        break;
    }
    return find_words(pattern, text, size, spans);
}
