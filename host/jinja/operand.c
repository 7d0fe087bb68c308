/* Operands to trees: literals, names, look-ups, calls, filters and tests. */
#include <stdlib.h>
#include <string.h>

#include "jinja/lex.h"

typedef pl__jinja_node node;

pl_status pl__jinja_expect_op(pl__jinja_parser *p, const char *op)
{
    if (!pl__jinja_is_op(p, op)) {
        char quoted[8] = "'";
        strcat(strcat(quoted, op), "'");
        return pl__jinja_unexpected(p, quoted);
    }
    return pl__jinja_advance(p);
}

/* ---- nodes ---- */

pl_status pl__jinja_new_node(pl__jinja_parser *p, node **out, pl__jinja_kind kind, size_t at)
{
    if (++p->n_nodes > PL__JINJA_MAX_NODES)
        return pl_jinja_fail(p->j, at, "an expression of more than %d parts; expected a shorter one",
                             (int)PL__JINJA_MAX_NODES);
    PL_TRY(pl_arena_new(p->j->arena, out, 1));
    (*out)->kind = kind;
    (*out)->at = at;
    return PL_OK;
}

pl_status pl__jinja_new_binary(pl__jinja_parser *p, node **out, pl__jinja_kind kind, size_t at, node *a, node *b)
{
    PL_TRY(pl__jinja_new_node(p, out, kind, at));
    (*out)->a = a;
    (*out)->b = b;
    return PL_OK;
}

/* `value` is taken over by the template. */
static pl_status keep_literal(pl__jinja_parser *p, json_t **out, json_t *value)
{
    *out = value;
    if (value && json_array_append_new(p->j->literals, value) == 0) return PL_OK;
    return pl_fail(PL_E_MEMORY, "%s: out of memory while reading a template", p->j->where);
}

static pl_status new_value(pl__jinja_parser *p, node **out, size_t at, json_t *value)
{
    PL_TRY(keep_literal(p, &value, value));
    PL_TRY(pl__jinja_new_node(p, out, PL__J_VALUE, at));
    (*out)->value = value;
    return PL_OK;
}

pl_status pl__jinja_token_name(pl__jinja_parser *p, const char **out)
{
    char *copy;
    PL_TRY(pl_arena_text(p->j->arena, &copy, p->j->source + p->token.at, p->token.size));
    *out = copy;
    return PL_OK;
}

/* ---- expressions, loosest binding last ---- */

static pl_status parse_text(pl__jinja_parser *p, node **out)
{
    size_t at = p->token.at;
    pl_bytes text = {0};
    pl_status status = PL_OK;
    /* Texts side by side are one text, as in Python. */
    while (p->token.kind == PL__J_T_TEXT && status == PL_OK) {
        status = pl__jinja_unquote(p->j, &p->token, &text);
        if (status == PL_OK) status = pl__jinja_advance(p);
    }
    if (status == PL_OK) status = new_value(p, out, at, json_stringn(text.size ? text.data : "", text.size));
    pl_bytes_free(&text);
    return status;
}

static pl_status parse_integer(pl__jinja_parser *p, node **out)
{
    size_t at = p->token.at;
    long long value = 0;
    for (size_t i = 0; i < p->token.size; i++)
        if (p->j->source[at + i] != '_' &&
            (__builtin_mul_overflow(value, 10LL, &value) ||
             __builtin_add_overflow(value, (long long)(p->j->source[at + i] - '0'), &value)))
            return pl_jinja_fail(p->j, at, "integer beyond 64 bits");
    PL_TRY(pl__jinja_advance(p));
    return new_value(p, out, at, json_integer(value));
}

static pl_status parse_real(pl__jinja_parser *p, node **out)
{
    size_t at = p->token.at;
    char digits[48] = "";
    for (size_t i = 0, n = 0; i < p->token.size; i++) /* at most 40 letters: the lexer sees to it */
        if (p->j->source[at + i] != '_') digits[n++] = p->j->source[at + i];
    PL_TRY(pl__jinja_advance(p));
    return new_value(p, out, at, json_real(strtod(digits, NULL)));
}

