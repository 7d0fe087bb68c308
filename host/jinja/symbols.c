/* Which names begin undefined in a scope. In jinja2 (idtracking.py) a name belongs to the innermost scope that sets it,
 * from that scope's beginning on: what the scope sets outside of any if before it reads it, and nothing around it
 * names, is undefined in the scopes inside of it until it is set, whatever the item has by that name. Here a name is
 * found by what has been set so far, which gives the same but there: such names, where something inside reads them
 * earlier, are made undefined when the scope begins. */
#include <stdlib.h>
#include <string.h>

#include "jinja/lex.h"

typedef pl__jinja_node node;
typedef pl__jinja_piece piece;

typedef struct symbol {
    const char *name;
    size_t at;             /* of what sets or reads it first */
    bool begins_undefined; /* that sets it, and nothing else gives it a value before */
    bool set_behind_body;  /* of a set with a body: what reads it in there does so before */
    bool is_awaited;       /* something inside reads it before */
} symbol;

/* The names that a scope itself sets or reads first. */
typedef struct scope {
    struct scope *outer; /* NULL: none */
    json_t *places;      /* of the names in symbols */
    symbol *symbols;     /* [n] */
    size_t n, capacity;
} scope;

static symbol *find_here(const scope *s, const char *name)
{
    const json_t *place = json_object_get(s->places, name);
    return place ? &s->symbols[json_integer_value(place)] : NULL;
}

static symbol *find(const scope *s, const char *name)
{
    symbol *found = NULL;
    for (; s && !found; s = s->outer) found = find_here(s, name);
    return found;
}

static pl_status add(scope *s, symbol of)
{
    PL_TRY(pl_grow(&s->symbols, &s->capacity, s->n + 1));
    if (json_object_set_new_nocheck(s->places, of.name, json_integer((json_int_t)s->n)) != 0)
        return pl_fail(PL_E_MEMORY, "out of memory while reading a template");
    s->symbols[s->n++] = of;
    return PL_OK;
}

static void await(symbol *of, size_t at)
{
    of->is_awaited = of->is_awaited || (of->begins_undefined && (at < of->at || of->set_behind_body));
}

static pl_status note_read(scope *s, const char *name, size_t at)
{
    symbol *found = find(s, name);
    if (!found) return add(s, (symbol){.name = name, .at = at});
    await(found, at);
    return PL_OK;
}

/* A name that something around has begins as it is there. */
static pl_status note_set(scope *s, const char *name, const piece *p, bool in_if)
{
    if (find_here(s, name)) return PL_OK;
    symbol *around = find(s->outer, name);
    if (around) await(around, p->at);
    return add(s, (symbol){name, p->at, !around && !in_if, p->body_is_value, false});
}

/* The name that a node reads; NULL: none. */
static const char *read_by(const node *n)
{
    bool reads = n->kind == PL__J_NAME || n->kind == PL__J_CALL || (n->kind == PL__J_INVOKE && !n->a);
    return reads && strcmp(n->name, PL__JINJA_BODY) != 0 ? n->name : NULL;
}

typedef pl_status visit(pl_jinja *j, scope *s, const char *name, size_t at);

static pl_status each_name(pl_jinja *j, scope *s, const node *n, visit *what)
{
    if (!n) return PL_OK;
    const node *const children[] = {n->a, n->b, n->c, n->d};
    const char *name = read_by(n);
    if (name) PL_TRY(what(j, s, name, n->at));
    for (size_t i = 0; i < sizeof children / sizeof *children; i++) PL_TRY(each_name(j, s, children[i], what));
    for (size_t i = 0; i < n->n; i++) PL_TRY(each_name(j, s, n->items[i], what));
    return PL_OK;
}

static pl_status visit_read(pl_jinja *j, scope *s, const char *name, size_t at)
{
    (void)j;
    return note_read(s, name, at);
}

static pl_status note_expression(pl_jinja *j, scope *s, const node *n)
{
    return each_name(j, s, n, visit_read);
}

static pl_status note_targets(scope *s, const piece *p, bool in_if)
{
    if (p->targets.field) return note_read(s, p->targets.names[0], p->at);
    for (size_t i = 0; i < p->targets.n; i++) PL_TRY(note_set(s, p->targets.names[i], p, in_if));
    return PL_OK;
}

/* What a scope itself sets and reads, in order: of a piece with a scope of its own what stands outside of that. */
static pl_status note_pieces(pl_jinja *j, scope *s, const piece *p, bool in_if)
{
    for (; p; p = p->next) {
        if (p->kind == PL__J_IF) {
            for (const piece *arm = p; arm; arm = arm->or_else) {
                PL_TRY(note_expression(j, s, arm->expression));
                PL_TRY(note_pieces(j, s, arm->body, true));
            }
            continue;
        }
        if (p->kind != PL__J_SET || !p->body_is_value) PL_TRY(note_expression(j, s, p->expression));
        if (p->kind == PL__J_SET) PL_TRY(note_targets(s, p, in_if));
        if (p->kind == PL__J_MACRO) PL_TRY(note_set(s, p->macro->name, p, in_if));
    }
    return PL_OK;
}

