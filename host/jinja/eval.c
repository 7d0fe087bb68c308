/* The walk over an expression's tree. What would be a jinja2 Undefined is an error at once, but for `default` and
 * `is defined`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jinja/tree.h"

typedef pl__jinja_node node;

static pl_status eval(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    return pl__jinja_eval(j, n, item, out);
}

static pl_status refuse_nothing(const pl_jinja *j, size_t at, const json_t *v)
{
    if (!pl__jinja_is_mark(j, v, PL__J_NOTHING)) return PL_OK;
    return pl_jinja_fail(j, at, "an if without else gave no value here; write its else");
}

static bool is_no_operand(const pl_jinja *j, const json_t *v)
{
    return pl__jinja_is_mark(j, v, PL__J_UNDEFINED) || pl__jinja_is_mark(j, v, PL__J_FUNCTION);
}

static pl_status refuse_undefined(const pl_jinja *j, const node *n, const json_t *v)
{
    if (!is_no_operand(j, v)) return PL_OK;
    return pl_jinja_fail(j, n->at, "an operand is %s", pl__jinja_kind_name(j, v));
}

/* The value of an operand: nothing is no value. */
static pl_status operand(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    PL_TRY(eval(j, n, item, out));
    pl_status status = refuse_nothing(j, n->at, *out);
    return pl__jinja_kept(out, status);
}

/* Evaluating it changes nothing and calls nothing: what is lent stays where it is meanwhile. */
static bool is_still(const node *n)
{
    return !n || n->kind == PL__J_VALUE || n->kind == PL__J_NAME;
}

/* The value of an operand as pl__jinja_lend gives it, or, unless `lends`, a reference of one's own. */
static pl_status lend_operand(const pl_jinja *j, const node *n, const json_t *item, bool lends, json_t **out,
                              json_t **own)
{
    *own = NULL;
    if (lends)
        PL_TRY(pl__jinja_lend(j, n, item, out, own));
    else
        PL_TRY(eval(j, n, item, own));
    if (*own) *out = *own;
    return refuse_nothing(j, n->at, *out);
}

/* ---- look-ups ---- */

static bool is_loop(const pl_jinja *j, const node *n)
{
    return n->kind == PL__J_NAME && n->is_loop && j->run->loop && !pl__jinja_variable_find(j, "loop");
}

static pl_status fail_name(const pl_jinja *j, const node *n, const json_t *item)
{
    char fields[400] = "";
    size_t used = 0;
    const char *key;
    json_t *value;
    if (pl__jinja_variable_find(j, n->name))
        return pl_jinja_fail(j, n->at, "'%s' is undefined here: the template gives it a value elsewhere", n->name);
    json_object_foreach((json_t *)(uintptr_t)item, key, value)
    {
        int wrote = snprintf(fields + used, sizeof fields - used, "%s'%s'", used ? ", " : "", key);
        used += wrote > 0 ? (size_t)wrote : 0;
        if (used >= sizeof fields) break;
    }
    return pl_jinja_fail(j, n->at, "the item has no field '%s'; it has: %s", n->name, *fields ? fields : "none");
}

static bool is_function(const pl_jinja *j, const char *name)
{
    return pl__jinja_function_find(j, name, strlen(name)) || strcmp(name, "namespace") == 0 ||
           strcmp(name, "dict") == 0;
}

/* *out stays NULL when there is no such name. */
static pl_status eval_name(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *found = pl__jinja_variable_find(j, n->name);
    if (!found && is_loop(j, n))
        return pl_jinja_fail(j, n->at, "loop has no value of its own; name a field of it, such as loop.index");
    if (!found) found = json_object_get(item, n->name);
    if (found && !j->is_chat && pl__jinja_is_mark(j, found, PL__J_UNDEFINED)) found = NULL; /* of a macro */
    if (!found && j->is_chat && is_function(j, n->name)) found = j->marks[PL__J_FUNCTION];
    *out = json_incref(found);
    return PL_OK;
}

