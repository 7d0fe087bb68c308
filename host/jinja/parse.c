/* Templates to pieces: text, {{ expressions }}, {% if %} with its arms, {% for %}, {% set %}, {% macro %}, {% raw %},
 * comments, and the trimming of white space that a minus in a tag asks for, or a chat template's environment. */
#include <stdlib.h>
#include <string.h>

#include "jinja/letters.h"
#include "jinja/lex.h"

typedef pl__jinja_node node;
typedef pl__jinja_piece piece;

/* Up to a word that ends the body: `for_word` ('if', 'for', 'set', ...) says which ones may; NULL: the end of the
 * source. */
static pl_status parse_body(pl__jinja_parser *p, piece **out, const char *for_word);

/* ---- text and tags ---- */

static pl_status new_piece(pl__jinja_parser *p, piece ***tail, piece **out, pl__jinja_piece_kind kind)
{
    PL_TRY(pl_arena_new(p->j->arena, out, 1));
    (*out)->kind = kind;
    **tail = *out;
    *tail = &(*out)->next;
    return PL_OK;
}

/* lstrip_blocks: blanks between the beginning of a line and a block or comment go. `starts_line`: the text does. */
static size_t without_indent(const char *text, size_t size, bool starts_line)
{
    size_t line = size;
    while (line > 0 && text[line - 1] != '\n') line--;
    if (line == 0 && !starts_line) return size;
    for (size_t i = line, width; i < size; i += width)
        if (!pl_is_space(pl_letter(text + i, &width))) return size;
    return line;
}

/* Text up to the next tag, or to the end; *tag is the letter behind its brace ('{', '%', '#'; 0 at the end). */
static pl_status read_text(pl__jinja_parser *p, piece ***tail, char *tag)
{
    const pl_jinja *j = p->j;
    size_t from = p->at, i = from;
    while (i < j->size && !(j->source[i] == '{' && i + 1 < j->size && strchr("{%#", j->source[i + 1]))) i++;
    size_t size = i - from;
    *tag = 0;
    bool trims = false, marked = false;
    if (i < j->size) {
        *tag = j->source[i + 1];
        trims = i + 2 < j->size && j->source[i + 2] == '-';
        marked = trims || (i + 2 < j->size && j->source[i + 2] == '+');
        p->at = i + (marked ? 3 : 2);
    } else
        p->at = i;
    const char *text = pl_strip(j->source + from, &size, p->trim, trims);
    if (j->is_chat && !marked && (*tag == '%' || *tag == '#'))
        size = without_indent(text, size, from == 0 || j->source[from - 1] == '\n');
    p->trim = false;
    if (size == 0) return PL_OK;
    piece *found;
    PL_TRY(new_piece(p, tail, &found, PL__J_TEXT));
    found->text = text;
    found->size = size;
    return PL_OK;
}

static pl_status skip_comment(pl__jinja_parser *p, size_t from)
{
    const pl_jinja *j = p->j;
    for (size_t i = p->at; i + 1 < j->size; i++)
        if (j->source[i] == '#' && j->source[i + 1] == '}') {
            p->trim = i > p->at && j->source[i - 1] == '-';
            bool kept = p->trim || (i > p->at && j->source[i - 1] == '+');
            p->at = i + 2;
            if (j->is_chat && !kept && p->at < j->size && j->source[p->at] == '\n') p->at++;
            return PL_OK;
        }
    return pl_jinja_fail(j, from, "the comment does not end; expected '#}'");
}

/* ---- blocks ---- */

static const struct {
    const char *word;
    pl__jinja_ending ending;
    const char *ends; /* bodies of which tags */
} ENDINGS[] = {
    {"elif", PL__J_END_ELIF, "if"},
    {"else", PL__J_END_ELSE, "if for"},
    {"endif", PL__J_END_ENDIF, "if"},
    {"endfor", PL__J_END_ENDFOR, "for"},
    {"endset", PL__J_END_ENDSET, "set"},
    {"endmacro", PL__J_END_ENDMACRO, "macro"},
    {"endgeneration", PL__J_END_ENDGENERATION, "generation"},
    {"endwith", PL__J_END_ENDWITH, "with"},
    {"endfilter", PL__J_END_ENDFILTER, "filter"},
    {"endcall", PL__J_END_ENDCALL, "call"},
};

