/* Values with Python's rules: truth, equality over kinds of numbers, order, iteration, str() and repr(). */
#include <math.h>
#include <string.h>
#include <utf8proc.h>

#include "base/real_text.h"
#include "base/utf8.h"
#include "jinja/letters.h"
#include "jinja/tree.h"

pl_status pl__jinja_made(json_t **out, json_t *value)
{
    *out = value;
    return value ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory while evaluating a template");
}

pl_status pl__jinja_kept(json_t **out, pl_status status)
{
    if (status == PL_OK) return PL_OK;
    json_decref(*out);
    *out = NULL;
    return status;
}

/* ---- making ---- */

/* Without jansson's look at the bytes: source, item and chat are UTF-8, and texts are cut between letters. */
pl_status pl__jinja_new_text(const pl_jinja *j, size_t at, json_t **out, const char *text, size_t size)
{
    *out = NULL;
    PL_TRY(pl__jinja_grow(j, at, size));
    return pl__jinja_made(out, json_stringn_nocheck(size ? text : "", size));
}

pl_status pl__jinja_new_array(const pl_jinja *j, json_t **out, pl__jinja_mark mark)
{
    enum { ARRAY_BYTES = 64 };
    PL_TRY(pl__jinja_made(out, json_array()));
    (void)pl_growth_add(&j->run->growth, ARRAY_BYTES); /* too much is refused at the next element or text */
    if (mark == PL__J_MARKS || json_array_append(*out, j->marks[mark]) == 0) return PL_OK;
    json_decref(*out);
    return pl__jinja_made(out, NULL);
}

pl_status pl__jinja_add(const pl_jinja *j, size_t at, json_t *array, json_t *value)
{
    enum { ELEMENT_BYTES = 16 };
    pl_status status = pl__jinja_grow(j, at, ELEMENT_BYTES);
    if (status != PL_OK) {
        json_decref(value);
        return status;
    }
    return json_array_append_new(array, value) == 0 ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory in a list");
}

pl_status pl__jinja_new_real(const pl_jinja *j, size_t at, json_t **out, double value)
{
    *out = NULL;
    if (!isfinite(value)) return pl_jinja_fail(j, at, "a number that is not finite");
    return pl__jinja_made(out, json_real(value));
}

/* ---- kinds ---- */

size_t pl__jinja_first(const pl_jinja *j, const json_t *array)
{
    return pl__jinja_is_marked(j, array, PL__J_MARK_TUPLE) || pl__jinja_is_marked(j, array, PL__J_MARK_LAZY);
}

bool pl__jinja_is_sequence(const pl_jinja *j, const json_t *value)
{
    return json_is_array(value) && !pl__jinja_is_marked(j, value, PL__J_MARK_LAZY) &&
           !pl__jinja_is_marked(j, value, PL__J_MARK_NAMESPACE);
}

size_t pl__jinja_length(const pl_jinja *j, const json_t *v)
{
    if (json_is_array(v)) return json_array_size(v) - pl__jinja_first(j, v);
    if (json_is_object(v)) return json_object_size(v);
    return pl_utf8_count(json_string_value(v), json_string_length(v));
}

const char *pl__jinja_kind_name(const pl_jinja *j, const json_t *v)
{
    static const char *const names[] = {"an object",     "a list", "a text", "an integer",
                                        "a real number", "true",   "false",  "none"};
    if (pl__jinja_is_mark(j, v, PL__J_UNDEFINED)) return "what is undefined";
    if (pl__jinja_is_mark(j, v, PL__J_FUNCTION)) return "a function";
    if (pl__jinja_is_marked(j, v, PL__J_MARK_TUPLE)) return "a tuple";
    if (pl__jinja_is_marked(j, v, PL__J_MARK_LAZY)) return "a generator (write | list behind it)";
    if (pl__jinja_is_marked(j, v, PL__J_MARK_NAMESPACE)) return "a namespace";
    return names[json_typeof(v)];
}

bool pl__jinja_whole(const json_t *v, long long *out)
{
    *out = json_is_integer(v) ? (long long)json_integer_value(v) : json_is_true(v);
    return json_is_integer(v) || json_is_boolean(v);
}