/* *found NULL: a look-up that fails is an error. */
static pl_status eval_index(const pl_jinja *j, const node *n, const json_t *item, bool *found, json_t **out)
{
    json_t *of = NULL, *own = NULL, *key = NULL;
    pl_status status = PL_OK;
    bool by_name = n->kind == PL__J_ATTRIBUTE, in_loop = by_name && is_loop(j, n->a), there = false;
    if (in_loop)
        PL_GOTO(status, done, pl__jinja_loop_field(j, n->at, n->name, &there, out));
    else {
        PL_GOTO(status, done, lend_operand(j, n->a, item, is_still(n->b), &of, &own));
        if (by_name)
            key = json_incref(n->value);
        else
            PL_GOTO(status, done, operand(j, n->b, item, &key));
        PL_GOTO(status, done, pl__jinja_look_up(j, n->at, of, key, by_name, &there, out));
    }
    if (found)
        *found = there;
    else if (!there && j->is_chat)
        status = pl__jinja_made(out, json_incref(j->marks[PL__J_UNDEFINED]));
    else if (!there && in_loop)
        status = pl_jinja_fail(j, n->at, "loop.%s is beyond the end", n->name);
    else if (!there)
        status = pl__jinja_fail_look_up(j, n->at, of, key);
done:
    json_decref(own);
    json_decref(key);
    return status;
}

static pl_status eval_slice(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    const node *const ends[] = {n->b, n->c, n->d};
    json_t *of = NULL, *values[3] = {NULL};
    pl_status status;
    PL_GOTO(status, done, operand(j, n->a, item, &of));
    for (int i = 0; i < 3; i++)
        if (ends[i]) PL_GOTO(status, done, operand(j, ends[i], item, &values[i]));
    status = pl__jinja_slice(j, n->at, of, values[0], values[1], values[2], out);
done:
    json_decref(of);
    for (int i = 0; i < 3; i++) json_decref(values[i]);
    return status;
}

/* ---- literals of several values ---- */

static pl_status eval_list(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    PL_TRY(pl__jinja_new_array(j, out, n->kind == PL__J_TUPLE ? PL__J_MARK_TUPLE : PL__J_MARKS));
    for (size_t i = 0; i < n->n; i++) {
        json_t *value = NULL;
        pl_status status = operand(j, n->items[i], item, &value);
        if (status == PL_OK && pl__jinja_is_marked(j, value, PL__J_MARK_LAZY)) {
            status = pl_jinja_fail(j, n->items[i]->at, "a list cannot hold %s", pl__jinja_kind_name(j, value));
            json_decref(value);
        } else if (status == PL_OK)
            status = pl__jinja_add(j, n->at, *out, value);
        if (status != PL_OK) {
            json_decref(*out);
            *out = NULL;
            return status;
        }
    }
    return PL_OK;
}

enum { OBJECT_BYTES = 128, FIELD_BYTES = 64 };

static pl_status set_field(const pl_jinja *j, const node *at, const json_t *key, json_t *value, json_t *object)
{
    if (!json_is_string(key) || pl__jinja_is_mark(j, key, PL__J_NOTHING) ||
        pl__jinja_is_mark(j, key, PL__J_UNDEFINED) || pl__jinja_is_mark(j, key, PL__J_FUNCTION))
        return pl_jinja_fail(j, at->at, "the key of an object must be a text, found %s", pl__jinja_kind_name(j, key));
    if (pl__jinja_is_marked(j, value, PL__J_MARK_LAZY) || pl__jinja_is_marked(j, value, PL__J_MARK_NAMESPACE))
        return pl_jinja_fail(j, at->at, "an object cannot hold %s", pl__jinja_kind_name(j, value));
    PL_TRY(pl__jinja_grow(j, at->at, FIELD_BYTES + json_string_length(key)));
    return json_object_setn(object, json_string_value(key), json_string_length(key), value) == 0
               ? PL_OK
               : pl_fail(PL_E_MEMORY, "out of memory in a template");
}

static pl_status eval_map(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *object = json_object(), *key = NULL, *value = NULL;
    pl_status status;
    PL_TRY(pl__jinja_made(out, object));
    PL_GOTO(status, failed, pl__jinja_grow(j, n->at, OBJECT_BYTES));
    for (size_t i = 0; i < n->n; i += 2) {
        PL_GOTO(status, failed, operand(j, n->items[i], item, &key));
        PL_GOTO(status, failed, operand(j, n->items[i + 1], item, &value));
        PL_GOTO(status, failed, set_field(j, n->items[i], key, value, object));
        json_decref(key);
        json_decref(value);
        key = value = NULL;
    }
    if (n->kind == PL__J_MAP) return PL_OK;
    PL_GOTO(status, failed, pl__jinja_new_array(j, out, PL__J_MARK_NAMESPACE));
    return pl__jinja_add(j, n->at, *out, object);
failed:
    json_decref(key);
    json_decref(value);
    json_decref(object);
    *out = NULL;
    return status;
}

/* ---- filters, methods, functions, tests ---- */

