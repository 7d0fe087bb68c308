/* Expressions to trees: recursive descent with jinja2's own precedence, which is not Python's ('~' binds tighter than
 * '+'; a filter binds tighter than any operator; an if statement takes no inline if). What jinja2 has and we do not is
 * named in the error, so that a user sees a limit of plumb and not a riddle. */
#include <stdlib.h>
#include <string.h>

#include "jinja/lex.h"

typedef pl__jinja_node node;

static pl_status parse_unary(pl__jinja_parser *p, node **out, bool with_filter);

static pl_status expect_op(pl__jinja_parser *p, const char *op)
{
    if (!pl__jinja_is_op(p, op)) {
        char quoted[8] = "'";
        strcat(strcat(quoted, op), "'");
        return pl__jinja_unexpected(p, quoted);
    }
    return pl__jinja_advance(p);
}

/* ---- nodes ---- */

static pl_status new_node(pl__jinja_parser *p, node **out, pl__jinja_kind kind, size_t at)
{
    if (++p->n_nodes > PL__JINJA_MAX_NODES)
        return pl_jinja_fail(p->j, at, "an expression of more than %d parts; expected a shorter one",
                             (int)PL__JINJA_MAX_NODES);
    PL_TRY(pl_arena_new(p->j->arena, out, 1));
    (*out)->kind = kind;
    (*out)->at = at;
    return PL_OK;
}

static pl_status new_binary(pl__jinja_parser *p, node **out, pl__jinja_kind kind, size_t at, node *a, node *b)
{
    PL_TRY(new_node(p, out, kind, at));
    (*out)->a = a;
    (*out)->b = b;
    return PL_OK;
}

/* A literal; `value` is taken over by the template. */
static pl_status new_value(pl__jinja_parser *p, node **out, size_t at, json_t *value)
{
    if (!value || json_array_append_new(p->j->literals, value) != 0)
        return pl_fail(PL_E_MEMORY, "%s: out of memory while reading a template", p->j->where);
    PL_TRY(new_node(p, out, PL__J_VALUE, at));
    (*out)->value = value;
    return PL_OK;
}

static pl_status token_name(pl__jinja_parser *p, const char **out)
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
        if (__builtin_mul_overflow(value, 10LL, &value) ||
            __builtin_add_overflow(value, (long long)(p->j->source[at + i] - '0'), &value))
            return pl_jinja_fail(p->j, at, "integer beyond 64 bits");
    PL_TRY(pl__jinja_advance(p));
    return new_value(p, out, at, json_integer(value));
}

static pl_status parse_real(pl__jinja_parser *p, node **out)
{
    size_t at = p->token.at;
    char digits[48] = "";
    memcpy(digits, p->j->source + at, p->token.size); /* at most 41 letters: the lexer sees to it */
    PL_TRY(pl__jinja_advance(p));
    return new_value(p, out, at, json_real(strtod(digits, NULL)));
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
    PL_TRY(new_node(p, out, PL__J_NAME, at));
    PL_TRY(token_name(p, &(*out)->name));
    return pl__jinja_advance(p);
}

static pl_status parse_list(pl__jinja_parser *p, node **out)
{
    pl_status status = PL_OK;
    node **items = NULL;
    size_t n = 0, capacity = 0;
    PL_TRY(new_node(p, out, PL__J_LIST, p->token.at));
    PL_TRY(pl__jinja_advance(p));
    while (!pl__jinja_is_op(p, "]")) {
        if (n > 0) PL_GOTO(status, done, expect_op(p, ","));
        if (pl__jinja_is_op(p, "]")) break; /* a comma may end the list */
        PL_GOTO(status, done, pl_grow(&items, &capacity, n + 1));
        PL_GOTO(status, done, pl__jinja_parse_expression(p, &items[n++]));
    }
    PL_GOTO(status, done, pl__jinja_advance(p));
    (*out)->n = n;
    PL_GOTO(status, done, pl_arena_new(p->j->arena, &(*out)->items, n));
    if (n) memcpy((*out)->items, items, n * sizeof *items);
done:
    free(items);
    return status;
}

