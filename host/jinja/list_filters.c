/* Filters of lists, each as jinja2 defines it (jinja2/filters.py). A text counts as the list of its letters, an object
 * as that of its keys, as iterating over them in Python does. What Python makes one by one is made at once, and marked.
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/letters.h"
#include "jinja/tree.h"

/* One look-up of "a.b.0", as `attribute=` of map, join, sum and the like has it: an integer part is an index. */
static pl_status attribute_of(const pl_jinja *j, size_t at, const json_t *value, const json_t *path,
                              const json_t *otherwise, json_t **out)
{
    json_t *key = NULL;
    pl_status status = PL_OK;
    *out = json_incref((json_t *)(uintptr_t)value);
    const char *text = json_is_string(path) ? json_string_value(path) : NULL;
    if (!text && !json_is_integer(path)) {
        status = pl_jinja_fail(j, at, "attribute: expected a text or an integer");
        goto done;
    }
    for (bool more = true; more;) {
        size_t n = text ? strcspn(text, ".") : 0;
        bool found, digits = text && n > 0 && strspn(text, "0123456789") >= n;
        json_t *of = *out, *part = NULL;
        if (!text)
            key = json_incref((json_t *)(uintptr_t)path);
        else if (digits)
            PL_GOTO(status, done, pl__jinja_made(&key, json_integer(n < 10 ? atoll(text) : INT32_MAX)));
        else
            PL_GOTO(status, done, pl__jinja_new_text(j, at, &key, text, n));
        PL_GOTO(status, done, pl__jinja_look_up(j, at, of, key, !digits && text, &found, &part));
        if (!found && otherwise && !json_is_null(otherwise))
            part = json_incref((json_t *)(uintptr_t)otherwise);
        else if (!found && j->is_chat)
            part = json_incref(j->marks[PL__J_UNDEFINED]);
        else if (!found)
            PL_GOTO(status, done, pl__jinja_fail_look_up(j, at, of, key));
        *out = part;
        json_decref(of);
        json_decref(key);
        key = NULL;
        more = text && text[n] == '.';
        if (more) text += n + 1;
    }
done:
    json_decref(key);
    return pl__jinja_kept(out, status);
}

/* join(d="", attribute=none) */
pl_status pl__jinja_join(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    json_t *elements = NULL, *one = NULL;
    pl_bytes result = {0};
    pl_status status;
    PL_GOTO(status, done, pl__jinja_elements(j, at, value, &elements));
    for (size_t i = 0; i < json_array_size(elements); i++) {
        json_t *element = json_array_get(elements, i);
        if (arguments[1] && !json_is_null(arguments[1])) {
            PL_GOTO(status, done, attribute_of(j, at, element, arguments[1], NULL, &one));
            element = one;
        }
        if (i > 0 && arguments[0]) PL_GOTO(status, done, pl_jinja_text(j, at, arguments[0], &result));
        PL_GOTO(status, done, pl_jinja_text(j, at, element, &result));
        json_decref(one);
        one = NULL;
    }
    status = pl__jinja_new_text(j, at, out, result.data, result.size);
done:
    json_decref(elements);
    json_decref(one);
    pl_bytes_free(&result);
    return status;
}

pl_status pl__jinja_length_filter(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                  json_t **out)
{
    (void)arguments;
    if (!json_is_string(value) && !pl__jinja_is_sequence(j, value) && !json_is_object(value))
        return pl_jinja_fail(j, at, "filter length: expected a text, a list or an object, found %s",
                             pl__jinja_kind_name(j, value));
    return pl__jinja_made(out, json_integer((json_int_t)pl__jinja_length(j, value)));
}

static pl_status pick(const pl_jinja *j, size_t at, const json_t *value, bool last, json_t **out)
{
    json_t *elements;
    if (last && pl__jinja_is_marked(j, value, PL__J_MARK_LAZY))
        return pl_jinja_fail(j, at, "last: expected a list, found %s", pl__jinja_kind_name(j, value));
    PL_TRY(pl__jinja_elements(j, at, value, &elements));
    size_t n = json_array_size(elements);
    if (!n && j->is_chat) {
        json_decref(elements);
        return pl__jinja_made(out, json_incref(j->marks[PL__J_UNDEFINED]));
    }
    pl_status status = n ? PL_OK : pl_jinja_fail(j, at, "%s of an empty list", last ? "last" : "first");
    if (n) *out = json_incref(json_array_get(elements, last ? n - 1 : 0));
    json_decref(elements);
    return status;
}

