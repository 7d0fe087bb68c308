/* Look-ups with Python's rules: keys, fields, negative indices, slices with steps, texts counted in code points. */
#include <string.h>

#include "base/utf8.h"
#include "jinja/letters.h"
#include "jinja/tree.h"

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

pl_status pl__jinja_look_up(const pl_jinja *j, size_t at, const json_t *of, const json_t *key, bool by_name,
                            bool *found, json_t **out)
{
    long long index, n;
    *found = false;
    *out = NULL;
    if (pl__jinja_is_mark(j, of, PL__J_UNDEFINED))
        return pl_jinja_fail(j, at, "looked for %s in what is undefined",
                             json_is_string(key) ? json_string_value(key) : "an index");
    if (pl__jinja_is_marked(j, of, PL__J_MARK_NAMESPACE)) of = json_array_get(of, 1);
    if (json_is_object(of)) {
        json_t *value =
            json_is_string(key) ? json_object_getn(of, json_string_value(key), json_string_length(key)) : NULL;
        *found = value != NULL;
        *out = json_incref(value);
        return PL_OK;
    }
    /* To a chat template it is undefined. */
    bool indexed = pl__jinja_is_sequence(j, of) || (json_is_string(of) && !pl__jinja_is_mark(j, of, PL__J_FUNCTION));
    if (j->is_chat && (by_name || !indexed || !pl__jinja_whole(key, &index))) return PL_OK;
    /* Python's own attributes, such as methods, would be found under a name. */
    if (by_name)
        return pl_jinja_fail(j, at, "%s has no field '%s'", pl__jinja_kind_name(j, of), json_string_value(key));
    if (!indexed) return pl_jinja_fail(j, at, "cannot index %s", pl__jinja_kind_name(j, of));
    if (!pl__jinja_whole(key, &index))
        return pl_jinja_fail(j, at, "%s is indexed by integers, found %s", pl__jinja_kind_name(j, of),
                             pl__jinja_kind_name(j, key));
    if (json_is_string(of)) PL_TRY(pl__jinja_step_parts(j, at, of));
    n = (long long)pl__jinja_length(j, of);
    *found = index >= -n && index < n;
    if (!*found) return PL_OK;
    size_t i = (size_t)(index < 0 ? index + n : index);
    if (json_is_string(of)) return part_of_text(j, at, of, i, i + 1, out);
    *out = json_incref(json_array_get(of, pl__jinja_first(j, of) + i));
    return PL_OK;
}

pl_status pl__jinja_fail_look_up(const pl_jinja *j, size_t at, const json_t *of, const json_t *key)
{
    const char *kind = pl__jinja_kind_name(j, of);
    long long index;
    if (!json_is_string(key) && pl__jinja_whole(key, &index) && !json_is_object(of))
        return pl_jinja_fail(j, at, "index %lld of %s of length %zu", index, kind, pl__jinja_length(j, of));
    return pl_jinja_fail(j, at, "no such key in %s: %s", json_is_object(of) ? "the object" : kind,
                         json_is_string(key) ? json_string_value(key) : pl__jinja_kind_name(j, key));
}

/* An end of a slice for a positive or negative step, clipped as in Python; absent or none is `otherwise`. */
static pl_status slice_end(const pl_jinja *j, size_t at, const json_t *value, long long length, long long otherwise,
                           bool down, long long *out)
{
    *out = otherwise;
    if (!value || json_is_null(value)) return PL_OK;
    if (!pl__jinja_whole(value, out)) return pl_jinja_fail(j, at, "an end of a slice must be an integer");
    long long least = down ? -1 : 0, most = down ? length - 1 : length;
    if (*out < 0) *out = *out < -length ? least : *out + length;
    if (*out > most) *out = most;
    return PL_OK;
}

static pl_status stepped(const pl_jinja *j, size_t at, const json_t *of, long long from, long long to, long long step,
                         json_t **out)
{
    json_t *parts;
    pl_bytes text = {0};
    pl_status status;
    PL_TRY(pl__jinja_elements(j, at, of, &parts));
    PL_GOTO(status, done,
            pl__jinja_new_array(j, out, pl__jinja_is_marked(j, of, PL__J_MARK_TUPLE) ? PL__J_MARK_TUPLE : PL__J_MARKS));
    for (long long i = from; step > 0 ? i < to : i > to;) {
        json_t *part = json_array_get(parts, (size_t)i);
        PL_GOTO(status, failed, pl__jinja_add(j, at, *out, json_incref(part)));
        if (json_is_string(of))
            PL_GOTO(status, failed, pl_bytes_append(&text, json_string_value(part), json_string_length(part)));
        if (__builtin_add_overflow(i, step, &i)) break;
    }
    if (!json_is_string(of)) goto done;
    json_decref(*out);
    status = pl__jinja_new_text(j, at, out, text.data, text.size);
    goto done;
failed:
    json_decref(*out);
    *out = NULL;
done:
    json_decref(parts);
    pl_bytes_free(&text);
    return status;
}

pl_status pl__jinja_slice(const pl_jinja *j, size_t at, const json_t *of, const json_t *first, const json_t *end,
                          const json_t *step_value, json_t **out)
{
    long long from, to, step = 1, length;
    *out = NULL;
    if ((!pl__jinja_is_sequence(j, of) && !json_is_string(of)) || pl__jinja_is_mark(j, of, PL__J_UNDEFINED) ||
        pl__jinja_is_mark(j, of, PL__J_FUNCTION))
        return pl_jinja_fail(j, at, "cannot slice %s; expected a text or a list", pl__jinja_kind_name(j, of));
    if (step_value && !json_is_null(step_value) && (!pl__jinja_whole(step_value, &step) || step == 0))
        return pl_jinja_fail(j, at, "the step of a slice must be an integer other than 0");
    if (json_is_string(of)) PL_TRY(pl__jinja_step_parts(j, at, of));
    length = (long long)pl__jinja_length(j, of);
    PL_TRY(slice_end(j, at, first, length, step < 0 ? length - 1 : 0, step < 0, &from));
    PL_TRY(slice_end(j, at, end, length, step < 0 ? -1 : length, step < 0, &to));
    if (json_is_string(of) && step == 1)
        return part_of_text(j, at, of, (size_t)from, to < from ? (size_t)from : (size_t)to, out);
    return stepped(j, at, of, from, to, step, out);
}
