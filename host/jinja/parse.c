/* Templates to pieces: text, {{ expressions }}, {% if %} with its arms, comments, and the trimming of white space that
 * a minus in a tag asks for. */
#include <stdlib.h>
#include <string.h>

#include "jinja/letters.h"
#include "jinja/lex.h"

typedef pl__jinja_node node;
typedef pl__jinja_piece piece;

static pl_status parse_body(pl__jinja_parser *p, piece **out, bool inside);

/* ---- text and tags ---- */

static pl_status new_piece(pl__jinja_parser *p, piece ***tail, piece **out, pl__jinja_piece_kind kind)
{
    PL_TRY(pl_arena_new(p->j->arena, out, 1));
    (*out)->kind = kind;
    **tail = *out;
    *tail = &(*out)->next;
    return PL_OK;
}

/* Text up to the next tag, or to the end; *tag is the letter behind its brace ('{', '%', '#'; 0 at the end). */
static pl_status read_text(pl__jinja_parser *p, piece ***tail, char *tag)
{
    const pl_jinja *j = p->j;
    size_t from = p->at, i = from;
    while (i < j->size && !(j->source[i] == '{' && i + 1 < j->size && strchr("{%#", j->source[i + 1]))) i++;
    size_t size = i - from;
    *tag = 0;
    bool trims = false;
    if (i < j->size) {
        *tag = j->source[i + 1];
        trims = i + 2 < j->size && j->source[i + 2] == '-';
        bool marked = trims || (i + 2 < j->size && j->source[i + 2] == '+');
        p->at = i + (marked ? 3 : 2);
    } else
        p->at = i;
    const char *text = pl_strip(j->source + from, &size, p->trim, trims);
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
            p->at = i + 2;
            return PL_OK;
        }
    return pl_jinja_fail(j, from, "the comment does not end; expected '#}'");
}

static pl_status parse_condition(pl__jinja_parser *p, node **out)
{
    p->n_nodes = 0;
    PL_TRY(pl__jinja_advance(p));
    PL_TRY(pl__jinja_parse_or(p, out));
    return pl__jinja_expect_close(p, "the end of the tag, '%}'");
}

/* All arms of an if; `if` is the current token. */
static pl_status parse_if(pl__jinja_parser *p, piece *arm)
{
    size_t begin = p->token.at;
    if (++p->depth > PL__JINJA_MAX_DEPTH)
        return pl_jinja_fail(p->j, begin, "nested deeper than %d levels", (int)PL__JINJA_MAX_DEPTH);
    PL_TRY(parse_condition(p, &arm->expression));
    PL_TRY(parse_body(p, &arm->body, true));
    while (p->end == PL__J_END_ELIF || p->end == PL__J_END_ELSE) {
        bool is_else = p->end == PL__J_END_ELSE;
        if (!arm->expression) return pl_jinja_fail(p->j, p->end_at, "an else or elif behind else; expected endif");
        PL_TRY(pl_arena_new(p->j->arena, &arm->or_else, 1));
        arm = arm->or_else;
        arm->kind = PL__J_IF;
        if (is_else) {
            PL_TRY(pl__jinja_advance(p));
            PL_TRY(pl__jinja_expect_close(p, "the end of the tag, '%}'"));
        } else
            PL_TRY(parse_condition(p, &arm->expression));
        PL_TRY(parse_body(p, &arm->body, true));
    }
    if (p->end != PL__J_END_ENDIF) return pl_jinja_fail(p->j, begin, "the if has no endif");
    PL_TRY(pl__jinja_advance(p));
    p->depth--;
    return pl__jinja_expect_close(p, "the end of the tag, '%}'");
}

/* The name of a block tag has been read. *ended: it belongs to the if around this body. */
static pl_status parse_block(pl__jinja_parser *p, piece ***tail, bool inside, bool *ended)
{
    PL_TRY(pl__jinja_advance(p));
    if (p->token.kind != PL__J_T_NAME) return pl__jinja_unexpected(p, "the name of a tag (if, elif, else, endif)");
    if (pl__jinja_is_word(p, "if")) {
        piece *arm;
        PL_TRY(new_piece(p, tail, &arm, PL__J_IF));
        return parse_if(p, arm);
    }
    *ended = pl__jinja_is_word(p, "elif") || pl__jinja_is_word(p, "else") || pl__jinja_is_word(p, "endif");
    if (!*ended)
        return pl_jinja_fail(p->j, p->token.at, "tag '%.*s' is not supported; templates have if, elif, else, endif",
                             pl__jinja_shown(p), p->j->source + p->token.at);
    if (!inside)
        return pl_jinja_fail(p->j, p->token.at, "'%.*s' without an if before it", pl__jinja_shown(p),
                             p->j->source + p->token.at);
    p->end = pl__jinja_is_word(p, "elif")   ? PL__J_END_ELIF
             : pl__jinja_is_word(p, "else") ? PL__J_END_ELSE
                                            : PL__J_END_ENDIF;
    p->end_at = p->token.at;
    return PL_OK;
}

static pl_status parse_body(pl__jinja_parser *p, piece **out, bool inside)
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
            PL_TRY(parse_block(p, &tail, inside, &ended));
            if (ended) return PL_OK;
        } else {
            piece *print;
            p->close = "}}";
            p->n_nodes = 0;
            PL_TRY(new_piece(p, &tail, &print, PL__J_PRINT));
            PL_TRY(pl__jinja_advance(p));
            PL_TRY(pl__jinja_parse_expression(p, &print->expression));
            PL_TRY(pl__jinja_expect_close(p, "the end of the expression, '}}'"));
        }
    }
}

pl_status pl__jinja_parse(pl_jinja *j)
{
    pl__jinja_parser p = {.j = j};
    return parse_body(&p, &j->body, false);
}