static pl_status end_of_tag(pl__jinja_parser *p)
{
    return pl__jinja_expect_close(p, "the end of the tag, '%}'");
}

static pl_status close_tag(pl__jinja_parser *p)
{
    PL_TRY(pl__jinja_advance(p));
    return end_of_tag(p);
}

static pl_status enter_block(pl__jinja_parser *p, size_t at)
{
    if (++p->depth <= PL__JINJA_MAX_DEPTH) return PL_OK;
    return pl_jinja_fail(p->j, at, "nested deeper than %d levels", (int)PL__JINJA_MAX_DEPTH);
}

static pl_status parse_condition(pl__jinja_parser *p, node **out)
{
    p->n_nodes = 0;
    PL_TRY(pl__jinja_advance(p));
    PL_TRY(pl__jinja_parse_tuple(p, false, out));
    return end_of_tag(p);
}

/* All arms of an if; `if` is the current token. */
static pl_status parse_if(pl__jinja_parser *p, piece *arm)
{
    size_t begin = p->token.at;
    PL_TRY(enter_block(p, begin));
    PL_TRY(parse_condition(p, &arm->expression));
    PL_TRY(parse_body(p, &arm->body, "if"));
    while (p->end == PL__J_END_ELIF || p->end == PL__J_END_ELSE) {
        bool is_else = p->end == PL__J_END_ELSE;
        if (!arm->expression) return pl_jinja_fail(p->j, p->end_at, "an else or elif behind else; expected endif");
        PL_TRY(pl_arena_new(p->j->arena, &arm->or_else, 1));
        arm = arm->or_else;
        arm->kind = PL__J_IF;
        arm->at = p->end_at;
        PL_TRY(is_else ? close_tag(p) : parse_condition(p, &arm->expression));
        PL_TRY(parse_body(p, &arm->body, "if"));
    }
    if (p->end != PL__J_END_ENDIF) return pl_jinja_fail(p->j, begin, "the if has no endif");
    p->depth--;
    return close_tag(p);
}

/* A name that a tag gives a value: the current token. */
static pl_status take_name(pl__jinja_parser *p, const char **out)
{
    if (pl__jinja_is_word(p, "loop")) {
        p->n_loop_names++;
        p->loop_at = p->token.at;
    }
    if (p->macro && pl__jinja_is_word(p, PL__JINJA_CALLER))
        return pl_jinja_fail(p->j, p->token.at, "'caller' in a macro is what a call block gives it; use another name");
    PL_TRY(pl__jinja_token_name(p, out));
    return pl__jinja_advance(p);
}

/* Names with commas between them, in parentheses or not; of `set` also namespace.field. */
static pl_status parse_targets(pl__jinja_parser *p, pl__jinja_targets *out, bool is_set)
{
    bool closes = pl__jinja_is_op(p, "(");
    if (closes) PL_TRY(pl__jinja_advance(p));
    do {
        if (out->n > 0) PL_TRY(pl__jinja_advance(p));
        if (out->n > 0 && closes && pl__jinja_is_op(p, ")")) break; /* (a,) */
        if (p->token.kind != PL__J_T_NAME || pl__jinja_is_word(p, "in"))
            return pl__jinja_unexpected(p, is_set ? "a name to set" : "a name for the elements of the for");
        static const char *const constants[] = {"true", "True", "false", "False", "none", "None", NULL};
        for (const char *const *c = constants; *c; c++)
            if (pl__jinja_is_word(p, *c)) return pl__jinja_unexpected(p, "a name");
        if (out->n == PL__JINJA_MAX_TARGETS)
            return pl_jinja_fail(p->j, p->token.at, "more than %d names", (int)PL__JINJA_MAX_TARGETS);
        PL_TRY(take_name(p, &out->names[out->n++]));
        out->is_tuple = out->is_tuple || pl__jinja_is_op(p, ",");
    } while (pl__jinja_is_op(p, ","));
    if (closes) PL_TRY(pl__jinja_expect_op(p, ")"));
    if (!is_set || closes || out->is_tuple || !pl__jinja_is_op(p, ".")) return PL_OK;
    PL_TRY(pl__jinja_advance(p));
    if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "a name behind the dot");
    PL_TRY(pl__jinja_token_name(p, &out->field));
    return pl__jinja_advance(p);
}

