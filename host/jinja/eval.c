/* Values of expressions, with Python's rules: truth, equality over kinds of numbers, texts indexed by code point,
 * negative indices, clipped slices. What would be a jinja2 Undefined is an error at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/real_text.h"
#include "base/utf8.h"
#include "jinja/letters.h"
#include "jinja/tree.h"

typedef pl__jinja_node node;

static pl_status eval(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    return pl__jinja_eval(j, n, item, out);
}

static const char *kind_name(const json_t *v)
{
    static const char *const names[] = {"an object",     "a list", "a text", "an integer",
                                        "a real number", "true",   "false",  "none"};
    return names[json_typeof(v)];
}

static pl_status made(json_t **out, json_t *value)
{
    *out = value;
    return value ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory while evaluating a template");
}

static pl_status refuse_growth(const pl_jinja *j, size_t at)
{
    return pl_jinja_fail(j, at,
                         "the texts of one rendering grew beyond %d bytes: expected what a prompt can use; look for "
                         "repetitions and replacements that feed each other",
                         (int)PL_GROWTH_MAX);
}

pl_status pl__jinja_check_text(const pl_jinja *j, size_t at, size_t size)
{
    return size <= PL_GROWTH_MAX ? PL_OK : refuse_growth(j, at);
}

pl_status pl__jinja_new_text(const pl_jinja *j, size_t at, json_t **out, const char *text, size_t size)
{
    *out = NULL;
    if (!pl_growth_add(j->growth, size)) return refuse_growth(j, at);
    return made(out, json_stringn(size ? text : "", size));
}

bool pl__jinja_true(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return json_object_size(v) > 0;
    case JSON_ARRAY:
        return json_array_size(v) > 0;
    case JSON_STRING:
        return json_string_length(v) > 0;
    case JSON_INTEGER:
        return json_integer_value(v) != 0;
    case JSON_REAL:
        return json_real_value(v) != 0;
    case JSON_TRUE:
        return true;
    default:
        return false;
    }
}

pl_status pl_jinja_text(const pl_jinja *j, size_t at, const json_t *v, pl_bytes *out)
{
    char real[PL_REAL_TEXT];
    switch (json_typeof(v)) {
    case JSON_STRING:
        PL_TRY(pl__jinja_check_text(j, at, out->size + json_string_length(v)));
        return pl_bytes_append(out, json_string_value(v), json_string_length(v));
    case JSON_INTEGER:
        return pl_bytes_format(out, "%lld", (long long)json_integer_value(v));
    case JSON_REAL:
        pl_real_text(real, json_real_value(v));
        return pl_bytes_text(out, real);
    case JSON_TRUE:
        return pl_bytes_text(out, "True");
    case JSON_FALSE:
        return pl_bytes_text(out, "False");
    case JSON_NULL:
        return pl_bytes_text(out, "None");
    case JSON_ARRAY:
        return pl_jinja_fail(j, at, "expected a text, found a list; write x | join(\", \") or x[0]");
    case JSON_OBJECT:
        break;
    }
    return pl_jinja_fail(j, at, "expected a text, found an object; name one of its keys: x[\"key\"]");
}

static pl_status refuse_nothing(const pl_jinja *j, size_t at, const json_t *v)
{
    if (v != j->nothing) return PL_OK;
    return pl_jinja_fail(j, at, "an if without else gave no value here; write its else");
}

/* ---- numbers and comparison ---- */

/* Python counts true and false as the numbers 1 and 0. */
static bool is_number(const json_t *v)
{
    return json_is_number(v) || json_is_boolean(v);
}

static bool is_whole(const json_t *v, long long *out)
{
    if (json_is_boolean(v))
        *out = json_is_true(v);
    else if (json_is_integer(v))
        *out = json_integer_value(v);
    else
        return false;
    return true;
}

/* Order of two numbers as Python has it, an integer against a real exactly. */
static int number_order(const json_t *a, const json_t *b)
{
    long long x = 0, y = 0;
    bool whole_a = is_whole(a, &x), whole_b = is_whole(b, &y);
    if (whole_a && whole_b) return (x > y) - (x < y);
    /* A 64-bit mantissa holds both kinds without rounding on the platforms we build for. */
    long double p = whole_a ? (long double)x : json_real_value(a), q = whole_b ? (long double)y : json_real_value(b);
    return (p > q) - (p < q);
}

