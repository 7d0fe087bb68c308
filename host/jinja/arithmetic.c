/* + - * / // % ** and ~ with Python's rules. Integers are of 64 bits: beyond them is an error, not another number. */
#include <math.h>
#include <string.h>

#include "jinja/tree.h"

static const char *symbol_of(pl__jinja_kind kind)
{
    return kind == PL__J_PLUS           ? "+"
           : kind == PL__J_MINUS        ? "-"
           : kind == PL__J_TIMES        ? "*"
           : kind == PL__J_DIVIDE       ? "/"
           : kind == PL__J_FLOOR_DIVIDE ? "//"
           : kind == PL__J_REMAINDER    ? "%"
                                        : "**";
}

static pl_status joined(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, json_t **out)
{
    pl_bytes text = {0};
    pl_status status;
    PL_GOTO(status, done, pl_jinja_text(j, at, a, &text));
    PL_GOTO(status, done, pl_jinja_text(j, at, b, &text));
    status = pl__jinja_new_text(j, at, out, text.data, text.size);
done:
    pl_bytes_free(&text);
    return status;
}

static pl__jinja_mark mark_of(const pl_jinja *j, const json_t *sequence)
{
    return pl__jinja_is_marked(j, sequence, PL__J_MARK_TUPLE) ? PL__J_MARK_TUPLE : PL__J_MARKS;
}

static pl_status append_elements(const pl_jinja *j, size_t at, const json_t *of, json_t *out)
{
    for (size_t i = pl__jinja_first(j, of); i < json_array_size(of); i++)
        PL_TRY(pl__jinja_add(j, at, out, json_incref(json_array_get(of, i))));
    return PL_OK;
}

static pl_status sequences_added(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, json_t **out)
{
    PL_TRY(pl__jinja_new_array(j, out, mark_of(j, a)));
    pl_status status = append_elements(j, at, a, *out);
    if (status == PL_OK) status = append_elements(j, at, b, *out);
    return pl__jinja_kept(out, status);
}

/* A text or a sequence, `times` times. */
static pl_status repeated(const pl_jinja *j, size_t at, const json_t *of, long long times, json_t **out)
{
    size_t size = json_is_string(of) ? json_string_length(of) : pl__jinja_length(j, of);
    if (times < 0 || size == 0) times = 0;
    PL_TRY(pl__jinja_check_text(j, at, pl_size_product(size, (size_t)times)));
    pl_bytes text = {0};
    pl_status status = PL_OK;
    if (json_is_string(of)) {
        for (long long i = 0; i < times && status == PL_OK; i++)
            status = pl_bytes_append(&text, json_string_value(of), size);
        if (status == PL_OK) status = pl__jinja_new_text(j, at, out, text.data, text.size);
        pl_bytes_free(&text);
        return status;
    }
    PL_TRY(pl__jinja_new_array(j, out, mark_of(j, of)));
    for (long long i = 0; i < times && status == PL_OK; i++) status = append_elements(j, at, of, *out);
    return pl__jinja_kept(out, status);
}

/* Whole powers by squaring; false beyond 64 bits. */
static bool whole_power(long long base, long long exponent, long long *out)
{
    long long result = 1;
    while (exponent > 0) {
        if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) return false;
        exponent >>= 1;
        if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return false;
    }
    *out = result;
    return true;
}

static pl_status whole_numbers(const pl_jinja *j, size_t at, pl__jinja_kind kind, long long x, long long y,
                               json_t **out)
{
    long long result = 0;
    bool fits = true;
    if (kind == PL__J_PLUS)
        fits = !__builtin_add_overflow(x, y, &result);
    else if (kind == PL__J_MINUS)
        fits = !__builtin_sub_overflow(x, y, &result);
    else if (kind == PL__J_TIMES)
        fits = !__builtin_mul_overflow(x, y, &result);
    else if (kind == PL__J_POWER)
        fits = whole_power(x, y, &result);
    else { /* towards minus infinity; the remainder has the divisor's sign */
        fits = !(x == INT64_MIN && y == -1);
        long long quotient = fits ? x / y : 0, rest = fits ? x % y : 0;
        bool down = rest != 0 && (rest < 0) != (y < 0);
        result = kind == PL__J_FLOOR_DIVIDE ? quotient - down : down ? rest + y : rest;
    }
    if (!fits) return pl_jinja_fail(j, at, "a number beyond 64 bits (%s)", symbol_of(kind));
    return pl__jinja_made(out, json_integer(result));
}