/* `for` is the current token. */
static pl_status parse_for(pl__jinja_parser *p, piece *loop)
{
    size_t begin = p->token.at;
    PL_TRY(enter_block(p, begin));
    p->n_nodes = 0;
    p->n_fors++;
    PL_TRY(pl__jinja_advance(p));
    PL_TRY(parse_targets(p, &loop->targets, false));
    if (!pl__jinja_is_word(p, "in")) return pl__jinja_unexpected(p, "'in'");
    PL_TRY(pl__jinja_advance(p));
    PL_TRY(pl__jinja_parse_tuple(p, false, &loop->expression));
    if (pl__jinja_is_word(p, "if")) {
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(pl__jinja_parse_expression(p, &loop->condition));
    }
    loop->recursive = pl__jinja_is_word(p, "recursive");
    if (loop->recursive) PL_TRY(pl__jinja_advance(p));
    PL_TRY(end_of_tag(p));
    p->n_loops++;
    PL_TRY(parse_body(p, &loop->body, "for"));
    p->n_loops--;
    if (p->end == PL__J_END_ELSE) {
        PL_TRY(close_tag(p));
        PL_TRY(parse_body(p, &loop->or_else, "for"));
    }
    if (p->end != PL__J_END_ENDFOR) return pl_jinja_fail(p->j, begin, "the for has no endfor");
    p->depth--;
    return close_tag(p);
}

/* `set` is the current token. */
static pl_status parse_set(pl__jinja_parser *p, piece *set)
{
    size_t begin = p->token.at;
    p->n_nodes = 0;
    PL_TRY(pl__jinja_advance(p));
    PL_TRY(parse_targets(p, &set->targets, true));
    if (pl__jinja_is_op(p, "=")) {
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(pl__jinja_parse_tuple(p, true, &set->expression));
        return end_of_tag(p);
    }
    set->body_is_value = true;
    if (pl__jinja_is_op(p, "|")) {
        PL_TRY(pl__jinja_advance(p));
        PL_TRY(pl__jinja_parse_body_filters(p, &set->expression));
    }
    PL_TRY(end_of_tag(p));
    PL_TRY(enter_block(p, begin));
    PL_TRY(parse_body(p, &set->body, "set"));
    if (p->end != PL__J_END_ENDSET) return pl_jinja_fail(p->j, begin, "the set has no endset");
    p->depth--;
    return close_tag(p);
}

/* (a, b=1); the parenthesis is the current token. */
static pl_status parse_parameters(pl__jinja_parser *p, pl__jinja_macro *macro)
{
    PL_TRY(pl__jinja_expect_op(p, "("));
    while (!pl__jinja_is_op(p, ")")) {
        if (macro->n > 0) PL_TRY(pl__jinja_expect_op(p, ","));
        if (pl__jinja_is_op(p, ")")) break;
        if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "the name of a parameter");
        if (macro->n == PL__JINJA_MAX_PARAMETERS)
            return pl_jinja_fail(p->j, p->token.at, "more than %d parameters", (int)PL__JINJA_MAX_PARAMETERS);
        size_t i = macro->n++;
        for (size_t k = 0; k < i; k++)
            if (pl__jinja_is_word(p, macro->parameters[k]))
                return pl_jinja_fail(p->j, p->token.at, "two parameters '%s'", macro->parameters[k]);
        PL_TRY(take_name(p, &macro->parameters[i]));
        if (pl__jinja_is_op(p, "=")) {
            PL_TRY(pl__jinja_advance(p));
            PL_TRY(pl__jinja_parse_expression(p, &macro->defaults[i]));
        } else if (i > 0 && macro->defaults[i - 1])
            return pl_jinja_fail(p->j, p->token.at, "a parameter without a default follows one with");
    }
    return pl__jinja_advance(p);
}