pl_status pl__jinja_first_filter(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                 json_t **out)
{
    (void)arguments;
    return pick(j, at, value, false, out);
}

pl_status pl__jinja_last_filter(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                json_t **out)
{
    (void)arguments;
    return pick(j, at, value, true, out);
}

pl_status pl__jinja_list_filter(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                json_t **out)
{
    (void)arguments;
    return pl__jinja_elements(j, at, value, out);
}

pl_status pl__jinja_items(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    const char *key;
    json_t *child;
    if (!json_is_object(value)) return pl_jinja_fail(j, at, "items: expected an object");
    PL_TRY(pl__jinja_new_array(j, out, PL__J_MARK_LAZY));
    pl_status status = PL_OK;
    json_object_foreach((json_t *)(uintptr_t)value, key, child)
    {
        json_t *pair = NULL, *name = NULL;
        PL_GOTO(status, failed, pl__jinja_new_array(j, &pair, PL__J_MARK_TUPLE));
        PL_GOTO(status, failed, pl__jinja_add(j, at, *out, pair));
        PL_GOTO(status, failed, pl__jinja_new_text(j, at, &name, key, strlen(key)));
        PL_GOTO(status, failed, pl__jinja_add(j, at, pair, name));
        PL_GOTO(status, failed, pl__jinja_add(j, at, pair, json_incref(child)));
    }
    return PL_OK;
failed:
    return pl__jinja_kept(out, status);
}

pl_status pl__jinja_reverse(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    (void)arguments;
    json_t *elements;
    if (json_is_string(value)) {
        json_t *step = json_integer(-1);
        PL_TRY(pl__jinja_made(out, step));
        pl_status sliced = pl__jinja_slice(j, at, value, NULL, NULL, step, out);
        json_decref(step);
        return sliced;
    }
    PL_TRY(pl__jinja_elements(j, at, value, &elements));
    pl_status status = pl__jinja_new_array(j, out, PL__J_MARK_LAZY);
    for (size_t i = json_array_size(elements); i > 0 && status == PL_OK; i--)
        status = pl__jinja_add(j, at, *out, json_incref(json_array_get(elements, i - 1)));
    json_decref(elements);
    return pl__jinja_kept(out, status);
}

/* ---- by element ---- */

enum { ATTRIBUTE = 5, DEFAULT = 6 }; /* arguments by name of map */

static pl_status one_mapped(const pl_jinja *j, size_t at, const pl__jinja_filter *filter, const json_t *element,
                            json_t *const *arguments, json_t **out)
{
    if (!filter) return attribute_of(j, at, element, arguments[ATTRIBUTE], arguments[DEFAULT], out);
    PL_TRY(pl__jinja_step(j, at));
    PL_TRY(pl__jinja_step_over(j, at, element));
    json_t *inner[PL__JINJA_MAX_ARGUMENTS] = {NULL};
    for (size_t i = 1; i < ATTRIBUTE; i++) inner[i - 1] = arguments[i];
    return filter->apply(j, at, element, inner, out);
}

/* The filter that map names, with as many arguments as it takes. */
static pl_status mapped_filter(const pl_jinja *j, size_t at, json_t *const *arguments, const pl__jinja_filter **out)
{
    *out = NULL;
    if (!arguments[0] && arguments[ATTRIBUTE]) return PL_OK;
    if (!arguments[0] || !json_is_string(arguments[0]) || arguments[ATTRIBUTE] || arguments[DEFAULT])
        return pl_jinja_fail(j, at, "map: expected the name of a filter, or attribute=\"name\"");
    *out = pl__jinja_filter_find(j, json_string_value(arguments[0]), json_string_length(arguments[0]));
    if (!*out)
        return pl_jinja_fail(j, at, "map: filter '%s' is not supported; expected one of: %s",
                             json_string_value(arguments[0]), pl__jinja_filter_names());
    size_t most = 0, given = 0;
    while ((*out)->arguments[most]) most++;
    for (size_t i = 1; i < ATTRIBUTE; i++) given += arguments[i] != NULL;
    if (given < (*out)->n_required || given > most)
        return pl_jinja_fail(j, at, "map: filter %s takes %zu to %zu arguments", (*out)->name, (*out)->n_required,
                             most);
    return PL_OK;
}