/* What jinja2 has for the arguments of a macro that no parameter takes. */
static bool is_of_rest(const pl__jinja_parser *p)
{
    if (!p->macro || (!pl__jinja_is_word(p, "varargs") && !pl__jinja_is_word(p, "kwargs"))) return false;
    for (size_t i = 0; i < p->macro->n; i++)
        if (pl__jinja_is_word(p, p->macro->parameters[i])) return false;
    return true;
}

static pl_status parse_word(pl__jinja_parser *p, node **out)
{
    static const char *const reserved[] = {"and", "or", "not", "if", "elif", "else", "in", "is", "for", NULL};
    size_t at = p->token.at;
    json_t *value = pl__jinja_is_word(p, "true") || pl__jinja_is_word(p, "True")     ? json_true()
                    : pl__jinja_is_word(p, "false") || pl__jinja_is_word(p, "False") ? json_false()
                    : pl__jinja_is_word(p, "none") || pl__jinja_is_word(p, "None")   ? json_null()
                                                                                     : NULL;
    if (value) {
        PL_TRY(pl__jinja_advance(p));
        return new_value(p, out, at, value);
    }
    for (const char *const *r = reserved; *r; r++)
        if (pl__jinja_is_word(p, *r)) return pl__jinja_unexpected(p, "an expression");
    if (is_of_rest(p))
        return pl_jinja_fail(p->j, at, "'%.*s' in a macro is not supported; write the arguments as parameters",
                             pl__jinja_shown(p), p->j->source + at);
    PL_TRY(pl__jinja_new_node(p, out, PL__J_NAME, at));
    PL_TRY(pl__jinja_token_name(p, &(*out)->name));
    (*out)->is_loop = strcmp((*out)->name, "loop") == 0;
    p->names_caller = p->names_caller || strcmp((*out)->name, PL__JINJA_CALLER) == 0;
    return pl__jinja_advance(p);
}

/* Values up to `close`, with commas between them; of a map two for each, with a colon. The opening mark is the current
 * token. */
static pl_status parse_values(pl__jinja_parser *p, pl__jinja_kind kind, const char *close, node **out)
{
    pl_status status = PL_OK;
    node **items = NULL;
    size_t n = 0, capacity = 0;
    PL_TRY(pl__jinja_new_node(p, out, kind, p->token.at));
    p->braces += kind == PL__J_MAP;
    PL_TRY(pl__jinja_advance(p));
    while (!pl__jinja_is_op(p, close)) {
        if (n > 0) PL_GOTO(status, done, pl__jinja_expect_op(p, ","));
        if (pl__jinja_is_op(p, close)) break; /* a comma may end the list */
        PL_GOTO(status, done, pl_grow(&items, &capacity, n + 2));
        PL_GOTO(status, done, pl__jinja_parse_expression(p, &items[n++]));
        if (kind != PL__J_MAP) continue;
        PL_GOTO(status, done, pl__jinja_expect_op(p, ":"));
        PL_GOTO(status, done, pl__jinja_parse_expression(p, &items[n++]));
    }
    p->braces -= kind == PL__J_MAP;
    PL_GOTO(status, done, pl__jinja_advance(p));
    (*out)->n = n;
    PL_GOTO(status, done, pl_arena_new(p->j->arena, &(*out)->items, n));
    if (n) memcpy((*out)->items, items, n * sizeof *items);
done:
    free(items);
    return status;
}

pl_status pl__jinja_parse_primary(pl__jinja_parser *p, node **out)
{
    size_t at = p->token.at;
    if (p->token.kind == PL__J_T_TEXT) return parse_text(p, out);
    if (p->token.kind == PL__J_T_INTEGER) return parse_integer(p, out);
    if (p->token.kind == PL__J_T_REAL) return parse_real(p, out);
    if (p->token.kind == PL__J_T_NAME) return parse_word(p, out);
    if (pl__jinja_is_op(p, "[")) return parse_values(p, PL__J_LIST, "]", out);
    if (pl__jinja_is_op(p, "{")) return parse_values(p, PL__J_MAP, "}", out);
    if (!pl__jinja_is_op(p, "(")) return pl__jinja_unexpected(p, "an expression");
    PL_TRY(pl__jinja_advance(p));
    if (pl__jinja_is_op(p, ")")) {
        PL_TRY(pl__jinja_new_node(p, out, PL__J_TUPLE, at));
        return pl__jinja_advance(p);
    }
    PL_TRY(pl__jinja_parse_tuple(p, true, out));
    return pl__jinja_expect_op(p, ")");
}

