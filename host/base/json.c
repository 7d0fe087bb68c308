#include "base/json.h"

#include <string.h>

#include "base/file.h"

enum { FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL };

pl_status pl_json_parse(json_t **out, const char *text, size_t size, const char *where)
{
    json_error_t error;
    *out = json_loadb(text, size, FLAGS, &error);
    if (!*out) return pl_fail(PL_E_INPUT, "%s:%d:%d: not valid JSON: %s", where, error.line, error.column, error.text);
    return PL_OK;
}

pl_status pl_json_read(json_t **out, const char *path, size_t limit_bytes)
{
    *out = NULL;
    pl_bytes text;
    PL_TRY(pl_file_read(&text, path, limit_bytes));
    pl_status status = pl_json_parse(out, text.data, text.size, path);
    pl_bytes_free(&text);
    return status;
}

static pl_status dump(pl_bytes *out, const json_t *value, size_t flags)
{
    char *text = json_dumps(value, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    if (!text) return pl_fail(PL_E_MEMORY, "out of memory while writing JSON (or a value that is not finite)");
    pl_status status = pl_bytes_text(out, text);
    free(text);
    return status;
}

pl_status pl_json_canonical(pl_bytes *out, const json_t *value)
{
    return dump(out, value, JSON_COMPACT | JSON_SORT_KEYS);
}

pl_status pl_json_write(const char *path, const json_t *value)
{
    pl_bytes text = {0};
    pl_status status;
    PL_GOTO(status, done, dump(&text, value, JSON_INDENT(2)));
    PL_GOTO(status, done, pl_bytes_text(&text, "\n"));
    PL_GOTO(status, done, pl_file_replace(path, text.data, text.size));
done:
    pl_bytes_free(&text);
    return status;
}

static const char *kind(const json_t *v)
{
    static const char *const names[] = {"an object",     "a list", "a text", "an integer",
                                        "a real number", "true",   "false",  "null"};
    return names[json_typeof(v)];
}

/* The value at key; NULL when absent or null. */
static const json_t *look_up(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return v && !json_is_null(v) ? v : NULL;
}

pl_status pl_json_get_text(const char **out, const json_t *object, const char *key, const char *where)
{
    const json_t *v = look_up(object, key);
    if (!v) return PL_OK;
    if (!json_is_string(v)) return pl_fail(PL_E_INPUT, "%s: %s: expected a text, found %s", where, key, kind(v));
    *out = json_string_value(v);
    return PL_OK;
}

pl_status pl_json_get_size(size_t *out, const json_t *object, const char *key, const char *where)
{
    const json_t *v = look_up(object, key);
    if (!v) return PL_OK;
    if (!json_is_integer(v)) return pl_fail(PL_E_INPUT, "%s: %s: expected an integer, found %s", where, key, kind(v));
    if (json_integer_value(v) < 0)
        return pl_fail(PL_E_INPUT, "%s: %s: expected 0 or more, found %lld", where, key,
                       (long long)json_integer_value(v));
    *out = (size_t)json_integer_value(v);
    return PL_OK;
}

pl_status pl_json_get_real(double *out, const json_t *object, const char *key, const char *where)
{
    const json_t *v = look_up(object, key);
    if (!v) return PL_OK;
    if (!json_is_number(v)) return pl_fail(PL_E_INPUT, "%s: %s: expected a number, found %s", where, key, kind(v));
    *out = json_number_value(v);
    return PL_OK;
}

pl_status pl_json_get_bool(bool *out, const json_t *object, const char *key, const char *where)
{
    const json_t *v = look_up(object, key);
    if (!v) return PL_OK;
    if (!json_is_boolean(v))
        return pl_fail(PL_E_INPUT, "%s: %s: expected true or false, found %s", where, key, kind(v));
    *out = json_is_true(v);
    return PL_OK;
}