/* What map and its kin go through; jinja2 asks first whether there is anything, so that none is empty, too. */
static pl_status elements_if_any(const pl_jinja *j, size_t at, const json_t *value, json_t **out)
{
    bool any = pl__jinja_true(j, value) || pl__jinja_is_mark(j, value, PL__J_NOTHING);
    return any ? pl__jinja_elements(j, at, value, out) : pl__jinja_new_array(j, out, PL__J_MARKS);
}

pl_status pl__jinja_map(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    const pl__jinja_filter *filter;
    json_t *elements = NULL;
    pl_status status;
    PL_TRY(mapped_filter(j, at, arguments, &filter));
    PL_TRY(elements_if_any(j, at, value, &elements));
    PL_GOTO(status, done, pl__jinja_new_array(j, out, PL__J_MARK_LAZY));
    for (size_t i = 0; i < json_array_size(elements); i++) {
        json_t *one = NULL;
        PL_GOTO(status, done, one_mapped(j, at, filter, json_array_get(elements, i), arguments, &one));
        PL_GOTO(status, done, pl__jinja_add(j, at, *out, one));
    }
done:
    json_decref(elements);
    return pl__jinja_kept(out, status);
}

/* Whether an element counts: its test, or its truth; of an attribute where `path` is given. */
static pl_status counts(const pl_jinja *j, size_t at, const json_t *element, const json_t *path,
                        const pl__jinja_test *test, const json_t *argument, bool *out)
{
    PL_TRY(pl__jinja_step(j, at));
    PL_TRY(pl__jinja_step_over(j, at, element));
    json_t *of = json_incref((json_t *)(uintptr_t)element);
    pl_status status = PL_OK;
    if (path) {
        json_decref(of);
        PL_TRY(attribute_of(j, at, element, path, NULL, &of));
    }
    *out = pl__jinja_true(j, of);
    if (test && !test->apply)
        *out = pl__jinja_is_mark(j, of, PL__J_UNDEFINED) == (strcmp(test->name, "undefined") == 0);
    else if (test)
        status = test->apply(j, at, of, argument, out);
    json_decref(of);
    return status;
}

static pl_status selected(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, bool by_path,
                          bool wanted, json_t **out)
{
    const json_t *path = by_path ? arguments[0] : NULL, *name = arguments[by_path], *argument = arguments[by_path + 1];
    const pl__jinja_test *test = NULL;
    json_t *elements = NULL;
    pl_status status;
    if (by_path && !path) return pl_jinja_fail(j, at, "selectattr: expected the name of an attribute");
    if (name) {
        test = json_is_string(name) ? pl__jinja_test_find(json_string_value(name), json_string_length(name)) : NULL;
        if (!test) return pl_jinja_fail(j, at, "select: expected one of the tests %s", pl__jinja_test_names());
        if (test->n_arguments != (argument != NULL))
            return pl_jinja_fail(j, at, "select: test %s takes %zu arguments", test->name, test->n_arguments);
    }
    PL_TRY(elements_if_any(j, at, value, &elements));
    PL_GOTO(status, done, pl__jinja_new_array(j, out, PL__J_MARK_LAZY));
    for (size_t i = 0; i < json_array_size(elements); i++) {
        json_t *element = json_array_get(elements, i);
        bool holds;
        PL_GOTO(status, done, counts(j, at, element, path, test, argument, &holds));
        if (holds == wanted) PL_GOTO(status, done, pl__jinja_add(j, at, *out, json_incref(element)));
    }
done:
    json_decref(elements);
    return pl__jinja_kept(out, status);
}

pl_status pl__jinja_select(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return selected(j, at, value, arguments, false, true, out);
}

pl_status pl__jinja_reject(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return selected(j, at, value, arguments, false, false, out);
}

