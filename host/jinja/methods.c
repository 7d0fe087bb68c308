/* Methods of Python's texts, lists and dictionaries, in the template language. */
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "jinja/letters.h"
#include "jinja/tree.h"

static pl_status need_text(const pl_jinja *j, size_t at, const json_t *value, const char *what)
{
    if (json_is_string(value) && !pl__jinja_is_mark(j, value, PL__J_NOTHING)) return PL_OK;
    return pl_jinja_fail(j, at, "%s: expected a text, found %s", what,
                         pl__jinja_is_mark(j, value, PL__J_NOTHING) ? "no value" : pl__jinja_kind_name(j, value));
}

static bool is_given(const json_t *argument)
{
    return argument && !json_is_null(argument);
}

/* ---- ends ---- */

static bool stands_in(int32_t letter, const json_t *set)
{
    char bytes[4];
    size_t n = pl_utf8_put(bytes, (uint32_t)letter);
    return memmem(json_string_value(set), json_string_length(set), bytes, n) != NULL;
}

static pl_status stripped(const pl_jinja *j, size_t at, const json_t *value, const json_t *set, bool left, bool right,
                          json_t **out)
{
    PL_TRY(need_text(j, at, value, "strip"));
    const char *text = json_string_value(value);
    size_t size = json_string_length(value), width;
    if (!is_given(set)) {
        text = pl_strip(text, &size, left, right);
        return pl__jinja_new_text(j, at, out, text, size);
    }
    PL_TRY(need_text(j, at, set, "strip"));
    PL_TRY(pl__jinja_step_each(j, at, value, set));
    while (left && size > 0 && stands_in(pl_letter(text, &width), set)) {
        text += width;
        size -= width;
    }
    while (right && size > 0) {
        size_t last = pl_utf8_before(text, size);
        if (!stands_in(pl_letter(text + last, &width), set)) break;
        size = last;
    }
    return pl__jinja_new_text(j, at, out, text, size);
}

pl_status pl__jinja_strip(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return stripped(j, at, value, arguments[0], true, true, out);
}

pl_status pl__jinja_lstrip(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return stripped(j, at, value, arguments[0], true, false, out);
}

pl_status pl__jinja_rstrip(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return stripped(j, at, value, arguments[0], false, true, out);
}

static bool has_end(const json_t *value, const json_t *end, bool front)
{
    size_t n = json_string_length(value), m = json_string_length(end);
    const char *text = json_string_value(value);
    return m <= n && memcmp(front ? text : text + n - m, json_string_value(end), m) == 0;
}

static pl_status without_end(const pl_jinja *j, size_t at, const json_t *value, const json_t *end, bool front,
                             json_t **out)
{
    PL_TRY(need_text(j, at, value, "removeprefix"));
    PL_TRY(need_text(j, at, end, "removeprefix"));
    size_t n = json_string_length(value), m = has_end(value, end, front) ? json_string_length(end) : 0;
    return pl__jinja_new_text(j, at, out, json_string_value(value) + (front ? m : 0), n - m);
}

pl_status pl__jinja_removeprefix(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                 json_t **out)
{
    return without_end(j, at, value, arguments[0], true, out);
}

pl_status pl__jinja_removesuffix(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                 json_t **out)
{
    return without_end(j, at, value, arguments[0], false, out);
}

/* text[from:to] where the method's arguments 1 and 2 say so; *from_letters: where it begins. A new reference. */
static pl_status part_of(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                         size_t *from_letters, json_t **out)
{
    long long from = 0, n = (long long)pl__jinja_length(j, value);
    *from_letters = 0;
    if (!is_given(arguments[1]) && !is_given(arguments[2]))
        return pl__jinja_made(out, json_incref((json_t *)(uintptr_t)value));
    if (is_given(arguments[1])) {
        if (!pl__jinja_whole(arguments[1], &from)) return pl_jinja_fail(j, at, "expected an integer as place");
        if (from < 0) from = from < -n ? 0 : from + n;
        if (from > n) return pl_jinja_fail(j, at, "a place behind the end is not supported");
    }
    *from_letters = (size_t)from;
    return pl__jinja_slice(j, at, value, arguments[1], arguments[2], NULL, out);
}

