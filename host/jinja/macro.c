/* Macros: what {% macro %} binds, and calling it. As in jinja2 a body sees its parameters, the names around it where it
 * stands, and those that the template has set outside of all scopes, whatever the caller has set; a parameter that is
 * not given and has no default is undefined. What it prints is the value of the call. A call block is a macro without
 * a name of its own, which the macro that is called knows as caller(). */
#include <string.h>

#include "jinja/tree.h"

static size_t parameter_of(const pl__jinja_macro *macro, const char *key)
{
    size_t i = 0;
    while (i < macro->n && strcmp(macro->parameters[i], key) != 0) i++;
    return i;
}

/* The arguments in their places, evaluated where the call stands. */
static pl_status evaluate(const pl_jinja *j, const pl__jinja_node *call, const pl__jinja_macro *macro,
                          const json_t *item, json_t **values)
{
    for (size_t i = 0; i < call->n; i++) {
        size_t place = call->keys[i] ? parameter_of(macro, call->keys[i]) : i;
        if (place >= macro->n)
            return pl_jinja_fail(j, call->at, "macro %s: %s '%s'; it takes %zu", macro->name,
                                 call->keys[i] ? "no parameter" : "an argument too many",
                                 call->keys[i] ? call->keys[i] : "", macro->n);
        if (values[place])
            return pl_jinja_fail(j, call->at, "macro %s: '%s' given twice", macro->name, macro->parameters[place]);
        PL_TRY(pl__jinja_eval_kept(j, call->items[i], item, &values[place]));
    }
    return PL_OK;
}

/* The macro's own scope is entered: its parameters, and then its body. A default sees all of them, undefined those that
 * are not given and whose own default is not reached yet. */
static pl_status run_body(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, json_t **values,
                          json_t **out)
{
    const pl__jinja_macro *macro = piece->macro;
    pl_bytes text = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; i < macro->n && status == PL_OK; i++)
        status = pl__jinja_name_value(j, piece->at, macro->parameters[i],
                                      values[i] ? values[i] : j->marks[PL__J_UNDEFINED], NULL);
    for (size_t i = 0; i < macro->n && status == PL_OK; i++) {
        if (values[i] || !macro->defaults[i]) continue;
        status = pl__jinja_eval_kept(j, macro->defaults[i], item, &values[i]);
        if (status == PL_OK) status = pl__jinja_name_value(j, piece->at, macro->parameters[i], values[i], NULL);
    }
    if (status == PL_OK) status = pl__jinja_render_pieces(j, piece->body, item, &text);
    if (status == PL_OK) status = pl__jinja_new_text(j, piece->at, out, text.data, text.size);
    pl_bytes_free(&text);
    return status;
}

static pl_status call_macro(const pl_jinja *j, const pl__jinja_closure *macro, const pl__jinja_closure *caller,
                            const json_t *item, json_t **values, json_t **out)
{
    pl__jinja_elsewhere state;
    pl_status status = PL_OK;
    pl__jinja_go_there(j, macro, &state);
    if (macro->piece->macro->calls_back) /* its own, never that of a macro around it */
        status = pl__jinja_name_value(j, macro->piece->at, PL__JINJA_CALLER,
                                      j->marks[caller ? PL__J_FUNCTION : PL__J_UNDEFINED], caller);
    if (status == PL_OK) status = run_body(j, macro->piece, item, values, out);
    pl__jinja_come_back(j, &state);
    return status;
}

static pl_status fail_macro(const pl_jinja *j, const pl__jinja_node *call)
{
    if (call->a)
        return pl_jinja_fail(j, call->at, "method '%s' is not supported; expected one of: %s", call->name,
                             pl__jinja_method_names());
    return pl_jinja_fail(j, call->at,
                         "no macro or function '%s' here; expected a macro of the template, range(...), "
                         "namespace(...), dict(...)%s",
                         call->name, j->is_chat ? ", raise_exception(...), strftime_now(...)" : "");
}

static pl_status invoke(const pl_jinja *j, const pl__jinja_node *call, const pl__jinja_closure *macro,
                        const pl__jinja_closure *caller, const json_t *item, json_t **out)
{
    json_t *values[PL__JINJA_MAX_PARAMETERS] = {NULL};
    if (caller && !macro->piece->macro->calls_back)
        return pl_jinja_fail(j, call->at, "macro %s does not call caller(): no call block can be put into it",
                             call->name);
    pl_status status = evaluate(j, call, macro->piece->macro, item, values);
    if (status == PL_OK) status = call_macro(j, macro, caller, item, values, out);
    for (size_t i = 0; i < PL__JINJA_MAX_PARAMETERS; i++) json_decref(values[i]);
    return status;
}

pl_status pl__jinja_invoke(const pl_jinja *j, const pl__jinja_node *call, const pl__jinja_closure *caller,
                           const json_t *item, json_t **out)
{
    const pl__jinja_closure macro = call->a ? (pl__jinja_closure){0} : pl__jinja_macro_find(j, call->name);
    bool is_loop = !call->a && !macro.piece && !caller && strcmp(call->name, "loop") == 0 && j->run->loop;
    if (!macro.piece && !is_loop) return fail_macro(j, call);
    if (++j->run->calls > PL__JINJA_MAX_CALLS)
        return pl_jinja_fail(j, call->at, "%s call one another deeper than %d levels", is_loop ? "loops" : "macros",
                             (int)PL__JINJA_MAX_CALLS);
    pl_status status = is_loop ? pl__jinja_loop_again(j, call, item, out) : invoke(j, call, &macro, caller, item, out);
    j->run->calls--;
    return status;
}