pl_status pl__jinja_select_attribute(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                     json_t **out)
{
    return selected(j, at, value, arguments, true, true, out);
}

pl_status pl__jinja_reject_attribute(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                     json_t **out)
{
    return selected(j, at, value, arguments, true, false, out);
}

/* ---- by order ---- */

/* What is compared: texts in lower case unless `exactly`; of an attribute where `path` is given. */
static pl_status order_key(const pl_jinja *j, size_t at, const json_t *element, bool exactly, const json_t *path,
                           json_t **out)
{
    pl_bytes text = {0};
    *out = json_incref((json_t *)(uintptr_t)element);
    if (path && !json_is_null(path)) {
        json_decref(*out);
        PL_TRY(attribute_of(j, at, element, path, NULL, out));
    }
    if (exactly || !json_is_string(*out)) return PL_OK;
    json_t *of = *out;
    pl_status status = pl_lower(&text, json_string_value(of), json_string_length(of));
    if (status == PL_OK) status = pl__jinja_new_text(j, at, out, text.data, text.size);
    json_decref(of);
    pl_bytes_free(&text);
    return status;
}

/* Merge sort, stable as Python's, of positions by their keys; `swap` has room for n. */
static pl_status sort_range(const pl_jinja *j, size_t at, const json_t *keys, bool down, size_t *places, size_t *swap,
                            size_t n)
{
    if (n < 2) return PL_OK;
    size_t half = n / 2, a = 0, b = half, i = 0;
    PL_TRY(sort_range(j, at, keys, down, places, swap, half));
    PL_TRY(sort_range(j, at, keys, down, places + half, swap, n - half));
    while (a < half && b < n) {
        int sign;
        PL_TRY(pl__jinja_order(j, at, json_array_get(keys, places[a]), json_array_get(keys, places[b]), &sign));
        swap[i++] = (down ? sign >= 0 : sign <= 0) ? places[a++] : places[b++];
    }
    while (a < half) swap[i++] = places[a++];
    while (b < n) swap[i++] = places[b++];
    memcpy(places, swap, n * sizeof *places);
    return PL_OK;
}

/* The elements and their keys. */
static pl_status keyed(const pl_jinja *j, size_t at, const json_t *value, bool exactly, const json_t *path,
                       json_t **elements, json_t **keys)
{
    *keys = NULL;
    PL_TRY(pl__jinja_elements(j, at, value, elements));
    PL_TRY(pl__jinja_new_array(j, keys, PL__J_MARKS));
    for (size_t i = 0; i < json_array_size(*elements); i++) {
        json_t *key = NULL;
        PL_TRY(order_key(j, at, json_array_get(*elements, i), exactly, path, &key));
        PL_TRY(pl__jinja_add(j, at, *keys, key));
    }
    return PL_OK;
}

static bool is_on(const pl_jinja *j, const json_t *argument)
{
    return argument && pl__jinja_true(j, argument);
}

/* sort(reverse=false, case_sensitive=false, attribute=none) */
pl_status pl__jinja_sort(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    json_t *elements = NULL, *keys = NULL;
    size_t *places = NULL, n;
    pl_status status;
    PL_GOTO(status, done, keyed(j, at, value, is_on(j, arguments[1]), arguments[2], &elements, &keys));
    n = json_array_size(elements);
    PL_GOTO(status, done, pl_new(&places, 2 * n));
    for (size_t i = 0; i < n; i++) places[i] = i;
    PL_GOTO(status, done, sort_range(j, at, keys, is_on(j, arguments[0]), places, places + n, n));
    PL_GOTO(status, done, pl__jinja_new_array(j, out, PL__J_MARKS));
    for (size_t i = 0; i < n && status == PL_OK; i++)
        status = pl__jinja_add(j, at, *out, json_incref(json_array_get(elements, places[i])));
done:
    json_decref(elements);
    json_decref(keys);
    free(places);
    return pl__jinja_kept(out, status);
}