bool pl__jinja_number(const json_t *v, double *out)
{
    long long whole;
    bool is_whole = pl__jinja_whole(v, &whole);
    *out = is_whole ? (double)whole : json_is_real(v) ? json_real_value(v) : 0;
    return is_whole || json_is_real(v);
}

bool pl__jinja_true(const pl_jinja *j, const json_t *v)
{
    if (pl__jinja_is_mark(j, v, PL__J_UNDEFINED)) return false;
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return json_object_size(v) > 0;
    case JSON_ARRAY: /* what Python makes one by one, and a namespace, are true even when empty */
        return !pl__jinja_is_sequence(j, v) || pl__jinja_length(j, v) > 0;
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

/* ---- comparison ---- */

static bool is_number(const json_t *v)
{
    return json_is_number(v) || json_is_boolean(v);
}

static int number_order(const json_t *a, const json_t *b)
{
    long long x, y;
    bool whole_a = pl__jinja_whole(a, &x), whole_b = pl__jinja_whole(b, &y);
    if (whole_a && whole_b) return (x > y) - (x < y);
    /* A 64-bit mantissa holds both kinds without rounding on the platforms we build for. */
    long double p = whole_a ? (long double)x : json_real_value(a), q = whole_b ? (long double)y : json_real_value(b);
    return (p > q) - (p < q);
}

static pl_status same_objects(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, bool *out)
{
    const char *key;
    json_t *value;
    *out = json_object_size(a) == json_object_size(b);
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        const json_t *other = json_object_get(b, key);
        *out = *out && other;
        if (*out) PL_TRY(pl__jinja_same(j, at, value, other, out));
        if (!*out) break;
    }
    return PL_OK;
}

pl_status pl__jinja_same(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, bool *out)
{
    *out = a == b; /* a mark is equal to itself only */
    if (*out) return PL_OK;
    if (is_number(a) && is_number(b)) *out = number_order(a, b) == 0;
    if (json_is_null(a) && json_is_null(b)) *out = true;
    if (is_number(a) || json_is_null(a) || json_typeof(a) != json_typeof(b)) return PL_OK;
    PL_TRY(pl__jinja_step_over(j, at, a));
    if (json_is_string(a)) {
        *out = json_equal(a, b);
        return PL_OK;
    }
    PL_TRY(pl__jinja_step(j, at));
    if (json_is_object(a)) return same_objects(j, at, a, b, out);
    *out = json_array_size(a) == json_array_size(b);
    for (size_t i = 0; *out && i < json_array_size(a); i++)
        PL_TRY(pl__jinja_same(j, at, json_array_get(a, i), json_array_get(b, i), out));
    return PL_OK;
}

pl_status pl__jinja_place(const pl_jinja *j, size_t at, const json_t *array, size_t from, size_t to,
                          const json_t *value, size_t *out)
{
    enum { COMPARED_A_STEP = 4 };
    bool same = false;
    for (*out = from; *out < to; ++*out) {
        if (*out % COMPARED_A_STEP == 0) PL_TRY(pl__jinja_step(j, at));
        PL_TRY(pl__jinja_same(j, at, json_array_get(array, *out), value, &same));
        if (same) return PL_OK;
    }
    return PL_OK;
}

static int text_order(const json_t *a, const json_t *b)
{
    /* UTF-8 bytes order as code points do. */
    size_t n = json_string_length(a), m = json_string_length(b);
    int first = memcmp(json_string_value(a), json_string_value(b), n < m ? n : m);
    return first ? first : (n > m) - (n < m);
}

static pl_status sequence_order(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, int *out)
{
    size_t n = pl__jinja_length(j, a), m = pl__jinja_length(j, b), first = pl__jinja_first(j, a);
    for (size_t i = 0; i < n && i < m; i++) {
        const json_t *x = json_array_get(a, first + i), *y = json_array_get(b, first + i);
        bool same;
        PL_TRY(pl__jinja_same(j, at, x, y, &same));
        if (!same) return pl__jinja_order(j, at, x, y, out);
    }
    *out = (n > m) - (n < m);
    return PL_OK;
}

/* Marks that are texts to JSON and none here. */
static bool is_no_text(const pl_jinja *j, const json_t *v)
{
    return pl__jinja_is_mark(j, v, PL__J_UNDEFINED) || pl__jinja_is_mark(j, v, PL__J_FUNCTION);
}

