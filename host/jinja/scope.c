/* The names of one rendering: what `set` and `for` bind, scope by scope, and `loop`. */
#include <string.h>

#include "jinja/tree.h"

/* Names differ mostly in how they begin. */
static bool is_same(const char *a, const char *b)
{
    return *a == *b && strcmp(a, b) == 0;
}

/* In a macro: its own names, and those set outside of all scopes. */
static const pl__jinja_variable *find(const pl_jinja *j, const char *name)
{
    const pl__jinja_run *run = j->run;
    for (size_t i = run->n; i > run->frame; i--)
        if (is_same(run->variables[i - 1].name, name)) return &run->variables[i - 1];
    for (size_t i = run->frame ? run->top : 0; i > 0; i--)
        if (is_same(run->variables[i - 1].name, name)) return &run->variables[i - 1];
    return NULL;
}

json_t *pl__jinja_variable_find(const pl_jinja *j, const char *name)
{
    const pl__jinja_variable *found = find(j, name);
    return found ? found->value : NULL;
}

const pl__jinja_piece *pl__jinja_macro_find(const pl_jinja *j, const char *name)
{
    const pl__jinja_variable *found = find(j, name);
    return found ? found->macro : NULL;
}

size_t pl__jinja_enter(const pl_jinja *j)
{
    size_t outer = j->run->scope;
    if (j->run->level++ == 0) j->run->top = j->run->n;
    j->run->scope = j->run->n;
    return outer;
}

void pl__jinja_leave(const pl_jinja *j, size_t outer)
{
    pl__jinja_run *run = j->run;
    while (run->n > run->scope) json_decref(run->variables[--run->n].value);
    run->scope = outer;
    run->level--;
}

pl_status pl__jinja_name_value(const pl_jinja *j, size_t at, const char *name, json_t *value,
                               const pl__jinja_piece *macro)
{
    pl__jinja_run *run = j->run;
    if (pl__jinja_is_marked(j, value, PL__J_MARK_LAZY))
        return pl_jinja_fail(j, at,
                             "'%s' would be a generator, which Python uses up at its first use; write | list "
                             "behind it",
                             name);
    for (size_t i = run->n; i > run->scope; i--)
        if (strcmp(run->variables[i - 1].name, name) == 0) {
            json_decref(run->variables[i - 1].value);
            run->variables[i - 1].value = json_incref(value);
            run->variables[i - 1].macro = macro;
            return PL_OK;
        }
    PL_TRY(pl_grow(&run->variables, &run->capacity, run->n + 1));
    run->variables[run->n++] = (pl__jinja_variable){name, json_incref(value), macro};
    return PL_OK;
}

static pl_status bind_one(const pl_jinja *j, size_t at, const char *name, json_t *value)
{
    if (pl__jinja_is_mark(j, value, PL__J_FUNCTION))
        return pl_jinja_fail(j, at, "'%s' would be a function; call it", name);
    return pl__jinja_name_value(j, at, name, value, NULL);
}

static bool is_namespace(const pl_jinja *j, const json_t *v)
{
    return pl__jinja_is_marked(j, v, PL__J_MARK_NAMESPACE);
}

/* A namespace in itself would never be freed. */
static pl_status bind_field(const pl_jinja *j, size_t at, const pl__jinja_targets *targets, json_t *value)
{
    const json_t *space = pl__jinja_variable_find(j, targets->names[0]);
    if (!space || !is_namespace(j, space))
        return pl_jinja_fail(j, at, "'%s' is no namespace; expected {%% set %s = namespace() %%} before",
                             targets->names[0], targets->names[0]);
    bool held;
    PL_TRY(pl__jinja_holds(j, at, value, is_namespace, &held));
    if (held) return pl_jinja_fail(j, at, "a namespace cannot hold a namespace");
    return json_object_set(json_array_get(space, 1), targets->field, value) == 0
               ? PL_OK
               : pl_fail(PL_E_MEMORY, "out of memory in a namespace");
}

pl_status pl__jinja_bind(const pl_jinja *j, size_t at, const pl__jinja_targets *targets, json_t *value)
{
    if (pl__jinja_is_mark(j, value, PL__J_NOTHING))
        return pl_jinja_fail(j, at, "an if without else gave no value here; write its else");
    if (targets->field) return bind_field(j, at, targets, value);
    if (!targets->is_tuple) return bind_one(j, at, targets->names[0], value);
    json_t *parts;
    PL_TRY(pl__jinja_elements(j, at, value, &parts));
    pl_status status = PL_OK;
    if (json_array_size(parts) != targets->n)
        status = pl_jinja_fail(j, at, "%zu names for %zu values", targets->n, json_array_size(parts));
    for (size_t i = 0; i < targets->n && status == PL_OK; i++)
        status = bind_one(j, at, targets->names[i], json_array_get(parts, i));
    json_decref(parts);
    return status;
}

pl_status pl__jinja_loop_field(const pl_jinja *j, size_t at, const char *name, bool *found, json_t **out)
{
    const pl__jinja_loop *loop = j->run->loop;
    size_t length = json_array_size(loop->elements);
    const struct {
        const char *name;
        size_t value;
    } numbers[] = {{"index", loop->index + 1},
                   {"index0", loop->index},
                   {"length", length},
                   {"revindex", length - loop->index},
                   {"revindex0", length - loop->index - 1},
                   {"depth", 1}, /* of recursive loops, which are not supported */
                   {"depth0", 0}};
    *found = true;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (is_same(name, numbers[i].name)) return pl__jinja_made(out, json_integer((json_int_t)numbers[i].value));
    if (is_same(name, "first")) return pl__jinja_made(out, json_boolean(loop->index == 0));
    if (is_same(name, "last")) return pl__jinja_made(out, json_boolean(loop->index + 1 == length));
    bool previous = strcmp(name, "previtem") == 0;
    if (!previous && strcmp(name, "nextitem") != 0)
        return pl_jinja_fail(
            j, at,
            "loop has no field '%s'; expected index, index0, revindex, revindex0, first, last, length, "
            "depth, depth0, previtem, nextitem or cycle(...)",
            name);
    *found = previous ? loop->index > 0 : loop->index + 1 < length;
    *out = *found ? json_incref(json_array_get(loop->elements, previous ? loop->index - 1 : loop->index + 1)) : NULL;
    return PL_OK;
}