static pl_status parse_primary(pl__jinja_parser *p, node **out)
{
    size_t at = p->token.at;
    if (p->token.kind == PL__J_T_TEXT) return parse_text(p, out);
    if (p->token.kind == PL__J_T_INTEGER) return parse_integer(p, out);
    if (p->token.kind == PL__J_T_REAL) return parse_real(p, out);
    if (p->token.kind == PL__J_T_NAME) return parse_word(p, out);
    if (pl__jinja_is_op(p, "[")) return parse_list(p, out);
    if (pl__jinja_is_op(p, "{"))
        return pl_jinja_fail(p->j, at, "dictionaries are not supported in templates; use if/else");
    if (!pl__jinja_is_op(p, "(")) return pl__jinja_unexpected(p, "an expression");
    PL_TRY(pl__jinja_advance(p));
    if (pl__jinja_is_op(p, ")")) return pl_jinja_fail(p->j, at, "tuples are not supported; write a list in brackets");
    PL_TRY(pl__jinja_parse_expression(p, out));
    if (pl__jinja_is_op(p, ",")) return pl_jinja_fail(p->j, at, "tuples are not supported; write a list in brackets");
    return expect_op(p, ")");
}

/* x[i], x[a:b]; the bracket is the current token. */
static pl_status parse_bracket(pl__jinja_parser *p, node **out)
{
    node *of = *out, *first = NULL;
    size_t at = p->token.at;
    PL_TRY(pl__jinja_advance(p));
    if (!pl__jinja_is_op(p, ":")) PL_TRY(pl__jinja_parse_expression(p, &first));
    if (!pl__jinja_is_op(p, ":")) {
        PL_TRY(new_binary(p, out, PL__J_INDEX, at, of, first));
        return expect_op(p, "]");
    }
    PL_TRY(new_binary(p, out, PL__J_SLICE, at, of, first));
    PL_TRY(pl__jinja_advance(p));
    if (!pl__jinja_is_op(p, "]") && !pl__jinja_is_op(p, ":")) PL_TRY(pl__jinja_parse_expression(p, &(*out)->c));
    if (pl__jinja_is_op(p, ":"))
        return pl_jinja_fail(p->j, p->token.at, "a step in a slice is not supported; expected x[from:to]");
    return expect_op(p, "]");
}

/* x.key and x.0; the dot is the current token. */
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
        return new_binary(p, out, PL__J_INDEX, at, of, index);
    }
    if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "a name behind the dot");
    for (const char *const *m = methods; *m; m++)
        if (pl__jinja_is_word(p, *m))
            return pl_jinja_fail(p->j, p->token.at,
                                 ".%s is a method of Python's dictionaries; write x[\"%s\"] for the key", *m, *m);
    PL_TRY(new_binary(p, out, PL__J_ATTRIBUTE, at, of, NULL));
    PL_TRY(token_name(p, &(*out)->name));
    return pl__jinja_advance(p);
}

static pl_status parse_postfix(pl__jinja_parser *p, node **out)
{
    for (;;) {
        if (pl__jinja_is_op(p, "["))
            PL_TRY(parse_bracket(p, out));
        else if (pl__jinja_is_op(p, "."))
            PL_TRY(parse_dot(p, out));
        else if (pl__jinja_is_op(p, "("))
            return pl_jinja_fail(p->j, p->token.at,
                                 "calls such as f(x) or x.strip() are not supported; use filters: %s",
                                 pl__jinja_filter_names());
        else
            return PL_OK;
    }
}

/* Arguments of a filter, by position or by name, into their places. The opening parenthesis is the current token. */
static pl_status parse_arguments(pl__jinja_parser *p, node *filter)
{
    const pl__jinja_filter *f = filter->filter;
    size_t position = 0, n_max = 0;
    bool named = false;
    while (f->arguments[n_max]) n_max++;
    PL_TRY(pl__jinja_advance(p));
    while (!pl__jinja_is_op(p, ")")) {
        if (position > 0 || named) PL_TRY(expect_op(p, ","));
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
                if (named)
                    return pl_jinja_fail(p->j, at, "filter %s: an argument without a name follows one with", f->name);
            }
        } else if (named)
            return pl_jinja_fail(p->j, at, "filter %s: an argument without a name follows one with", f->name);
        if (place >= n_max)
            return pl_jinja_fail(p->j, at, "filter %s: unknown or surplus argument; it takes at most %zu", f->name,
                                 n_max);
        if (filter->items[place]) return pl_jinja_fail(p->j, at, "filter %s: argument given twice", f->name);
        PL_TRY(pl__jinja_parse_expression(p, &filter->items[place]));
    }
    return pl__jinja_advance(p);
}