pl_status pl__jinja_order(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, int *out)
{
    bool sequences = pl__jinja_is_sequence(j, a) && pl__jinja_is_sequence(j, b) &&
                     pl__jinja_is_marked(j, a, PL__J_MARK_TUPLE) == pl__jinja_is_marked(j, b, PL__J_MARK_TUPLE);
    PL_TRY(pl__jinja_step_over(j, at, a));
    if (sequences) return sequence_order(j, at, a, b, out);
    if (is_no_text(j, a) || is_no_text(j, b))
        return pl_jinja_fail(j, at, "cannot order %s and %s", pl__jinja_kind_name(j, a), pl__jinja_kind_name(j, b));
    if (is_number(a) && is_number(b))
        *out = number_order(a, b);
    else if (json_is_string(a) && json_is_string(b))
        *out = text_order(a, b);
    else
        return pl_jinja_fail(j, at, "cannot order %s and %s; expected two numbers or two texts",
                             pl__jinja_kind_name(j, a), pl__jinja_kind_name(j, b));
    return PL_OK;
}

static bool has_no_hash(const pl_jinja *j, const json_t *v)
{
    return json_is_object(v) || (json_is_array(v) && pl__jinja_first(j, v) == 0);
}

pl_status pl__jinja_refuse_no_hash(const pl_jinja *j, size_t at, const json_t *key)
{
    bool refused;
    PL_TRY(pl__jinja_holds(j, at, key, has_no_hash, &refused));
    if (!refused) return PL_OK;
    return pl_jinja_fail(j, at, "cannot look for %s, which has no hash in Python: no key can be one",
                         pl__jinja_kind_name(j, key));
}

static pl_status contains(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, bool *out)
{
    *out = false;
    if (pl__jinja_is_mark(j, b, PL__J_UNDEFINED)) return PL_OK; /* empty */
    if (json_is_array(b) && !pl__jinja_is_marked(j, b, PL__J_MARK_NAMESPACE)) {
        size_t n = json_array_size(b), place;
        PL_TRY(pl__jinja_place(j, at, b, pl__jinja_first(j, b), n, a, &place));
        *out = place < n;
        return PL_OK;
    }
    if (json_is_object(b)) {
        PL_TRY(pl__jinja_refuse_no_hash(j, at, a));
        *out = json_is_string(a) && json_object_getn(b, json_string_value(a), json_string_length(a));
        return PL_OK;
    }
    if (!json_is_string(b) || !json_is_string(a) || is_no_text(j, a) || is_no_text(j, b))
        return pl_jinja_fail(j, at, "cannot look for %s in %s", pl__jinja_kind_name(j, a), pl__jinja_kind_name(j, b));
    size_t n = json_string_length(a);
    PL_TRY(pl__jinja_step_parts(j, at, b));
    *out = n == 0 || memmem(json_string_value(b), json_string_length(b), json_string_value(a), n);
    return PL_OK;
}

