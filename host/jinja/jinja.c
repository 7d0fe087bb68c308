#include "jinja/jinja.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/letters.h"
#include "jinja/tree.h"

enum { MAX_SOURCE = 1024 * 1024 };

pl_status pl_jinja_fail(const pl_jinja *j, size_t at, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (at > j->size) at = j->size;
    size_t line = 1, begin = 0;
    for (size_t i = 0; i < at; i++)
        if (j->source[i] == '\n') {
            line++;
            begin = i + 1;
        }
    size_t column = pl_utf8_count(j->source + begin, at - begin) + 1;
    return pl_fail(PL_E_INPUT, "%s: template %zu:%zu: %s", j->where, line, column, text);
}

/* ---- making and freeing ---- */

static pl_status create(pl_jinja **out, const char *where)
{
    *out = NULL;
    pl_jinja *j = NULL;
    char *copy;
    pl_status status;
    PL_TRY(pl_new(&j, 1));
    PL_GOTO(status, failed, pl_arena_create(&j->arena));
    PL_GOTO(status, failed, pl_arena_text(j->arena, &copy, where, strlen(where)));
    j->where = copy;
    j->source = "";
    j->most_steps = PL__JINJA_MAX_STEPS;
    j->literals = json_array();
    /* But for NOTHING, which prints as nothing: bytes that no text holds, so that no value equals a mark. */
    static const char *const marks[PL__J_MARKS] = {"",           "\xff undefined", "\xff function",
                                                   "\xff tuple", "\xff lazy",      "\xff namespace"};
    bool whole = j->literals != NULL;
    for (size_t i = 0; i < PL__J_MARKS; i++) whole = (j->marks[i] = json_string_nocheck(marks[i])) && whole;
    if (!whole) {
        status = pl_fail(PL_E_MEMORY, "%s: out of memory while reading a template", where);
        goto failed;
    }
    *out = j;
    return PL_OK;
failed:
    pl_jinja_free(j);
    return status;
}

void pl_jinja_free(pl_jinja *j)
{
    if (!j) return;
    for (size_t i = 0; i < j->n_parts; i++) pl_jinja_free(j->parts[i]);
    json_decref(j->literals);
    for (size_t i = 0; i < PL__J_MARKS; i++) json_decref(j->marks[i]);
    pl_arena_free(j->arena);
    free(j);
}

/* A copy of the source with every CR LF and CR written as LF. */
static pl_status take_source(pl_jinja *j, const char *source, size_t size)
{
    size_t bad = pl_utf8_check(source, size);
    if (size > MAX_SOURCE)
        return pl_fail(PL_E_INPUT, "%s: a template of %zu bytes, expected at most %d", j->where, size, MAX_SOURCE);
    if (bad < size) return pl_fail(PL_E_INPUT, "%s: template: byte %zu is not valid UTF-8", j->where, bad);
    char *copy;
    size_t n = 0;
    PL_TRY(pl_arena_new(j->arena, &copy, size + 1));
    for (size_t i = 0; i < size; i++) {
        copy[n++] = source[i] == '\r' ? '\n' : source[i];
        if (source[i] == '\r' && i + 1 < size && source[i + 1] == '\n') i++;
    }
    if (j->is_chat && n > 0 && copy[n - 1] == '\n') copy[--n] = 0; /* keep_trailing_newline is off there */
    j->source = copy;
    j->size = n;
    return PL_OK;
}

static pl_status compile(pl_jinja **out, const char *source, const char *where, bool is_chat)
{
    PL_TRY(create(out, where));
    (*out)->is_chat = is_chat;
    pl_status status = take_source(*out, source, strlen(source));
    if (status == PL_OK) status = pl__jinja_parse(*out);
    if (status == PL_OK) status = pl__jinja_analyse(*out);
    if (status != PL_OK) {
        pl_jinja_free(*out);
        *out = NULL;
    }
    return status;
}