static pl_status parse_filter(pl__jinja_parser *p, node **out)
{
    node *of = *out;
    PL_TRY(pl__jinja_advance(p));
    if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "the name of a filter");
    size_t at = p->token.at;
    const pl__jinja_filter *f = pl__jinja_filter_find(p->j->source + at, p->token.size);
    if (!f)
        return pl_jinja_fail(p->j, at, "filter '%.*s' is not supported; expected one of: %s", pl__jinja_shown(p),
                             p->j->source + at, pl__jinja_filter_names());
    PL_TRY(new_binary(p, out, PL__J_FILTER, at, of, NULL));
    node *filter = *out;
    filter->filter = f;
    filter->n = PL__JINJA_MAX_ARGUMENTS;
    PL_TRY(pl_arena_new(p->j->arena, &filter->items, filter->n));
    PL_TRY(pl__jinja_advance(p));
    if (pl__jinja_is_op(p, ".")) return pl__jinja_unexpected(p, "no dot in the name of a filter");
    if (pl__jinja_is_op(p, "(")) PL_TRY(parse_arguments(p, filter));
    for (size_t i = 0; i < f->n_required; i++)
        if (!filter->items[i])
            return pl_jinja_fail(p->j, at, "filter %s: argument '%s' is missing", f->name, f->arguments[i]);
    return PL_OK;
}

static pl_status parse_sign(pl__jinja_parser *p, node **out)
{
    size_t at = p->token.at;
    bool negative = pl__jinja_is_op(p, "-");
    node *of;
    PL_TRY(pl__jinja_advance(p));
    PL_TRY(parse_unary(p, &of, false));
    if (!negative) return pl_jinja_fail(p->j, at, "a sign '+' is not supported; leave it out");
    return new_binary(p, out, PL__J_NEGATE, at, of, NULL);
}

static pl_status parse_unary(pl__jinja_parser *p, node **out, bool with_filter)
{
    if (++p->depth > PL__JINJA_MAX_DEPTH)
        return pl_jinja_fail(p->j, p->token.at, "nested deeper than %d levels", (int)PL__JINJA_MAX_DEPTH);
    if (pl__jinja_is_op(p, "-") || pl__jinja_is_op(p, "+"))
        PL_TRY(parse_sign(p, out));
    else
        PL_TRY(parse_primary(p, out));
    PL_TRY(parse_postfix(p, out));
    while (with_filter) {
        if (pl__jinja_is_op(p, "|"))
            PL_TRY(parse_filter(p, out));
        else if (pl__jinja_is_op(p, "("))
            return pl_jinja_fail(p->j, p->token.at, "calls are not supported; use filters: %s",
                                 pl__jinja_filter_names());
        else if (pl__jinja_is_word(p, "is"))
            return pl_jinja_fail(p->j, p->token.at, "tests such as 'is defined' are not supported; use == or in");
        else
            break;
    }
    p->depth--;
    return PL_OK;
}

static pl_status parse_product(pl__jinja_parser *p, node **out)
{
    static const char *const operators[] = {"*", "/", "//", "%", "**", NULL};
    PL_TRY(parse_unary(p, out, true));
    for (const char *const *op = operators; *op; op++)
        if (pl__jinja_is_op(p, *op))
            return pl_jinja_fail(p->j, p->token.at, "operator %s is not supported; expected + or ~", *op);
    return PL_OK;
}

static pl_status parse_joined(pl__jinja_parser *p, node **out)
{
    PL_TRY(parse_product(p, out));
    while (pl__jinja_is_op(p, "~")) {
        node *a = *out, *b;
        size_t at = p->token.at;
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(parse_product(p, &b));
        PL_TRY(new_binary(p, out, PL__J_JOIN, at, a, b));
    }
    return PL_OK;
}

static pl_status parse_sum(pl__jinja_parser *p, node **out)
{
    PL_TRY(parse_joined(p, out));
    while (pl__jinja_is_op(p, "+") || pl__jinja_is_op(p, "-")) {
        if (pl__jinja_is_op(p, "-"))
            return pl_jinja_fail(p->j, p->token.at, "operator - is not supported; expected + or ~");
        node *a = *out, *b;
        size_t at = p->token.at;
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(parse_joined(p, &b));
        PL_TRY(new_binary(p, out, PL__J_PLUS, at, a, b));
    }
    return PL_OK;
}

