/* Filters of texts, each as jinja2 defines it (jinja2/filters.py). */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/letters.h"
#include "jinja/python.h"
#include "jinja/tree.h"

/* str(value) as a text value. */
static pl_status as_text(const pl_jinja *j, size_t at, const json_t *value, pl_bytes *out)
{
    return pl_jinja_text(j, at, value, out);
}

typedef pl_status letters_mapping(pl_bytes *out, const char *text, size_t size);

static pl_status mapped(const pl_jinja *j, size_t at, const json_t *value, letters_mapping *map, json_t **out)
{
    pl_bytes text = {0}, result = {0};
    pl_status status;
    PL_GOTO(status, done, as_text(j, at, value, &text));
    PL_GOTO(status, done, map(&result, text.data ? text.data : "", text.size));
    PL_GOTO(status, done, pl__jinja_check_text(j, at, result.size));
    PL_GOTO(status, done, pl__jinja_new_text(j, at, out, result.data, result.size));
done:
    pl_bytes_free(&text);
    pl_bytes_free(&result);
    return status;
}

/* Behind a blank, a hyphen or an opening bracket stands a capital, all else is lower case. */
static pl_status title_words(pl_bytes *out, const char *text, size_t size)
{
    for (size_t i = 0, from = 0, width; i <= size; i += width) {
        int32_t c = ' ';
        width = 1;
        if (i < size) c = pl_letter(text + i, &width);
        if (i < size && !pl_is_space(c) && !(c && c < 0x80 && strchr("-({[<", (char)c))) continue;
        if (i > from) {
            size_t first = pl_utf8_size(text[from]);
            PL_TRY(pl_upper(out, text + from, first));
            PL_TRY(pl_lower(out, text + from + first, i - from - first));
        }
        if (i < size) PL_TRY(pl_bytes_append(out, text + i, width));
        from = i + width;
    }
    return PL_OK;
}

pl_status pl__jinja_title(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    return mapped(j, at, value, title_words, out);
}

static pl_status strip_both(pl_bytes *out, const char *text, size_t size)
{
    text = pl_strip(text, &size, true, true);
    return pl_bytes_append(out, text, size);
}

pl_status pl__jinja_trim(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    if (arguments[0]) return pl__jinja_strip(j, at, value, arguments, out);
    return mapped(j, at, value, strip_both, out);
}

pl_status pl__jinja_lower(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    return mapped(j, at, value, pl_lower, out);
}

pl_status pl__jinja_upper(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    return mapped(j, at, value, pl_upper, out);
}

pl_status pl__jinja_capitalize(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                               json_t **out)
{
    (void)arguments;
    return mapped(j, at, value, pl_capitalize, out);
}

/* An integer argument in 0..2^31; absent or none gives `otherwise`. */
static pl_status integer(const pl_jinja *j, size_t at, const json_t *value, size_t otherwise, size_t *out)
{
    *out = otherwise;
    if (!value || json_is_null(value)) return PL_OK;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > INT32_MAX)
        return pl_jinja_fail(j, at, "expected an integer of 0 or more as argument");
    *out = (size_t)json_integer_value(value);
    return PL_OK;
}

/* truncate(length=255, killwords=false, end="...", leeway=5), counted in code points. */
pl_status pl__jinja_truncate(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    size_t length, leeway;
    if (!json_is_string(value)) return pl_jinja_fail(j, at, "filter truncate: expected a text");
    if (arguments[0] && !json_is_integer(arguments[0]))
        return pl_jinja_fail(j, at, "filter truncate: expected an integer");
    PL_TRY(integer(j, at, arguments[0], 255, &length));
    PL_TRY(integer(j, at, arguments[3], 5, &leeway));
    if (arguments[2] && !json_is_string(arguments[2]))
        return pl_jinja_fail(j, at, "filter truncate: end must be a text");
    const char *end = arguments[2] ? json_string_value(arguments[2]) : "...";
    size_t end_size = arguments[2] ? json_string_length(arguments[2]) : 3, end_letters = pl_utf8_count(end, end_size);
    if (length < end_letters)
        return pl_jinja_fail(j, at, "filter truncate: length %zu is shorter than its end of %zu letters", length,
                             end_letters);
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (pl_utf8_count(text, size) <= length + leeway) return pl__jinja_new_text(j, at, out, text, size);
    size_t kept = pl_letters_offset(text, size, length - end_letters);
    if (!arguments[1] || !pl__jinja_true(j, arguments[1])) { /* back to the last blank, when there is one */
        const char *blank = memrchr(text, ' ', kept);
        if (blank) kept = (size_t)(blank - text);
    }
    pl_bytes result = {0};
    pl_status status;
    PL_GOTO(status, done, pl_bytes_append(&result, text, kept));
    PL_GOTO(status, done, pl_bytes_append(&result, end, end_size));
    status = pl__jinja_new_text(j, at, out, result.data, result.size);
done:
    pl_bytes_free(&result);
    return status;
}