pl_status pl_jinja_compile(pl_jinja **out, const char *source, const char *where)
{
    return compile(out, source, where, false);
}

pl_status pl_jinja_compile_chat(pl_jinja **out, const char *source, const char *where)
{
    return compile(out, source, where, true);
}

pl_status pl_jinja_field(pl_jinja **out, const char *field, const char *where)
{
    PL_TRY(create(out, where));
    pl_jinja *j = *out;
    char *name;
    pl_status status;
    PL_GOTO(status, failed, pl_arena_text(j->arena, &name, field, strlen(field)));
    PL_GOTO(status, failed, pl_arena_new(j->arena, &j->body, 1));
    PL_GOTO(status, failed, pl_arena_new(j->arena, &j->body->expression, 1));
    j->is_field = true;
    j->source = name;
    j->size = strlen(name);
    j->body->kind = PL__J_PRINT;
    j->body->expression->kind = PL__J_NAME;
    j->body->expression->name = name;
    return PL_OK;
failed:
    pl_jinja_free(j);
    *out = NULL;
    return status;
}

bool pl_jinja_is_field(const pl_jinja *j)
{
    return j->is_field;
}

pl_status pl_jinja_list(pl_jinja **out, pl_jinja **parts, size_t n, const char *where)
{
    pl_status status = create(out, where);
    if (status == PL_OK) status = pl_arena_new((*out)->arena, &(*out)->parts, n);
    if (status != PL_OK) {
        for (size_t i = 0; i < n; i++) pl_jinja_free(parts[i]);
        pl_jinja_free(*out);
        *out = NULL;
        return status;
    }
    (*out)->is_list = true;
    (*out)->n_parts = n;
    if (n) memcpy((*out)->parts, parts, n * sizeof *parts);
    return PL_OK;
}

/* ---- rendering ---- */

static pl_status render_if(const pl_jinja *j, const pl__jinja_piece *arm, const json_t *item, pl_bytes *out)
{
    for (; arm; arm = arm->or_else) {
        bool truth = true;
        if (arm->expression) PL_TRY(pl__jinja_holds_true(j, arm->expression, item, &truth));
        if (truth) return pl__jinja_render_pieces(j, arm->body, item, out);
    }
    return PL_OK;
}

/* What the body prints, as a value; through the filters of the tag, where it has some, which see what the body sets.
 * NULL: a break or continue cut it short, and nothing comes of it. */
static pl_status body_value(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, json_t **out)
{
    pl_bytes text = {0};
    size_t outer = pl__jinja_enter(j);
    pl_status status = pl__jinja_render_pieces(j, piece->body, item, &text);
    *out = NULL;
    if (status == PL_OK && j->run->control == PL__J_GO_ON)
        status = pl__jinja_new_text(j, piece->at, out, text.data, text.size);
    if (status == PL_OK && *out && piece->expression) {
        status = pl__jinja_name_value(j, piece->at, PL__JINJA_BODY, *out, NULL);
        json_decref(*out);
        *out = NULL;
        if (status == PL_OK) status = pl__jinja_eval_kept(j, piece->expression, item, out);
    }
    pl__jinja_leave(j, outer);
    pl_bytes_free(&text);
    return status;
}

/* {% set x = ... %}, or what the body prints. */
static pl_status render_set(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item)
{
    json_t *value;
    PL_TRY(piece->body_is_value ? body_value(j, piece, item, &value)
                                : pl__jinja_eval_kept(j, piece->expression, item, &value));
    pl_status status = value ? pl__jinja_bind(j, piece->at, &piece->targets, value) : PL_OK;
    json_decref(value);
    return status;
}

