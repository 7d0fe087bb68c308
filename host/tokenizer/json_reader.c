#include "tokenizer/json_reader.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/unicode.h"

void pl__json_reader_free(pl__json_reader *r)
{
    pl_bytes_free(&r->text[0]);
    pl_bytes_free(&r->text[1]);
}

static void skip_space(pl__json_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')) r->at++;
}

bool pl__json_next(pl__json_reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

bool pl__json_end(pl__json_reader *r)
{
    skip_space(r);
    return r->at == r->end;
}

pl_status pl__json_expected(const pl__json_reader *r, const char *what)
{
    return pl_fail(PL_E_INPUT, "%s: not valid JSON: expected %s at byte %zu", r->where, what,
                   (size_t)(r->at - r->start));
}

/* \uXXXX at r->at, or a pair of surrogates. */
static pl_status unicode_escape(pl__json_reader *r, uint32_t *character)
{
    uint32_t units[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u') return pl__json_expected(r, "\\uXXXX");
        for (size_t k = 2; k < 6; k++) {
            char c = r->at[k];
            uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                             : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                             : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                    : 16;
            if (digit == 16) return pl__json_expected(r, "four hexadecimal digits");
            units[i] = units[i] * 16 + digit;
        }
        r->at += 6;
        if (i == 0 && (units[0] < 0xD800 || units[0] > 0xDFFF)) {
            *character = units[0];
            return PL_OK;
        }
    }
    if (units[0] > 0xDBFF || units[1] < 0xDC00 || units[1] > 0xDFFF)
        return pl__json_expected(r, "a pair of surrogates");
    *character = 0x10000 + ((units[0] - 0xD800) << 10) + (units[1] - 0xDC00);
    return PL_OK;
}

/* One escape at r->at, appended to `out`. */
static pl_status escape(pl__json_reader *r, pl_bytes *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *known = r->end - r->at > 1 && r->at[1] ? strchr(from, r->at[1]) : NULL;
    if (known) {
        r->at += 2;
        return pl_bytes_append(out, to + (known - from), 1);
    }
    uint32_t character = 0;
    char bytes[4];
    PL_TRY(unicode_escape(r, &character));
    return pl_bytes_append(out, bytes, pl_utf8_put(bytes, character));
}

/* To the next quote, backslash or control character. */
static void run(pl__json_reader *r)
{
    while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (uint8_t)*r->at >= 0x20) r->at++;
}

pl_status pl__json_text(pl__json_reader *r, const char **text, size_t *size)
{
    if (!pl__json_next(r, '"')) return pl__json_expected(r, "a text");
    const char *start = r->at;
    run(r);
    *text = start;
    *size = (size_t)(r->at - start);
    if (r->at < r->end && *r->at == '\\') {
        pl_bytes *out = &r->text[r->turn ^= 1];
        pl_bytes_clear(out);
        PL_TRY(pl_bytes_append(out, start, *size));
        while (r->at < r->end && *r->at == '\\') {
            PL_TRY(escape(r, out));
            start = r->at;
            run(r);
            PL_TRY(pl_bytes_append(out, start, (size_t)(r->at - start)));
        }
        *text = out->data;
        *size = out->size;
    }
    if (r->at == r->end || *r->at != '"') return pl__json_expected(r, "'\"'");
    r->at++;
    return PL_OK;
}

pl_status pl__json_integer(pl__json_reader *r, int64_t *value)
{
    enum { DIGITS_MAX = 18 };
    bool negative = pl__json_next(r, '-');
    const char *start = r->at;
    *value = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - start < DIGITS_MAX)
        *value = *value * 10 + (*r->at++ - '0');
    bool more = r->at < r->end && (*r->at == '.' || (*r->at | 0x20) == 'e' || (*r->at >= '0' && *r->at <= '9'));
    bool padded = r->at - start > 1 && *start == '0';
    if (r->at == start || more || padded) return pl__json_expected(r, "an integer");
    if (negative) *value = -*value;
    return PL_OK;
}

pl_status pl__json_real(pl__json_reader *r, double *value)
{
    enum { CHARACTERS_MAX = 63 };
    char text[CHARACTERS_MAX + 1], *end;
    size_t n = 0;
    skip_space(r);
    while (n < CHARACTERS_MAX && r->at + n < r->end && r->at[n] && strchr("+-.0123456789eE", r->at[n])) n++;
    memcpy(text, r->at, n);
    text[n] = 0;
    *value = strtod(text, &end);
    if (n == 0 || *end || *text == '+' || *text == '.') return pl__json_expected(r, "a number");
    r->at += n;
    return PL_OK;
}

/* Past a text; false when it does not end. */
static bool skip_text(pl__json_reader *r)
{
    for (r->at++; r->at < r->end; r->at++) {
        if (*r->at == '\\')
            r->at++;
        else if (*r->at == '"') {
            r->at++;
            return true;
        }
        if (r->at == r->end) break;
    }
    return false;
}

bool pl__json_skip(pl__json_reader *r)
{
    size_t depth = 0;
    skip_space(r);
    while (r->at < r->end) {
        char c = *r->at;
        if (depth == 0 && (c == ',' || c == '}' || c == ']')) return true;
        if (c == '"') {
            if (!skip_text(r)) return false;
            continue;
        }
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        r->at++;
        if (depth == 0 && (c == '}' || c == ']')) return true;
    }
    return depth == 0;
}