/* What is undefined as a filter of a chat template takes it: an empty text, an empty object to `items`. */
static pl_status refine_undefined(const pl_jinja *j, const node *n, json_t **value)
{
    static pl__jinja_apply *const refuse[] = {pl__jinja_chat_tojson, pl__jinja_int, pl__jinja_float,
                                              pl__jinja_round,       pl__jinja_abs, pl__jinja_dictsort};
    bool refused = pl__jinja_method_find(n->filter->name, strlen(n->filter->name)) == n->filter ||
                   pl__jinja_is_mark(j, *value, PL__J_FUNCTION);
    for (size_t i = 0; i < sizeof refuse / sizeof *refuse; i++) refused = refused || n->filter->apply == refuse[i];
    if (refused) return pl_jinja_fail(j, n->at, "%s of %s", n->filter->name, pl__jinja_kind_name(j, *value));
    json_decref(*value);
    *value = NULL;
    return pl__jinja_made(value, n->filter->apply == pl__jinja_items ? json_object() : json_string(""));
}

/* `default` takes a look-up that fails. */
static pl_status eval_filter(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *value = NULL, *own = NULL, *arguments[PL__JINJA_MAX_ARGUMENTS] = {NULL};
    pl_status status = PL_OK;
    bool is_default = n->filter->apply == pl__jinja_default, lends = true;
    for (size_t i = 0; i < n->n; i++) lends = lends && is_still(n->items[i]);
    if (n->kind == PL__J_CALL && (json_object_get(item, n->name) || pl__jinja_variable_find(j, n->name))) {
        status = pl_jinja_fail(j, n->at, "'%s' is a value here, and no function", n->name);
        goto done;
    }
    if (is_default)
        PL_GOTO(status, done, pl__jinja_eval_maybe(j, n->a, item, &own));
    else if (n->a && lends)
        PL_GOTO(status, done, pl__jinja_lend(j, n->a, item, &value, &own));
    else if (n->a)
        PL_GOTO(status, done, eval(j, n->a, item, &own));
    if (own) value = own;
    if (!is_default && value && is_no_operand(j, value)) {
        if (!own) own = json_incref(value);
        PL_GOTO(status, done, refine_undefined(j, n, &own));
        value = own;
    }
    if (value) PL_GOTO(status, done, pl__jinja_step_parts(j, n->at, value));
    for (size_t i = 0; i < n->n; i++) {
        if (!n->items[i]) continue;
        PL_GOTO(status, done, operand(j, n->items[i], item, &arguments[i]));
        if (is_no_operand(j, arguments[i]) && !is_default) {
            status = pl_jinja_fail(j, n->items[i]->at, "%s: an argument is undefined", n->filter->name);
            goto done;
        }
    }
    status = n->filter->apply(j, n->at, value, arguments, out);
done:
    json_decref(own);
    for (size_t i = 0; i < n->n; i++) json_decref(arguments[i]);
    return status;
}

static pl_status eval_test(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *value = NULL, *own = NULL, *argument = NULL;
    bool holds = false;
    pl_status status;
    if (!n->test->apply) { /* is defined */
        PL_GOTO(status, done, pl__jinja_eval_maybe(j, n->a, item, &own));
        value = own;
        holds = !pl__jinja_is_mark(j, value, PL__J_UNDEFINED) && !pl__jinja_is_mark(j, value, PL__J_NOTHING);
        if (strcmp(n->test->name, "undefined") == 0) holds = !holds;
    } else {
        PL_GOTO(status, done, lend_operand(j, n->a, item, !n->n || is_still(n->items[0]), &value, &own));
        if (n->n) PL_GOTO(status, done, operand(j, n->items[0], item, &argument));
        PL_GOTO(status, done, n->test->apply(j, n->at, value, argument, &holds));
    }
    *out = json_boolean(holds);
done:
    json_decref(own);
    json_decref(argument);
    return status;
}

static pl_status eval_cycle(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    if (!is_loop(j, n->a)) return pl_jinja_fail(j, n->at, "cycle() belongs to loop, inside of a for");
    return operand(j, n->items[j->run->loop->index % n->n], item, out);
}

static pl_status eval_changed(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *values;
    bool changed = false;
    if (!is_loop(j, n->a)) return pl_jinja_fail(j, n->at, "changed() belongs to loop, inside of a for");
    PL_TRY(eval_list(j, n, item, &values));
    PL_TRY(pl__jinja_loop_changed(j, n->at, values, &changed));
    *out = json_boolean(changed);
    return PL_OK;
}

/* ---- operators ---- */

