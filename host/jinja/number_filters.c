/* Filters that give numbers, `default` and range(), each as jinja2 and Python define them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "jinja/letters.h"
#include "jinja/tree.h"

/* default(default_value="", boolean=false) */
pl_status pl__jinja_default(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    bool falls = pl__jinja_is_mark(j, value, PL__J_UNDEFINED) || pl__jinja_is_mark(j, value, PL__J_NOTHING) ||
                 (arguments[1] && pl__jinja_true(j, arguments[1]) && !pl__jinja_true(j, value));
    if (!falls) return pl__jinja_made(out, json_incref((json_t *)(uintptr_t)value));
    if (arguments[0]) return pl__jinja_made(out, json_incref(arguments[0]));
    return pl__jinja_new_text(j, at, out, "", 0);
}

/* A text as Python's int() or float() takes it, into `digits` (NUL-terminated, without underscores and white space at
 * the ends); false: it is none. */
static bool number_digits(char *digits, size_t room, const char *text, size_t size, bool real)
{
    size_t n = 0;
    text = pl_strip(text, &size, true, true);
    if (size == 0 || size >= room) return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool digit = c >= '0' && c <= '9';
        if (c == '_') {
            bool between = i > 0 && i + 1 < size && text[i - 1] >= '0' && text[i - 1] <= '9' && text[i + 1] >= '0' &&
                           text[i + 1] <= '9';
            if (!between) return false;
            continue;
        }
        if (!digit && !((c == '+' || c == '-') && (i == 0 || real)) && !(real && (c == '.' || c == 'e' || c == 'E')))
            return false;
        digits[n++] = c;
    }
    digits[n] = 0;
    return true;
}

/* *found: false where Python would raise ValueError. */
static pl_status text_real(const pl_jinja *j, size_t at, const json_t *text, bool *found, double *out)
{
    char digits[512], *end;
    const char *own = json_string_value(text);
    size_t size = json_string_length(text);
    *found = number_digits(digits, sizeof digits, own, size, true);
    if (!*found) {
        /* inf, nan, and digits of other scripts are numbers to Python, too. */
        own = pl_strip(own, &size, true, true);
        for (size_t i = 0, width; i < size; i += width)
            if (utf8proc_category(pl_letter(own + i, &width)) == UTF8PROC_CATEGORY_ND && width > 1)
                return pl_jinja_fail(j, at, "a number in digits outside ASCII is not supported");
        if (size >= sizeof digits) return pl_jinja_fail(j, at, "a number of more than %zu letters", sizeof digits);
        if (size && strchr("+-iInN", *own)) {
            memcpy(digits, own, size);
            digits[size] = 0;
            double value = strtod(digits, &end);
            if (end != digits && *end == 0 && !isfinite(value) && !strchr(digits, '('))
                return pl_jinja_fail(j, at, "a number that is not finite");
        }
        return PL_OK;
    }
    *out = strtod(digits, &end);
    *found = end != digits && *end == 0;
    if (*found && !isfinite(*out)) return pl_jinja_fail(j, at, "a number that is not finite");
    return PL_OK;
}

/* int(default=0) */
pl_status pl__jinja_int(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    char digits[512], *end;
    long long whole;
    double real = 0;
    bool found = json_is_real(value);
    if (pl__jinja_whole(value, &whole)) return pl__jinja_made(out, json_integer(whole));
    if (json_is_string(value)) {
        if (number_digits(digits, sizeof digits, json_string_value(value), json_string_length(value), false)) {
            errno = 0;
            whole = strtoll(digits, &end, 10);
            if (errno == ERANGE) return pl_jinja_fail(j, at, "int: a number beyond 64 bits");
            if (end != digits && *end == 0) return pl__jinja_made(out, json_integer(whole));
        }
        PL_TRY(text_real(j, at, value, &found, &real));
    } else
        pl__jinja_number(value, &real);
    if (found && fabs(real) >= 0x1p63) return pl_jinja_fail(j, at, "int: a number beyond 64 bits");
    if (found) return pl__jinja_made(out, json_integer((json_int_t)real));
    return pl__jinja_made(out, arguments[0] ? json_incref(arguments[0]) : json_integer(0));
}

/* float(default=0.0) */
pl_status pl__jinja_float(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    double real;
    bool found = pl__jinja_number(value, &real);
    if (json_is_string(value)) PL_TRY(text_real(j, at, value, &found, &real));
    if (found) return pl__jinja_new_real(j, at, out, real);
    return pl__jinja_made(out, arguments[0] ? json_incref(arguments[0]) : json_real(0));
}

/* round(precision=0, method="common"): Python's round(), to the nearest decimal of the exact value, halves to even. */
pl_status pl__jinja_round(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    enum { MOST = 15 };
    const char *method = arguments[1] && json_is_string(arguments[1]) ? json_string_value(arguments[1]) : "common";
    long long precision = 0;
    double real;
    char digits[400];
    if (!pl__jinja_number(value, &real)) return pl_jinja_fail(j, at, "round: expected a number");
    if (arguments[0] && (!pl__jinja_whole(arguments[0], &precision) || precision < 0 || precision > MOST))
        return pl_jinja_fail(j, at, "round: expected a precision of 0 to %d", (int)MOST);
    if (strcmp(method, "ceil") == 0 || strcmp(method, "floor") == 0) {
        double scale = pow(10, (double)precision), scaled = real * scale;
        return pl__jinja_new_real(j, at, out, (*method == 'c' ? ceil(scaled) : floor(scaled)) / scale);
    }
    if (strcmp(method, "common") != 0) return pl_jinja_fail(j, at, "round: expected common, ceil or floor");
    if (!json_is_real(value))
        return pl__jinja_made(
            out, json_integer((json_int_t)(json_is_integer(value) ? json_integer_value(value) : json_is_true(value))));
    snprintf(digits, sizeof digits, "%.*f", (int)precision, real);
    return pl__jinja_new_real(j, at, out, strtod(digits, NULL));
}

pl_status pl__jinja_abs(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    long long whole;
    (void)arguments;
    if (pl__jinja_whole(value, &whole) && whole != INT64_MIN)
        return pl__jinja_made(out, json_integer(whole < 0 ? -whole : whole));
    if (!json_is_real(value)) return pl_jinja_fail(j, at, "abs: expected a number");
    return pl__jinja_new_real(j, at, out, fabs(json_real_value(value)));
}

/* range(end), range(begin, end, step=1) */
pl_status pl__jinja_range(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    enum { MOST = 100000 };
    long long ends[3] = {0, 0, 1}, n = 0;
    (void)value;
    for (size_t i = 0; i < 3; i++)
        if (arguments[i] && !pl__jinja_whole(arguments[i], &ends[i]))
            return pl_jinja_fail(j, at, "range: expected integers, found %s", pl__jinja_kind_name(j, arguments[i]));
    if (!arguments[1]) {
        ends[1] = ends[0];
        ends[0] = 0;
    }
    if (ends[2] == 0) return pl_jinja_fail(j, at, "range: the step must not be 0");
    PL_TRY(pl__jinja_new_array(j, out, PL__J_MARK_LAZY));
    pl_status status = PL_OK;
    for (long long i = ends[0]; (ends[2] > 0 ? i < ends[1] : i > ends[1]) && status == PL_OK;) {
        status = n++ < MOST ? pl__jinja_add(j, at, *out, json_integer(i))
                            : pl_jinja_fail(j, at, "range: more than %d numbers", (int)MOST);
        if (__builtin_add_overflow(i, ends[2], &i)) break;
    }
    return pl__jinja_kept(out, status);
}
