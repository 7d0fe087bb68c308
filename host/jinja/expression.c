/* Operators to trees: recursive descent with jinja2's own precedence, which is not Python's ('~' binds tighter than
 * '+', and '**' looser than a sign; a filter binds tighter than any operator; an if statement takes no inline if). What
 * jinja2 has and we do not is named in the error, so that a user sees a limit of plumb and not a riddle. */
#include <stdlib.h>
#include <string.h>

#include "jinja/lex.h"

typedef pl__jinja_node node;

static pl_status parse_unary(pl__jinja_parser *p, node **out, bool with_filter);

static pl_status parse_sign(pl__jinja_parser *p, node **out)
{
    size_t at = p->token.at;
    bool negative = pl__jinja_is_op(p, "-");
    node *of;
    PL_TRY(pl__jinja_advance(p));
    PL_TRY(parse_unary(p, &of, false));
    return pl__jinja_new_binary(p, out, negative ? PL__J_NEGATE : PL__J_POSITIVE, at, of, NULL);
}

static pl_status parse_unary(pl__jinja_parser *p, node **out, bool with_filter)
{
    if (++p->depth > PL__JINJA_MAX_DEPTH)
        return pl_jinja_fail(p->j, p->token.at, "nested deeper than %d levels", (int)PL__JINJA_MAX_DEPTH);
    if (pl__jinja_is_op(p, "-") || pl__jinja_is_op(p, "+"))
        PL_TRY(parse_sign(p, out));
    else
        PL_TRY(pl__jinja_parse_primary(p, out));
    PL_TRY(pl__jinja_parse_postfix(p, out));
    if (with_filter) PL_TRY(pl__jinja_parse_filters(p, out));
    p->depth--;
    return PL_OK;
}

/* Operators of one level, from the left. */
typedef struct level {
    const char *op;
    pl__jinja_kind kind;
} level;

static const level POWER[] = {{"**", PL__J_POWER}, {NULL, PL__J_POWER}},
                   PRODUCT[] = {{"*", PL__J_TIMES},
                                {"//", PL__J_FLOOR_DIVIDE},
                                {"/", PL__J_DIVIDE},
                                {"%", PL__J_REMAINDER},
                                {NULL, PL__J_TIMES}},
                   JOINED[] = {{"~", PL__J_JOIN}, {NULL, PL__J_JOIN}},
                   SUM[] = {{"+", PL__J_PLUS}, {"-", PL__J_MINUS}, {NULL, PL__J_PLUS}},
                   *const LEVELS[] = {SUM, JOINED, PRODUCT, POWER, NULL};

/* `levels`: from the loosest on; behind the last one stand operands. */
static pl_status parse_level(pl__jinja_parser *p, const level *const *levels, node **out)
{
    if (!*levels) return parse_unary(p, out, true);
    PL_TRY(parse_level(p, levels + 1, out));
    for (;;) {
        const level *l = *levels;
        while (l->op && !pl__jinja_is_op(p, l->op)) l++;
        if (!l->op) return PL_OK;
        node *a = *out, *b;
        size_t at = p->token.at;
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(parse_level(p, levels + 1, &b));
        PL_TRY(pl__jinja_new_binary(p, out, l->kind, at, a, b));
    }
}

static pl_status parse_sum(pl__jinja_parser *p, node **out)
{
    return parse_level(p, LEVELS, out);
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
    PL_GOTO(status, done, pl__jinja_new_binary(p, out, PL__J_COMPARE, at, *out, NULL));
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
    return pl__jinja_new_binary(p, out, PL__J_NOT, at, of, NULL);
}

static pl_status parse_and(pl__jinja_parser *p, node **out)
{
    PL_TRY(parse_not(p, out));
    while (pl__jinja_is_word(p, "and")) {
        node *a = *out, *b;
        size_t at = p->token.at;
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(parse_not(p, &b));
        PL_TRY(pl__jinja_new_binary(p, out, PL__J_AND, at, a, b));
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
        PL_TRY(pl__jinja_new_binary(p, out, PL__J_OR, at, a, b));
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
        PL_TRY(pl__jinja_new_binary(p, out, PL__J_CHOOSE, at, value, condition));
        (*out)->c = otherwise;
    }
    p->depth--;
    return PL_OK;
}

pl_status pl__jinja_parse_tuple(pl__jinja_parser *p, bool with_if, node **out)
{
    pl_status status = PL_OK;
    node **items = NULL, *one;
    size_t n = 0, capacity = 0, at = p->token.at;
    bool is_tuple = false;
    for (;;) {
        bool ends = p->token.kind == PL__J_T_CLOSE || pl__jinja_is_op(p, ")") || pl__jinja_is_word(p, "if");
        if (is_tuple && ends) break; /* a comma may end a tuple */
        PL_GOTO(status, done, with_if ? pl__jinja_parse_expression(p, &one) : pl__jinja_parse_or(p, &one));
        PL_GOTO(status, done, pl_grow(&items, &capacity, n + 1));
        items[n++] = one;
        if (!pl__jinja_is_op(p, ",")) break;
        is_tuple = true;
        PL_GOTO(status, done, pl__jinja_advance(p));
    }
    *out = items[0];
    if (!is_tuple) goto done;
    PL_GOTO(status, done, pl__jinja_new_node(p, out, PL__J_TUPLE, at));
    (*out)->n = n;
    PL_GOTO(status, done, pl_arena_new(p->j->arena, &(*out)->items, n));
    memcpy((*out)->items, items, n * sizeof *items);
done:
    free(items);
    return status;
}