/* Whether the current token begins a comparison; `not` only with `in` behind it. The operator's last token stays. */
static pl_status read_comparison(pl__jinja_parser *p, bool *found, pl__jinja_op *op)
{
    static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">=", NULL};
    *found = true;
    for (size_t i = 0; operators[i]; i++)
        if (pl__jinja_is_op(p, operators[i])) {
            *op = (pl__jinja_op)i;
            return PL_OK;
        }
    *op = PL__J_IN;
    if (pl__jinja_is_word(p, "in")) return PL_OK;
    *found = false;
    if (!pl__jinja_is_word(p, "not")) return PL_OK;
    pl__jinja_parser before = *p;
    PL_TRY(pl__jinja_advance(p));
    *op = PL__J_NOT_IN;
    *found = pl__jinja_is_word(p, "in");
    if (!*found) *p = before;
    return PL_OK;
}

static pl_status parse_comparison(pl__jinja_parser *p, node **out)
{
    size_t at = p->token.at, n = 0, capacity = 0, op_capacity = 0;
    node **items = NULL;
    pl__jinja_op *ops = NULL, op;
    bool found;
    PL_TRY(parse_sum(p, out));
    pl_status status;
    for (;;) {
        PL_GOTO(status, done, read_comparison(p, &found, &op));
        if (!found) break;
        PL_GOTO(status, done, pl__jinja_advance(p));
        PL_GOTO(status, done, pl_grow(&items, &capacity, n + 1));
        PL_GOTO(status, done, pl_grow(&ops, &op_capacity, n + 1));
        ops[n] = op;
        PL_GOTO(status, done, parse_sum(p, &items[n]));
        n++;
    }
    if (n == 0) goto done;
    PL_GOTO(status, done, new_binary(p, out, PL__J_COMPARE, at, *out, NULL));
    (*out)->n = n;
    PL_GOTO(status, done, pl_arena_new(p->j->arena, &(*out)->items, n));
    PL_GOTO(status, done, pl_arena_new(p->j->arena, &(*out)->ops, n));
    memcpy((*out)->items, items, n * sizeof *items);
    memcpy((*out)->ops, ops, n * sizeof *ops);
done:
    free(items);
    free(ops);
    return status;
}

static pl_status parse_not(pl__jinja_parser *p, node **out)
{
    if (!pl__jinja_is_word(p, "not")) return parse_comparison(p, out);
    size_t at = p->token.at;
    node *of;
    if (++p->depth > PL__JINJA_MAX_DEPTH)
        return pl_jinja_fail(p->j, at, "nested deeper than %d levels", (int)PL__JINJA_MAX_DEPTH);
    PL_TRY(pl__jinja_advance(p));
    PL_TRY(parse_not(p, &of));
    p->depth--;
    return new_binary(p, out, PL__J_NOT, at, of, NULL);
}

static pl_status parse_and(pl__jinja_parser *p, node **out)
{
    PL_TRY(parse_not(p, out));
    while (pl__jinja_is_word(p, "and")) {
        node *a = *out, *b;
        size_t at = p->token.at;
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(parse_not(p, &b));
        PL_TRY(new_binary(p, out, PL__J_AND, at, a, b));
    }
    return PL_OK;
}

pl_status pl__jinja_parse_or(pl__jinja_parser *p, node **out)
{
    PL_TRY(parse_and(p, out));
    while (pl__jinja_is_word(p, "or")) {
        node *a = *out, *b;
        size_t at = p->token.at;
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(parse_and(p, &b));
        PL_TRY(new_binary(p, out, PL__J_OR, at, a, b));
    }
    return PL_OK;
}

pl_status pl__jinja_parse_expression(pl__jinja_parser *p, node **out)
{
    if (++p->depth > PL__JINJA_MAX_DEPTH)
        return pl_jinja_fail(p->j, p->token.at, "nested deeper than %d levels", (int)PL__JINJA_MAX_DEPTH);
    PL_TRY(pl__jinja_parse_or(p, out));
    while (pl__jinja_is_word(p, "if")) {
        node *value = *out, *condition, *otherwise = NULL;
        size_t at = p->token.at;
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(pl__jinja_parse_or(p, &condition));
        if (pl__jinja_is_word(p, "else")) {
            PL_TRY(pl__jinja_advance(p));
            PL_TRY(pl__jinja_parse_expression(p, &otherwise));
        }
        PL_TRY(new_binary(p, out, PL__J_CHOOSE, at, value, condition));
        (*out)->c = otherwise;
    }
    p->depth--;
    return PL_OK;
}
