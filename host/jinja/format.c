/* Python's two ways to put values into a text: "%s" % x and "{}".format(x). */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/tree.h"

enum { MOST_WIDTH = 1000, MOST_PRECISION = 50, MOST_DIGITS = 400 };

/* How one value is written. */
typedef struct spec {
    char align, sign, type; /* 0: not said; sign '+' or ' ' */
    bool zeros, alternate;
    size_t width;
    int precision; /* -1: not said */
} spec;

/* str(value): a text as it is, all else as Python writes it. */
static pl_status plain(const pl_jinja *j, size_t at, const json_t *value, pl_bytes *out)
{
    if (!json_is_string(value)) return pl_jinja_repr(j, at, value, out);
    return pl_bytes_append(out, json_string_value(value), json_string_length(value));
}

static pl_status write_number(const pl_jinja *j, size_t at, const json_t *value, const spec *s, pl_bytes *out)
{
    char pattern[16], digits[MOST_DIGITS];
    long long whole = 0;
    double real;
    if (!pl__jinja_number(value, &real))
        return pl_jinja_fail(j, at, "format: type %c expects a number, found %s", s->type,
                             pl__jinja_kind_name(j, value));
    bool is_whole = strchr("dixXo", s->type) != NULL;
    if (is_whole && !pl__jinja_whole(value, &whole)) {
        if (s->type != 'd' || real >= 0x1p63 || real <= -0x1p63)
            return pl_jinja_fail(j, at, "format: type %c expects an integer", s->type);
        whole = (long long)real;
    }
    if (is_whole && (s->precision >= 0 || (whole < 0 && s->type != 'd')))
        return pl_jinja_fail(j, at, "format: type %c with a precision, or of a negative number, is not supported",
                             s->type);
    if (!is_whole && (real > 1e100 || real < -1e100)) return pl_jinja_fail(j, at, "format: a number beyond 1e100");
    snprintf(pattern, sizeof pattern, "%%%s%s%s%c",
             s->sign == '+'   ? "+"
             : s->sign == ' ' ? " "
                              : "",
             is_whole ? "" : ".*", is_whole ? "ll" : "", s->type == 'i' ? 'd' : s->type);
    int n = is_whole ? snprintf(digits, sizeof digits, pattern, whole)
                     : snprintf(digits, sizeof digits, pattern, s->precision < 0 ? 6 : s->precision, real);
    return pl_bytes_append(out, digits, n > 0 ? (size_t)n : 0);
}

/* `own` padded to the width; zeros stand behind the sign. */
static pl_status pad(pl_bytes *out, const pl_bytes *own, const spec *s, bool is_number)
{
    size_t letters = own->size ? pl_utf8_count(own->data, own->size) : 0,
           room = s->width > letters ? s->width - letters : 0;
    char align = s->align ? s->align : is_number ? '>' : '<';
    size_t left = align == '>' ? room : align == '^' ? room / 2 : 0, sign = 0;
    bool zeros = s->zeros && is_number && !s->align;
    if (zeros && own->size && strchr("+- ", *own->data)) sign = 1;
    PL_TRY(pl_bytes_append(out, own->data ? own->data : "", sign));
    for (size_t i = 0; i < left; i++) PL_TRY(pl_bytes_append(out, zeros ? "0" : " ", 1));
    PL_TRY(pl_bytes_append(out, own->data ? own->data + sign : "", own->size - sign));
    for (size_t i = left; i < room; i++) PL_TRY(pl_bytes_append(out, " ", 1));
    return PL_OK;
}

static pl_status write_one(const pl_jinja *j, size_t at, const json_t *value, const spec *s, pl_bytes *out)
{
    pl_bytes own = {0};
    PL_TRY(pl__jinja_step_over(j, at, value)); /* all of it, though a precision may keep none of it */
    bool is_number = strchr("dixXofFeEgG", s->type) != NULL;
    pl_status status;
    if (is_number)
        status = write_number(j, at, value, s, &own);
    else
        status = s->type == 'r' ? pl_jinja_repr(j, at, value, &own) : plain(j, at, value, &own);
    if (status == PL_OK && !is_number && s->precision >= 0) { /* so many letters of it */
        size_t kept = 0;
        for (int i = 0; i < s->precision && kept < own.size; i++) kept += pl_utf8_size(own.data[kept]);
        own.size = kept;
    }
    if (status == PL_OK) status = pad(out, &own, s, is_number);
    pl_bytes_free(&own);
    return status;
}

/* Digits at *i, at most `most`. */
static bool read_number(const char *text, size_t size, size_t *i, size_t most, size_t *out)
{
    size_t from = *i;
    *out = 0;
    while (*i < size && text[*i] >= '0' && text[*i] <= '9' && *out <= most)
        *out = *out * 10 + (size_t)(text[(*i)++] - '0');
    return *i > from && *out <= most;
}

