/* The filters of the template language, each as jinja2 defines it (jinja2/filters.py): one table row a filter. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/letters.h"
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

static pl_status strip_both(pl_bytes *out, const char *text, size_t size)
{
    text = pl_strip(text, &size, true, true);
    return pl_bytes_append(out, text, size);
}

static pl_status trim(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    return mapped(j, at, value, strip_both, out);
}

static pl_status lower(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    return mapped(j, at, value, pl_lower, out);
}

static pl_status upper(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    return mapped(j, at, value, pl_upper, out);
}

static pl_status capitalize(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
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
static pl_status truncate(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
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
    if (!arguments[1] || !pl__jinja_true(arguments[1])) { /* back to the last blank, when there is one */
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
            const char *hit = memmem(text->data + i, text->size - i, old->data, old->size);
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

static pl_status replace(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
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

/* Appends one element of a join, the separator before all but the first. */
static pl_status join_one(const pl_jinja *j, size_t at, const json_t *separator, bool first, const json_t *value,
                          pl_bytes *out)
{
    if (!first && separator) PL_TRY(as_text(j, at, separator, out));
    return as_text(j, at, value, out);
}

/* A text joins its letters, an object its keys, as iterating over them in Python does. */
static pl_status join(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    const json_t *separator = arguments[0];
    pl_bytes result = {0};
    pl_status status = PL_OK;
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            PL_GOTO(status, done, join_one(j, at, separator, i == 0, json_array_get(value, i), &result));
    } else if (json_is_string(value)) {
        const char *text = json_string_value(value);
        for (size_t i = 0, width, size = json_string_length(value); i < size; i += width) {
            pl_letter(text + i, &width);
            if (i > 0 && separator) PL_GOTO(status, done, as_text(j, at, separator, &result));
            PL_GOTO(status, done, pl__jinja_check_text(j, at, result.size + width));
            PL_GOTO(status, done, pl_bytes_append(&result, text + i, width));
        }
    } else if (json_is_object(value)) {
        const char *key;
        json_t *unused;
        bool first = true;
        json_object_foreach((json_t *)(uintptr_t)value, key, unused)
        {
            if (!first && separator) PL_GOTO(status, done, as_text(j, at, separator, &result));
            first = false;
            PL_GOTO(status, done, pl_bytes_text(&result, key));
        }
    } else {
        status = pl_jinja_fail(j, at, "filter join: expected a list");
        goto done;
    }
    status = pl__jinja_new_text(j, at, out, result.data, result.size);
done:
    pl_bytes_free(&result);
    return status;
}

static pl_status length(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    size_t n;
    if (json_is_string(value))
        n = pl_utf8_count(json_string_value(value), json_string_length(value));
    else if (json_is_array(value))
        n = json_array_size(value);
    else if (json_is_object(value))
        n = json_object_size(value);
    else
        return pl_jinja_fail(j, at, "filter length: expected a text, a list or an object");
    *out = json_integer((json_int_t)n);
    return *out ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory in a template");
}

static const pl__jinja_filter FILTERS[] = {
    {"trim", {NULL}, 0, trim},
    {"lower", {NULL}, 0, lower},
    {"upper", {NULL}, 0, upper},
    {"capitalize", {NULL}, 0, capitalize},
    {"truncate", {"length", "killwords", "end", "leeway", NULL}, 0, truncate},
    {"replace", {"old", "new", "count", NULL}, 2, replace},
    {"join", {"d", NULL}, 0, join},
    {"length", {NULL}, 0, length},
};

const pl__jinja_filter *pl__jinja_filter_find(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof FILTERS / sizeof *FILTERS; i++)
        if (strlen(FILTERS[i].name) == size && memcmp(FILTERS[i].name, name, size) == 0) return &FILTERS[i];
    return NULL;
}

const char *pl__jinja_filter_names(void)
{
    return "trim, lower, upper, capitalize, truncate, replace, join, length";
}