static pl_status ends(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, bool front,
                      json_t **out)
{
    json_t *part;
    size_t unused;
    bool holds = false;
    const json_t *end = arguments[0];
    PL_TRY(need_text(j, at, value, front ? "startswith" : "endswith"));
    PL_TRY(part_of(j, at, value, arguments, &unused, &part));
    bool tuple = pl__jinja_is_marked(j, end, PL__J_MARK_TUPLE);
    size_t n = tuple ? json_array_size(end) : 2;
    pl_status status = PL_OK;
    for (size_t i = 1; i < n && status == PL_OK && !holds; i++) {
        const json_t *one = tuple ? json_array_get(end, i) : end;
        status = need_text(j, at, one, front ? "startswith" : "endswith");
        if (status == PL_OK) status = pl__jinja_step_over(j, at, one);
        if (status == PL_OK) holds = has_end(part, one, front);
    }
    json_decref(part);
    if (status == PL_OK) *out = json_boolean(holds);
    return status;
}

pl_status pl__jinja_startswith(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                               json_t **out)
{
    return ends(j, at, value, arguments, true, out);
}

pl_status pl__jinja_endswith(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return ends(j, at, value, arguments, false, out);
}

/* ---- places ---- */

static const char *last_place(const char *text, size_t size, const char *what, size_t n)
{
    for (size_t i = size >= n ? size - n + 1 : 0; i > 0; i--)
        if (memcmp(text + i - 1, what, n) == 0) return text + i - 1;
    return NULL;
}

/* Where a text stands in a text, in letters; -1: nowhere. */
static pl_status text_place(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, bool last,
                            long long *out)
{
    json_t *part;
    size_t from;
    PL_TRY(need_text(j, at, arguments[0], "find"));
    if (last) PL_TRY(pl__jinja_step_each(j, at, value, arguments[0]));
    PL_TRY(part_of(j, at, value, arguments, &from, &part));
    const char *text = json_string_value(part), *what = json_string_value(arguments[0]);
    size_t size = json_string_length(part), n = json_string_length(arguments[0]);
    const char *hit = last ? last_place(text, size, what, n) : memmem(text, size, what, n);
    if (n == 0) hit = last ? text + size : text;
    *out = hit ? (long long)(from + pl_utf8_count(text, (size_t)(hit - text))) : -1;
    json_decref(part);
    return PL_OK;
}

static pl_status element_place(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                               long long *out)
{
    size_t first = pl__jinja_first(j, value), n = json_array_size(value), place;
    *out = -1;
    if (arguments[1] || arguments[2]) return pl_jinja_fail(j, at, "index: places in a list are not supported");
    PL_TRY(pl__jinja_place(j, at, value, first, n, arguments[0], &place));
    *out = place < n ? (long long)(place - first) : -1;
    return PL_OK;
}

static pl_status place_of(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, bool last,
                          bool must, json_t **out)
{
    long long place;
    pl_bytes shown = {0};
    if (must && !last && pl__jinja_is_sequence(j, value))
        PL_TRY(element_place(j, at, value, arguments, &place));
    else {
        PL_TRY(need_text(j, at, value, must ? "index" : "find"));
        PL_TRY(text_place(j, at, value, arguments, last, &place));
    }
    if (place >= 0 || !must) return pl__jinja_made(out, json_integer(place));
    pl_status status = pl_jinja_repr(j, at, arguments[0], &shown);
    if (status == PL_OK)
        status = pl_jinja_fail(j, at, "index: %.100s is not in %s", shown.data, pl__jinja_kind_name(j, value));
    pl_bytes_free(&shown);
    return status;
}

pl_status pl__jinja_index(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return place_of(j, at, value, arguments, false, true, out);
}