pl_status pl__jinja_compare(const pl_jinja *j, size_t at, pl__jinja_op op, const json_t *a, const json_t *b, bool *out)
{
    int sign = 0;
    switch (op) {
    case PL__J_EQ:
    case PL__J_NE:
        PL_TRY(pl__jinja_same(j, at, a, b, out));
        *out = *out == (op == PL__J_EQ);
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
    PL_TRY(pl__jinja_order(j, at, a, b, &sign));
    *out = op == PL__J_LT ? sign < 0 : op == PL__J_LE ? sign <= 0 : op == PL__J_GT ? sign > 0 : sign >= 0;
    return PL_OK;
}

/* ---- iteration ---- */

static pl_status letters_of(const pl_jinja *j, size_t at, const json_t *text, json_t *out)
{
    const char *s = json_string_value(text);
    for (size_t i = 0, width, size = json_string_length(text); i < size; i += width) {
        json_t *letter = NULL;
        pl_letter(s + i, &width);
        PL_TRY(pl__jinja_new_text(j, at, &letter, s + i, width));
        PL_TRY(pl__jinja_add(j, at, out, letter));
    }
    return PL_OK;
}

static pl_status keys_of(const pl_jinja *j, size_t at, const json_t *object, json_t *out)
{
    const char *key;
    json_t *unused;
    json_object_foreach((json_t *)(uintptr_t)object, key, unused)
    {
        json_t *text = NULL;
        PL_TRY(pl__jinja_new_text(j, at, &text, key, strlen(key)));
        PL_TRY(pl__jinja_add(j, at, out, text));
    }
    return PL_OK;
}

pl_status pl__jinja_elements(const pl_jinja *j, size_t at, const json_t *v, json_t **out)
{
    *out = NULL;
    size_t first = json_is_array(v) ? pl__jinja_first(j, v) : 0;
    bool is_namespace = pl__jinja_is_marked(j, v, PL__J_MARK_NAMESPACE);
    if (json_is_array(v) && first == 0 && !is_namespace)
        return pl__jinja_made(out, json_incref((json_t *)(uintptr_t)v));
    if (pl__jinja_is_mark(j, v, PL__J_UNDEFINED)) return pl__jinja_new_array(j, out, PL__J_MARKS);
    if (is_namespace || pl__jinja_is_mark(j, v, PL__J_NOTHING) || is_no_text(j, v) ||
        !(json_is_array(v) || json_is_string(v) || json_is_object(v)))
        return pl_jinja_fail(j, at, "cannot go through %s; expected a list, a text or an object",
                             pl__jinja_kind_name(j, v));
    PL_TRY(pl__jinja_new_array(j, out, PL__J_MARKS));
    pl_status status = PL_OK;
    if (json_is_string(v)) status = letters_of(j, at, v, *out);
    if (json_is_object(v)) status = keys_of(j, at, v, *out);
    for (size_t i = first; json_is_array(v) && i < json_array_size(v) && status == PL_OK; i++)
        status = pl__jinja_add(j, at, *out, json_incref(json_array_get(v, i)));
    return pl__jinja_kept(out, status);
}

static bool is_marked(const pl_jinja *j, const json_t *v)
{
    return is_no_text(j, v) ||
           (json_is_array(v) && (pl__jinja_first(j, v) || pl__jinja_is_marked(j, v, PL__J_MARK_NAMESPACE)));
}

/* *value as it is outside: a new value where marks had to go. */
static pl_status without_marks(const pl_jinja *j, size_t at, const json_t *value, json_t **out)
{
    bool marks;
    *out = NULL;
    if (is_no_text(j, value)) return pl_jinja_fail(j, at, "the value is or holds %s", pl__jinja_kind_name(j, value));
    PL_TRY(pl__jinja_holds(j, at, value, is_marked, &marks));
    if (!marks) return pl__jinja_made(out, json_incref((json_t *)(uintptr_t)value));
    if (json_is_object(value))
        return pl_jinja_fail(j, at, "the value is an object that holds a tuple or a generator; write a list");
    if (!pl__jinja_is_sequence(j, value))
        return pl_jinja_fail(j, at, "the value is %s; expected a text, a number or a list",
                             pl__jinja_kind_name(j, value));
    PL_TRY(pl__jinja_new_array(j, out, PL__J_MARKS));
    pl_status status = PL_OK;
    for (size_t i = pl__jinja_first(j, value); i < json_array_size(value) && status == PL_OK; i++) {
        json_t *element = NULL;
        status = without_marks(j, at, json_array_get(value, i), &element);
        if (status == PL_OK) status = pl__jinja_add(j, at, *out, element);
    }
    return pl__jinja_kept(out, status);
}

pl_status pl__jinja_leave_marks(const pl_jinja *j, size_t at, json_t **value)
{
    json_t *outside = NULL;
    if (!json_is_array(*value) && !json_is_object(*value) && !is_no_text(j, *value)) return PL_OK;
    pl_status status = without_marks(j, at, *value, &outside);
    json_decref(*value);
    *value = outside;
    return status;
}

/* ---- texts ---- */

pl_status pl_jinja_text(const pl_jinja *j, size_t at, const json_t *v, pl_bytes *out)
{
    if (pl__jinja_is_mark(j, v, PL__J_UNDEFINED)) return PL_OK;
    if (is_no_text(j, v)) return pl_jinja_fail(j, at, "expected a text, found %s", pl__jinja_kind_name(j, v));
    if (j->is_chat && (json_is_array(v) || json_is_object(v))) return pl_jinja_repr(j, at, v, out);
    switch (json_typeof(v)) {
    case JSON_STRING:
        PL_TRY(pl__jinja_check_text(j, at, out->size + json_string_length(v)));
        return pl_bytes_append(out, json_string_value(v), json_string_length(v));
    case JSON_ARRAY:
        if (!pl__jinja_is_sequence(j, v))
            return pl_jinja_fail(j, at, "expected a text, found %s", pl__jinja_kind_name(j, v));
        return pl_jinja_fail(j, at,
                             "expected a text, found %s; write x | join(\", \") or x[0] (x | string writes it as "
                             "Python does)",
                             pl__jinja_kind_name(j, v));
    case JSON_OBJECT:
        return pl_jinja_fail(j, at,
                             "expected a text, found an object; name one of its keys: x[\"key\"] (x | string writes it "
                             "as Python does)");
    default:
        return pl_jinja_repr(j, at, v, out);
    }
}

static bool is_printable(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    case UTF8PROC_CATEGORY_ZS:
        return c == ' ';
    default:
        return true;
    }
}