/* The body of a macro or of a call block, behind its first tag; jinja2 makes one of a generation, too. */
static pl_status parse_macro_body(pl__jinja_parser *p, piece *out, const char *for_word)
{
    size_t loops = p->n_loops;
    bool names_caller = p->names_caller;
    const pl__jinja_macro *around = p->macro;
    p->n_macros++;
    p->n_loops = 0;
    p->names_caller = false;
    p->macro = out->macro;
    PL_TRY(parse_body(p, &out->body, for_word));
    p->n_loops = loops;
    p->macro = around;
    out->macro->calls_back = p->names_caller;
    for (size_t i = 0; i < out->macro->n && out->macro->calls_back; i++)
        if (strcmp(out->macro->parameters[i], PL__JINJA_CALLER) == 0)
            return pl_jinja_fail(p->j, out->at, "a parameter 'caller' of a macro that names it; use another name");
    p->names_caller = p->names_caller || names_caller;
    p->depth--;
    return PL_OK;
}

/* `macro` is the current token. */
static pl_status parse_macro(pl__jinja_parser *p, piece *out)
{
    size_t begin = p->token.at;
    PL_TRY(enter_block(p, begin));
    PL_TRY(pl_arena_new(p->j->arena, &out->macro, 1));
    p->n_nodes = 0;
    PL_TRY(pl__jinja_advance(p));
    if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "the name of the macro");
    PL_TRY(take_name(p, &out->macro->name));
    PL_TRY(parse_parameters(p, out->macro));
    PL_TRY(end_of_tag(p));
    PL_TRY(parse_macro_body(p, out, "macro"));
    if (p->end != PL__J_END_ENDMACRO) return pl_jinja_fail(p->j, begin, "the macro has no endmacro");
    PL_TRY(pl__jinja_advance(p));
    if (p->token.kind == PL__J_T_NAME) PL_TRY(pl__jinja_advance(p)); /* its name once more */
    return end_of_tag(p);
}

/* {% call f(x) %}, {% call(a) f(x) %}; `call` is the current token. */
static pl_status parse_call_block(pl__jinja_parser *p, piece *out)
{
    size_t begin = p->token.at;
    PL_TRY(enter_block(p, begin));
    PL_TRY(pl_arena_new(p->j->arena, &out->macro, 1));
    out->macro->name = PL__JINJA_CALLER;
    p->n_nodes = 0;
    PL_TRY(pl__jinja_advance(p));
    if (pl__jinja_is_op(p, "(")) PL_TRY(parse_parameters(p, out->macro));
    PL_TRY(pl__jinja_parse_primary(p, &out->expression));
    PL_TRY(pl__jinja_parse_postfix(p, &out->expression));
    if (out->expression->kind != PL__J_INVOKE) return pl_jinja_fail(p->j, begin, "call: expected the call of a macro");
    PL_TRY(end_of_tag(p));
    PL_TRY(parse_macro_body(p, out, "call"));
    if (p->end != PL__J_END_ENDCALL) return pl_jinja_fail(p->j, begin, "the call has no endcall");
    return close_tag(p);
}

/* {% filter f | g(x) %}; `filter` is the current token. */
static pl_status parse_filtered(pl__jinja_parser *p, piece *out)
{
    size_t begin = p->token.at;
    PL_TRY(enter_block(p, begin));
    p->n_nodes = 0;
    out->body_is_value = true;
    PL_TRY(pl__jinja_advance(p));
    PL_TRY(pl__jinja_parse_body_filters(p, &out->expression));
    PL_TRY(end_of_tag(p));
    PL_TRY(parse_body(p, &out->body, "filter"));
    if (p->end != PL__J_END_ENDFILTER) return pl_jinja_fail(p->j, begin, "the filter has no endfilter");
    p->depth--;
    return close_tag(p);
}

