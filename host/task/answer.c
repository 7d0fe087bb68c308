#include "task/answer.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "jinja/letters.h"

static const char *const names[] = {"label", "other", "none", "not_finite"};

const char *pl_outcome_name(pl_outcome outcome)
{
    return names[outcome];
}

/* ---- letters ---- */

/* A copy in composed form, its case folded when asked for; the caller frees it. */
static pl_status normalise(char **out, size_t *size, const char *text, size_t n, bool fold)
{
    utf8proc_uint8_t *made = NULL;
    int options = UTF8PROC_STABLE | UTF8PROC_COMPOSE | (fold ? UTF8PROC_CASEFOLD : 0);
    utf8proc_ssize_t got =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &made, (utf8proc_option_t)options);
    if (got < 0)
        return pl_fail(got == UTF8PROC_ERROR_NOMEM ? PL_E_MEMORY : PL_E_INPUT, "an answer cannot be read: %s",
                       utf8proc_errmsg(got));
    *out = (char *)made;
    *size = (size_t)got;
    return PL_OK;
}

static bool is_digit(int32_t c)
{
    return utf8proc_category(c) == UTF8PROC_CATEGORY_ND;
}

/* Letters, marks and numbers make words. */
static bool is_word(int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NO;
}

/* White space and what shows nothing (zero-width characters, byte-order marks). */
static bool is_blank(int32_t c)
{
    return pl_is_space(c) || utf8proc_category(c) == UTF8PROC_CATEGORY_CF;
}

static bool is_bracket_or_quote(int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return k == UTF8PROC_CATEGORY_PS || k == UTF8PROC_CATEGORY_PE || k == UTF8PROC_CATEGORY_PI ||
           k == UTF8PROC_CATEGORY_PF || c == '"' || c == '\'' || c == '`';
}

static bool is_one_of(int32_t c, const char *set)
{
    return c > 0 && c < 0x80 && strchr(set, (char)c);
}

/* The letter at `at`; 0 behind the end. */
static int32_t letter_at(const char *text, size_t size, size_t at, size_t *width)
{
    *width = 0;
    return at < size ? pl_letter(text + at, width) : 0;
}

/* ---- dress ---- */

static size_t name_size(const char *text, size_t size)
{
    size_t n = 0;
    while (n < size && ((text[n] >= 'a' && text[n] <= 'z') || (text[n] >= 'A' && text[n] <= 'Z'))) n++;
    return n;
}

/* <name> when </name> follows somewhere: markup around an answer, also where the name would be a label (<b>A</b>). */
static size_t tag_size(const char *text, size_t size)
{
    char end[40];
    size_t n = size > 2 ? name_size(text + 1, size - 1) : 0;
    if (n == 0 || n > sizeof end - 4 || n + 1 >= size || text[n + 1] != '>') return 0;
    end[0] = '<';
    end[1] = '/';
    memcpy(end + 2, text + 1, n);
    end[n + 2] = '>';
    return memmem(text, size, end, n + 3) ? n + 2 : 0;
}

/* \name{ of TeX. */
static size_t command_size(const char *text, size_t size)
{
    size_t n = size > 1 ? name_size(text + 1, size - 1) : 0;
    return n > 0 && n + 1 < size && text[n + 1] == '{' ? n + 2 : 0;
}

/* Whether a '<' or '>' before `rest` compares numbers. */
static bool compares(const char *rest, size_t size)
{
    size_t i = 0;
    while (i < size && (rest[i] == ' ' || rest[i] == '=')) i++;
    if (i >= size || !strchr("0123456789.-+", rest[i])) return i > 0 && rest[i - 1] == '=';
    while (i < size && rest[i] > ' ' && rest[i] != '>') i++;
    return i >= size || rest[i] != '>'; /* <5> is in brackets */
}

/* The bytes of dress at the beginning of `text`; 0: the answer itself begins. */
static size_t dress_size(const char *text, size_t size)
{
    static const int32_t bullets[] = {'-', 0x2013, 0x2014, 0x2022, 0x2023, 0xB7};
    size_t width, next_width, inside;
    int32_t c = pl_letter(text, &width), next = letter_at(text, size, width, &next_width);
    if (c == '<' && (inside = tag_size(text, size))) return inside;
    if (c == '<' && next == '/') return width + next_width;
    if (c == '\\' && (inside = command_size(text, size))) return inside;
    if (c == '<' || c == '>') return compares(text + width, size - width) ? 0 : width;
    if (is_blank(c) || is_bracket_or_quote(c) || is_one_of(c, "*_$#\\:|")) return width;
    if (c == '.' || c == 0x2026) return is_digit(next) ? 0 : width;
    for (size_t i = 0; i < sizeof bullets / sizeof *bullets; i++)
        if (c == bullets[i] && next && is_blank(next)) return width;
    return 0;
}