static pl_status render_filtered(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, pl_bytes *out)
{
    json_t *value;
    PL_TRY(body_value(j, piece, item, &value));
    if (!value) return PL_OK;
    pl_status status =
        json_is_string(value) && !pl__jinja_is_mark(j, value, PL__J_UNDEFINED)
            ? pl_jinja_text(j, piece->at, value, out)
            : pl_jinja_fail(j, piece->at, "the filters give %s, expected a text", pl__jinja_kind_name(j, value));
    json_decref(value);
    return status;
}

/* {% with a=1, b=2 %}: the values are those outside of it. */
static pl_status render_with(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, pl_bytes *out)
{
    json_t *values;
    PL_TRY(pl__jinja_eval_kept(j, piece->expression, item, &values));
    size_t outer = pl__jinja_enter(j);
    pl_status status = PL_OK;
    for (size_t i = 0; i < piece->targets.n && status == PL_OK; i++) {
        const pl__jinja_targets one = {.n = 1, .names = {piece->targets.names[i]}};
        status = pl__jinja_bind(j, piece->at, &one, json_array_get(values, pl__jinja_first(j, values) + i));
    }
    if (status == PL_OK) status = pl__jinja_render_pieces(j, piece->body, item, out);
    pl__jinja_leave(j, outer);
    json_decref(values);
    return status;
}

/* {% call f(x) %}: what f prints, whose caller() is the body. */
static pl_status render_call(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, pl_bytes *out)
{
    json_t *value;
    const pl__jinja_closure caller = pl__jinja_close_over(j, piece);
    PL_TRY(pl__jinja_invoke(j, piece->expression, &caller, item, &value));
    pl_status status = pl_jinja_text(j, piece->at, value, out);
    json_decref(value);
    return status;
}

static pl_status render_scope(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, pl_bytes *out)
{
    size_t outer = pl__jinja_enter(j);
    pl_status status = pl__jinja_render_pieces(j, piece->body, item, out);
    pl__jinja_leave(j, outer);
    return status;
}

static pl_status define_macro(const pl_jinja *j, const pl__jinja_piece *piece)
{
    const pl__jinja_closure macro = pl__jinja_close_over(j, piece);
    return pl__jinja_name_value(j, piece->at, piece->macro->name, j->marks[PL__J_FUNCTION], &macro);
}

static pl_status render_all(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, pl_bytes *out)
{
    for (; piece && j->run->control == PL__J_GO_ON; piece = piece->next) {
        switch (piece->kind) {
        case PL__J_TEXT:
            PL_TRY(pl_bytes_append(out, piece->text, piece->size));
            break;
        case PL__J_PRINT:
            PL_TRY(pl__jinja_print(j, piece->expression, item, out));
            break;
        case PL__J_IF:
            PL_TRY(render_if(j, piece, item, out));
            break;
        case PL__J_FOR:
            PL_TRY(pl__jinja_render_for(j, piece, item, out));
            break;
        case PL__J_SET:
            PL_TRY(render_set(j, piece, item));
            break;
        case PL__J_MACRO:
            PL_TRY(define_macro(j, piece));
            break;
        case PL__J_SCOPE:
            PL_TRY(render_scope(j, piece, item, out));
            break;
        case PL__J_WITH:
            PL_TRY(render_with(j, piece, item, out));
            break;
        case PL__J_FILTERED:
            PL_TRY(render_filtered(j, piece, item, out));
            break;
        case PL__J_CALL_BLOCK:
            PL_TRY(render_call(j, piece, item, out));
            break;
        case PL__J_UNSET:
            PL_TRY(pl__jinja_step(j, piece->at));
            PL_TRY(pl__jinja_name_value(j, piece->at, piece->text, j->marks[PL__J_UNDEFINED], NULL));
            break;
        case PL__J_BREAK:
            j->run->control = PL__J_END_LOOP;
            break;
        case PL__J_CONTINUE:
            j->run->control = PL__J_END_TURN;
            break;
        }
        PL_TRY(pl__jinja_check_text(j, piece->at, out->size));
    }
    return PL_OK;
}

