#include "jinja/python.h"

#include <stdlib.h>
#include <string.h>

#include "base/real_text.h"
#include "base/utf8.h"

typedef pl_python_style style;

/* As UTF-16 escapes where ASCII is asked for. */
static pl_status write_text(pl_bytes *out, const char *text, size_t size, const style *s)
{
    static const char named[] = "\"\\\n\r\t\f\b", letters[] = "\"\\nrtfb";
    PL_TRY(pl_bytes_text(out, "\""));
    size_t from = 0;
    for (size_t i = 0, width; i < size; i += width) {
        uint32_t c;
        width = pl_utf8_get(&c, text + i);
        const char *at = c && c < 0x80 ? strchr(named, (char)c) : NULL;
        bool plain = !at && c >= 0x20 && !(s->ascii && c > 0x7E) && !(s->html && c < 0x80 && strchr("<>&'", (char)c));
        if (plain) continue;
        PL_TRY(pl_bytes_append(out, text + from, i - from));
        from = i + width;
        if (at)
            PL_TRY(pl_bytes_format(out, "\\%c", letters[at - named]));
        else if (c >= 0x10000)
            PL_TRY(pl_bytes_format(out, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10), 0xDC00 + (c & 0x3FF)));
        else
            PL_TRY(pl_bytes_format(out, "\\u%04x", c));
    }
    PL_TRY(pl_bytes_append(out, text + from, size - from));
    return pl_bytes_text(out, "\"");
}

static pl_status write_break(pl_bytes *out, size_t depth, const style *s)
{
    if (s->indent < 0) return PL_OK;
    PL_TRY(pl_bytes_text(out, "\n"));
    for (size_t i = 0; i < depth * (size_t)s->indent; i++) PL_TRY(pl_bytes_append(out, " ", 1));
    return PL_OK;
}

static pl_status write_value(pl_bytes *out, const json_t *value, size_t depth, const style *s);

static pl_status write_list(pl_bytes *out, const json_t *list, size_t depth, const style *s)
{
    size_t n = json_array_size(list);
    if (n == 0) return pl_bytes_text(out, "[]");
    PL_TRY(pl_bytes_text(out, "["));
    for (size_t i = 0; i < n; i++) {
        if (i) PL_TRY(pl_bytes_text(out, s->comma));
        PL_TRY(write_break(out, depth + 1, s));
        PL_TRY(write_value(out, json_array_get(list, i), depth + 1, s));
    }
    PL_TRY(write_break(out, depth, s));
    return pl_bytes_text(out, "]");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static pl_status write_fields(pl_bytes *out, const json_t *object, const char *const *keys, size_t n, size_t depth,
                              const style *s)
{
    for (size_t i = 0; i < n; i++) {
        if (i) PL_TRY(pl_bytes_text(out, s->comma));
        PL_TRY(write_break(out, depth + 1, s));
        PL_TRY(write_text(out, keys[i], strlen(keys[i]), s));
        PL_TRY(pl_bytes_text(out, s->colon));
        PL_TRY(write_value(out, json_object_get(object, keys[i]), depth + 1, s));
    }
    return PL_OK;
}

static pl_status write_object(pl_bytes *out, const json_t *object, size_t depth, const style *s)
{
    const char **keys, *key;
    json_t *unused;
    size_t n = 0;
    if (json_object_size(object) == 0) return pl_bytes_text(out, "{}");
    PL_TRY(pl_new(&keys, json_object_size(object)));
    /* jansson iterates in insertion order and takes a non-const object to do so. */
    json_object_foreach((json_t *)(uintptr_t)object, key, unused) keys[n++] = key;
    if (s->sorted) qsort(keys, n, sizeof *keys, by_name);
    pl_status status = pl_bytes_text(out, "{");
    if (status == PL_OK) status = write_fields(out, object, keys, n, depth, s);
    free(keys);
    if (status == PL_OK) status = write_break(out, depth, s);
    return status == PL_OK ? pl_bytes_text(out, "}") : status;
}

static pl_status write_value(pl_bytes *out, const json_t *value, size_t depth, const style *s)
{
    char real[PL_REAL_TEXT];
    if (s->most && out->size > s->most) return pl_fail(PL_E_INPUT, "more than %zu bytes of JSON", s->most);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return write_object(out, value, depth, s);
    case JSON_ARRAY:
        return write_list(out, value, depth, s);
    case JSON_STRING:
        if (pl_json_wide_digits(value)) return pl_bytes_text(out, pl_json_wide_digits(value));
        return write_text(out, json_string_value(value), json_string_length(value), s);
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

pl_status pl_python_dumps(pl_bytes *out, const json_t *value, const pl_python_style *s)
{
    return write_value(out, value, 0, s);
}

pl_status pl_python_json(pl_bytes *out, const json_t *value)
{
    const pl_python_style s = {.indent = 2, .comma = ",", .colon = ": "};
    return write_value(out, value, 0, &s);
}