/* x[i], x[a:b:c]; the bracket is the current token. */
static pl_status parse_bracket(pl__jinja_parser *p, node **out)
{
    node *of = *out, *first = NULL;
    size_t at = p->token.at;
    PL_TRY(pl__jinja_advance(p));
    if (!pl__jinja_is_op(p, ":")) PL_TRY(pl__jinja_parse_expression(p, &first));
    if (!pl__jinja_is_op(p, ":")) {
        PL_TRY(pl__jinja_new_binary(p, out, PL__J_INDEX, at, of, first));
        return pl__jinja_expect_op(p, "]");
    }
    PL_TRY(pl__jinja_new_binary(p, out, PL__J_SLICE, at, of, first));
    PL_TRY(pl__jinja_advance(p));
    if (!pl__jinja_is_op(p, "]") && !pl__jinja_is_op(p, ":")) PL_TRY(pl__jinja_parse_expression(p, &(*out)->c));
    if (pl__jinja_is_op(p, ":")) {
        PL_TRY(pl__jinja_advance(p));
        if (!pl__jinja_is_op(p, "]")) PL_TRY(pl__jinja_parse_expression(p, &(*out)->d));
    }
    return pl__jinja_expect_op(p, "]");
}

static pl_status missing_argument(pl__jinja_parser *p, const node *filter)
{
    const pl__jinja_filter *f = filter->filter;
    for (size_t i = 0; i < f->n_required; i++)
        if (!filter->items[i])
            return pl_jinja_fail(p->j, filter->at, "%s: argument '%s' is missing", f->name, f->arguments[i]);
    return PL_OK;
}

/* Arguments of a filter or method, by position or by name, into their places; none without a parenthesis. */
static pl_status parse_arguments(pl__jinja_parser *p, node *filter)
{
    const pl__jinja_filter *f = filter->filter;
    size_t position = 0, n_max = 0;
    bool named = false;
    while (f->arguments[n_max]) n_max++;
    PL_TRY(pl_arena_new(p->j->arena, &filter->items, PL__JINJA_MAX_ARGUMENTS));
    filter->n = PL__JINJA_MAX_ARGUMENTS;
    if (!pl__jinja_is_op(p, "(")) return missing_argument(p, filter);
    PL_TRY(pl__jinja_advance(p));
    while (!pl__jinja_is_op(p, ")")) {
        if (position > 0 || named) PL_TRY(pl__jinja_expect_op(p, ","));
        if (pl__jinja_is_op(p, ")")) break;
        size_t place = position++, at = p->token.at;
        pl__jinja_parser before = *p;
        if (p->token.kind == PL__J_T_NAME) {
            PL_TRY(pl__jinja_advance(p));
            if (pl__jinja_is_op(p, "=")) {
                for (place = 0; place < n_max; place++) {
                    size_t n = before.token.size;
                    if (strlen(f->arguments[place]) == n && !memcmp(f->arguments[place], p->j->source + at, n)) break;
                }
                PL_TRY(pl__jinja_advance(p));
                named = true;
            } else {
                p->at = before.at;
                p->token = before.token;
                if (named) return pl_jinja_fail(p->j, at, "%s: an argument without a name follows one with", f->name);
            }
        } else if (named)
            return pl_jinja_fail(p->j, at, "%s: an argument without a name follows one with", f->name);
        if (place >= n_max)
            return pl_jinja_fail(p->j, at, "%s: unknown or surplus argument; it takes at most %zu", f->name, n_max);
        if (filter->items[place]) return pl_jinja_fail(p->j, at, "%s: argument given twice", f->name);
        PL_TRY(pl__jinja_parse_expression(p, &filter->items[place]));
    }
    PL_TRY(pl__jinja_advance(p));
    return missing_argument(p, filter);
}

/* ---- look-ups by name, and calls ---- */