/* Python's str.replace: from the left, without overlap; an empty `old` stands before every letter and at the end. */
static pl_status replace_in(const pl_jinja *j, size_t at, const pl_bytes *text, const pl_bytes *old,
                            const pl_bytes *new, size_t count, pl_bytes *out)
{
    size_t i = 0;
    while (count > 0) {
        size_t found = i;
        if (old->size > 0) {
            const char *hit = pl_find(text->data + i, text->size - i, old->data, old->size);
            if (!hit) break;
            found = (size_t)(hit - text->data);
        }
        PL_TRY(pl_bytes_append(out, text->data + i, found - i));
        PL_TRY(pl_bytes_append(out, new->data, new->size));
        PL_TRY(pl__jinja_check_text(j, at, out->size));
        i = found + old->size;
        count--;
        if (old->size > 0) continue;
        if (i >= text->size) break;
        size_t width;
        pl_letter(text->data + i, &width);
        PL_TRY(pl_bytes_append(out, text->data + i, width));
        i += width;
    }
    return pl_bytes_append(out, text->data + i, text->size - i);
}

pl_status pl__jinja_replace(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    pl_bytes text = {0}, old = {0}, new = {0}, result = {0};
    size_t count;
    pl_status status;
    PL_GOTO(status, done, integer(j, at, arguments[2], SIZE_MAX, &count));
    PL_GOTO(status, done, as_text(j, at, value, &text));
    PL_GOTO(status, done, as_text(j, at, arguments[0], &old));
    PL_GOTO(status, done, as_text(j, at, arguments[1], &new));
    PL_GOTO(status, done, pl_bytes_append(&text, "", 0)); /* so that an empty text has an address too */
    PL_GOTO(status, done, replace_in(j, at, &text, &old, &new, count, &result));
    PL_GOTO(status, done, pl__jinja_check_text(j, at, result.size));
    status = pl__jinja_new_text(j, at, out, result.data, result.size);
done:
    pl_bytes_free(&text);
    pl_bytes_free(&old);
    pl_bytes_free(&new);
    pl_bytes_free(&result);
    return status;
}

pl_status pl__jinja_string(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    pl_bytes text = {0};
    pl_status status = json_is_string(value) ? as_text(j, at, value, &text) : pl_jinja_repr(j, at, value, &text);
    if (status == PL_OK) status = pl__jinja_new_text(j, at, out, text.data, text.size);
    pl_bytes_free(&text);
    return status;
}

/* Nothing is escaped here, so that nothing is to be kept from it. */
pl_status pl__jinja_safe(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    pl_bytes text = {0};
    (void)arguments;
    pl_status status = as_text(j, at, value, &text);
    if (status == PL_OK) status = pl__jinja_new_text(j, at, out, text.data, text.size);
    pl_bytes_free(&text);
    return status;
}

/* Runs of letters, digits and underscores: Python's \w+. */
pl_status pl__jinja_word_count(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                               json_t **out)
{
    (void)arguments;
    pl_bytes text = {0};
    json_int_t n = 0;
    pl_status status = as_text(j, at, value, &text);
    bool inside = false;
    for (size_t i = 0, width; i < text.size; i += width) {
        bool word = pl_is_word(pl_letter(text.data + i, &width));
        n += word && !inside;
        inside = word;
    }
    pl_bytes_free(&text);
    return status == PL_OK ? pl__jinja_made(out, json_integer(n)) : status;
}