/* a < b < c is (a < b) and (b < c), evaluated up to the first that fails. */
static pl_status eval_compare(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *left, *right, *own = NULL, *own_right = NULL;
    bool holds = true;
    pl_status status;
    PL_GOTO(status, done, lend_operand(j, n->a, item, is_still(n->items[0]), &left, &own));
    for (size_t i = 0; i < n->n && holds; i++) {
        bool lends = i + 1 == n->n || is_still(n->items[i + 1]);
        PL_GOTO(status, done, lend_operand(j, n->items[i], item, lends, &right, &own_right));
        PL_GOTO(status, done, pl__jinja_compare(j, n->at, n->ops[i], left, right, &holds));
        json_decref(own);
        left = right;
        own = own_right;
        own_right = NULL;
    }
    *out = json_boolean(holds);
done:
    json_decref(own);
    json_decref(own_right);
    return status;
}

pl_status pl__jinja_combine(const pl_jinja *j, const node *n, const json_t *a, const json_t *b, json_t **out)
{
    if (n->kind != PL__J_JOIN) {
        PL_TRY(refuse_nothing(j, n->at, a));
        PL_TRY(refuse_nothing(j, n->at, b));
        PL_TRY(refuse_undefined(j, n, a));
        PL_TRY(refuse_undefined(j, n, b));
    }
    return pl__jinja_reckon(j, n->at, n->kind, a, b, out);
}

static pl_status eval_binary(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *a = NULL, *b = NULL;
    pl_status status;
    if (n->kind == PL__J_PLUS || n->kind == PL__J_JOIN) return pl__jinja_eval_joined(j, n, item, out);
    PL_GOTO(status, done, eval(j, n->a, item, &a));
    PL_GOTO(status, done, eval(j, n->b, item, &b));
    status = pl__jinja_combine(j, n, a, b, out);
done:
    json_decref(a);
    json_decref(b);
    return status;
}

static pl_status eval_sign(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *of;
    long long whole;
    bool minus = n->kind == PL__J_NEGATE;
    PL_TRY(eval(j, n->a, item, &of));
    pl_status status;
    if (pl__jinja_whole(of, &whole) && whole != INT64_MIN)
        status = pl__jinja_made(out, json_integer(minus ? -whole : whole));
    else if (json_is_real(of))
        status = pl__jinja_made(out, json_real(minus ? -json_real_value(of) : json_real_value(of)));
    else
        status =
            pl_jinja_fail(j, n->at, "cannot %s %s", minus ? "negate" : "put a sign before", pl__jinja_kind_name(j, of));
    json_decref(of);
    return status;
}

/* and, or give one of their operands, as in Python; the right one is evaluated only when it decides. */
static pl_status eval_logic(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    json_t *a, *own;
    PL_TRY(pl__jinja_lend(j, n->a, item, &a, &own));
    bool truth = pl__jinja_true(j, a);
    if (n->kind != PL__J_NOT && truth == (n->kind == PL__J_OR)) {
        *out = own ? own : json_incref(a);
        return PL_OK;
    }
    json_decref(own);
    if (n->kind != PL__J_NOT) return eval(j, n->b, item, out);
    *out = json_boolean(!truth);
    return PL_OK;
}

pl_status pl__jinja_chosen(const pl_jinja *j, const node *n, const json_t *item, const node **out)
{
    bool truth;
    PL_TRY(pl__jinja_holds_true(j, n->b, item, &truth));
    *out = truth ? n->a : n->c;
    return PL_OK;
}

static pl_status eval_choose(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    const node *chosen;
    PL_TRY(pl__jinja_chosen(j, n, item, &chosen));
    if (chosen) return eval(j, chosen, item, out);
    *out = json_incref(j->marks[j->is_chat ? PL__J_UNDEFINED : PL__J_NOTHING]);
    return PL_OK;
}

static pl_status eval_plain(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    switch (n->kind) {
    case PL__J_VALUE:
        *out = json_incref(n->value);
        return PL_OK;
    case PL__J_NAME:
        PL_TRY(eval_name(j, n, item, out));
        if (!*out && j->is_chat) *out = json_incref(j->marks[PL__J_UNDEFINED]);
        return *out ? PL_OK : fail_name(j, n, item);
    case PL__J_LIST:
    case PL__J_TUPLE:
        return eval_list(j, n, item, out);
    case PL__J_MAP:
    case PL__J_NAMESPACE:
        return eval_map(j, n, item, out);
    case PL__J_INDEX:
    case PL__J_ATTRIBUTE:
        return eval_index(j, n, item, NULL, out);
    case PL__J_SLICE:
        return eval_slice(j, n, item, out);
    case PL__J_FILTER:
    case PL__J_CALL:
        return eval_filter(j, n, item, out);
    case PL__J_CYCLE:
        return eval_cycle(j, n, item, out);
    case PL__J_CHANGED:
        return eval_changed(j, n, item, out);
    case PL__J_INVOKE:
        return pl__jinja_invoke(j, n, NULL, item, out);
    case PL__J_TEST:
        return eval_test(j, n, item, out);
    case PL__J_COMPARE:
        return eval_compare(j, n, item, out);
    case PL__J_AND:
    case PL__J_OR:
    case PL__J_NOT:
        return eval_logic(j, n, item, out);
    case PL__J_NEGATE:
    case PL__J_POSITIVE:
        return eval_sign(j, n, item, out);
    case PL__J_CHOOSE:
        return eval_choose(j, n, item, out);
    default:
        return eval_binary(j, n, item, out);
    }
}

