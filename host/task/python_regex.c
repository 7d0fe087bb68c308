#define PCRE2_CODE_UNIT_WIDTH 8
#include "task/python_regex.h"

#include <pcre2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { LONGEST_PATTERN = 4096, MATCH_LIMIT = 10 * 1000 * 1000 };

struct pl__python_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    char *where;
};

/* ---- translation ---- */

typedef struct translator {
    const char *pattern, *where;
    size_t at;
    pl_bytes *out;
} translator;

static pl_status refuse(const translator *t, const char *what)
{
    return pl_fail(PL_E_UNSUPPORTED, "%s: '%.200s': %s at character %zu; write it in another way", t->where, t->pattern,
                   what, pl_utf8_count(t->pattern, t->at) + 1);
}

static bool is_hexadecimal(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!text[i] || !strchr("0123456789abcdefABCDEF", text[i])) return false;
    return true;
}

/* \xhh, \uhhhh, \Uhhhhhhhh. */
static pl_status put_code_point(translator *t, size_t digits)
{
    const char *from = t->pattern + t->at + 2;
    if (!is_hexadecimal(from, digits)) return refuse(t, "an escape without its hexadecimal digits");
    t->at += 2 + digits;
    return pl_bytes_format(t->out, "\\x{%.*s}", (int)digits, from);
}

/* White space is str.isspace(): PCRE2's, and the four separators from U+001C on. */
static pl_status put_space(translator *t, bool in_class, bool negated)
{
    static const char separators[] = "\\s\\x1c-\\x1f";
    if (in_class && negated) return refuse(t, "\\S inside [ ]");
    t->at += 2;
    return in_class ? pl_bytes_text(t->out, separators)
                    : pl_bytes_format(t->out, "[%s%s]", negated ? "^" : "", separators);
}

#define WORD "\\p{L}\\p{N}_"

/* A letter of a word is str.isalnum() or '_'; PCRE2's own \w has changed between versions, and \b with it. */
static pl_status put_word(translator *t, bool in_class, char c)
{
    if (in_class && c == 'W') return refuse(t, "\\W inside [ ]");
    t->at += 2;
    if (c == 'w') return pl_bytes_text(t->out, in_class ? WORD : "[" WORD "]");
    if (c == 'W') return pl_bytes_text(t->out, "[^" WORD "]");
    if (c == 'b') return pl_bytes_text(t->out, "(?:(?<=[" WORD "])(?![" WORD "])|(?<![" WORD "])(?=[" WORD "]))");
    return pl_bytes_text(t->out, "(?:(?<=[" WORD "])(?=[" WORD "])|(?<![" WORD "])(?![" WORD "]))");
}

/* The escape at the cursor. */
static pl_status put_escape(translator *t, bool in_class)
{
    char c = t->pattern[t->at + 1];
    if (!c) return refuse(t, "a backslash at the end");
    if (c == 's' || c == 'S') return put_space(t, in_class, c == 'S');
    if (c == 'w' || c == 'W' || (!in_class && (c == 'b' || c == 'B'))) return put_word(t, in_class, c);
    if (c == 'x') return put_code_point(t, 2);
    if (c == 'u') return put_code_point(t, 4);
    if (c == 'U') return put_code_point(t, 8);
    if (c >= '0' && c <= '9') {
        char next = t->pattern[t->at + 2];
        if (in_class || c == '0' || (next >= '0' && next <= '9'))
            return refuse(t, "a number behind a backslash that is not the number of one group from 1 to 9");
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        if (c == 'Z' && !in_class) {
            t->at += 2;
            return pl_bytes_text(t->out, "\\z");
        }
        if (c == 'v') {
            t->at += 2;
            return pl_bytes_text(t->out, "\\x0b");
        }
        if (!strchr(in_class ? "dDbafnrt" : "dDAafnrt", c)) return refuse(t, "an escape that is not supported");
    }
    size_t n = 1 + pl_utf8_size(c);
    PL_TRY(pl_bytes_append(t->out, t->pattern + t->at, n));
    t->at += n;
    return PL_OK;
}