static pl_status analyse_pieces(pl_jinja *j, scope *s, piece *p);

/* The names that begin undefined, before everything else of the body. */
static pl_status put_unset(pl_jinja *j, const scope *s, piece **body)
{
    for (size_t i = s->n; i > 0; i--) {
        piece *unset;
        if (!s->symbols[i - 1].is_awaited) continue;
        PL_TRY(pl_arena_new(j->arena, &unset, 1));
        unset->kind = PL__J_UNSET;
        unset->at = s->symbols[i - 1].at;
        unset->text = s->symbols[i - 1].name;
        unset->next = *body;
        *body = unset;
    }
    return PL_OK;
}

static pl_status refuse_unknown(pl_jinja *j, scope *s, const char *name, size_t at)
{
    symbol *found = find(s, name);
    if (!found)
        return pl_jinja_fail(j, at,
                             "'%s' is named by the filters of this set only, which jinja2 cannot compile; name it "
                             "inside of the set, too",
                             name);
    await(found, at);
    return PL_OK;
}

/* A scope of its own: what it is given, what is evaluated in it before its body and behind it, and the body. */
typedef struct inside {
    const char *const *names; /* [n] */
    size_t n;
    node *const *defaults; /* [n]; NULL: none */
    const node *condition;
    piece **body;        /* NULL: none */
    const node *filters; /* over what the body prints */
    bool is_set;         /* whose filters jinja2 does not count among what the scope reads */
} inside;

static pl_status analyse_inside(pl_jinja *j, scope *s, const inside *in)
{
    for (size_t i = 0; i < in->n; i++)
        if (!find_here(s, in->names[i])) PL_TRY(add(s, (symbol){.name = in->names[i]}));
    for (size_t i = 0; in->defaults && i < in->n; i++) PL_TRY(note_expression(j, s, in->defaults[i]));
    PL_TRY(note_expression(j, s, in->condition));
    if (!in->body) return PL_OK;
    PL_TRY(note_pieces(j, s, *in->body, false));
    PL_TRY(each_name(j, s, in->filters, in->is_set ? refuse_unknown : visit_read));
    PL_TRY(analyse_pieces(j, s, *in->body));
    return put_unset(j, s, in->body);
}

static pl_status analyse(pl_jinja *j, scope *outer, inside in)
{
    scope s = {.outer = outer, .places = json_object()};
    pl_status status = s.places ? analyse_inside(j, &s, &in) : pl_fail(PL_E_MEMORY, "out of memory in a template");
    json_decref(s.places);
    free(s.symbols);
    return status;
}

/* The scopes inside of one, once it is known what that one names. */
static pl_status analyse_pieces(pl_jinja *j, scope *s, piece *p)
{
    for (; p; p = p->next) {
        const char *const *names = p->macro ? p->macro->parameters : p->targets.names;
        size_t n = p->macro ? p->macro->n : p->targets.n;
        switch (p->kind) {
        case PL__J_IF:
            for (piece *arm = p; arm; arm = arm->or_else) PL_TRY(analyse_pieces(j, s, arm->body));
            break;
        case PL__J_FOR:
            PL_TRY(analyse(j, s, (inside){.names = names, .n = n, .condition = p->condition}));
            PL_TRY(analyse(j, s, (inside){.names = names, .n = n, .body = &p->body}));
            PL_TRY(analyse(j, s, (inside){.body = &p->or_else}));
            break;
        case PL__J_SET:
            if (p->body_is_value)
                PL_TRY(analyse(j, s, (inside){.body = &p->body, .filters = p->expression, .is_set = true}));
            break;
        case PL__J_FILTERED:
            PL_TRY(analyse(j, s, (inside){.body = &p->body, .filters = p->expression}));
            break;
        case PL__J_MACRO:
        case PL__J_CALL_BLOCK:
            PL_TRY(analyse(j, s, (inside){.names = names, .n = n, .defaults = p->macro->defaults, .body = &p->body}));
            break;
        case PL__J_WITH:
        case PL__J_SCOPE:
            PL_TRY(analyse(j, s, (inside){.names = names, .n = n, .body = &p->body}));
            break;
        default:
            break;
        }
    }
    return PL_OK;
}

pl_status pl__jinja_analyse(pl_jinja *j)
{
    return analyse(j, NULL, (inside){.body = &j->body});
}
