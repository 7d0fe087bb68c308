#include "jinja/lex.h"

#include <stdlib.h>
#include <string.h>

#include "jinja/letters.h"

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool starts(const pl_jinja *j, size_t at, const char *text)
{
    size_t n = strlen(text);
    return j->size - at >= n && memcmp(j->source + at, text, n) == 0;
}

static pl_status next_text(const pl_jinja *j, size_t *at, pl__jinja_token *out)
{
    char quote = j->source[*at];
    size_t i = *at + 1;
    while (i < j->size && j->source[i] != quote) i += j->source[i] == '\\' ? 2 : 1;
    if (i >= j->size) return pl_jinja_fail(j, *at, "a text in quotes does not end; expected %c", quote);
    *out = (pl__jinja_token){PL__J_T_TEXT, *at, i + 1 - *at, false};
    *at = i + 1;
    return PL_OK;
}

/* Digits with an underscore between any two; *i moves behind them. */
static bool read_digits(const pl_jinja *j, size_t *i)
{
    size_t from = *i;
    while (*i < j->size && (is_digit(j->source[*i]) ||
                            (*i > from && j->source[*i] == '_' && *i + 1 < j->size && is_digit(j->source[*i + 1]))))
        ++*i;
    return *i > from;
}

/* 12, 1_000, 1.5 or 1e3; behind a dot only 12, as "x.0.1" is two look-ups. */
static pl_status next_number(const pl_jinja *j, size_t *at, pl__jinja_token *out)
{
    bool after_dot = *at > 0 && j->source[*at - 1] == '.', real = false;
    size_t i = *at;
    read_digits(j, &i);
    bool plain = j->source[*at] != '0' || strspn(j->source + *at, "0_") >= i - *at;
    for (int part = 0; part < 2 && !after_dot; part++) {
        size_t k = i;
        if (k < j->size && (part ? j->source[k] == 'e' || j->source[k] == 'E' : j->source[k] == '.')) k++;
        if (k > i && part && k < j->size && (j->source[k] == '+' || j->source[k] == '-')) k++;
        if (k == i || !read_digits(j, &k)) continue;
        real = true;
        i = k;
    }
    size_t n = i - *at;
    if ((!plain && !real) || n > 40 || (i < j->size && is_name_byte(j->source[i])))
        return pl_jinja_fail(j, *at, "number '%.*s...': expected plain decimal digits such as 12 or 0.5",
                             (int)(n > 40 ? 40 : n), j->source + *at);
    *out = (pl__jinja_token){real ? PL__J_T_REAL : PL__J_T_INTEGER, *at, n, false};
    *at = i;
    return PL_OK;
}

pl_status pl__jinja_next(const pl_jinja *j, size_t *at, const char *close, bool in_braces, pl__jinja_token *out)
{
    static const char *const operators[] = {"//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "[",
                                            "]",  "(",  ")",  "{",  "}",  "<",  ">", "=", ".", ":", "|", ",", NULL};
    size_t width;
    while (*at < j->size && pl_is_space(pl_letter(j->source + *at, &width))) *at += width;
    if (*at >= j->size) return pl_jinja_fail(j, j->size, "the tag does not end; expected '%s'", close);
    char c = j->source[*at];
    /* Before a closing mark, '-' trims what follows; '+' (blocks only) says not to, which is the rule here anyway. */
    bool marked = (c == '-' || (c == '+' && close[0] == '%')) && starts(j, *at + 1, close);
    if (marked || (!in_braces && starts(j, *at, close))) {
        *out = (pl__jinja_token){PL__J_T_CLOSE, *at, marked ? 3 : 2, c == '-'};
        *at += out->size;
        return PL_OK;
    }
    if (c == '\'' || c == '"') return next_text(j, at, out);
    if (is_digit(c)) return next_number(j, at, out);
    if (is_name_byte(c)) {
        size_t from = *at;
        while (*at < j->size && is_name_byte(j->source[*at])) ++*at;
        *out = (pl__jinja_token){PL__J_T_NAME, from, *at - from, false};
        return PL_OK;
    }
    for (const char *const *op = operators; *op; op++)
        if (starts(j, *at, *op)) {
            *out = (pl__jinja_token){PL__J_T_OPERATOR, *at, strlen(*op), false};
            *at += out->size;
            return PL_OK;
        }
    return pl_jinja_fail(j, *at, "unexpected character '%c'", c);
}

/* ---- escapes ---- */

/* Reads up to `digits` digits of the base behind *i. */
static size_t read_code(const char *text, size_t size, size_t *i, int base, size_t digits, int32_t *code)
{
    char buffer[9] = "";
    size_t n = 0;
    while (n < digits && *i + n < size) {
        char c = text[*i + n];
        bool fits = base == 8 ? c >= '0' && c <= '7' : is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!fits) break;
        buffer[n++] = c;
    }
    unsigned long value = strtoul(buffer, NULL, base);
    *code = value > 0x10FFFF ? -1 : (int32_t)value;
    *i += n;
    return n;
}