/* [ ... ]: a ']' that stands first is a letter, as in PCRE2. */
static pl_status put_class(translator *t)
{
    const char *p = t->pattern;
    size_t first = t->at + 1 + (p[t->at + 1] == '^');
    PL_TRY(pl_bytes_append(t->out, p + t->at, first - t->at));
    t->at = first;
    while (p[t->at] && (p[t->at] != ']' || t->at == first)) {
        if (p[t->at] == '[' && strchr(":.=[", p[t->at + 1] ? p[t->at + 1] : 'x'))
            return refuse(t, "[ inside [ ] (write \\[)");
        if ((p[t->at] == '-' || p[t->at] == '&' || p[t->at] == '~' || p[t->at] == '|') && p[t->at + 1] == p[t->at])
            return refuse(t, "a doubled sign inside [ ]");
        if (p[t->at] == '\\') {
            PL_TRY(put_escape(t, true));
            continue;
        }
        if (p[t->at] == '[') PL_TRY(pl_bytes_text(t->out, "\\"));
        PL_TRY(pl_bytes_append(t->out, p + t->at, 1));
        t->at++;
    }
    if (!p[t->at]) return refuse(t, "[ without its ]");
    t->at++;
    return pl_bytes_text(t->out, "]");
}

/* What may follow "(?": groups, looks and names that both read alike; the flags i, m, s. */
static pl_status check_group(const translator *t)
{
    static const char *const kinds[] = {":", "=", "!", "<=", "<!", "P<", "P=", ">"};
    const char *behind = t->pattern + t->at + 2;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(behind, kinds[i], strlen(kinds[i])) == 0) return PL_OK;
    size_t flags = strspn(behind, "ims");
    if (flags && behind[flags] == ':') return PL_OK;
    if (flags && behind[flags] == ')') return t->at == 0 ? PL_OK : refuse(t, "flags that do not stand first");
    return refuse(t, "a group of this kind");
}

/* {n}, {n,}, {,m}, {n,m}; anything else in braces is a letter to both. */
static pl_status put_brace(translator *t)
{
    const char *p = t->pattern + t->at;
    size_t low = strspn(p + 1, "0123456789"), comma = p[1 + low] == ',', high = 0;
    if (comma) high = strspn(p + 2 + low, "0123456789");
    size_t n = 2 + low + comma + high;
    if (p[n - 1] != '}' || (low + high == 0 && !comma)) {
        t->at++;
        return pl_bytes_text(t->out, "\\{");
    }
    t->at += n;
    if (low + high == 0) return pl_bytes_text(t->out, "*"); /* {,} */
    if (low) return pl_bytes_append(t->out, p, n);
    return pl_bytes_format(t->out, "{0,%.*s}", (int)high, p + 2);
}

pl_status pl__python_regex_translate(pl_bytes *out, const char *pattern, const char *where)
{
    translator t = {.pattern = pattern, .where = where, .out = out};
    size_t size = strlen(pattern);
    if (size > LONGEST_PATTERN)
        return pl_fail(PL_E_INPUT, "%s: a pattern of %zu bytes, expected at most %d", where, size, LONGEST_PATTERN);
    while (pattern[t.at]) {
        char c = pattern[t.at];
        if (c == '\\') {
            PL_TRY(put_escape(&t, false));
        } else if (c == '[') {
            PL_TRY(put_class(&t));
        } else if (c == '{') {
            PL_TRY(put_brace(&t));
        } else {
            if (c == '(' && pattern[t.at + 1] == '?') PL_TRY(check_group(&t));
            if (c == '(' && pattern[t.at + 1] == '*') return refuse(&t, "(*");
            PL_TRY(pl_bytes_append(out, &c, 1));
            t.at++;
        }
    }
    return PL_OK;
}

/* ---- running ---- */

static pl_status failed(const char *where, int error)
{
    char text[200];
    pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof text);
    return pl_fail(error == PCRE2_ERROR_NOMEMORY ? PL_E_MEMORY : PL_E_INPUT, "%s: regular expression: %s", where, text);
}

static pl_status compile(pl__python_regex *regex, const pl_bytes *source, const char *pattern)
{
    /* Letters, digits and white space are Unicode's; only \n ends a line, and ^ of (?m) stands behind the last one. */
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C;
    int error;
    size_t offset;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    regex->limits = pcre2_match_context_create(NULL);
    if (!context || !regex->limits || pcre2_set_newline(context, PCRE2_NEWLINE_LF) != 0) {
        pcre2_compile_context_free(context);
        return pl_fail(PL_E_MEMORY, "%s: out of memory", regex->where);
    }
    pcre2_set_match_limit(regex->limits, MATCH_LIMIT);
    regex->code =
        pcre2_compile((PCRE2_SPTR)(source->data ? source->data : ""), source->size, options, &error, &offset, context);
    pcre2_compile_context_free(context);
    if (regex->code) return PL_OK;
    char text[200];
    pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof text);
    return pl_fail(error == PCRE2_ERROR_HEAP_FAILED ? PL_E_MEMORY : PL_E_INPUT,
                   "%s: '%.200s' is no regular expression: %s", regex->where, pattern, text);
}