static pl_status real_numbers(const pl_jinja *j, size_t at, pl__jinja_kind kind, double x, double y, json_t **out)
{
    double rest;
    switch (kind) {
    case PL__J_PLUS:
        return pl__jinja_new_real(j, at, out, x + y);
    case PL__J_MINUS:
        return pl__jinja_new_real(j, at, out, x - y);
    case PL__J_TIMES:
        return pl__jinja_new_real(j, at, out, x * y);
    case PL__J_DIVIDE:
        return pl__jinja_new_real(j, at, out, x / y);
    case PL__J_POWER:
        return pl__jinja_new_real(j, at, out, pow(x, y));
    default:
        break;
    }
    /* float.__mod__ and __floordiv__ */
    rest = fmod(x, y);
    double quotient = (x - rest) / y;
    if (rest != 0 && (y < 0) != (rest < 0)) {
        rest += y;
        quotient -= 1;
    } else if (rest == 0)
        rest = copysign(0, y);
    double whole = quotient != 0 ? floor(quotient) : copysign(0, x / y);
    if (quotient - whole > 0.5) whole += 1;
    return pl__jinja_new_real(j, at, out, kind == PL__J_REMAINDER ? rest : whole);
}

static pl_status numbers(const pl_jinja *j, size_t at, pl__jinja_kind kind, const json_t *a, const json_t *b,
                         json_t **out)
{
    long long x, y;
    double p = 0, q = 0;
    bool whole = pl__jinja_whole(a, &x) && pl__jinja_whole(b, &y);
    pl__jinja_number(a, &p);
    pl__jinja_number(b, &q);
    if (q == 0 && (kind == PL__J_DIVIDE || kind == PL__J_FLOOR_DIVIDE || kind == PL__J_REMAINDER))
        return pl_jinja_fail(j, at, "division by zero");
    if (kind == PL__J_POWER && p == 0 && q < 0) return pl_jinja_fail(j, at, "0 to a negative power");
    if (whole && kind == PL__J_DIVIDE && (fabs(p) > 0x1p53 || fabs(q) > 0x1p53))
        return pl_jinja_fail(j, at, "a division of integers beyond 2^53");
    if (whole && kind != PL__J_DIVIDE && !(kind == PL__J_POWER && y < 0)) return whole_numbers(j, at, kind, x, y, out);
    return real_numbers(j, at, kind, p, q, out);
}

static pl_status percent(const pl_jinja *j, size_t at, const json_t *text, const json_t *value, json_t **out)
{
    json_t *values;
    if (pl__jinja_is_marked(j, value, PL__J_MARK_TUPLE))
        PL_TRY(pl__jinja_elements(j, at, value, &values));
    else {
        PL_TRY(pl__jinja_new_array(j, &values, PL__J_MARKS));
        PL_TRY(pl__jinja_add(j, at, values, json_incref((json_t *)(uintptr_t)value)));
    }
    pl_status status = pl__jinja_percent(j, at, text, values, out);
    json_decref(values);
    return status;
}

pl_status pl__jinja_reckon(const pl_jinja *j, size_t at, pl__jinja_kind kind, const json_t *a, const json_t *b,
                           json_t **out)
{
    long long times;
    double unused;
    *out = NULL;
    if (kind == PL__J_JOIN) return joined(j, at, a, b, out);
    if (kind == PL__J_REMAINDER && json_is_string(a)) return percent(j, at, a, b, out);
    if (kind == PL__J_PLUS && json_is_string(a) && json_is_string(b)) return joined(j, at, a, b, out);
    if (kind == PL__J_PLUS && pl__jinja_is_sequence(j, a) && pl__jinja_is_sequence(j, b) &&
        mark_of(j, a) == mark_of(j, b))
        return sequences_added(j, at, a, b, out);
    if (kind == PL__J_TIMES && (json_is_string(a) || pl__jinja_is_sequence(j, a)) && pl__jinja_whole(b, &times))
        return repeated(j, at, a, times, out);
    if (kind == PL__J_TIMES && (json_is_string(b) || pl__jinja_is_sequence(j, b)) && pl__jinja_whole(a, &times))
        return repeated(j, at, b, times, out);
    if (pl__jinja_number(a, &unused) && pl__jinja_number(b, &unused)) return numbers(j, at, kind, a, b, out);
    if (kind == PL__J_PLUS)
        return pl_jinja_fail(j, at, "cannot add %s and %s; ~ joins anything as text", pl__jinja_kind_name(j, a),
                             pl__jinja_kind_name(j, b));
    return pl_jinja_fail(j, at, "no %s of %s and %s; expected two numbers", symbol_of(kind), pl__jinja_kind_name(j, a),
                         pl__jinja_kind_name(j, b));
}