pl_status pl__jinja_percent(const pl_jinja *j, size_t at, const json_t *pattern, const json_t *values, json_t **out)
{
    const char *text = json_string_value(pattern);
    size_t size = json_string_length(pattern), used = 0, number;
    pl_bytes made = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; i < size && status == PL_OK;) {
        const char *percent = memchr(text + i, '%', size - i);
        size_t run = percent ? (size_t)(percent - text) - i : size - i;
        PL_GOTO(status, done, pl_bytes_append(&made, text + i, run));
        i += run;
        if (i >= size) break;
        spec s = {.align = '>', .precision = -1};
        bool minus = false;
        for (i++; i < size && strchr("-+ 0", text[i]); i++) {
            minus = minus || text[i] == '-';
            s.zeros = s.zeros || text[i] == '0';
            if (text[i] == '+' || (text[i] == ' ' && !s.sign)) s.sign = text[i];
        }
        if (read_number(text, size, &i, MOST_WIDTH, &number)) s.width = number;
        if (i < size && text[i] == '.') {
            i++;
            s.precision = read_number(text, size, &i, MOST_PRECISION, &number) ? (int)number : 0;
        }
        if (i >= size || !strchr("sdrifFeEgGxXo%", text[i])) {
            status = pl_jinja_fail(j, at, "format: expected %%s, %%d, %%r, %%f, %%e, %%g, %%x, %%o or %%%%");
            goto done;
        }
        s.type = text[i++];
        s.align = minus ? '<' : s.zeros && !strchr("sr", s.type) ? 0 : '>';
        if (s.type == '%') {
            PL_GOTO(status, done, pl_bytes_append(&made, "%", 1));
            continue;
        }
        if (used >= json_array_size(values)) {
            status = pl_jinja_fail(j, at, "format: more places than values (%zu)", json_array_size(values));
            goto done;
        }
        PL_GOTO(status, done, write_one(j, at, json_array_get(values, used++), &s, &made));
        PL_GOTO(status, done, pl__jinja_check_text(j, at, made.size));
    }
    if (used < json_array_size(values))
        status = pl_jinja_fail(j, at, "format: %zu values for %zu places", json_array_size(values), used);
    else
        status = pl__jinja_new_text(j, at, out, made.data, made.size);
done:
    pl_bytes_free(&made);
    return status;
}

/* [[<^>]][sign][0][width][.precision][type] behind the colon, up to the brace; *i moves behind it. */
static pl_status read_spec(const pl_jinja *j, size_t at, const char *text, size_t size, size_t *i, spec *s)
{
    size_t number;
    if (*i < size && strchr("<^>", text[*i])) s->align = text[(*i)++];
    if (*i < size && strchr("+ -", text[*i])) s->sign = text[(*i)++];
    if (*i < size && text[*i] == '0') {
        s->zeros = true;
        ++*i;
    }
    if (read_number(text, size, i, MOST_WIDTH, &number)) s->width = number;
    if (*i < size && text[*i] == '.') {
        ++*i;
        if (read_number(text, size, i, MOST_PRECISION, &number)) s->precision = (int)number;
    }
    if (*i < size && strchr("sdfFeEgxX", text[*i])) s->type = text[(*i)++];
    if (*i < size && text[*i] == '}') return PL_OK;
    return pl_jinja_fail(j, at, "format: expected {:[<^>][+][0][width][.precision][s|d|f|e|g|x]}");
}

/* One field in braces; *i stands behind the opening one and moves behind the closing one. */
static pl_status write_field(const pl_jinja *j, size_t at, const char *text, size_t size, size_t *i,
                             json_t *const *values, size_t n, size_t *next, pl_bytes *out)
{
    spec s = {.precision = -1, .type = 0};
    size_t index;
    bool by_number = read_number(text, size, i, PL__JINJA_MAX_ARGUMENTS, &index);
    if (by_number ? *next > 0 && *next != SIZE_MAX : *next == SIZE_MAX)
        return pl_jinja_fail(j, at, "format: {} and {0} in one text");
    if (by_number)
        *next = SIZE_MAX;
    else
        index = (*next)++;
    if (*i < size && text[*i] == ':') {
        ++*i;
        PL_TRY(read_spec(j, at, text, size, i, &s));
    }
    if (*i >= size || text[*i] != '}') return pl_jinja_fail(j, at, "format: expected {}, {0} or {:...}");
    ++*i;
    if (index >= n) return pl_jinja_fail(j, at, "format: no value %zu; there are %zu", index, n);
    const json_t *value = values[index];
    bool is_text = json_is_string(value), is_real = json_is_real(value), said = s.width || s.precision >= 0 || s.sign;
    if (!s.type && is_real && s.precision >= 0)
        return pl_jinja_fail(j, at, "format: a precision without a type is not supported; write f or g");
    if ((s.type == 's') != is_text && s.type && (is_text || s.type == 's'))
        return pl_jinja_fail(j, at, "format: type %c does not fit %s", s.type, pl__jinja_kind_name(j, value));
    if (said && !is_text && !json_is_number(value))
        return pl_jinja_fail(j, at, "format: no width or precision for %s", pl__jinja_kind_name(j, value));
    if (is_real && s.type && strchr("dxX", s.type))
        return pl_jinja_fail(j, at, "format: type %c expects an integer", s.type);
    if (!s.type) s.type = is_text || is_real || !json_is_integer(value) ? 's' : 'd';
    if (is_real && s.type == 's' && (s.sign || s.zeros))
        return pl_jinja_fail(j, at, "format: a sign or zeros without a type; write f or g");
    if (is_real && s.type == 's' && !s.align) s.align = '>';
    return write_one(j, at, value, &s, out);
}

pl_status pl__jinja_braces(const pl_jinja *j, size_t at, const json_t *pattern, json_t *const *values, size_t n,
                           json_t **out)
{
    const char *text = json_string_value(pattern);
    size_t size = json_string_length(pattern), next = 0;
    pl_bytes made = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; i < size;) {
        char c = text[i];
        bool brace = c == '{' || c == '}', doubled = brace && i + 1 < size && text[i + 1] == c;
        i += doubled ? 2 : 1;
        if (!brace || doubled)
            PL_GOTO(status, done, pl_bytes_append(&made, &c, 1));
        else if (c == '}') {
            status = pl_jinja_fail(j, at, "format: a single '}'");
            goto done;
        } else
            PL_GOTO(status, done, write_field(j, at, text, size, &i, values, n, &next, &made));
        PL_GOTO(status, done, pl__jinja_check_text(j, at, made.size));
    }
    status = pl__jinja_new_text(j, at, out, made.data, made.size);
done:
    pl_bytes_free(&made);
    return status;
}
