/* Inside of the template language: the tree that parse.c builds and eval.c walks. */
#ifndef PLUMB_JINJA_TREE_H
#define PLUMB_JINJA_TREE_H

#include "base/growth.h"
#include "jinja/jinja.h"

/* Expressions. Children in a, b, c; lists and arguments in items. */
typedef enum pl__jinja_kind {
    PL__J_VALUE,     /* literal: value */
    PL__J_NAME,      /* name */
    PL__J_LIST,      /* items */
    PL__J_INDEX,     /* a[b] */
    PL__J_SLICE,     /* a[b:c], b and c may be NULL */
    PL__J_ATTRIBUTE, /* a.name */
    PL__J_FILTER,    /* a | filter(items); an argument that was not given is NULL */
    PL__J_COMPARE,   /* a, then op[i] items[i] */
    PL__J_AND,
    PL__J_OR,
    PL__J_NOT,
    PL__J_NEGATE,
    PL__J_PLUS,   /* a + b */
    PL__J_JOIN,   /* a ~ b */
    PL__J_CHOOSE, /* a if b else c; c may be NULL */
} pl__jinja_kind;

typedef enum pl__jinja_op {
    PL__J_EQ,
    PL__J_NE,
    PL__J_LT,
    PL__J_LE,
    PL__J_GT,
    PL__J_GE,
    PL__J_IN,
    PL__J_NOT_IN
} pl__jinja_op;

typedef struct pl__jinja_filter pl__jinja_filter;

typedef struct pl__jinja_node {
    pl__jinja_kind kind;
    size_t at; /* byte in the source, for errors */
    json_t *value;
    const char *name;
    const pl__jinja_filter *filter;
    size_t n;
    struct pl__jinja_node **items; /* [n] */
    pl__jinja_op *ops;             /* [n], comparisons */
    struct pl__jinja_node *a, *b, *c;
} pl__jinja_node;

/* A piece of a template: literal text, {{ expression }}, or one arm of an if with what it holds. */
typedef enum pl__jinja_piece_kind { PL__J_TEXT, PL__J_PRINT, PL__J_IF } pl__jinja_piece_kind;

typedef struct pl__jinja_piece {
    pl__jinja_piece_kind kind;
    const char *text; /* [size] */
    size_t size;
    pl__jinja_node *expression;      /* PRINT, IF; NULL: a final else */
    struct pl__jinja_piece *body;    /* IF: what the arm holds */
    struct pl__jinja_piece *or_else; /* IF: the next arm */
    struct pl__jinja_piece *next;
} pl__jinja_piece;

struct pl_jinja {
    pl_arena *arena;
    const char *where;
    const char *source; /* newlines normalised to \n, as jinja2 does */
    size_t size;
    pl__jinja_piece *body;
    json_t *literals; /* a list that owns the literal values of the tree */
    /* What `a if c` gives when c is false and there is no else: prints as nothing, is false, and nothing can be
     * reckoned with it. Known by its address. */
    json_t *nothing;
    /* A list of templates (doc_to_choice: [...]): the value is the list of their texts. */
    bool is_list;
    bool is_field; /* a field by its name: the value as the data has it */
    size_t n_parts;
    pl_jinja **parts;
    /* What the rendering under way has made: that of the copy of this struct which the rendering works with. */
    pl_growth *growth;
};

/* Fills j->body from j->source. */
pl_status pl__jinja_parse(pl_jinja *j);

/* The value of an expression: a new reference. */
pl_status pl__jinja_eval(const pl_jinja *j, const pl__jinja_node *node, const json_t *item, json_t **out);
/* Python's truth of a value. */
bool pl__jinja_true(const json_t *value);

/* Filters: one table row each. */
enum { PL__JINJA_MAX_ARGUMENTS = 4 };
struct pl__jinja_filter {
    const char *name;
    const char *arguments[PL__JINJA_MAX_ARGUMENTS + 1]; /* names in order, NULL-terminated */
    size_t n_required;
    pl_status (*apply)(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out);
};
const pl__jinja_filter *pl__jinja_filter_find(const char *name, size_t size); /* NULL: not supported */
const char *pl__jinja_filter_names(void);                                     /* "trim, lower, ..." */

/* Refuses a text that is still being made once it is longer than all texts of a rendering may be. */
pl_status pl__jinja_check_text(const pl_jinja *j, size_t at, size_t size);
/* A text value from bytes, counted into the rendering's growth. */
pl_status pl__jinja_new_text(const pl_jinja *j, size_t at, json_t **out, const char *text, size_t size);

#endif
