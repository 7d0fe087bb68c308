#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/content.h"
#include "base/file.h"

/* ---- memory ---- */

static void *take(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory) pl_out_of_memory("a JSON value");
    return memory;
}

void pl_json_guard(void)
{
    json_set_alloc_funcs(take, free);
}

enum { FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL };

/* ---- integers beyond 64 bits, which jansson refuses ---- */

json_t *pl_json_wide(const char *digits, size_t size)
{
    char *text = malloc(size + 1);
    if (!text) return NULL;
    text[0] = 0;
    memcpy(text + 1, digits, size);
    json_t *value = json_stringn(text, size + 1);
    free(text);
    return value;
}

const char *pl_json_wide_digits(const json_t *value)
{
    if (!json_is_string(value) || json_string_length(value) < 2 || *json_string_value(value)) return NULL;
    const char *text = json_string_value(value) + 1, *digits = text + (*text == '-');
    size_t n = strspn(digits, "0123456789");
    return n >= 19 && digits + n == text + json_string_length(value) - 1 ? text : NULL;
}

/* The bytes of a plain integer that stands at text[at] and has 19 digits or more; 0: something else. */
static size_t long_integer(const char *text, size_t size, size_t at)
{
    size_t first = at + (text[at] == '-'), end = first;
    while (end < size && text[end] >= '0' && text[end] <= '9') end++;
    if (end - first < 19 || text[first] == '0') return 0;
    return end < size && text[end] && strchr(".eE", text[end]) ? 0 : end - at;
}

static bool fits(const char *digits, size_t size)
{
    char copy[24];
    if (size >= sizeof copy) return false;
    memcpy(copy, digits, size);
    copy[size] = 0;
    errno = 0;
    strtoll(copy, NULL, 10);
    return errno == 0;
}

/* The end of the text that begins with the quote at `at`. *nul: it holds the escape of U+0000. */
static size_t skip_text(const char *text, size_t size, size_t at, bool *nul)
{
    for (at++; at < size && text[at] != '"'; at++)
        if (text[at] == '\\' && at + 1 < size) {
            *nul |= size - at >= 6 && memcmp(text + at, "\\u0000", 6) == 0;
            at++;
        }
    return at < size ? at + 1 : size;
}

/* Copies the text with every integer beyond 64 bits written as a real, or as a wide one. */
static pl_status rewrite(pl_bytes *out, bool *nul, const char *text, size_t size, bool wide)
{
    for (size_t i = 0; i < size;) {
        size_t end = i + 1, digits = 0;
        if (text[i] == '"')
            end = skip_text(text, size, i, nul);
        else if (text[i] == '-' || (text[i] >= '1' && text[i] <= '9')) {
            digits = long_integer(text, size, i);
            while (!digits && end < size && text[end] && strchr("0123456789+-.eE", text[end])) end++;
            if (digits) end = i + digits;
        }
        if (digits == 0 || fits(text + i, digits))
            PL_TRY(pl_bytes_append(out, text + i, end - i));
        else
            PL_TRY(pl_bytes_format(out, wide ? "\"\\u0000%.*s\"" : "%.*s.0", (int)digits, text + i));
        i = end;
    }
    return PL_OK;
}

static pl_status parse(json_t **out, bool *wide, const char *text, size_t size, const char *where, size_t line)
{
    json_error_t error;
    pl_bytes copy = {0};
    pl_status status = PL_OK;
    bool nul = false;
    *out = json_loadb(text, size, FLAGS, &error);
    bool overflow = !*out && json_error_code(&error) == json_error_numeric_overflow;
    if (overflow) {
        PL_GOTO(status, done, rewrite(&copy, &nul, text, size, wide != NULL));
        *out = json_loadb(copy.data, copy.size, FLAGS, &error);
    }
    if (wide) *wide = overflow;
    if (!*out) {
        PL_GOTO(status, done, pl_content_check(text, size, where));
        status = pl_fail(PL_E_INPUT, "%s:%zu:%d: not valid JSON: %s", where, (size_t)error.line + line - 1,
                         error.column, error.text);
    } else if (wide && overflow && nul) {
        json_decref(*out);
        *out = NULL;
        status = pl_fail(PL_E_INPUT, "%s:%zu: a text holds the character U+0000; remove it", where, line);
    }
done:
    pl_bytes_free(&copy);
    return status;
}

pl_status pl_json_parse(json_t **out, const char *text, size_t size, const char *where)
{
    return parse(out, NULL, text, size, where, 1);
}

pl_status pl_json_parse_wide(json_t **out, bool *wide, const char *text, size_t size, const char *where, size_t line)
{
    return parse(out, wide, text, size, where, line);
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