static bool same(const json_t *a, const json_t *b)
{
    if (is_number(a) && is_number(b)) return number_order(a, b) == 0;
    if (json_typeof(a) != json_typeof(b)) return false;
    if (json_is_string(a)) return json_equal(a, b);
    if (json_is_array(a)) {
        bool equal = json_array_size(a) == json_array_size(b);
        for (size_t i = 0; equal && i < json_array_size(a); i++)
            equal = same(json_array_get(a, i), json_array_get(b, i));
        return equal;
    }
    if (json_is_object(a)) {
        const char *key;
        json_t *value;
        bool equal = json_object_size(a) == json_object_size(b);
        json_object_foreach((json_t *)(uintptr_t)a, key, value)
        {
            const json_t *other = json_object_get(b, key);
            equal = equal && other && same(value, other);
        }
        return equal;
    }
    return true; /* none */
}

static pl_status order(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, int *out)
{
    if (is_number(a) && is_number(b)) {
        *out = number_order(a, b);
        return PL_OK;
    }
    if (!json_is_string(a) || !json_is_string(b))
        return pl_jinja_fail(j, at, "cannot order %s and %s; expected two numbers or two texts", kind_name(a),
                             kind_name(b));
    /* UTF-8 bytes order as code points do. */
    size_t n = json_string_length(a), m = json_string_length(b);
    int first = memcmp(json_string_value(a), json_string_value(b), n < m ? n : m);
    *out = first ? first : (n > m) - (n < m);
    return PL_OK;
}

static pl_status contains(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, bool *out)
{
    *out = false;
    if (json_is_array(b)) {
        for (size_t i = 0; i < json_array_size(b) && !*out; i++) *out = same(a, json_array_get(b, i));
        return PL_OK;
    }
    if (json_is_object(b)) {
        *out = json_is_string(a) && json_object_getn(b, json_string_value(a), json_string_length(a));
        return PL_OK;
    }
    if (!json_is_string(b) || !json_is_string(a))
        return pl_jinja_fail(j, at, "cannot look for %s in %s", kind_name(a), kind_name(b));
    size_t n = json_string_length(a);
    *out = n == 0 || memmem(json_string_value(b), json_string_length(b), json_string_value(a), n);
    return PL_OK;
}

static pl_status compare_one(const pl_jinja *j, size_t at, pl__jinja_op op, const json_t *a, const json_t *b, bool *out)
{
    int sign = 0;
    switch (op) {
    case PL__J_EQ:
    case PL__J_NE:
        *out = same(a, b) == (op == PL__J_EQ);
        return PL_OK;
    case PL__J_IN:
        return contains(j, at, a, b, out);
    case PL__J_NOT_IN:
        PL_TRY(contains(j, at, a, b, out));
        *out = !*out;
        return PL_OK;
    default:
        break;
    }
    PL_TRY(order(j, at, a, b, &sign));
    *out = op == PL__J_LT ? sign < 0 : op == PL__J_LE ? sign <= 0 : op == PL__J_GT ? sign > 0 : sign >= 0;
    return PL_OK;
}

/* a < b < c is (a < b) and (b < c), evaluated up to the first that fails. */
static pl_status eval_compare(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *left = NULL, *right = NULL;
    bool holds = true;
    pl_status status;
    PL_GOTO(status, done, eval(j, n->a, item, &left));
    for (size_t i = 0; i < n->n && holds; i++) {
        PL_GOTO(status, done, eval(j, n->items[i], item, &right));
        PL_GOTO(status, done, refuse_nothing(j, n->at, left));
        PL_GOTO(status, done, refuse_nothing(j, n->at, right));
        PL_GOTO(status, done, compare_one(j, n->at, n->ops[i], left, right, &holds));
        json_decref(left);
        left = right;
        right = NULL;
    }
    *out = json_boolean(holds);
done:
    json_decref(left);
    json_decref(right);
    return status;
}

/* ---- look-ups ---- */

static pl_status eval_name(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    const json_t *found = json_object_get(item, n->name);
    if (found) {
        *out = json_incref((json_t *)(uintptr_t)found);
        return PL_OK;
    }
    char fields[400] = "";
    size_t used = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)item, key, value)
    {
        int wrote = snprintf(fields + used, sizeof fields - used, "%s'%s'", used ? ", " : "", key);
        used += wrote > 0 ? (size_t)wrote : 0;
        if (used >= sizeof fields) break;
    }
    return pl_jinja_fail(j, n->at, "the item has no field '%s'; it has: %s", n->name, *fields ? fields : "none");
}

/* The text of letters [from, to) of a text. */
static pl_status part_of_text(const pl_jinja *j, size_t at, const json_t *text, size_t from, size_t to, json_t **out)
{
    const char *s = json_string_value(text);
    size_t size = json_string_length(text);
    if (to <= from) return pl__jinja_new_text(j, at, out, "", 0);
    size_t begin = pl_letters_offset(s, size, from);
    size_t end = begin + pl_letters_offset(s + begin, size - begin, to - from);
    return pl__jinja_new_text(j, at, out, s + begin, end - begin);
}

static size_t length_of(const json_t *v)
{
    return json_is_array(v) ? json_array_size(v) : pl_utf8_count(json_string_value(v), json_string_length(v));
}