pl_status pl__jinja_eval(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    *out = NULL;
    PL_TRY(pl__jinja_step(j, n->at));
    pl_status status = pl__jinja_go_deeper(j, n->at);
    if (status == PL_OK) status = eval_plain(j, n, item, out);
    j->run->nested--;
    /* Whatever is done with a text goes over it at least once. */
    if (status == PL_OK && json_is_string(*out)) status = pl__jinja_kept(out, pl__jinja_step_over(j, n->at, *out));
    return status;
}

/* ---- values that are lent ---- */

/* Of keys of objects and of indices of lists, the common way finds the rest. */
static json_t *lent_part(const pl_jinja *j, const json_t *of, const json_t *key)
{
    long long index, n;
    if (pl__jinja_is_marked(j, of, PL__J_MARK_NAMESPACE)) of = json_array_get(of, 1);
    if (json_is_object(of))
        return json_is_string(key) ? json_object_getn(of, json_string_value(key), json_string_length(key)) : NULL;
    if (!pl__jinja_is_sequence(j, of) || !json_is_integer(key)) return NULL;
    index = json_integer_value(key);
    n = (long long)pl__jinja_length(j, of);
    if (index < -n || index >= n) return NULL;
    return json_array_get(of, pl__jinja_first(j, of) + (size_t)(index < 0 ? index + n : index));
}

/* NULL: it is no look-up, or one that does not find, or of more than `depth` parts. */
static json_t *lent(const pl_jinja *j, const node *n, const json_t *item, int depth)
{
    json_t *of, *key;
    if (n->kind == PL__J_VALUE) return n->value;
    if (n->kind == PL__J_NAME) {
        json_t *found = pl__jinja_variable_find(j, n->name);
        if (!found && n->is_loop) return NULL;
        if (!found) found = json_object_get(item, n->name);
        return found && pl__jinja_is_mark(j, found, PL__J_UNDEFINED) ? NULL : found;
    }
    if ((n->kind != PL__J_ATTRIBUTE && n->kind != PL__J_INDEX) || depth == 0) return NULL;
    if (!(of = lent(j, n->a, item, depth - 1))) return NULL;
    key = n->kind == PL__J_ATTRIBUTE ? n->value : lent(j, n->b, item, depth - 1);
    return key ? lent_part(j, of, key) : NULL;
}

pl_status pl__jinja_lend(const pl_jinja *j, const node *n, const json_t *item, json_t **out, json_t **own)
{
    enum { PARTS = 4 }; /* what does not find is looked up once more: few, so that it stays cheap */
    *own = NULL;
    *out = lent(j, n, item, PARTS);
    if (!*out) {
        PL_TRY(pl__jinja_eval(j, n, item, own));
        *out = *own;
        return PL_OK;
    }
    PL_TRY(pl__jinja_step(j, n->at));
    return json_is_string(*out) ? pl__jinja_step_over(j, n->at, *out) : PL_OK;
}

pl_status pl__jinja_holds_true(const pl_jinja *j, const node *n, const json_t *item, bool *out)
{
    json_t *value, *own;
    PL_TRY(pl__jinja_lend(j, n, item, &value, &own));
    *out = pl__jinja_true(j, value);
    json_decref(own);
    return PL_OK;
}

/* Only the last look-up may fail: x.y of an x that is not there is an error in jinja2, too. */
pl_status pl__jinja_eval_maybe(const pl_jinja *j, const node *n, const json_t *item, json_t **out)
{
    bool found = true;
    *out = NULL;
    if (n->kind == PL__J_NAME) {
        PL_TRY(eval_name(j, n, item, out));
        found = *out != NULL;
    } else if (n->kind == PL__J_INDEX || n->kind == PL__J_ATTRIBUTE)
        PL_TRY(eval_index(j, n, item, &found, out));
    else
        return pl__jinja_eval(j, n, item, out);
    if (!found) *out = json_incref(j->marks[PL__J_UNDEFINED]);
    return PL_OK;
}