/* indent(width=4, first=false, blank=false) */
pl_status pl__jinja_indent(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    size_t blanks = 4;
    json_t *lines = NULL, *whole = NULL, *const no_ends[] = {NULL};
    pl_bytes text = {0}, by = {0};
    bool first = arguments[1] && pl__jinja_true(j, arguments[1]), all = arguments[2] && pl__jinja_true(j, arguments[2]);
    pl_status status;
    if (!json_is_string(value)) return pl_jinja_fail(j, at, "indent: expected a text");
    if (arguments[0] && json_is_string(arguments[0]))
        PL_GOTO(status, done, as_text(j, at, arguments[0], &by));
    else {
        PL_GOTO(status, done, integer(j, at, arguments[0], 4, &blanks));
        PL_GOTO(status, done, pl__jinja_check_text(j, at, blanks));
        for (size_t i = 0; i < blanks; i++) PL_GOTO(status, done, pl_bytes_append(&by, " ", 1));
    }
    PL_GOTO(status, done, as_text(j, at, value, &text));
    PL_GOTO(status, done, pl_bytes_append(&text, "\n", 1));
    PL_GOTO(status, done, pl__jinja_new_text(j, at, &whole, text.data, text.size));
    PL_GOTO(status, done, pl__jinja_splitlines(j, at, whole, no_ends, &lines));
    pl_bytes_clear(&text);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        if (i > 0) PL_GOTO(status, done, pl_bytes_append(&text, "\n", 1));
        if (i > 0 ? all || json_string_length(line) > 0 : first)
            PL_GOTO(status, done, pl_bytes_append(&text, by.data ? by.data : "", by.size));
        PL_GOTO(status, done, as_text(j, at, line, &text));
    }
    status = pl__jinja_new_text(j, at, out, text.data, text.size);
done:
    json_decref(lines);
    json_decref(whole);
    pl_bytes_free(&text);
    pl_bytes_free(&by);
    return status;
}

pl_status pl__jinja_format_filter(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                  json_t **out)
{
    json_t *values;
    pl_bytes text = {0};
    json_t *pattern = NULL;
    PL_TRY(pl__jinja_new_array(j, &values, PL__J_MARKS));
    pl_status status = PL_OK;
    for (size_t i = 0; i < PL__JINJA_MAX_ARGUMENTS && arguments[i]; i++)
        PL_GOTO(status, done, pl__jinja_add(j, at, values, json_incref(arguments[i])));
    PL_GOTO(status, done, as_text(j, at, value, &text));
    PL_GOTO(status, done, pl__jinja_new_text(j, at, &pattern, text.data, text.size));
    status = pl__jinja_percent(j, at, pattern, values, out);
done:
    json_decref(values);
    json_decref(pattern);
    pl_bytes_free(&text);
    return status;
}

pl_status pl__jinja_dumps(const pl_jinja *j, size_t at, const json_t *value, const pl_python_style *style, json_t **out)
{
    pl_bytes text = {0};
    json_t *plain = json_incref((json_t *)(uintptr_t)value);
    enum { BYTES_A_STEP = 2 }; /* a real number's shortest text takes some 300 ns */
    pl_python_style bounded = *style;
    pl_status status;
    bounded.most = PL_GROWTH_MAX;
    PL_GOTO(status, done, pl__jinja_leave_marks(j, at, &plain));
    status = pl_python_dumps(&text, plain, &bounded);
    if (status == PL_E_INPUT) status = pl__jinja_check_text(j, at, text.size); /* says where */
    if (status == PL_OK) status = pl__jinja_new_text(j, at, out, text.data, text.size);
    if (status == PL_OK) status = pl__jinja_kept(out, pl__jinja_steps(j, at, text.size / BYTES_A_STEP));
done:
    json_decref(plain);
    pl_bytes_free(&text);
    return status;
}

/* json.dumps(value, sort_keys=True) with < > & ' escaped, so that it can stand in HTML. */
pl_status pl__jinja_tojson(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    static const pl_python_style line = {
        .indent = -1, .comma = ", ", .colon = ": ", .ascii = true, .sorted = true, .html = true};
    (void)arguments;
    return pl__jinja_dumps(j, at, value, &line, out);
}