static pl_status look_up(const pl_jinja *j, size_t at, const json_t *of, const json_t *key, json_t **out)
{
    long long index;
    if (json_is_object(of)) {
        json_t *found =
            json_is_string(key) ? json_object_getn(of, json_string_value(key), json_string_length(key)) : NULL;
        if (!found)
            return pl_jinja_fail(j, at, "no such key in the object: %s",
                                 json_is_string(key) ? json_string_value(key) : kind_name(key));
        *out = json_incref(found);
        return PL_OK;
    }
    if (!json_is_array(of) && !json_is_string(of)) return pl_jinja_fail(j, at, "cannot index %s", kind_name(of));
    if (!is_whole(key, &index))
        return pl_jinja_fail(j, at, "%s is indexed by integers, found %s", kind_name(of), kind_name(key));
    long long n = (long long)length_of(of);
    if (index < -n || index >= n)
        return pl_jinja_fail(j, at, "index %lld of %s of length %lld", index, kind_name(of), n);
    size_t i = (size_t)(index < 0 ? index + n : index);
    if (json_is_string(of)) return part_of_text(j, at, of, i, i + 1, out);
    *out = json_incref(json_array_get(of, i));
    return PL_OK;
}

static pl_status eval_index(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *of = NULL, *key = NULL;
    pl_status status;
    PL_GOTO(status, done, eval(j, n->a, item, &of));
    PL_GOTO(status, done, refuse_nothing(j, n->at, of));
    if (n->kind == PL__J_ATTRIBUTE)
        PL_GOTO(status, done, pl__jinja_new_text(j, n->at, &key, n->name, strlen(n->name)));
    else
        PL_GOTO(status, done, eval(j, n->b, item, &key));
    if (n->kind == PL__J_ATTRIBUTE && !json_is_object(of))
        status = pl_jinja_fail(j, n->at, "%s has no field '%s'", kind_name(of), n->name);
    else
        status = look_up(j, n->at, of, key, out);
done:
    json_decref(of);
    json_decref(key);
    return status;
}

/* One end of a slice, clipped to 0..n; absent or none is `otherwise`. */
static pl_status slice_end(const pl_jinja *j, const node *n, const json_t *item, size_t length, size_t otherwise,
                           size_t *out)
{
    *out = otherwise;
    if (!n) return PL_OK;
    json_t *value;
    long long i = 0, limit = (long long)length;
    PL_TRY(eval(j, n, item, &value));
    bool none = json_is_null(value), whole = is_whole(value, &i);
    json_decref(value);
    if (none) return PL_OK;
    if (!whole) return pl_jinja_fail(j, n->at, "an end of a slice must be an integer");
    if (i < 0) i = i < -limit ? 0 : i + limit;
    *out = (size_t)(i > limit ? limit : i);
    return PL_OK;
}

static pl_status eval_slice(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *of = NULL;
    size_t from, to, length;
    pl_status status;
    PL_GOTO(status, done, eval(j, n->a, item, &of));
    PL_GOTO(status, done, refuse_nothing(j, n->at, of));
    if (!json_is_array(of) && !json_is_string(of)) {
        status = pl_jinja_fail(j, n->at, "cannot slice %s; expected a text or a list", kind_name(of));
        goto done;
    }
    length = length_of(of);
    PL_GOTO(status, done, slice_end(j, n->b, item, length, 0, &from));
    PL_GOTO(status, done, slice_end(j, n->c, item, length, length, &to));
    if (json_is_string(of)) {
        PL_GOTO(status, done, part_of_text(j, n->at, of, from, to, out));
        goto done;
    }
    PL_GOTO(status, done, made(out, json_array()));
    for (size_t i = from; i < to; i++)
        if (json_array_append(*out, json_array_get(of, i)) != 0)
            status = pl_fail(PL_E_MEMORY, "out of memory in a slice");
done:
    json_decref(of);
    return status;
}

/* ---- operators ---- */

static pl_status eval_list(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    PL_TRY(made(out, json_array()));
    for (size_t i = 0; i < n->n; i++) {
        json_t *value = NULL;
        pl_status status = eval(j, n->items[i], item, &value);
        if (status == PL_OK && json_array_append_new(*out, value) != 0)
            status = pl_fail(PL_E_MEMORY, "out of memory in a list");
        if (status != PL_OK) {
            json_decref(*out);
            *out = NULL;
            return status;
        }
    }
    return PL_OK;
}

