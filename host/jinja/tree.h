/* Inside of the template language: the tree that parse.c builds and eval.c walks, and what one rendering has at hand.
 */
#ifndef PLUMB_JINJA_TREE_H
#define PLUMB_JINJA_TREE_H

#include <string.h>

#include "base/growth.h"
#include "jinja/jinja.h"
#include "jinja/python.h"

/* Expressions. Children in a, b, c, d; lists and arguments in items. */
typedef enum pl__jinja_kind {
    PL__J_VALUE,     /* literal: value */
    PL__J_NAME,      /* name */
    PL__J_LIST,      /* items */
    PL__J_TUPLE,     /* items */
    PL__J_MAP,       /* items: key, value, key, value, ... */
    PL__J_NAMESPACE, /* items: as of a map */
    PL__J_INDEX,     /* a[b] */
    PL__J_SLICE,     /* a[b:c:d], b, c and d may be NULL */
    PL__J_ATTRIBUTE, /* a.name; value: the name as a text */
    PL__J_FILTER,    /* a | filter(items); an argument that was not given is NULL. Also a.method(items) */
    PL__J_CALL,      /* function(items): a filter's row too, without a value; name: as it is called */
    PL__J_CYCLE,     /* loop.cycle(items) */
    PL__J_CHANGED,   /* loop.changed(items) */
    PL__J_INVOKE,    /* name(items) of a macro; keys[i]: the parameter that items[i] is for, NULL by position. With
                        a: a method that is not there, which fails where it is reached */
    PL__J_TEST,      /* a is test(items) */
    PL__J_COMPARE,   /* a, then op[i] items[i] */
    PL__J_AND,
    PL__J_OR,
    PL__J_NOT,
    PL__J_NEGATE,
    PL__J_POSITIVE, /* +a */
    PL__J_PLUS,     /* a + b, and so on to power */
    PL__J_MINUS,
    PL__J_TIMES,
    PL__J_DIVIDE,
    PL__J_FLOOR_DIVIDE,
    PL__J_REMAINDER,
    PL__J_POWER,
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
typedef struct pl__jinja_test pl__jinja_test;

typedef struct pl__jinja_node {
    pl__jinja_kind kind;
    size_t at; /* byte in the source, for errors */
    json_t *value;
    const char *name;
    bool is_loop; /* NAME: it is `loop` */
    const pl__jinja_filter *filter;
    const pl__jinja_test *test;
    size_t n;
    struct pl__jinja_node **items; /* [n] */
    const char **keys;             /* [n], of a macro's arguments */
    pl__jinja_op *ops;             /* [n], comparisons */
    struct pl__jinja_node *a, *b, *c, *d;
} pl__jinja_node;

/* A piece of a template: literal text, {{ expression }}, one arm of an if, a for, a set, a macro's definition, what
 * ends a loop or a turn of it, a body with a scope of its own. */
typedef enum pl__jinja_piece_kind {
    PL__J_TEXT,
    PL__J_PRINT,
    PL__J_IF,
    PL__J_FOR,
    PL__J_SET,
    PL__J_MACRO,
    PL__J_BREAK,
    PL__J_CONTINUE,
    PL__J_SCOPE,
    PL__J_WITH,       /* expression: a tuple of the values */
    PL__J_FILTERED,   /* what the body prints, through filters; as SET with body and expression */
    PL__J_CALL_BLOCK, /* expression: the call; macro: `caller` */
    PL__J_UNSET,      /* text: a name that is undefined until the body sets it (symbols.c) */
} pl__jinja_piece_kind;

/* What {% filter %} and {% set x | f %} filter has this name: no source can write it. */
#define PL__JINJA_BODY " body"

/* What `for` and `set` bind: names, or a field of a namespace (`set` with one target only). */
enum { PL__JINJA_MAX_TARGETS = 8 };
typedef struct pl__jinja_targets {
    size_t n;
    bool is_tuple; /* a, b: the value is taken apart; also of one name with a comma */
    const char *names[PL__JINJA_MAX_TARGETS];
    const char *field; /* of the namespace names[0]; NULL: none */
} pl__jinja_targets;

#define PL__JINJA_CALLER "caller"
enum { PL__JINJA_MAX_PARAMETERS = 32 };
typedef struct pl__jinja_macro {
    const char *name;
    size_t n;
    const char *parameters[PL__JINJA_MAX_PARAMETERS];
    pl__jinja_node *defaults[PL__JINJA_MAX_PARAMETERS]; /* NULL: none */
    bool calls_back;                                    /* its body names `caller` */
} pl__jinja_macro;

typedef struct pl__jinja_piece {
    pl__jinja_piece_kind kind;
    size_t at;
    const char *text; /* [size] */
    size_t size;
    pl__jinja_targets targets;       /* FOR, SET, WITH */
    bool recursive;                  /* FOR: its body may call loop(...) */
    pl__jinja_node *expression;      /* PRINT, IF, FOR, SET; NULL: a final else, or a set of what the body prints */
    pl__jinja_node *condition;       /* FOR: which elements count; NULL: all */
    pl__jinja_macro *macro;          /* MACRO, CALL_BLOCK */
    bool body_is_value;              /* SET, FILTERED: expression, where there is one, filters what the body prints */
    struct pl__jinja_piece *body;    /* IF, FOR, SET, MACRO, SCOPE and the kinds behind it */
    struct pl__jinja_piece *or_else; /* IF: the next arm; FOR: what stands for no element */
    struct pl__jinja_piece *next;
} pl__jinja_piece;

/* Values that JSON has not. A mark is known by its address. Tuples, what Python makes one by one, and namespaces are
 * arrays with a mark in front: TUPLE and LAZY then hold their elements, NAMESPACE an object that changes. */
typedef enum pl__jinja_mark {
    PL__J_NOTHING,   /* `a if c` without else where c is false: prints as nothing, and nothing is reckoned with it */
    PL__J_UNDEFINED, /* a look-up that failed: for `default` and `is defined` only, elsewhere that is an error; in chat
                        templates what jinja2 has for it: prints as nothing, false, empty, without fields */
    PL__J_FUNCTION,  /* a function or a macro that is named and not called: defined, true, and no more */
    PL__J_MARK_TUPLE,
    PL__J_MARK_LAZY, /* used up by its first use in Python: it gets no name, and is not printed or indexed */
    PL__J_MARK_NAMESPACE,
    PL__J_MARKS
} pl__jinja_mark;

typedef struct pl__jinja_loop pl__jinja_loop;

/* What a body sees besides its own names, innermost first, before those set outside of all scopes: the names [from, to)
 * where it was defined. */
typedef struct pl__jinja_around {
    size_t from, to;
    const struct pl__jinja_around *outer;
} pl__jinja_around;

/* A body that is run elsewhere than it stands (a macro's, a caller's, a recursive loop's), and what stood around it
 * there; that is still at hand wherever its name is. */
typedef struct pl__jinja_closure {
    const pl__jinja_piece *piece; /* NULL: none */
    size_t frame, n, level;       /* names that it sees: [frame, n), and what its scope has got since */
    const pl__jinja_around *around;
    pl__jinja_loop *loop;
} pl__jinja_closure;

typedef struct pl__jinja_variable {
    const char *name; /* the tree's */
    json_t *value;
    size_t level;            /* of its scope */
    pl__jinja_closure macro; /* where value is the mark FUNCTION */
} pl__jinja_variable;

struct pl__jinja_loop {
    const json_t *elements; /* an array without a mark */
    size_t index, depth;    /* depth: how often it called itself */
    json_t *changed;        /* what loop.changed(...) was asked last; NULL: nothing */
    pl__jinja_closure self; /* of a recursive one */
};

/* One rendering: what it has made so far, and the names that it has set, innermost last. */
enum { PL__JINJA_MAX_STEPS = 5 * 1000 * 1000 };
/* Macros may call themselves: what bounds the depth of the C stack, in evaluations and bodies, and in calls. */
enum { PL__JINJA_MAX_NESTED = 3000, PL__JINJA_MAX_CALLS = 100 };
enum { PL__JINJA_MAX_LAYERS = 200 }; /* lists and objects inside of one another, of a value that gets a name */
typedef enum pl__jinja_control { PL__J_GO_ON, PL__J_END_TURN, PL__J_END_LOOP } pl__jinja_control;
typedef struct pl__jinja_run {
    pl_growth growth;
    size_t steps;
    pl__jinja_variable *variables; /* [n], capacity */
    size_t n, capacity, scope;     /* scope: the first variable of the innermost scope */
    pl__jinja_loop *loop;          /* NULL: outside of any */
    size_t nested, calls;
    /* In a macro: names before `top`, which were set outside of all scopes, its own, from `frame` on, and those around
     * it. */
    size_t level, top, frame;
    const pl__jinja_around *around;
    pl__jinja_control control; /* a break or continue on its way to its loop */
    const char *date;          /* "YYYY-MM-DD", of strftime_now */
    bool refused;              /* raise_exception was called */
} pl__jinja_run;

struct pl_jinja {
    pl_arena *arena;
    const char *where;
    const char *source; /* newlines normalised to \n, as jinja2 does */
    size_t size;
    pl__jinja_piece *body;
    json_t *literals; /* a list that owns the literal values of the tree */
    json_t *marks[PL__J_MARKS];
    /* A list of templates (doc_to_choice: [...]): the value is the list of their texts. */
    bool is_list;
    bool is_field;     /* a field by its name: the value as the data has it */
    bool is_chat;      /* as transformers renders chat templates */
    size_t most_steps; /* of one rendering */
    size_t n_parts;
    pl_jinja **parts;
    pl__jinja_run *run; /* of the copy of this struct which a rendering works with; else NULL */
};

/* Fills j->body from j->source. */
pl_status pl__jinja_parse(pl_jinja *j);
/* Puts the names that begin undefined into the bodies of j->body (symbols.c). */
pl_status pl__jinja_analyse(pl_jinja *j);

/* The value of an expression: a new reference. */
pl_status pl__jinja_eval(const pl_jinja *j, const pl__jinja_node *node, const json_t *item, json_t **out);
/* The same; a last look-up that fails gives the mark UNDEFINED instead of an error. */
pl_status pl__jinja_eval_maybe(const pl_jinja *j, const pl__jinja_node *node, const json_t *item, json_t **out);

/* The value, lent where it stands: in a variable, the item, the template, or a part of them. It is good until something
 * is evaluated that sets or calls. *own: a reference that the caller gives up when it is done; NULL where it is lent.
 */
pl_status pl__jinja_lend(const pl_jinja *j, const pl__jinja_node *node, const json_t *item, json_t **out, json_t **own);
/* Whether the value is true to Python. */
pl_status pl__jinja_holds_true(const pl_jinja *j, const pl__jinja_node *node, const json_t *item, bool *out);
/* a op b of a PLUS to POWER or JOIN, whose operands have been evaluated. */
pl_status pl__jinja_combine(const pl_jinja *j, const pl__jinja_node *node, const json_t *a, const json_t *b,
                            json_t **out);
/* Which of its two a CHOOSE takes; NULL: an else that is not there. */
pl_status pl__jinja_chosen(const pl_jinja *j, const pl__jinja_node *node, const json_t *item,
                           const pl__jinja_node **out);

/* ---- texts that are put together (print.c) ---- */

/* The value of an expression as it is printed, appended. */
pl_status pl__jinja_print(const pl_jinja *j, const pl__jinja_node *node, const json_t *item, pl_bytes *out);
/* The value of a PLUS or JOIN. */
pl_status pl__jinja_eval_joined(const pl_jinja *j, const pl__jinja_node *node, const json_t *item, json_t **out);

/* ---- names (scope.c) ---- */

/* Names differ mostly in how they begin. */
static inline bool pl__jinja_same_name(const char *a, const char *b)
{
    return *a == *b && strcmp(a, b) == 0;
}
/* NULL: no such name was set. Borrowed. */
json_t *pl__jinja_variable_find(const pl_jinja *j, const char *name);
/* Binds `value` (borrowed) as the targets of `for` or `set` ask. */
pl_status pl__jinja_bind(const pl_jinja *j, size_t at, const pl__jinja_targets *targets, json_t *value);
/* A scope inside the present one; `leave` drops what was set in it. */
size_t pl__jinja_enter(const pl_jinja *j);
void pl__jinja_leave(const pl_jinja *j, size_t outer);
/* The macro of this name; its piece is NULL where there is none. */
pl__jinja_closure pl__jinja_macro_find(const pl_jinja *j, const char *name);
/* Gives a name a value, or (macro not NULL) a macro, in the innermost scope. */
pl_status pl__jinja_name_value(const pl_jinja *j, size_t at, const char *name, json_t *value,
                               const pl__jinja_closure *macro);
/* A body that stands here. */
pl__jinja_closure pl__jinja_close_over(const pl_jinja *j, const pl__jinja_piece *piece);

/* What is put aside while a closure's body runs. */
typedef struct pl__jinja_elsewhere {
    size_t outer, frame;
    const pl__jinja_around *around;
    pl__jinja_loop *loop;
    pl__jinja_around own;
} pl__jinja_elsewhere;
/* A scope in which a closure's body runs; `state` stays where it is until it is left. */
void pl__jinja_go_there(const pl_jinja *j, const pl__jinja_closure *closure, pl__jinja_elsewhere *state);
void pl__jinja_come_back(const pl_jinja *j, const pl__jinja_elsewhere *state);

/* ---- macros and loops (macro.c, loop.c) ---- */

/* What a macro prints for these arguments; `caller`: of a call block, NULL without. */
pl_status pl__jinja_invoke(const pl_jinja *j, const pl__jinja_node *node, const pl__jinja_closure *caller,
                           const json_t *item, json_t **out);
pl_status pl__jinja_render_for(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, pl_bytes *out);
/* What loop(elements) of a recursive for prints. */
pl_status pl__jinja_loop_again(const pl_jinja *j, const pl__jinja_node *call, const json_t *item, json_t **out);
/* loop.index and its kin; PL_E_INPUT for what it has not. *found: false for the item before the first and such. */
pl_status pl__jinja_loop_field(const pl_jinja *j, size_t at, const char *name, bool *found, json_t **out);
/* loop.changed(...): whether the values are others than the last time. Takes `values`, an array, over. */
pl_status pl__jinja_loop_changed(const pl_jinja *j, size_t at, json_t *values, bool *out);
/* The body of a macro or of a set, appended to `out`. */
pl_status pl__jinja_render_pieces(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, pl_bytes *out);

/* ---- bounds (limits.c); PL_E_INPUT at `at` beyond them ---- */

/* Counts one more evaluation or body inside of others; run->nested is lowered by who entered. */
pl_status pl__jinja_refuse_depth(const pl_jinja *j, size_t at);
static inline pl_status pl__jinja_go_deeper(const pl_jinja *j, size_t at)
{
    return ++j->run->nested <= PL__JINJA_MAX_NESTED ? PL_OK : pl__jinja_refuse_depth(j, at);
}
/* Counts what a rendering does; what walks over values counts a step for each list and object it meets. Outside of a
 * rendering (pl_jinja_text, pl_jinja_repr) bytes bound it. */
pl_status pl__jinja_refuse_steps(const pl_jinja *j, size_t at);
static inline pl_status pl__jinja_steps(const pl_jinja *j, size_t at, size_t n)
{
    if (!j->run) return PL_OK;
    j->run->steps += n;
    return j->run->steps <= j->most_steps ? PL_OK : pl__jinja_refuse_steps(j, at);
}
static inline pl_status pl__jinja_step(const pl_jinja *j, size_t at)
{
    return pl__jinja_steps(j, at, 1);
}
/* Counts going once over the letters of a text, or the elements of a list or object, beyond the first few. */
pl_status pl__jinja_step_over(const pl_jinja *j, size_t at, const json_t *value);
/* Counts doing something with each of them. */
pl_status pl__jinja_step_parts(const pl_jinja *j, size_t at, const json_t *value);
/* Counts comparing a text at each of its letters with another. */
pl_status pl__jinja_step_each(const pl_jinja *j, size_t at, const json_t *text, const json_t *what);
/* Counts bytes that the rendering makes. */
pl_status pl__jinja_grow(const pl_jinja *j, size_t at, size_t bytes);
/* Refuses a text that is still being made once it is longer than all texts of a rendering may be. */
pl_status pl__jinja_check_text(const pl_jinja *j, size_t at, size_t size);
/* Whether a value is, or holds anywhere, one of a kind. */
typedef bool pl__jinja_kind_of(const pl_jinja *j, const json_t *value);
pl_status pl__jinja_holds(const pl_jinja *j, size_t at, const json_t *value, pl__jinja_kind_of *is_wanted, bool *out);
/* pl__jinja_eval of a value that gets a name: refuses one of more than PL__JINJA_MAX_LAYERS. */
pl_status pl__jinja_eval_kept(const pl_jinja *j, const pl__jinja_node *node, const json_t *item, json_t **out);

/* ---- look-ups (lookup.c) ---- */

/* of[key], or where `by_name` of.key. *found: false, and no error, where the key or the index is not there. */
pl_status pl__jinja_look_up(const pl_jinja *j, size_t at, const json_t *of, const json_t *key, bool by_name,
                            bool *found, json_t **out);
pl_status pl__jinja_fail_look_up(const pl_jinja *j, size_t at, const json_t *of, const json_t *key);
/* of[from:to:step]; NULL and none are Python's defaults. */
pl_status pl__jinja_slice(const pl_jinja *j, size_t at, const json_t *of, const json_t *from, const json_t *to,
                          const json_t *step, json_t **out);

/* ---- values (value.c) ---- */

const char *pl__jinja_kind_name(const pl_jinja *j, const json_t *value); /* "a list", "none" */
static inline bool pl__jinja_is_mark(const pl_jinja *j, const json_t *value, pl__jinja_mark mark)
{
    return value == j->marks[mark];
}
/* Whether an array begins with this mark. */
static inline bool pl__jinja_is_marked(const pl_jinja *j, const json_t *value, pl__jinja_mark mark)
{
    return json_is_array(value) && json_array_get(value, 0) == j->marks[mark];
}
/* A list or tuple as Python's sequences are: length and elements without the mark. */
bool pl__jinja_is_sequence(const pl_jinja *j, const json_t *value);
size_t pl__jinja_first(const pl_jinja *j, const json_t *array);  /* where the elements begin: 0, or 1 behind a mark */
size_t pl__jinja_length(const pl_jinja *j, const json_t *value); /* of a text, sequence or object */
bool pl__jinja_whole(const json_t *value, long long *out);       /* integers, and true and false */
bool pl__jinja_number(const json_t *value, double *out);
bool pl__jinja_true(const pl_jinja *j, const json_t *value); /* Python's truth */
pl_status pl__jinja_same(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, bool *out); /* Python's == */
/* Which of the elements [from, to) is the first that is the same; `to`: none. */
pl_status pl__jinja_place(const pl_jinja *j, size_t at, const json_t *array, size_t from, size_t to,
                          const json_t *value, size_t *out);
/* Lists, objects, and tuples with one in them, are looked for in no set and no object of Python. */
pl_status pl__jinja_refuse_no_hash(const pl_jinja *j, size_t at, const json_t *key);
pl_status pl__jinja_order(const pl_jinja *j, size_t at, const json_t *a, const json_t *b, int *out);
pl_status pl__jinja_compare(const pl_jinja *j, size_t at, pl__jinja_op op, const json_t *a, const json_t *b, bool *out);
/* What iterating over a value in Python gives, as an array without a mark: letters of a text, keys of an object. A new
 * reference, not to be changed. */
pl_status pl__jinja_elements(const pl_jinja *j, size_t at, const json_t *value, json_t **out);
/* An array that begins with a mark; PL__J_MARKS: without one. */
pl_status pl__jinja_new_array(const pl_jinja *j, json_t **out, pl__jinja_mark mark);
/* Appends to an array that a rendering makes; takes `value` over, also on failure. */
pl_status pl__jinja_add(const pl_jinja *j, size_t at, json_t *array, json_t *value);
pl_status pl__jinja_made(json_t **out, json_t *value);    /* NULL is PL_E_MEMORY */
pl_status pl__jinja_kept(json_t **out, pl_status status); /* drops *out, half made, on failure */
pl_status pl__jinja_new_real(const pl_jinja *j, size_t at, json_t **out, double value);
/* Marks are taken off a value that leaves the rendering, all the way down: tuples become lists, the rest is an error.
 * *value is replaced. */
pl_status pl__jinja_leave_marks(const pl_jinja *j, size_t at, json_t **value);
/* tojson: a text value of json.dumps(value, ...). */
pl_status pl__jinja_dumps(const pl_jinja *j, size_t at, const json_t *value, const pl_python_style *style,
                          json_t **out);

/* a op b for PLUS to POWER and JOIN. */
pl_status pl__jinja_reckon(const pl_jinja *j, size_t at, pl__jinja_kind kind, const json_t *a, const json_t *b,
                           json_t **out);
/* Python's text % value; `values` is an array of what is put in, without a mark. */
pl_status pl__jinja_percent(const pl_jinja *j, size_t at, const json_t *text, const json_t *values, json_t **out);
/* Python's text.format(...). */
pl_status pl__jinja_braces(const pl_jinja *j, size_t at, const json_t *text, json_t *const *values, size_t n,
                           json_t **out);

/* ---- filters, methods, functions, tests: one table row each ---- */

enum { PL__JINJA_MAX_ARGUMENTS = 8 };
typedef pl_status pl__jinja_apply(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                  json_t **out);
struct pl__jinja_filter {
    const char *name;
    const char *arguments[PL__JINJA_MAX_ARGUMENTS + 1]; /* names in order, NULL-terminated; "": by position only */
    size_t n_required;
    pl__jinja_apply *apply;
};
/* NULL: not supported. Names of all: "trim, lower, ...". */
const pl__jinja_filter *pl__jinja_filter_find(const pl_jinja *j, const char *name, size_t size);
const char *pl__jinja_filter_names(void);
const pl__jinja_filter *pl__jinja_method_find(const char *name, size_t size);
const char *pl__jinja_method_names(void);
const pl__jinja_filter *pl__jinja_function_find(const pl_jinja *j, const char *name, size_t size);

struct pl__jinja_test {
    const char *name;
    size_t n_arguments;
    /* `argument`: NULL for tests without. */
    pl_status (*apply)(const pl_jinja *j, size_t at, const json_t *value, const json_t *argument, bool *out);
};
const pl__jinja_test *pl__jinja_test_find(const char *name, size_t size);
const char *pl__jinja_test_names(void);

pl__jinja_apply pl__jinja_trim, pl__jinja_lower, pl__jinja_upper, pl__jinja_capitalize, pl__jinja_title,
    pl__jinja_truncate, pl__jinja_replace, pl__jinja_string, pl__jinja_word_count, pl__jinja_indent,
    pl__jinja_format_filter, pl__jinja_tojson, pl__jinja_safe;              /* text_filters.c */
pl__jinja_apply pl__jinja_chat_tojson, pl__jinja_raise, pl__jinja_strftime; /* chat_functions.c */
pl__jinja_apply pl__jinja_join, pl__jinja_length_filter, pl__jinja_first_filter, pl__jinja_last_filter,
    pl__jinja_list_filter, pl__jinja_reverse, pl__jinja_map, pl__jinja_select, pl__jinja_reject,
    pl__jinja_select_attribute, pl__jinja_reject_attribute, pl__jinja_sort, pl__jinja_unique, pl__jinja_min,
    pl__jinja_max, pl__jinja_sum, pl__jinja_items, pl__jinja_dictsort; /* list_filters.c */
pl__jinja_apply pl__jinja_default, pl__jinja_int, pl__jinja_float, pl__jinja_round, pl__jinja_abs,
    pl__jinja_range; /* number_filters.c */
pl__jinja_apply pl__jinja_strip, pl__jinja_lstrip, pl__jinja_rstrip, pl__jinja_split, pl__jinja_rsplit,
    pl__jinja_splitlines, pl__jinja_replace_method, pl__jinja_lower_method, pl__jinja_upper_method,
    pl__jinja_title_method, pl__jinja_capitalize_method, pl__jinja_index, pl__jinja_find, pl__jinja_rindex,
    pl__jinja_rfind, pl__jinja_count, pl__jinja_startswith, pl__jinja_endswith, pl__jinja_format_method,
    pl__jinja_join_method, pl__jinja_keys, pl__jinja_values, pl__jinja_items_method, pl__jinja_get, pl__jinja_isdigit,
    pl__jinja_isalpha, pl__jinja_removeprefix, pl__jinja_removesuffix; /* methods.c */

/* A text value from bytes, counted into the rendering's growth. */
pl_status pl__jinja_new_text(const pl_jinja *j, size_t at, json_t **out, const char *text, size_t size);

#endif