/* ---- labels ---- */

/* Three digits and no more: a group of thousands. */
static bool is_thousands(const char *text, size_t size)
{
    size_t n = 0, width;
    for (size_t at = 0; at < size && is_digit(pl_letter(text + at, &width)); at += width) n++;
    return n == 3;
}

/* Whether what stands at `rest` makes more of a number than the digit before it. */
static bool continues_number(const char *rest, size_t size)
{
    static const int32_t joints[] = {'.',  ',',    ':',    '^',    '*',    '=',    0xB7,  0xD7,
                                     0xF7, 0x22C5, 0x2013, 0x2014, 0x2212, 0x2044, 0x66B, 0x66C};
    static const int32_t units[] = {'%', 0x2030, 0xB0};
    size_t width, next_width;
    int32_t c = letter_at(rest, size, 0, &width), next = letter_at(rest, size, width, &next_width);
    int32_t unit = is_blank(c) ? next : c;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (unit == units[i]) return true;
    for (size_t i = 0; i < sizeof joints / sizeof *joints; i++)
        if (c == joints[i] && is_digit(next)) return true;
    return pl_is_space(c) && c != '\n' && is_thousands(rest + width, size - width);
}

/* Whether a label whose last letter is `last` ends where `rest` begins. */
static bool ends_there(int32_t last, const char *rest, size_t size)
{
    static const int32_t inside_words[] = {'-', '\'', '/', '&', '@', '_', 0x2010, 0x2011, 0x2019};
    size_t width, next_width;
    int32_t c = letter_at(rest, size, 0, &width), next = letter_at(rest, size, width, &next_width);
    if (size == 0 || !is_word(last)) return true;
    if (is_word(c) || is_one_of(c, "+#")) return false;
    for (size_t i = 0; i < sizeof inside_words / sizeof *inside_words; i++)
        if (c == inside_words[i] && next && is_word(next)) return false;
    return !is_digit(last) || !continues_number(rest, size);
}

typedef struct words {
    char **text; /* [n], trimmed and normalised */
    size_t *size, n;
} words;

static void free_words(words *w)
{
    for (size_t i = 0; w->text && i < w->n; i++) free(w->text[i]);
    free(w->text);
    free(w->size);
}

static pl_status make_words(words *out, const char *const *labels, size_t n, bool fold)
{
    *out = (words){.n = n};
    PL_TRY(pl_new(&out->text, n));
    PL_TRY(pl_new(&out->size, n));
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(labels[i]);
        const char *begin = pl_strip(labels[i], &size, true, true);
        PL_TRY(normalise(&out->text[i], &out->size[i], begin, size, fold));
    }
    return PL_OK;
}

/* The longest label that stands at the beginning of `text` and ends there; SIZE_MAX: none. */
static size_t longest_at(const words *w, const char *text, size_t size)
{
    size_t best = SIZE_MAX, longest = 0;
    for (size_t i = 0; i < w->n; i++) {
        size_t n = w->size[i], width;
        if (n <= longest || n > size || memcmp(text, w->text[i], n) != 0) continue;
        int32_t last = pl_letter(w->text[i] + pl_utf8_before(w->text[i], n), &width);
        if (!ends_there(last, text + n, size - n)) continue;
        longest = n;
        best = i;
    }
    return best;
}

static size_t find_label(const words *w, const char *text, size_t size)
{
    for (size_t at = 0, step; at < size; at += step) {
        size_t found = longest_at(w, text + at, size - at);
        if (found != SIZE_MAX) return found;
        if (!(step = dress_size(text + at, size - at))) break;
    }
    return SIZE_MAX;
}

/* The label named by the text; SIZE_MAX: none. *several: another one is written in the same way. */
static pl_status search(size_t *found, bool *several, const char *text, size_t size, const char *const *labels,
                        size_t n_labels, bool fold)
{
    words w = {0};
    char *made = NULL;
    size_t made_size;
    pl_status status;
    *found = SIZE_MAX;
    *several = false;
    PL_GOTO(status, done, normalise(&made, &made_size, text, size, fold));
    PL_GOTO(status, done, make_words(&w, labels, n_labels, fold));
    *found = find_label(&w, made, made_size);
    for (size_t i = 0; *found != SIZE_MAX && i < n_labels; i++)
        *several |= i != *found && w.size[i] == w.size[*found] && memcmp(w.text[i], w.text[*found], w.size[i]) == 0;
done:
    free_words(&w);
    free(made);
    return status;
}

