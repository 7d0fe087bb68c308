/* The names of one rendering: what `set` and `for` bind, scope by scope, and `loop`. */
#include <string.h>

#include "jinja/tree.h"

enum { NAMES_A_STEP = 32 }; /* that are looked at */

static const pl__jinja_variable *find_in(const pl_jinja *j, const char *name, size_t from, size_t to)
{
    const pl__jinja_variable *variables = j->run->variables;
    j->run->steps += (to - from) / NAMES_A_STEP; /* too many are refused at the next step */
    for (size_t i = to; i > from; i--)
        if (pl__jinja_same_name(variables[i - 1].name, name)) return &variables[i - 1];
    return NULL;
}

/* In a macro: its own names, those around it, and those set outside of all scopes. */
static const pl__jinja_variable *find(const pl_jinja *j, const char *name)
{
    const pl__jinja_run *run = j->run;
    const pl__jinja_variable *found = find_in(j, name, run->frame, run->n);
    for (const pl__jinja_around *a = run->around; a && !found; a = a->outer) found = find_in(j, name, a->from, a->to);
    return found || !run->frame ? found : find_in(j, name, 0, run->top);
}

json_t *pl__jinja_variable_find(const pl_jinja *j, const char *name)
{
    const pl__jinja_variable *found = find(j, name);
    return found ? found->value : NULL;
}

pl__jinja_closure pl__jinja_macro_find(const pl_jinja *j, const char *name)
{
    const pl__jinja_variable *found = find(j, name);
    return found ? found->macro : (pl__jinja_closure){0};
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

/* ---- bodies that are run elsewhere ---- */

pl__jinja_closure pl__jinja_close_over(const pl_jinja *j, const pl__jinja_piece *piece)
{
    const pl__jinja_run *run = j->run;
    return (pl__jinja_closure){piece, run->frame, run->n, run->level, run->around, run->loop};
}

/* Where the names end that its scope has by now: behind them are those of scopes inside of it. */
static size_t scope_end(const pl_jinja *j, const pl__jinja_closure *closure)
{
    size_t i = closure->n;
    while (i < j->run->n && j->run->variables[i].level <= closure->level) i++;
    j->run->steps += (i - closure->n) / NAMES_A_STEP;
    return i;
}

void pl__jinja_go_there(const pl_jinja *j, const pl__jinja_closure *closure, pl__jinja_elsewhere *state)
{
    pl__jinja_run *run = j->run;
    *state = (pl__jinja_elsewhere){.frame = run->frame, .around = run->around, .loop = run->loop};
    state->own = (pl__jinja_around){closure->frame, scope_end(j, closure), closure->around};
    state->outer = pl__jinja_enter(j);
    run->around = closure->level ? &state->own : NULL;
    run->frame = run->n;
    run->loop = closure->loop;
}

void pl__jinja_come_back(const pl_jinja *j, const pl__jinja_elsewhere *state)
{
    pl__jinja_leave(j, state->outer);
    j->run->frame = state->frame;
    j->run->around = state->around;
    j->run->loop = state->loop;
}

pl_status pl__jinja_name_value(const pl_jinja *j, size_t at, const char *name, json_t *value,
                               const pl__jinja_closure *macro)
{
    pl__jinja_run *run = j->run;
    const pl__jinja_closure closure = macro ? *macro : (pl__jinja_closure){0};
    if (pl__jinja_is_marked(j, value, PL__J_MARK_LAZY))
        return pl_jinja_fail(j, at,
                             "'%s' would be a generator, which Python uses up at its first use; write | list "
                             "behind it",
                             name);
    run->steps += (run->n - run->scope) / NAMES_A_STEP;
    for (size_t i = run->n; i > run->scope; i--)
        if (pl__jinja_same_name(run->variables[i - 1].name, name)) {
            json_decref(run->variables[i - 1].value);
            run->variables[i - 1].value = json_incref(value);
            run->variables[i - 1].macro = closure;
            return PL_OK;
        }
    PL_TRY(pl_grow(&run->variables, &run->capacity, run->n + 1));
    run->variables[run->n++] = (pl__jinja_variable){name, json_incref(value), run->level, closure};
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
