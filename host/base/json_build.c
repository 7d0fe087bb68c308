#include "base/json_build.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static void fail(pl_json_builder *b, pl_status status, const char *key)
{
    if (b->status != PL_OK) return;
    b->status = status;
    snprintf(b->at, sizeof b->at, "%s", key ? key : "an element");
}

void pl_json_begin(pl_json_builder *b)
{
    *b = (pl_json_builder){.status = PL_OK};
    b->open[0] = json_object();
    if (!b->open[0]) fail(b, PL_E_MEMORY, NULL);
}

void pl_json_put(pl_json_builder *b, const char *key, json_t *value)
{
    if (!value) fail(b, PL_E_MEMORY, key);
    if (b->status != PL_OK) {
        json_decref(value);
        return;
    }
    json_t *into = b->open[b->depth];
    if (json_is_object(into) != (key != NULL) || (key && json_object_get(into, key))) {
        fail(b, PL_E_INTERNAL, key);
        json_decref(value);
        return;
    }
    if ((key ? json_object_set_new(into, key, value) : json_array_append_new(into, value)) != 0)
        fail(b, PL_E_MEMORY, key);
}

void pl_json_put_shared(pl_json_builder *b, const char *key, json_t *value)
{
    pl_json_put(b, key, value ? json_incref(value) : json_null());
}

void pl_json_put_bytes(pl_json_builder *b, const char *key, const char *value, size_t size)
{
    json_t *text = json_stringn(value, size);
    /* jansson says the same of malformed UTF-8 and of memory that ran out. */
    if (!text && pl_utf8_check(value, size) < size) fail(b, PL_E_INTERNAL, key);
    pl_json_put(b, key, text);
}

void pl_json_put_text(pl_json_builder *b, const char *key, const char *value)
{
    if (value)
        pl_json_put_bytes(b, key, value, strlen(value));
    else
        pl_json_put_null(b, key);
}

void pl_json_put_integer(pl_json_builder *b, const char *key, long long value)
{
    pl_json_put(b, key, json_integer(value));
}

void pl_json_put_size(pl_json_builder *b, const char *key, size_t value)
{
    pl_json_put(b, key, json_integer((json_int_t)value));
}

void pl_json_put_real(pl_json_builder *b, const char *key, double value)
{
    pl_json_put(b, key, isfinite(value) ? json_real(value) : json_null());
}

void pl_json_put_bool(pl_json_builder *b, const char *key, bool value)
{
    pl_json_put(b, key, json_boolean(value));
}

void pl_json_put_null(pl_json_builder *b, const char *key)
{
    pl_json_put(b, key, json_null());
}

static void open_inside(pl_json_builder *b, const char *key, json_t *inside)
{
    if (b->depth + 1 == PL_JSON_DEPTH) fail(b, PL_E_INTERNAL, key);
    pl_json_put(b, key, inside);
    if (b->status == PL_OK) b->open[++b->depth] = inside;
}

void pl_json_open(pl_json_builder *b, const char *key)
{
    open_inside(b, key, json_object());
}

void pl_json_open_list(pl_json_builder *b, const char *key)
{
    open_inside(b, key, json_array());
}

void pl_json_close(pl_json_builder *b)
{
    if (b->depth == 0)
        fail(b, PL_E_INTERNAL, NULL);
    else if (b->status == PL_OK)
        b->depth--;
}

pl_status pl_json_end(pl_json_builder *b, json_t **out, const char *what)
{
    *out = NULL;
    if (b->status == PL_OK && b->depth > 0) fail(b, PL_E_INTERNAL, NULL);
    pl_status status = b->status;
    if (status == PL_OK) {
        *out = b->open[0];
        b->open[0] = NULL;
    } else if (status == PL_E_MEMORY) {
        status = pl_fail(status, "out of memory while making %s (at %s)", what, b->at);
    } else {
        status = pl_fail(
            status, "%s: made wrongly at %s (a key twice or missing, text that is not UTF-8, or objects left open)",
            what, b->at);
    }
    pl_json_discard(b);
    return status;
}

void pl_json_discard(pl_json_builder *b)
{
    json_decref(b->open[0]);
    *b = (pl_json_builder){.status = PL_E_INTERNAL};
}