pl_status pl__jinja_find(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return place_of(j, at, value, arguments, false, false, out);
}

pl_status pl__jinja_rindex(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return place_of(j, at, value, arguments, true, true, out);
}

pl_status pl__jinja_rfind(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return place_of(j, at, value, arguments, true, false, out);
}

pl_status pl__jinja_count(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    json_int_t n = 0;
    json_t *part;
    size_t unused;
    if (pl__jinja_is_sequence(j, value) && !arguments[1]) {
        for (size_t i = pl__jinja_first(j, value), end = json_array_size(value); i < end; i++) {
            PL_TRY(pl__jinja_place(j, at, value, i, end, arguments[0], &i));
            n += i < end;
        }
        return pl__jinja_made(out, json_integer(n));
    }
    PL_TRY(need_text(j, at, value, "count"));
    PL_TRY(need_text(j, at, arguments[0], "count"));
    PL_TRY(part_of(j, at, value, arguments, &unused, &part));
    const char *text = json_string_value(part), *what = json_string_value(arguments[0]);
    size_t left = json_string_length(part), size = json_string_length(arguments[0]);
    if (size == 0) n = (json_int_t)pl_utf8_count(text, left) + 1;
    for (const char *hit; size > 0 && (hit = pl_find(text, left, what, size)); n++) {
        left -= (size_t)(hit - text) + size;
        text = hit + size;
    }
    json_decref(part);
    return pl__jinja_made(out, json_integer(n));
}

/* ---- parts ---- */

static pl_status add_part(const pl_jinja *j, size_t at, json_t *out, const char *text, size_t size)
{
    json_t *part = NULL;
    PL_TRY(pl__jinja_new_text(j, at, &part, text, size));
    return pl__jinja_add(j, at, out, part);
}

/* At runs of white space, none at the ends. */
static pl_status split_blanks(const pl_jinja *j, size_t at, const char *text, size_t size, long long most, json_t *out)
{
    for (long long n = 0;; n++) {
        size_t word = 0, width = 0;
        text = pl_strip(text, &size, true, false);
        if (size == 0) return PL_OK;
        if (most >= 0 && n == most) {
            text = pl_strip(text, &size, false, true);
            return add_part(j, at, out, text, size);
        }
        while (word < size && !pl_is_space(pl_letter(text + word, &width))) word += width;
        PL_TRY(add_part(j, at, out, text, word));
        text += word;
        size -= word;
    }
}

static pl_status split_at(const pl_jinja *j, size_t at, const char *text, size_t size, const json_t *separator,
                          long long most, json_t *out)
{
    const char *what = json_string_value(separator);
    size_t n = json_string_length(separator);
    for (const char *hit; most != 0 && (hit = pl_find(text, size, what, n)); most--) {
        PL_TRY(add_part(j, at, out, text, (size_t)(hit - text)));
        size -= (size_t)(hit - text) + n;
        text = hit + n;
    }
    return add_part(j, at, out, text, size);
}

/* From the right: the parts are found last first. */
static pl_status split_from_right(const pl_jinja *j, size_t at, const char *text, size_t size, const json_t *separator,
                                  long long most, json_t *out)
{
    const char *what = json_string_value(separator);
    size_t n = json_string_length(separator);
    json_t *part = NULL;
    for (const char *hit; most != 0 && (hit = last_place(text, size, what, n)); most--) {
        const char *behind = hit + n;
        PL_TRY(pl__jinja_new_text(j, at, &part, behind, size - (size_t)(behind - text)));
        if (json_array_insert_new(out, 0, part) != 0) return pl_fail(PL_E_MEMORY, "out of memory in a list");
        size = (size_t)(hit - text);
    }
    PL_TRY(pl__jinja_new_text(j, at, &part, text, size));
    return json_array_insert_new(out, 0, part) == 0 ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory in a list");
}

