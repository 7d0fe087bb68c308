#include "jinja/python.h"

#include <stdlib.h>
#include <string.h>

#include "base/real_text.h"
#include "base/utf8.h"

static pl_status write_text(pl_bytes *out, const char *text, size_t size)
{
    PL_TRY(pl_bytes_text(out, "\""));
    for (size_t i = 0, from = 0; i <= size; i++) {
        unsigned char c = i < size ? (unsigned char)text[i] : '"';
        if (i < size && c >= 0x20 && c != '"' && c != '\\') continue;
        PL_TRY(pl_bytes_append(out, text + from, i - from));
        from = i + 1;
        if (i == size) break;
        static const char named[] = "\"\\\n\r\t\f\b", letters[] = "\"\\nrtfb";
        const char *at = c ? strchr(named, c) : NULL;
        if (at)
            PL_TRY(pl_bytes_format(out, "\\%c", letters[at - named]));
        else
            PL_TRY(pl_bytes_format(out, "\\u%04x", c));
    }
    return pl_bytes_text(out, "\"");
}

static pl_status write_break(pl_bytes *out, size_t depth)
{
    PL_TRY(pl_bytes_text(out, "\n"));
    for (size_t i = 0; i < depth; i++) PL_TRY(pl_bytes_text(out, "  "));
    return PL_OK;
}

static pl_status write_value(pl_bytes *out, const json_t *value, size_t depth);

static pl_status write_list(pl_bytes *out, const json_t *list, size_t depth)
{
    size_t n = json_array_size(list);
    if (n == 0) return pl_bytes_text(out, "[]");
    PL_TRY(pl_bytes_text(out, "["));
    for (size_t i = 0; i < n; i++) {
        if (i) PL_TRY(pl_bytes_text(out, ","));
        PL_TRY(write_break(out, depth + 1));
        PL_TRY(write_value(out, json_array_get(list, i), depth + 1));
    }
    PL_TRY(write_break(out, depth));
    return pl_bytes_text(out, "]");
}

static pl_status write_object(pl_bytes *out, const json_t *object, size_t depth)
{
    if (json_object_size(object) == 0) return pl_bytes_text(out, "{}");
    PL_TRY(pl_bytes_text(out, "{"));
    /* jansson iterates in insertion order and takes a non-const object to do so. */
    json_t *iterable = (json_t *)(uintptr_t)object;
    const char *separator = "";
    for (void *i = json_object_iter(iterable); i; i = json_object_iter_next(iterable, i)) {
        PL_TRY(pl_bytes_text(out, separator));
        separator = ",";
        PL_TRY(write_break(out, depth + 1));
        PL_TRY(write_text(out, json_object_iter_key(i), strlen(json_object_iter_key(i))));
        PL_TRY(pl_bytes_text(out, ": "));
        PL_TRY(write_value(out, json_object_iter_value(i), depth + 1));
    }
    PL_TRY(write_break(out, depth));
    return pl_bytes_text(out, "}");
}

static pl_status write_value(pl_bytes *out, const json_t *value, size_t depth)
{
    char real[PL_REAL_TEXT];
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return write_object(out, value, depth);
    case JSON_ARRAY:
        return write_list(out, value, depth);
    case JSON_STRING:
        if (pl_json_wide_digits(value)) return pl_bytes_text(out, pl_json_wide_digits(value));
        return write_text(out, json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
        return pl_bytes_format(out, "%lld", (long long)json_integer_value(value));
    case JSON_REAL:
        pl_real_text(real, json_real_value(value));
        return pl_bytes_text(out, real);
    case JSON_TRUE:
        return pl_bytes_text(out, "true");
    case JSON_FALSE:
        return pl_bytes_text(out, "false");
    case JSON_NULL:
        break;
    }
    return pl_bytes_text(out, "null");
}

pl_status pl_python_json(pl_bytes *out, const json_t *value)
{
    return write_value(out, value, 0);
}

/* ---- on one line ---- */

/* Outside ASCII as UTF-16 escapes. */
static pl_status line_text(pl_bytes *out, const char *text, size_t size)
{
    static const char named[] = "\"\\\n\r\t\f\b", letters[] = "\"\\nrtfb";
    PL_TRY(pl_bytes_text(out, "\""));
    for (size_t i = 0, width; i < size; i += width) {
        uint32_t c;
        width = pl_utf8_get(&c, text + i);
        const char *at = c && c < 0x80 ? strchr(named, (char)c) : NULL;
        if (at)
            PL_TRY(pl_bytes_format(out, "\\%c", letters[at - named]));
        else if (c >= 0x10000)
            PL_TRY(pl_bytes_format(out, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10), 0xDC00 + (c & 0x3FF)));
        else if (c < 0x20 || c > 0x7E || strchr("<>&'", (char)c))
            PL_TRY(pl_bytes_format(out, "\\u%04x", c));
        else
            PL_TRY(pl_bytes_append(out, text + i, width));
    }
    return pl_bytes_text(out, "\"");
}

static pl_status line_list(pl_bytes *out, const json_t *list)
{
    PL_TRY(pl_bytes_text(out, "["));
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (i) PL_TRY(pl_bytes_text(out, ", "));
        PL_TRY(pl_python_json_line(out, json_array_get(list, i)));
    }
    return pl_bytes_text(out, "]");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static pl_status line_object(pl_bytes *out, const json_t *object)
{
    const char **keys, *key;
    json_t *unused;
    size_t n = 0;
    PL_TRY(pl_new(&keys, json_object_size(object)));
    json_object_foreach((json_t *)(uintptr_t)object, key, unused) keys[n++] = key;
    qsort(keys, n, sizeof *keys, by_name);
    pl_status status = pl_bytes_text(out, "{");
    for (size_t i = 0; i < n && status == PL_OK; i++) {
        if (i) status = pl_bytes_text(out, ", ");
        if (status == PL_OK) status = line_text(out, keys[i], strlen(keys[i]));
        if (status == PL_OK) status = pl_bytes_text(out, ": ");
        if (status == PL_OK) status = pl_python_json_line(out, json_object_get(object, keys[i]));
    }
    free(keys);
    return status == PL_OK ? pl_bytes_text(out, "}") : status;
}

pl_status pl_python_json_line(pl_bytes *out, const json_t *value)
{
    if (json_is_object(value)) return line_object(out, value);
    if (json_is_array(value)) return line_list(out, value);
    if (json_is_string(value)) return line_text(out, json_string_value(value), json_string_length(value));
    return write_value(out, value, 0);
}