/* {% with a=1, b=2 %}; `with` is the current token. */
static pl_status parse_with(pl__jinja_parser *p, piece *out)
{
    node *values[PL__JINJA_MAX_TARGETS];
    pl__jinja_targets *names = &out->targets;
    size_t begin = p->token.at;
    PL_TRY(enter_block(p, begin));
    p->n_nodes = 0;
    PL_TRY(pl__jinja_new_node(p, &out->expression, PL__J_TUPLE, begin));
    PL_TRY(pl__jinja_advance(p));
    while (p->token.kind != PL__J_T_CLOSE) {
        if (names->n > 0) PL_TRY(pl__jinja_expect_op(p, ","));
        if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "name=value");
        if (names->n == PL__JINJA_MAX_TARGETS)
            return pl_jinja_fail(p->j, p->token.at, "more than %d names", (int)PL__JINJA_MAX_TARGETS);
        PL_TRY(take_name(p, &names->names[names->n]));
        PL_TRY(pl__jinja_expect_op(p, "="));
        PL_TRY(pl__jinja_parse_expression(p, &values[names->n++]));
    }
    PL_TRY(pl_arena_new(p->j->arena, &out->expression->items, names->n));
    out->expression->n = names->n;
    if (names->n) memcpy(out->expression->items, values, names->n * sizeof *values);
    PL_TRY(end_of_tag(p));
    PL_TRY(parse_body(p, &out->body, "with"));
    if (p->end != PL__J_END_ENDWITH) return pl_jinja_fail(p->j, begin, "the with has no endwith");
    p->depth--;
    return close_tag(p);
}

/* What the model would write, which a trainer marks: for a text, its body. `generation` is the current token. */
static pl_status parse_generation(pl__jinja_parser *p, piece *out)
{
    size_t begin = p->token.at;
    PL_TRY(enter_block(p, begin));
    PL_TRY(close_tag(p));
    PL_TRY(pl_arena_new(p->j->arena, &out->macro, 1));
    PL_TRY(parse_macro_body(p, out, "generation"));
    if (p->end != PL__J_END_ENDGENERATION) return pl_jinja_fail(p->j, begin, "the generation has no endgeneration");
    if (out->macro->calls_back) return pl_jinja_fail(p->j, begin, "a generation that names 'caller', which it has not");
    return close_tag(p);
}

/* break and continue. */
static pl_status parse_control(pl__jinja_parser *p, piece *out)
{
    if (p->n_loops > 0) return close_tag(p);
    return pl_jinja_fail(p->j, out->at, "%s outside of a for", out->kind == PL__J_BREAK ? "break" : "continue");
}

/* {% raw %} up to {% endraw %}: text as it is. `raw` is the current token. */
static pl_status parse_raw(pl__jinja_parser *p, piece ***tail)
{
    const pl_jinja *j = p->j;
    size_t begin = p->token.at;
    PL_TRY(close_tag(p));
    p->at = p->token.at + p->token.size; /* its newline stays */
    bool trim = p->trim;
    for (size_t from = p->at, i = from; i + 1 < j->size; i++) {
        if (j->source[i] != '{' || j->source[i + 1] != '%') continue;
        bool trims = i + 2 < j->size && j->source[i + 2] == '-';
        p->at = i + 2 + (trims || (i + 2 < j->size && j->source[i + 2] == '+'));
        if (pl__jinja_advance(p) != PL_OK || !pl__jinja_is_word(p, "endraw")) continue;
        size_t size = i - from;
        const char *text = pl_strip(j->source + from, &size, trim, trims);
        if (j->is_chat && j->source[i + 2] != '-' && j->source[i + 2] != '+') size = without_indent(text, size, false);
        piece *found;
        PL_TRY(new_piece(p, tail, &found, PL__J_TEXT));
        found->text = text;
        found->size = size;
        return close_tag(p);
    }
    return pl_jinja_fail(j, begin, "the raw has no endraw");
}