static pl_status split_text(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, bool right,
                            json_t **out)
{
    long long most = -1;
    pl_status status;
    PL_TRY(need_text(j, at, value, "split"));
    if (arguments[1] && !pl__jinja_whole(arguments[1], &most))
        return pl_jinja_fail(j, at, "split: maxsplit must be an integer");
    if (is_given(arguments[0])) PL_TRY(need_text(j, at, arguments[0], "split"));
    if (is_given(arguments[0]) && json_string_length(arguments[0]) == 0)
        return pl_jinja_fail(j, at, "split: an empty separator");
    if (right && is_given(arguments[0])) PL_TRY(pl__jinja_step_each(j, at, value, arguments[0]));
    if (right && !is_given(arguments[0]) && most >= 0)
        return pl_jinja_fail(j, at, "rsplit: maxsplit without a separator is not supported");
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    PL_TRY(pl__jinja_new_array(j, out, PL__J_MARKS));
    if (!is_given(arguments[0]))
        status = split_blanks(j, at, text, size, most, *out);
    else
        status = right ? split_from_right(j, at, text, size, arguments[0], most, *out)
                       : split_at(j, at, text, size, arguments[0], most, *out);
    return pl__jinja_kept(out, status);
}

pl_status pl__jinja_split(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return split_text(j, at, value, arguments, false, out);
}

pl_status pl__jinja_rsplit(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return split_text(j, at, value, arguments, true, out);
}