/* dictsort(case_sensitive=false, by="key", reverse=false): the pairs of an object by key or by value. */
pl_status pl__jinja_dictsort(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    const char *by = arguments[1] && json_is_string(arguments[1]) ? json_string_value(arguments[1]) : "key";
    bool by_value = strcmp(by, "value") == 0;
    json_t *pairs = NULL, *place = NULL;
    if (!json_is_object(value))
        return pl_jinja_fail(j, at, "dictsort: expected an object, found %s", pl__jinja_kind_name(j, value));
    if (!by_value && strcmp(by, "key") != 0) return pl_jinja_fail(j, at, "dictsort: by: expected \"key\" or \"value\"");
    pl_status status = pl__jinja_items(j, at, value, NULL, &pairs);
    if (status == PL_OK) status = pl__jinja_made(&place, json_integer(by_value));
    json_t *const how[PL__JINJA_MAX_ARGUMENTS] = {arguments[2], arguments[0], place};
    if (status == PL_OK) status = pl__jinja_sort(j, at, pairs, how, out);
    json_decref(pairs);
    json_decref(place);
    return status;
}

/* unique(case_sensitive=false, attribute=none) */
pl_status pl__jinja_unique(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    json_t *elements = NULL, *keys = NULL;
    pl_status status;
    PL_GOTO(status, done, keyed(j, at, value, is_on(j, arguments[0]), arguments[1], &elements, &keys));
    PL_GOTO(status, done, pl__jinja_new_array(j, out, PL__J_MARK_LAZY));
    for (size_t i = 0; i < json_array_size(elements); i++) {
        size_t before;
        PL_GOTO(status, done, pl__jinja_refuse_no_hash(j, at, json_array_get(keys, i)));
        PL_GOTO(status, done, pl__jinja_place(j, at, keys, 0, i, json_array_get(keys, i), &before));
        if (before == i) PL_GOTO(status, done, pl__jinja_add(j, at, *out, json_incref(json_array_get(elements, i))));
        PL_GOTO(status, done, pl__jinja_step(j, at));
    }
done:
    json_decref(elements);
    json_decref(keys);
    return pl__jinja_kept(out, status);
}

/* min, max(case_sensitive=false, attribute=none): the first of equal ones. */
static pl_status extreme(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, int wanted,
                         json_t **out)
{
    json_t *elements = NULL, *keys = NULL;
    size_t best = 0;
    pl_status status;
    PL_GOTO(status, done, keyed(j, at, value, is_on(j, arguments[0]), arguments[1], &elements, &keys));
    if (json_array_size(elements) == 0) {
        status = pl_jinja_fail(j, at, "%s of an empty list", wanted < 0 ? "min" : "max");
        goto done;
    }
    for (size_t i = 1; i < json_array_size(elements); i++) {
        int sign;
        PL_GOTO(status, done, pl__jinja_order(j, at, json_array_get(keys, i), json_array_get(keys, best), &sign));
        if (sign * wanted > 0) best = i;
    }
    *out = json_incref(json_array_get(elements, best));
done:
    json_decref(elements);
    json_decref(keys);
    return status;
}

pl_status pl__jinja_min(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return extreme(j, at, value, arguments, -1, out);
}

pl_status pl__jinja_max(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    return extreme(j, at, value, arguments, 1, out);
}

/* sum(attribute=none, start=0) */
pl_status pl__jinja_sum(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    json_t *elements = NULL, *total = arguments[1] ? json_incref(arguments[1]) : json_integer(0);
    pl_status status;
    PL_GOTO(status, done, pl__jinja_elements(j, at, value, &elements));
    if (json_is_string(total)) status = pl_jinja_fail(j, at, "sum: texts are joined with join");
    for (size_t i = 0; i < json_array_size(elements) && status == PL_OK; i++) {
        json_t *one = json_incref(json_array_get(elements, i)), *next = NULL;
        if (arguments[0] && !json_is_null(arguments[0])) {
            json_decref(one);
            one = NULL;
            status = attribute_of(j, at, json_array_get(elements, i), arguments[0], NULL, &one);
        }
        if (status == PL_OK) status = pl__jinja_reckon(j, at, PL__J_PLUS, total, one, &next);
        json_decref(one);
        if (status != PL_OK) break;
        json_decref(total);
        total = next;
    }
    if (status == PL_OK) *out = json_incref(total);
done:
    json_decref(elements);
    json_decref(total);
    return status;
}