/* The name of a block tag has been read. *ended: it ends the body that is being read. */
static pl_status parse_block(pl__jinja_parser *p, piece ***tail, const char *for_word, bool *ended)
{
    static const struct {
        const char *word;
        pl__jinja_piece_kind kind;
        pl_status (*parse)(pl__jinja_parser *p, piece *out);
        bool of_chat;
    } blocks[] = {{"if", PL__J_IF, parse_if, false},
                  {"for", PL__J_FOR, parse_for, false},
                  {"set", PL__J_SET, parse_set, false},
                  {"macro", PL__J_MACRO, parse_macro, false},
                  {"with", PL__J_WITH, parse_with, false},
                  {"filter", PL__J_FILTERED, parse_filtered, false},
                  {"call", PL__J_CALL_BLOCK, parse_call_block, false},
                  {"generation", PL__J_SCOPE, parse_generation, true},
                  {"break", PL__J_BREAK, parse_control, true},
                  {"continue", PL__J_CONTINUE, parse_control, true}};
    PL_TRY(pl__jinja_advance(p));
    if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "the name of a tag (if, for, set, raw)");
    if (pl__jinja_is_word(p, "raw")) return parse_raw(p, tail);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        piece *block;
        if (!pl__jinja_is_word(p, blocks[i].word) || (blocks[i].of_chat && !p->j->is_chat)) continue;
        PL_TRY(new_piece(p, tail, &block, blocks[i].kind));
        block->at = p->token.at;
        return blocks[i].parse(p, block);
    }
    for (size_t i = 0; i < sizeof ENDINGS / sizeof *ENDINGS; i++) {
        if (!pl__jinja_is_word(p, ENDINGS[i].word)) continue;
        if (!for_word || !strstr(ENDINGS[i].ends, for_word))
            return pl_jinja_fail(p->j, p->token.at, "'%s' without a tag before it that it belongs to (%s)",
                                 ENDINGS[i].word, ENDINGS[i].ends);
        *ended = true;
        p->end = ENDINGS[i].ending;
        p->end_at = p->token.at;
        return PL_OK;
    }
    static const char *const loads[] = {"include", "import", "from", "extends", NULL};
    for (const char *const *l = loads; *l; l++)
        if (pl__jinja_is_word(p, *l))
            return pl_jinja_fail(p->j, p->token.at,
                                 "tag '%s' is not supported: there are no other templates to load from, as there are "
                                 "none in transformers; write what it would load into this one",
                                 *l);
    return pl_jinja_fail(p->j, p->token.at,
                         "tag '%.*s' is not supported; templates have if, elif, else, endif, for, endfor, set, endset, "
                         "macro, endmacro, call, endcall, filter, endfilter, with, endwith, raw, endraw",
                         pl__jinja_shown(p), p->j->source + p->token.at);
}

static pl_status parse_body(pl__jinja_parser *p, piece **out, const char *for_word)
{
    piece **tail = out;
    for (;;) {
        char tag;
        size_t from = p->at;
        PL_TRY(read_text(p, &tail, &tag));
        if (tag == 0) {
            p->end = PL__J_END_OF_SOURCE;
            return PL_OK;
        }
        if (tag == '#')
            PL_TRY(skip_comment(p, from));
        else if (tag == '%') {
            bool ended = false;
            p->close = "%}";
            PL_TRY(parse_block(p, &tail, for_word, &ended));
            if (ended) return PL_OK;
        } else {
            piece *print;
            p->close = "}}";
            p->n_nodes = 0;
            PL_TRY(new_piece(p, &tail, &print, PL__J_PRINT));
            print->at = from;
            PL_TRY(pl__jinja_advance(p));
            PL_TRY(pl__jinja_parse_tuple(p, true, &print->expression));
            PL_TRY(pl__jinja_expect_close(p, "the end of the expression, '}}'"));
        }
    }
}

pl_status pl__jinja_parse(pl_jinja *j)
{
    pl__jinja_parser p = {.j = j};
    PL_TRY(parse_body(&p, &j->body, NULL));
    if (p.n_loop_names == 0 || p.n_fors == 0) return PL_OK;
    return pl_jinja_fail(j, p.loop_at, "'loop' is what a for gives its body; use another name");
}