pl_status pl__python_regex_compile(pl__python_regex **out, const char *pattern, const char *where)
{
    *out = NULL;
    pl_bytes source = {0};
    pl__python_regex *regex = NULL;
    pl_status status;
    PL_TRY(pl_new(&regex, 1));
    PL_GOTO(status, done, pl_copy_text(&regex->where, where));
    PL_GOTO(status, done, pl__python_regex_translate(&source, pattern, where));
    PL_GOTO(status, done, compile(regex, &source, pattern));
    *out = regex;
    regex = NULL;
done:
    pl__python_regex_free(regex);
    pl_bytes_free(&source);
    return status;
}

void pl__python_regex_free(pl__python_regex *regex)
{
    if (!regex) return;
    pcre2_code_free(regex->code);
    pcre2_match_context_free(regex->limits);
    free(regex->where);
    free(regex);
}

pl_status pl__python_regex_remove(const pl__python_regex *regex, pl_bytes *out, const char *text, size_t size)
{
    /* What is left is no longer than what was given. */
    pl_status status = PL_OK;
    char *rest = NULL;
    size_t rest_size = size + 1;
    PL_TRY(pl_new(&rest, rest_size));
    int got = pcre2_substitute(regex->code, (PCRE2_SPTR)text, size, 0, PCRE2_SUBSTITUTE_GLOBAL, NULL, regex->limits,
                               (PCRE2_SPTR) "", 0, (PCRE2_UCHAR *)rest, &rest_size);
    status = got < 0 ? failed(regex->where, got) : pl_bytes_append(out, rest, rest_size);
    free(rest);
    return status;
}

/* What findall gives of one match. */
static void chosen_group(const size_t *ends, uint32_t n_groups, size_t *start, size_t *end)
{
    *start = n_groups == 0 ? ends[0] : SIZE_MAX;
    *end = ends[1];
    for (uint32_t g = 1; g <= n_groups && *start == SIZE_MAX; g++) {
        bool is_set = ends[2 * g] != PCRE2_UNSET, is_empty = is_set && ends[2 * g] == ends[2 * g + 1];
        if (!is_set || is_empty) continue;
        *start = ends[2 * g];
        *end = ends[2 * g + 1];
    }
    if (*start != SIZE_MAX || n_groups != 1) return;
    *start = *end = ends[0]; /* the one group is empty, and so is the text */
}

typedef struct match {
    size_t start, end;
} match;

static pl_status find_all(const pl__python_regex *regex, pcre2_match_data *data, const char *text, size_t size,
                          match **all, size_t *n)
{
    uint32_t n_groups = 0, options = 0;
    size_t capacity = 0;
    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &n_groups);
    for (size_t at = 0; at <= size;) {
        int got = pcre2_match(regex->code, (PCRE2_SPTR)text, size, at, options, data, regex->limits);
        if (got == PCRE2_ERROR_NOMATCH) return PL_OK;
        if (got < 0) return failed(regex->where, got);
        const size_t *ends = pcre2_get_ovector_pointer(data);
        PL_TRY(pl_grow(all, &capacity, *n + 1));
        chosen_group(ends, n_groups, &(*all)[*n].start, &(*all)[*n].end);
        (*n)++;
        /* Behind an empty match, Python takes the next one that is not empty where it stands. */
        options = ends[0] == ends[1] ? PCRE2_NOTEMPTY_ATSTART : 0;
        at = ends[1];
    }
    return PL_OK;
}

pl_status pl__python_regex_pick(const pl__python_regex *regex, const char *text, size_t size, long long which,
                                size_t *n_matches, size_t *start, size_t *end)
{
    match *all = NULL;
    *n_matches = 0;
    *start = *end = SIZE_MAX;
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(regex->code, NULL);
    if (!data) return pl_fail(PL_E_MEMORY, "%s: out of memory", regex->where);
    pl_status status = find_all(regex, data, text, size, &all, n_matches);
    long long n = (long long)*n_matches;
    if (which < 0) which += n;
    if (status == PL_OK && which >= 0 && which < n) {
        *start = all[which].start;
        *end = all[which].end;
    }
    pcre2_match_data_free(data);
    free(all);
    return status;
}