/* The arguments of a macro, or (`of` not NULL) of a method that is not there; the parenthesis is the current token. */
static pl_status parse_invoke(pl__jinja_parser *p, const pl__jinja_token *name, node *of, node **out)
{
    node *items[PL__JINJA_MAX_PARAMETERS], *call;
    const char *keys[PL__JINJA_MAX_PARAMETERS] = {NULL};
    char *copy;
    size_t n = 0;
    PL_TRY(pl__jinja_new_binary(p, &call, PL__J_INVOKE, name->at, of, NULL));
    PL_TRY(pl_arena_text(p->j->arena, &copy, p->j->source + name->at, name->size));
    call->name = copy;
    PL_TRY(pl__jinja_advance(p));
    for (; !pl__jinja_is_op(p, ")"); n++) {
        if (n > 0) PL_TRY(pl__jinja_expect_op(p, ","));
        if (pl__jinja_is_op(p, ")")) break;
        if (n == PL__JINJA_MAX_PARAMETERS)
            return pl_jinja_fail(p->j, p->token.at, "more than %d arguments", (int)PL__JINJA_MAX_PARAMETERS);
        pl__jinja_parser before = *p;
        if (p->token.kind == PL__J_T_NAME) {
            PL_TRY(pl__jinja_token_name(p, &keys[n]));
            PL_TRY(pl__jinja_advance(p));
            if (!pl__jinja_is_op(p, "=")) {
                *p = before;
                keys[n] = NULL;
            } else
                PL_TRY(pl__jinja_advance(p));
        }
        if (n > 0 && keys[n - 1] && !keys[n])
            return pl_jinja_fail(p->j, p->token.at, "an argument without a name follows one with");
        PL_TRY(pl__jinja_parse_expression(p, &items[n]));
    }
    call->n = n;
    PL_TRY(pl_arena_new(p->j->arena, &call->items, n));
    PL_TRY(pl_arena_new(p->j->arena, &call->keys, n));
    if (n) memcpy(call->items, items, n * sizeof *items);
    if (n) memcpy(call->keys, keys, n * sizeof *keys);
    *out = call;
    return pl__jinja_advance(p);
}

/* x.method(...); the name is `name`, the parenthesis the current token. */
static pl_status parse_method(pl__jinja_parser *p, const pl__jinja_token *name, node **out)
{
    node *of = *out;
    const char *text = p->j->source + name->at;
    if (of->kind == PL__J_NAME && of->is_loop && name->size == 7 && !memcmp(text, "changed", 7)) {
        PL_TRY(parse_values(p, PL__J_CHANGED, ")", out));
        (*out)->a = of;
        return PL_OK;
    }
    if (of->kind == PL__J_NAME && of->is_loop && name->size == 5 && !memcmp(text, "cycle", 5)) {
        PL_TRY(parse_values(p, PL__J_CYCLE, ")", out));
        (*out)->a = of;
        return (*out)->n ? PL_OK : pl_jinja_fail(p->j, name->at, "cycle: expected values to choose from");
    }
    const pl__jinja_filter *f = pl__jinja_method_find(text, name->size);
    if (!f && p->j->is_chat) return parse_invoke(p, name, of, out);
    if (!f)
        return pl_jinja_fail(p->j, name->at, "method '%.*s' is not supported; expected one of: %s",
                             (int)(name->size > 60 ? 60 : name->size), text, pl__jinja_method_names());
    PL_TRY(pl__jinja_new_binary(p, out, PL__J_FILTER, name->at, of, NULL));
    (*out)->filter = f;
    return parse_arguments(p, *out);
}

/* x.key, x.0 and x.method(...); the dot is the current token. */
static pl_status parse_dot(pl__jinja_parser *p, node **out)
{
    /* jinja2 finds Python's own attributes of a dictionary before its keys. */
    static const char *const methods[] = {"clear", "copy",    "fromkeys",   "get",    "items",  "keys",
                                          "pop",   "popitem", "setdefault", "update", "values", NULL};
    node *of = *out;
    size_t at = p->token.at;
    PL_TRY(pl__jinja_advance(p));
    if (p->token.kind == PL__J_T_INTEGER) {
        node *index;
        PL_TRY(parse_integer(p, &index));
        return pl__jinja_new_binary(p, out, PL__J_INDEX, at, of, index);
    }
    if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "a name behind the dot");
    pl__jinja_token name = p->token;
    const char *field;
    json_t *key;
    PL_TRY(pl__jinja_token_name(p, &field));
    PL_TRY(pl__jinja_advance(p));
    if (pl__jinja_is_op(p, "(")) return parse_method(p, &name, out);
    for (const char *const *m = methods; *m; m++)
        if (strcmp(field, *m) == 0)
            return pl_jinja_fail(p->j, name.at, ".%s is a method of Python's dictionaries; write x[\"%s\"] for the key",
                                 *m, *m);
    PL_TRY(keep_literal(p, &key, json_string(field)));
    PL_TRY(pl__jinja_new_binary(p, out, PL__J_ATTRIBUTE, at, of, NULL));
    (*out)->name = field;
    (*out)->value = key;
    return PL_OK;
}