static pl_status eval_filter(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *value = NULL, *arguments[PL__JINJA_MAX_ARGUMENTS] = {NULL};
    pl_status status;
    PL_GOTO(status, done, eval(j, n->a, item, &value));
    for (size_t i = 0; i < n->n; i++)
        if (n->items[i]) PL_GOTO(status, done, eval(j, n->items[i], item, &arguments[i]));
    status = n->filter->apply(j, n->at, value, arguments, out);
done:
    json_decref(value);
    for (size_t i = 0; i < PL__JINJA_MAX_ARGUMENTS; i++) json_decref(arguments[i]);
    return status;
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

static pl_status sum(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, json_t **out)
{
    long long x, y, total;
    if (json_is_string(a) && json_is_string(b)) return joined(j, at, a, b, out);
    if (json_is_array(a) && json_is_array(b)) {
        PL_TRY(made(out, json_copy((json_t *)(uintptr_t)a)));
        if (json_array_extend(*out, (json_t *)(uintptr_t)b) == 0) return PL_OK;
        json_decref(*out);
        *out = NULL;
        return pl_fail(PL_E_MEMORY, "out of memory in a list");
    }
    if (is_whole(a, &x) && is_whole(b, &y)) {
        if (__builtin_add_overflow(x, y, &total)) return pl_jinja_fail(j, at, "a sum beyond 64 bits");
        return made(out, json_integer(total));
    }
    if (is_number(a) && is_number(b)) {
        double p = is_whole(a, &x) ? (double)x : json_real_value(a),
               q = is_whole(b, &y) ? (double)y : json_real_value(b);
        json_t *real = json_real(p + q);
        return real ? made(out, real) : pl_jinja_fail(j, at, "a sum that is not finite");
    }
    return pl_jinja_fail(j, at, "cannot add %s and %s; ~ joins anything as text", kind_name(a), kind_name(b));
}

static pl_status eval_binary(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *a = NULL, *b = NULL;
    pl_status status;
    PL_GOTO(status, done, eval(j, n->a, item, &a));
    PL_GOTO(status, done, eval(j, n->b, item, &b));
    if (n->kind == PL__J_PLUS) PL_GOTO(status, done, refuse_nothing(j, n->at, a));
    if (n->kind == PL__J_PLUS) PL_GOTO(status, done, refuse_nothing(j, n->at, b));
    status = n->kind == PL__J_PLUS ? sum(j, n->at, a, b, out) : joined(j, n->at, a, b, out);
done:
    json_decref(a);
    json_decref(b);
    return status;
}

static pl_status eval_negate(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *of;
    long long whole;
    PL_TRY(eval(j, n->a, item, &of));
    pl_status status;
    if (is_whole(of, &whole) && whole != INT64_MIN)
        status = made(out, json_integer(-whole));
    else if (json_is_real(of))
        status = made(out, json_real(-json_real_value(of)));
    else
        status = pl_jinja_fail(j, n->at, "cannot negate %s", kind_name(of));
    json_decref(of);
    return status;
}

/* and, or give one of their operands, as in Python; the right one is evaluated only when it decides. */
static pl_status eval_logic(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *a;
    PL_TRY(eval(j, n->a, item, &a));
    bool truth = pl__jinja_true(a);
    if (n->kind != PL__J_NOT && truth == (n->kind == PL__J_OR)) {
        *out = a;
        return PL_OK;
    }
    json_decref(a);
    if (n->kind != PL__J_NOT) return eval(j, n->b, item, out);
    *out = json_boolean(!truth);
    return PL_OK;
}

static pl_status eval_choose(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *condition;
    PL_TRY(eval(j, n->b, item, &condition));
    bool truth = pl__jinja_true(condition);
    json_decref(condition);
    if (truth) return eval(j, n->a, item, out);
    if (n->c) return eval(j, n->c, item, out);
    *out = json_incref(j->nothing);
    return PL_OK;
}

pl_status pl__jinja_eval(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    *out = NULL;
    switch (n->kind) {
    case PL__J_VALUE:
        *out = json_incref(n->value);
        return PL_OK;
    case PL__J_NAME:
        return eval_name(j, n, item, out);
    case PL__J_LIST:
        return eval_list(j, n, item, out);
    case PL__J_INDEX:
    case PL__J_ATTRIBUTE:
        return eval_index(j, n, item, out);
    case PL__J_SLICE:
        return eval_slice(j, n, item, out);
    case PL__J_FILTER:
        return eval_filter(j, n, item, out);
    case PL__J_COMPARE:
        return eval_compare(j, n, item, out);
    case PL__J_AND:
    case PL__J_OR:
    case PL__J_NOT:
        return eval_logic(j, n, item, out);
    case PL__J_NEGATE:
        return eval_negate(j, n, item, out);
    case PL__J_PLUS:
    case PL__J_JOIN:
        return eval_binary(j, n, item, out);
    case PL__J_CHOOSE:
        return eval_choose(j, n, item, out);
    }
    return pl_fail(PL_E_INTERNAL, "%s: unknown node in a template", j->where);
}