pl_status pl_answer_label(pl_outcome *out, size_t *label, const char *text, size_t size, const char *const *labels,
                          size_t n_labels)
{
    size_t found, exact = SIZE_MAX, width;
    bool several, ignored;
    PL_TRY(search(&found, &several, text, size, labels, n_labels, true));
    if (found != SIZE_MAX) {
        /* Labels that differ in case only are told apart by it. */
        if (several) PL_TRY(search(&exact, &ignored, text, size, labels, n_labels, false));
        *label = exact != SIZE_MAX ? exact : found;
        *out = PL_OUTCOME_LABEL;
        return PL_OK;
    }
    *out = PL_OUTCOME_NONE;
    for (size_t at = 0; at < size; at += width)
        if (is_word(pl_letter(text + at, &width))) *out = PL_OUTCOME_OTHER;
    return PL_OK;
}

/* ---- whole answers ---- */

typedef struct view {
    const char *text;
    size_t size;
} view;

static view trimmed(view v)
{
    size_t width;
    while (v.size > 0 && is_blank(pl_letter(v.text, &width))) {
        v.text += width;
        v.size -= width;
    }
    while (v.size > 0) {
        size_t last = pl_utf8_before(v.text, v.size);
        if (!is_blank(pl_letter(v.text + last, &width))) break;
        v.size = last;
    }
    return v;
}

/* <name> and </name>, or \name{ and }. */
static bool has_markup(view v, size_t *begin, size_t *end)
{
    size_t tag = *v.text == '<' ? tag_size(v.text, v.size) : 0, command;
    if (tag && v.size > 2 * tag + 1 && v.text[v.size - tag - 1] == '<' && v.text[v.size - tag] == '/' &&
        memcmp(v.text + v.size - tag + 1, v.text + 1, tag - 1) == 0) {
        *begin = tag;
        *end = tag + 1;
        return true;
    }
    command = *v.text == '\\' ? command_size(v.text, v.size) : 0;
    *begin = command;
    *end = 1;
    return command && v.text[v.size - 1] == '}';
}

/* Dress that stands in pairs around an answer: its bytes at both ends. */
static bool has_pair(view v, size_t *begin, size_t *end)
{
    static const struct {
        const char *open, *close;
    } pairs[] = {
        /* clang-format off */
        {"\"", "\""}, {"'", "'"}, {"`", "`"}, {"*", "*"}, {"_", "_"}, {"$", "$"},
        {"(", ")"}, {"[", "]"}, {"{", "}"}, {"<", ">"}, {"\\(", "\\)"}, {"\\[", "\\]"},
        {"\xE2\x80\x9C", "\xE2\x80\x9D"}, {"\xE2\x80\x98", "\xE2\x80\x99"}, {"\xE2\x80\x9E", "\xE2\x80\x9C"}, /* curly */
        {"\xC2\xAB", "\xC2\xBB"}, {"\xE3\x80\x8C", "\xE3\x80\x8D"}, /* guillemets, corner brackets */
        /* clang-format on */
    };
    if (has_markup(v, begin, end)) return true;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        *begin = strlen(pairs[i].open);
        *end = strlen(pairs[i].close);
        if (v.size > *begin + *end && memcmp(v.text, pairs[i].open, *begin) == 0 &&
            memcmp(v.text + v.size - *end, pairs[i].close, *end) == 0)
            return true;
    }
    return false;
}

/* One full stop at the end, of "etc." too; several of them are no full stop. */
static size_t stop_size(view v)
{
    static const char wide[] = "\xE3\x80\x82";
    if (v.size > 3 && memcmp(v.text + v.size - 3, wide, 3) == 0) return 3;
    return v.size > 1 && v.text[v.size - 1] == '.' && v.text[v.size - 2] != '.' ? 1 : 0;
}

/* The answer without the dress at its two ends and one full stop; never empty unless it was. */
static view undressed(const char *text, size_t size)
{
    view v = trimmed((view){text, size});
    bool stopped = false;
    size_t begin, end, stop;
    while (v.size > 0) {
        view inner;
        if (has_pair(v, &begin, &end))
            inner = trimmed((view){v.text + begin, v.size - begin - end});
        else if (!stopped && (stop = stop_size(v))) {
            inner = trimmed((view){v.text, v.size - stop});
            stopped = true;
        } else
            break;
        if (inner.size == 0) break;
        v = inner;
    }
    return v;
}

pl_status pl_answer_match(bool *out, const char *text, size_t size, const char *target)
{
    char *a = NULL, *b = NULL;
    size_t n = 0, m = 0;
    pl_status status;
    PL_GOTO(status, done, normalise(&a, &n, text, size, true));
    PL_GOTO(status, done, normalise(&b, &m, target, strlen(target), true));
    view x = undressed(a, n), y = undressed(b, m);
    *out = x.size == y.size && memcmp(x.text, y.text, x.size) == 0;
done:
    free(a);
    free(b);
    return status;
}