/* namespace(a=1, ...) and dict(a=1, ...): the fields of an object. */
static pl_status parse_fields(pl__jinja_parser *p, pl__jinja_kind kind, node **out)
{
    enum { MAX_FIELDS = 64 };
    node *items[2 * MAX_FIELDS];
    size_t n = 0;
    PL_TRY(pl__jinja_new_node(p, out, kind, p->token.at));
    PL_TRY(pl__jinja_advance(p));
    while (!pl__jinja_is_op(p, ")")) {
        if (n > 0) PL_TRY(pl__jinja_expect_op(p, ","));
        if (pl__jinja_is_op(p, ")")) break;
        if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "name=value");
        if (n == 2 * MAX_FIELDS) return pl_jinja_fail(p->j, p->token.at, "more than %d fields", (int)MAX_FIELDS);
        PL_TRY(new_value(p, &items[n], p->token.at, json_stringn(p->j->source + p->token.at, p->token.size)));
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(pl__jinja_expect_op(p, "="));
        PL_TRY(pl__jinja_parse_expression(p, &items[n + 1]));
        n += 2;
    }
    (*out)->n = n;
    PL_TRY(pl_arena_new(p->j->arena, &(*out)->items, n));
    if (n) memcpy((*out)->items, items, n * sizeof *items);
    return pl__jinja_advance(p);
}

/* f(...); the parenthesis is the current token. */
static pl_status parse_call(pl__jinja_parser *p, node **out)
{
    const node *of = *out;
    const char *name = of->kind == PL__J_NAME ? of->name : "";
    if (strcmp(name, "namespace") == 0) return parse_fields(p, PL__J_NAMESPACE, out);
    if (strcmp(name, "dict") == 0) return parse_fields(p, PL__J_MAP, out);
    const pl__jinja_filter *f = pl__jinja_function_find(p->j, name, strlen(name));
    if (!f && *name && (p->j->is_chat || p->n_macros > 0 || of->is_loop)) {
        const pl__jinja_token named = {.at = of->at, .size = strlen(name)};
        return parse_invoke(p, &named, NULL, out);
    }
    if (!f)
        return pl_jinja_fail(p->j, p->token.at,
                             "no such function; expected range(...), namespace(...), dict(...), a method such as "
                             "x.strip(), or a filter: %s",
                             pl__jinja_filter_names());
    PL_TRY(pl__jinja_new_node(p, out, PL__J_CALL, of->at));
    (*out)->filter = f;
    (*out)->name = name;
    return parse_arguments(p, *out);
}

pl_status pl__jinja_parse_postfix(pl__jinja_parser *p, node **out)
{
    for (;;) {
        if (pl__jinja_is_op(p, "["))
            PL_TRY(parse_bracket(p, out));
        else if (pl__jinja_is_op(p, "."))
            PL_TRY(parse_dot(p, out));
        else if (pl__jinja_is_op(p, "("))
            PL_TRY(parse_call(p, out));
        else
            return PL_OK;
    }
}

/* ---- filters and tests ---- */