/* One escape; *i stands behind the backslash and moves behind the escape. */
static pl_status unescape(const pl_jinja *j, size_t at, const char *text, size_t size, size_t *i, pl_bytes *out)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    char c = text[*i];
    if (c == '\n') { /* a continued line */
        ++*i;
        return PL_OK;
    }
    const char *simple = strchr(from, c);
    if (c && simple) {
        ++*i;
        return pl_bytes_append(out, &to[simple - from], 1);
    }
    int32_t code = 0;
    if (c >= '0' && c <= '7')
        read_code(text, size, i, 8, 3, &code);
    else if (c == 'x' || c == 'u' || c == 'U') {
        size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        ++*i;
        if (read_code(text, size, i, 16, digits, &code) != digits)
            return pl_jinja_fail(j, at, "escape \\%c: expected %zu hexadecimal digits", c, digits);
    } else if (c == 'N' || (unsigned char)c >= 0x80)
        return pl_jinja_fail(j, at,
                             "an escape by name, or a backslash before a letter outside ASCII, is not supported; "
                             "write the letter itself");
    else /* Python leaves an escape that it does not know as it is */
        return pl_bytes_text(out, "\\");
    if (code <= 0 || (code >= 0xD800 && code <= 0xDFFF))
        return pl_jinja_fail(j, at, "an escape gives no letter (zero, a surrogate or beyond U+10FFFF)");
    return pl_letter_append(out, code);
}

pl_status pl__jinja_unquote(const pl_jinja *j, const pl__jinja_token *token, pl_bytes *out)
{
    const char *text = j->source + token->at + 1;
    size_t size = token->size - 2;
    for (size_t i = 0; i < size;) {
        const char *slash = memchr(text + i, '\\', size - i);
        size_t run = slash ? (size_t)(slash - text) - i : size - i;
        PL_TRY(pl_bytes_append(out, text + i, run));
        i += run;
        if (i >= size) break;
        i++;
        PL_TRY(unescape(j, token->at + i, text, size, &i, out));
    }
    return PL_OK;
}

/* ---- the parser's view: one token at a time ---- */

pl_status pl__jinja_advance(pl__jinja_parser *p)
{
    return pl__jinja_next(p->j, &p->at, p->close, p->braces > 0 && *p->close == '}', &p->token);
}

bool pl__jinja_is(const pl__jinja_parser *p, pl__jinja_token_kind kind, const char *text)
{
    return p->token.kind == kind && p->token.size == strlen(text) &&
           memcmp(p->j->source + p->token.at, text, p->token.size) == 0;
}

bool pl__jinja_is_op(const pl__jinja_parser *p, const char *text)
{
    return pl__jinja_is(p, PL__J_T_OPERATOR, text);
}

bool pl__jinja_is_word(const pl__jinja_parser *p, const char *text)
{
    return pl__jinja_is(p, PL__J_T_NAME, text);
}

int pl__jinja_shown(const pl__jinja_parser *p)
{
    return (int)(p->token.size > 60 ? 60 : p->token.size);
}

pl_status pl__jinja_unexpected(const pl__jinja_parser *p, const char *expected)
{
    return pl_jinja_fail(p->j, p->token.at, "expected %s, found '%.*s'", expected, pl__jinja_shown(p),
                         p->j->source + p->token.at);
}

pl_status pl__jinja_expect_close(pl__jinja_parser *p, const char *what)
{
    if (p->token.kind != PL__J_T_CLOSE) return pl__jinja_unexpected(p, what);
    p->trim = p->token.trims;
    /* trim_blocks: of a block, the newline behind it. */
    bool kept = p->trim || *p->close != '%' || p->j->source[p->token.at] == '+';
    if (p->j->is_chat && !kept && p->at < p->j->size && p->j->source[p->at] == '\n') p->at++;
    return PL_OK;
}
