/* Oniguruma's dialect to PCRE2's.
 *
 * The same spelling means the same for most of both languages. The differences that tokenizer files meet: `\s` (PCRE2
 * adds U+180E), `\w` (PCRE2 leaves out marks), `\h` and `\v` (other classes), `^` and `$` (always line anchors in
 * Oniguruma: PCRE2_MULTILINE), sets inside sets, and intersections of sets. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tokenizer/regex.h"

struct reader {
    const char *text;
    size_t size, at;
    const char *where;
    pl_bytes *out;
};

static char peek(const struct reader *r, size_t ahead)
{
    return r->at + ahead < r->size ? r->text[r->at + ahead] : 0;
}

static bool looking_at(const struct reader *r, const char *text)
{
    size_t n = strlen(text);
    return r->size - r->at >= n && memcmp(r->text + r->at, text, n) == 0;
}

static pl_status unsupported(const struct reader *r, const char *what)
{
    return pl_fail(PL_E_UNSUPPORTED, "%s: %s at byte %zu of the pattern '%.200s' is not supported", r->where, what,
                   r->at, r->text);
}

/* Copies n bytes of the pattern. */
static pl_status copy(struct reader *r, size_t n)
{
    PL_TRY(pl_bytes_append(r->out, r->text + r->at, n));
    r->at += n;
    return PL_OK;
}

/* Puts `text` for n bytes of the pattern. */
static pl_status put(struct reader *r, const char *text, size_t n)
{
    r->at += n;
    return pl_bytes_text(r->out, text);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* \p{...}, \x{...}: up to the closing brace. */
static pl_status braced(struct reader *r)
{
    const char *close = r->at + 2 < r->size ? memchr(r->text + r->at, '}', r->size - r->at) : NULL;
    if (peek(r, 2) != '{' || !close) return unsupported(r, "an escape without braces");
    return copy(r, (size_t)(close - (r->text + r->at)) + 1);
}

#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"

static pl_status escape(struct reader *r, bool in_set)
{
    char c = peek(r, 1);
    switch (c) {
    case 's':
        return put(r, "\\p{White_Space}", 2);
    case 'S':
        return put(r, "\\P{White_Space}", 2);
    case 'w':
        return put(r, in_set ? WORD : "[" WORD "]", 2);
    case 'W':
        return in_set ? unsupported(r, "\\W in a set") : put(r, "[^" WORD "]", 2);
    case 'h':
        return put(r, in_set ? "0-9a-fA-F" : "[0-9a-fA-F]", 2);
    case 'v':
        return put(r, "\\x0b", 2);
    case 'd':
    case 'D':
    case 'n':
    case 'r':
    case 't':
    case 'f':
    case 'a':
    case 'e':
        return copy(r, 2);
    case 'A':
    case 'z':
    case 'Z':
        return in_set ? unsupported(r, "an anchor in a set") : copy(r, 2);
    case 'p':
    case 'P':
        return braced(r);
    case 'x':
        /* Two digits are a raw byte in Oniguruma: the same thing for ASCII only. */
        if (peek(r, 2) == '{') return braced(r);
        if (peek(r, 2) >= '0' && peek(r, 2) <= '7' && is_hex(peek(r, 3))) return copy(r, 4);
        return unsupported(r, "\\x");
    case 'u':
        for (size_t i = 2; i < 6; i++)
            if (!is_hex(peek(r, i))) return unsupported(r, "\\u");
        PL_TRY(pl_bytes_format(r->out, "\\x{%.4s}", r->text + r->at + 2));
        r->at += 6;
        return PL_OK;
    default:
        if (c > ' ' && c < 0x7F && !strchr("0123456789", c) && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
            return copy(r, 2);
        return unsupported(r, "this escape");
    }
}

/* [...]: a set inside a set is a union, so its brackets go; everything that would change the sense of that is refused.
 */
static pl_status set(struct reader *r)
{
    PL_TRY(copy(r, 1));
    if (peek(r, 0) == '^') PL_TRY(copy(r, 1));
    size_t depth = 0;
    for (bool first = true; r->at < r->size; first = false) {
        char c = peek(r, 0);
        if (c == '\\') {
            PL_TRY(escape(r, true));
        } else if (c == '[') {
            if (peek(r, 1) == ':' || peek(r, 1) == '^' || peek(r, 1) == ']' || peek(r, 1) == '-')
                return unsupported(r, "this set inside a set");
            depth++;
            r->at++;
        } else if (c == ']' && first) {
            return unsupported(r, "an empty set");
        } else if (c == ']') {
            if (depth == 0) return copy(r, 1);
            if (r->text[r->at - 1] == '-') return unsupported(r, "this set inside a set");
            depth--;
            r->at++;
        } else if (c == '&' && peek(r, 1) == '&') {
            return unsupported(r, "an intersection of sets");
        } else {
            PL_TRY(copy(r, 1));
        }
    }
    return unsupported(r, "a set that does not end");
}

static pl_status group(struct reader *r)
{
    static const char *const openings[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:"};
    if (peek(r, 1) != '?') return peek(r, 1) == '*' ? unsupported(r, "'(*'") : copy(r, 1);
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++)
        if (looking_at(r, openings[i])) return copy(r, strlen(openings[i]));
    /* In front of everything an option holds for the whole pattern in both dialects. */
    if (r->at == 0 && looking_at(r, "(?i)")) return copy(r, 4);
    return unsupported(r, "this kind of group");
}

/* {n}, {n,}, {,m}, {n,m}; any other brace is itself in both dialects. */
static pl_status interval(struct reader *r)
{
    size_t i = 1, digits = 0;
    for (; (peek(r, i) >= '0' && peek(r, i) <= '9') || peek(r, i) == ','; i++) digits += peek(r, i) != ',';
    if (digits == 0 || peek(r, i) != '}') return copy(r, 1);
    if (peek(r, i + 1) == '+') return unsupported(r, "'}+'");
    PL_TRY(peek(r, 1) == ',' ? put(r, "{0", 1) : copy(r, 1));
    return copy(r, i);
}

pl_status pl__regex_translate(pl_bytes *out, const char *pattern, size_t size, const char *where)
{
    struct reader r = {.text = pattern, .size = size, .where = where, .out = out};
    if (memchr(pattern, 0, size)) return unsupported(&r, "a NUL");
    while (r.at < size) {
        switch (peek(&r, 0)) {
        case '\\':
            PL_TRY(escape(&r, false));
            break;
        case '[':
            PL_TRY(set(&r));
            break;
        case '(':
            PL_TRY(group(&r));
            break;
        case '{':
            PL_TRY(interval(&r));
            break;
        default:
            PL_TRY(copy(&r, 1));
        }
    }
    return PL_OK;
}