/* The name of a filter is the current token. */
static pl_status parse_filter(pl__jinja_parser *p, node **out)
{
    node *of = *out;
    if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "the name of a filter");
    size_t at = p->token.at;
    const pl__jinja_filter *f = pl__jinja_filter_find(p->j, p->j->source + at, p->token.size);
    if (!f)
        return pl_jinja_fail(p->j, at, "filter '%.*s' is not supported; expected one of: %s", pl__jinja_shown(p),
                             p->j->source + at, pl__jinja_filter_names());
    PL_TRY(pl__jinja_new_binary(p, out, PL__J_FILTER, at, of, NULL));
    (*out)->filter = f;
    PL_TRY(pl__jinja_advance(p));
    if (pl__jinja_is_op(p, ".")) return pl__jinja_unexpected(p, "no dot in the name of a filter");
    return parse_arguments(p, *out);
}

pl_status pl__jinja_parse_body_filters(pl__jinja_parser *p, node **out)
{
    PL_TRY(pl__jinja_new_node(p, out, PL__J_NAME, p->token.at));
    (*out)->name = PL__JINJA_BODY;
    PL_TRY(parse_filter(p, out));
    while (pl__jinja_is_op(p, "|")) {
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(parse_filter(p, out));
    }
    return PL_OK;
}

/* Whether an argument without parentheses follows the name of a test. */
static bool argument_follows(const pl__jinja_parser *p)
{
    if (p->token.kind == PL__J_T_NAME)
        return !pl__jinja_is_word(p, "else") && !pl__jinja_is_word(p, "or") && !pl__jinja_is_word(p, "and") &&
               !pl__jinja_is_word(p, "is");
    return p->token.kind == PL__J_T_TEXT || p->token.kind == PL__J_T_INTEGER || p->token.kind == PL__J_T_REAL ||
           pl__jinja_is_op(p, "(") || pl__jinja_is_op(p, "[") || pl__jinja_is_op(p, "{");
}

static pl_status parse_test_argument(pl__jinja_parser *p, node *test)
{
    bool in_parentheses = pl__jinja_is_op(p, "(");
    node **argument;
    if (!argument_follows(p)) goto end;
    PL_TRY(pl_arena_new(p->j->arena, &argument, 1));
    if (in_parentheses) PL_TRY(pl__jinja_advance(p));
    if (!in_parentheses) {
        PL_TRY(pl__jinja_parse_primary(p, argument));
        PL_TRY(pl__jinja_parse_postfix(p, argument));
    } else if (!pl__jinja_is_op(p, ")"))
        PL_TRY(pl__jinja_parse_expression(p, argument));
    if (in_parentheses) PL_TRY(pl__jinja_expect_op(p, ")"));
    test->n = *argument ? 1 : 0;
    test->items = argument;
end:
    if (test->n == test->test->n_arguments) return PL_OK;
    return pl_jinja_fail(p->j, test->at, "test %s: expected %zu arguments, found %zu", test->test->name,
                         test->test->n_arguments, test->n);
}

/* `is` is the current token. */
static pl_status parse_test(pl__jinja_parser *p, node **out)
{
    node *of = *out, *inner;
    PL_TRY(pl__jinja_advance(p));
    bool negated = pl__jinja_is_word(p, "not");
    if (negated) PL_TRY(pl__jinja_advance(p));
    if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "the name of a test");
    size_t at = p->token.at;
    const pl__jinja_test *test = pl__jinja_test_find(p->j->source + at, p->token.size);
    if (!test)
        return pl_jinja_fail(p->j, at, "test '%.*s' is not supported; expected one of: %s", pl__jinja_shown(p),
                             p->j->source + at, pl__jinja_test_names());
    PL_TRY(pl__jinja_new_binary(p, &inner, PL__J_TEST, at, of, NULL));
    inner->test = test;
    *out = inner;
    PL_TRY(pl__jinja_advance(p));
    PL_TRY(parse_test_argument(p, inner));
    return negated ? pl__jinja_new_binary(p, out, PL__J_NOT, at, inner, NULL) : PL_OK;
}

pl_status pl__jinja_parse_filters(pl__jinja_parser *p, node **out)
{
    for (;;) {
        if (pl__jinja_is_op(p, "|")) {
            PL_TRY(pl__jinja_advance(p));
            PL_TRY(parse_filter(p, out));
        } else if (pl__jinja_is_word(p, "is"))
            PL_TRY(parse_test(p, out));
        else if (pl__jinja_is_op(p, "("))
            return pl_jinja_fail(p->j, p->token.at, "a value is no function");
        else
            return PL_OK;
    }
}