/* In single quotes, unless that alone would need an escape. */
static pl_status repr_text(pl_bytes *out, const char *text, size_t size)
{
    char quote = memchr(text, '\'', size) && !memchr(text, '"', size) ? '"' : '\'';
    PL_TRY(pl_bytes_append(out, &quote, 1));
    for (size_t i = 0, width; i < size; i += width) {
        int32_t c = pl_letter(text + i, &width);
        if (c == quote || c == '\\')
            PL_TRY(pl_bytes_format(out, "\\%c", (int)c));
        else if (c == '\n' || c == '\r' || c == '\t')
            PL_TRY(pl_bytes_format(out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't'));
        else if (is_printable(c))
            PL_TRY(pl_bytes_append(out, text + i, width));
        else
            PL_TRY(pl_bytes_format(out, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)c));
    }
    return pl_bytes_append(out, &quote, 1);
}

static pl_status repr_array(const pl_jinja *j, size_t at, const json_t *v, pl_bytes *out)
{
    bool tuple = pl__jinja_is_marked(j, v, PL__J_MARK_TUPLE);
    if (!pl__jinja_is_sequence(j, v))
        return pl_jinja_fail(j, at, "expected a text, found %s", pl__jinja_kind_name(j, v));
    PL_TRY(pl_bytes_text(out, tuple ? "(" : "["));
    for (size_t i = pl__jinja_first(j, v), n = 0; i < json_array_size(v); i++, n++) {
        if (n) PL_TRY(pl_bytes_text(out, ", "));
        PL_TRY(pl_jinja_repr(j, at, json_array_get(v, i), out));
    }
    if (tuple && pl__jinja_length(j, v) == 1) PL_TRY(pl_bytes_text(out, ","));
    return pl_bytes_text(out, tuple ? ")" : "]");
}

static pl_status repr_object(const pl_jinja *j, size_t at, const json_t *v, pl_bytes *out)
{
    const char *key, *separator = "";
    json_t *value;
    PL_TRY(pl_bytes_text(out, "{"));
    json_object_foreach((json_t *)(uintptr_t)v, key, value)
    {
        PL_TRY(pl_bytes_text(out, separator));
        separator = ", ";
        PL_TRY(repr_text(out, key, strlen(key)));
        PL_TRY(pl_bytes_text(out, ": "));
        PL_TRY(pl_jinja_repr(j, at, value, out));
    }
    return pl_bytes_text(out, "}");
}

pl_status pl_jinja_repr(const pl_jinja *j, size_t at, const json_t *v, pl_bytes *out)
{
    char real[PL_REAL_TEXT];
    PL_TRY(pl__jinja_check_text(j, at, out->size));
    PL_TRY(pl__jinja_step_parts(j, at, v));
    PL_TRY(pl__jinja_step(j, at));
    if (pl__jinja_is_mark(j, v, PL__J_UNDEFINED)) return pl_bytes_text(out, "Undefined");
    if (is_no_text(j, v)) return pl_jinja_fail(j, at, "expected a text, found %s", pl__jinja_kind_name(j, v));
    switch (json_typeof(v)) {
    case JSON_STRING:
        return repr_text(out, json_string_value(v), json_string_length(v));
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
        return repr_array(j, at, v, out);
    case JSON_OBJECT:
        return repr_object(j, at, v, out);
    }
    return PL_OK;
}