static bool ends_line(int32_t c)
{
    return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

pl_status pl__jinja_splitlines(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                               json_t **out)
{
    PL_TRY(need_text(j, at, value, "splitlines"));
    bool keeps = arguments[0] && pl__jinja_true(j, arguments[0]);
    const char *text = json_string_value(value);
    size_t size = json_string_length(value), from = 0;
    pl_status status = PL_OK;
    PL_TRY(pl__jinja_new_array(j, out, PL__J_MARKS));
    for (size_t i = 0, width; i < size && status == PL_OK; i += width) {
        int32_t c = pl_letter(text + i, &width);
        if (!ends_line(c)) continue;
        if (c == '\r' && i + 1 < size && text[i + 1] == '\n') width++;
        status = add_part(j, at, *out, text + from, (keeps ? i + width : i) - from);
        from = i + width;
    }
    if (status == PL_OK && from < size) status = add_part(j, at, *out, text + from, size - from);
    return pl__jinja_kept(out, status);
}

/* ---- whole texts ---- */

pl_status pl__jinja_replace_method(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                   json_t **out)
{
    long long count;
    for (int i = 0; i < 2; i++) PL_TRY(need_text(j, at, arguments[i], "replace"));
    PL_TRY(need_text(j, at, value, "replace"));
    json_t *inner[3] = {arguments[0], arguments[1], arguments[2]};
    if (arguments[2] && pl__jinja_whole(arguments[2], &count) && count < 0) inner[2] = NULL;
    return pl__jinja_replace(j, at, value, inner, out);
}

#define TEXT_METHOD(name, filter)                                                                                      \
    pl_status name(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)          \
    {                                                                                                                  \
        PL_TRY(need_text(j, at, value, "expected of a method"));                                                       \
        return filter(j, at, value, arguments, out);                                                                   \
    }

TEXT_METHOD(pl__jinja_lower_method, pl__jinja_lower)
TEXT_METHOD(pl__jinja_upper_method, pl__jinja_upper)
TEXT_METHOD(pl__jinja_capitalize_method, pl__jinja_capitalize)

pl_status pl__jinja_title_method(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                 json_t **out)
{
    pl_bytes text = {0};
    (void)arguments;
    PL_TRY(need_text(j, at, value, "title"));
    pl_status status = pl_title(&text, json_string_value(value), json_string_length(value));
    if (status == PL_OK) status = pl__jinja_new_text(j, at, out, text.data, text.size);
    pl_bytes_free(&text);
    return status;
}

pl_status pl__jinja_format_method(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                  json_t **out)
{
    size_t n = 0;
    PL_TRY(need_text(j, at, value, "format"));
    while (n < PL__JINJA_MAX_ARGUMENTS && arguments[n]) n++;
    return pl__jinja_braces(j, at, value, arguments, n, out);
}

/* separator.join(list) */
pl_status pl__jinja_join_method(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                json_t **out)
{
    json_t *elements, *inner[2] = {(json_t *)(uintptr_t)value, NULL};
    PL_TRY(need_text(j, at, value, "join"));
    PL_TRY(pl__jinja_elements(j, at, arguments[0], &elements));
    pl_status status = PL_OK;
    for (size_t i = 0; i < json_array_size(elements) && status == PL_OK; i++)
        status = need_text(j, at, json_array_get(elements, i), "join");
    if (status == PL_OK) status = pl__jinja_join(j, at, elements, inner, out);
    json_decref(elements);
    return status;
}

/* All letters are of a kind, and there is one. */
static pl_status all_are(const pl_jinja *j, size_t at, const json_t *value, bool digits, json_t **out)
{
    PL_TRY(need_text(j, at, value, digits ? "isdigit" : "isalpha"));
    const char *text = json_string_value(value);
    size_t size = json_string_length(value), width;
    bool all = size > 0;
    for (size_t i = 0; i < size && all; i += width) {
        int32_t c = pl_letter(text + i, &width);
        if (digits && utf8proc_category(c) == UTF8PROC_CATEGORY_NO)
            return pl_jinja_fail(j, at, "isdigit: numbers such as superscripts are not supported");
        all = digits ? utf8proc_category(c) == UTF8PROC_CATEGORY_ND : pl_is_alpha(c);
    }
    return pl__jinja_made(out, json_boolean(all));
}

pl_status pl__jinja_isdigit(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    return all_are(j, at, value, true, out);
}

pl_status pl__jinja_isalpha(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    return all_are(j, at, value, false, out);
}

/* ---- objects ---- */

static pl_status need_object(const pl_jinja *j, size_t at, const json_t *value, const char *what)
{
    if (json_is_object(value)) return PL_OK;
    return pl_jinja_fail(j, at, "%s: expected an object, found %s", what, pl__jinja_kind_name(j, value));
}

/* What is gone through, and neither printed nor indexed. */
static pl_status as_lazy(const pl_jinja *j, size_t at, json_t *elements, json_t **out)
{
    pl_status status = pl__jinja_new_array(j, out, PL__J_MARK_LAZY);
    for (size_t i = 0; i < json_array_size(elements) && status == PL_OK; i++)
        status = pl__jinja_add(j, at, *out, json_incref(json_array_get(elements, i)));
    json_decref(elements);
    return pl__jinja_kept(out, status);
}

pl_status pl__jinja_keys(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    json_t *elements;
    (void)arguments;
    PL_TRY(need_object(j, at, value, "keys"));
    PL_TRY(pl__jinja_elements(j, at, value, &elements));
    return as_lazy(j, at, elements, out);
}

pl_status pl__jinja_values(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    const char *key;
    json_t *child;
    (void)arguments;
    PL_TRY(need_object(j, at, value, "values"));
    PL_TRY(pl__jinja_new_array(j, out, PL__J_MARK_LAZY));
    pl_status status = PL_OK;
    json_object_foreach((json_t *)(uintptr_t)value, key, child)
    {
        status = pl__jinja_add(j, at, *out, json_incref(child));
        if (status != PL_OK) break;
    }
    return pl__jinja_kept(out, status);
}

pl_status pl__jinja_items_method(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                 json_t **out)
{
    PL_TRY(need_object(j, at, value, "items"));
    return pl__jinja_items(j, at, value, arguments, out);
}

pl_status pl__jinja_get(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    bool found;
    PL_TRY(need_object(j, at, value, "get"));
    PL_TRY(pl__jinja_refuse_no_hash(j, at, arguments[0]));
    PL_TRY(pl__jinja_look_up(j, at, value, arguments[0], false, &found, out));
    if (found) return PL_OK;
    return pl__jinja_made(out, arguments[1] ? json_incref(arguments[1]) : json_null());
}