pl_status pl__jinja_render_pieces(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, pl_bytes *out)
{
    pl_status status = pl__jinja_go_deeper(j, piece ? piece->at : 0);
    if (status == PL_OK) status = render_all(j, piece, item, out);
    j->run->nested--;
    return status;
}

static void end_run(pl__jinja_run *run)
{
    while (run->n > 0) json_decref(run->variables[--run->n].value);
    free(run->variables);
}

/* Rendered aside where the caller has gathered something already, which the limit must not count. */
static pl_status render_run(const pl_jinja *j, const json_t *item, pl_bytes *out)
{
    if (j->is_list) return pl_fail(PL_E_INPUT, "%s: expected one template, found a list of them", j->where);
    if (out->size == 0) {
        pl_status status = pl__jinja_render_pieces(j, j->body, item, out);
        if (status != PL_OK) pl_bytes_clear(out);
        return status;
    }
    pl_bytes text = {0};
    pl_status status = pl__jinja_render_pieces(j, j->body, item, &text);
    if (status == PL_OK) status = pl_bytes_append(out, text.data, text.size);
    pl_bytes_free(&text);
    return status;
}

pl_status pl_jinja_render(const pl_jinja *j, const json_t *item, pl_bytes *out)
{
    pl__jinja_run run = {.growth = pl_growth_begin(0, 0)};
    pl_jinja one = *j;
    one.run = &run;
    pl_status status = render_run(&one, item, out);
    end_run(&run);
    return status;
}

pl_status pl_jinja_render_chat(const pl_jinja *j, const pl_jinja_chat *chat, pl_bytes *out, bool *refused)
{
    pl__jinja_run run = {.growth = pl_growth_begin(0, 0), .date = chat->date};
    pl_jinja one = *j;
    pl_status status = PL_OK;
    one.run = &run;
    if (chat->messages) {
        status = pl__jinja_name_value(&one, 0, "messages", chat->messages, NULL);
        if (status == PL_OK)
            status = pl__jinja_name_value(&one, 0, "add_generation_prompt", json_boolean(chat->asks), NULL);
    }
    if (status == PL_OK) status = render_run(&one, chat->names, out);
    end_run(&run);
    *refused = status != PL_OK && run.refused;
    return status;
}

static pl_status list_value(const pl_jinja *j, const json_t *item, json_t **out)
{
    *out = json_array();
    pl_status status = *out ? PL_OK : pl_fail(PL_E_MEMORY, "%s: out of memory", j->where);
    for (size_t i = 0; i < j->n_parts && status == PL_OK; i++) {
        pl_bytes text = {0};
        json_t *value = NULL;
        status = pl_jinja_render(j->parts[i], item, &text);
        if (status == PL_OK) status = pl__jinja_new_text(j, 0, &value, text.data, text.size);
        if (status == PL_OK && json_array_append_new(*out, value) != 0)
            status = pl_fail(PL_E_MEMORY, "%s: out of memory", j->where);
        pl_bytes_free(&text);
    }
    if (status != PL_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

pl_status pl_jinja_value(const pl_jinja *j, const json_t *item, json_t **out)
{
    *out = NULL;
    pl__jinja_run run = {.growth = pl_growth_begin(0, 0)};
    pl_jinja one = *j;
    pl_bytes text = {0};
    pl_status status;
    one.run = &run;
    if (j->is_list)
        status = list_value(&one, item, out);
    else if (j->body && j->body->kind == PL__J_PRINT && !j->body->next) {
        status = pl__jinja_eval(&one, j->body->expression, item, out);
        if (status == PL_OK) status = pl__jinja_leave_marks(&one, j->body->expression->at, out);
    } else {
        status = pl_jinja_render(j, item, &text);
        if (status == PL_OK) status = pl__jinja_new_text(&one, 0, out, text.data, text.size);
    }
    pl_bytes_free(&text);
    end_run(&run);
    return status;
}
