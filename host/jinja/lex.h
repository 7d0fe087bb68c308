/* Tokens inside {{ }} and {% %}. A token is a slice of the source; texts in quotes are decoded by the parser. */
#ifndef PLUMB_JINJA_LEX_H
#define PLUMB_JINJA_LEX_H

#include "jinja/tree.h"

typedef enum pl__jinja_token_kind {
    PL__J_T_NAME,
    PL__J_T_TEXT, /* with its quotes */
    PL__J_T_INTEGER,
    PL__J_T_REAL,
    PL__J_T_OPERATOR,
    PL__J_T_CLOSE, /* the end of the tag; trims says whether it was written with a minus */
} pl__jinja_token_kind;

typedef struct pl__jinja_token {
    pl__jinja_token_kind kind;
    size_t at, size;
    bool trims;
} pl__jinja_token;

/* The token at or behind byte *at; *at moves behind it. `close` is "}}" or "%}"; `in_braces`: in an object's braces,
 * which
 * "}}" closes. */
pl_status pl__jinja_next(const pl_jinja *j, size_t *at, const char *close, bool in_braces, pl__jinja_token *out);

/* Nesting bounds the recursion of parser and evaluator; the number of nodes bounds it for chains a ~ b ~ c ... */
enum { PL__JINJA_MAX_DEPTH = 100, PL__JINJA_MAX_NODES = 2000 };

/* What ended a body; the words of ENDINGS in parse.c. */
typedef enum pl__jinja_ending {
    PL__J_END_OF_SOURCE,
    PL__J_END_ELIF,
    PL__J_END_ELSE,
    PL__J_END_ENDIF,
    PL__J_END_ENDFOR,
    PL__J_END_ENDSET,
    PL__J_END_ENDMACRO,
    PL__J_END_ENDGENERATION,
    PL__J_END_ENDWITH,
    PL__J_END_ENDFILTER,
    PL__J_END_ENDCALL
} pl__jinja_ending;

typedef struct pl__jinja_parser {
    pl_jinja *j;
    size_t at; /* behind `token` */
    const char *close;
    pl__jinja_token token;
    size_t depth, n_nodes, braces; /* braces: objects that are open */
    size_t n_loops, n_macros;      /* open: fors around here; seen so far */
    bool names_caller;             /* `caller` was named since the beginning of the macro around here */
    const pl__jinja_macro *macro;  /* the innermost around here; NULL: none */
    size_t n_fors, n_loop_names;   /* seen so far: fors, and tags that give `loop` a value */
    size_t loop_at;                /* of the last of those */
    bool trim;                     /* the last tag ended in -}} or -%}: white space that follows goes */
    pl__jinja_ending end;
    size_t end_at;
} pl__jinja_parser;

pl_status pl__jinja_advance(pl__jinja_parser *p);
bool pl__jinja_is(const pl__jinja_parser *p, pl__jinja_token_kind kind, const char *text);
bool pl__jinja_is_op(const pl__jinja_parser *p, const char *text);
bool pl__jinja_is_word(const pl__jinja_parser *p, const char *text);
int pl__jinja_shown(const pl__jinja_parser *p); /* how much of a token an error shows */
pl_status pl__jinja_unexpected(const pl__jinja_parser *p, const char *expected);
/* The end of a tag: what stands behind it belongs to the text, so nothing is read ahead. */
pl_status pl__jinja_expect_close(pl__jinja_parser *p, const char *what);

/* With inline if, and without (the condition of an if statement). */
pl_status pl__jinja_parse_expression(pl__jinja_parser *p, pl__jinja_node **out);
pl_status pl__jinja_parse_or(pl__jinja_parser *p, pl__jinja_node **out);
/* The same, or several with commas between them: a tuple. */
pl_status pl__jinja_parse_tuple(pl__jinja_parser *p, bool with_if, pl__jinja_node **out);

/* Inside of expressions: operands (operand.c), and what the operators (expression.c) share with them. */
pl_status pl__jinja_parse_primary(pl__jinja_parser *p, pl__jinja_node **out);
pl_status pl__jinja_parse_postfix(pl__jinja_parser *p, pl__jinja_node **out);
pl_status pl__jinja_parse_filters(pl__jinja_parser *p, pl__jinja_node **out);
/* The filters of a tag, over what its body prints; the first one's name is the current token. */
pl_status pl__jinja_parse_body_filters(pl__jinja_parser *p, pl__jinja_node **out);
pl_status pl__jinja_expect_op(pl__jinja_parser *p, const char *op);
pl_status pl__jinja_new_node(pl__jinja_parser *p, pl__jinja_node **out, pl__jinja_kind kind, size_t at);
pl_status pl__jinja_new_binary(pl__jinja_parser *p, pl__jinja_node **out, pl__jinja_kind kind, size_t at,
                               pl__jinja_node *a, pl__jinja_node *b);
pl_status pl__jinja_token_name(pl__jinja_parser *p, const char **out); /* a copy that lives as long as the template */

/* The letters of a text token: escapes as in Python. Appends to `out`. */
pl_status pl__jinja_unquote(const pl_jinja *j, const pl__jinja_token *token, pl_bytes *out);

#endif
