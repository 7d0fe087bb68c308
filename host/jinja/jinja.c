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

/* The elements for which the condition of a for holds. A new reference. */
static pl_status chosen_elements(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item,
                                 const json_t *elements, json_t **out)
{
    PL_TRY(pl__jinja_new_array(j, out, PL__J_MARKS));
    pl_status status = PL_OK;
    for (size_t i = 0; i < json_array_size(elements) && status == PL_OK; i++) {
        json_t *element = json_array_get(elements, i), *condition = NULL;
        size_t outer = pl__jinja_enter(j);
        status = pl__jinja_bind(j, piece->at, &piece->targets, element);
        if (status == PL_OK) status = pl__jinja_eval(j, piece->condition, item, &condition);
        if (status == PL_OK && pl__jinja_true(j, condition))
            status = pl__jinja_add(j, piece->at, *out, json_incref(element));
        json_decref(condition);
        pl__jinja_leave(j, outer);
    }
    return pl__jinja_kept(out, status);
}

/* *whole: some turn came to its end. */
static pl_status render_elements(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item,
                                 const json_t *elements, bool *whole, pl_bytes *out)
{
    const pl__jinja_loop *outer_loop = j->run->loop;
    pl__jinja_loop loop = {.elements = elements};
    pl_status status = PL_OK;
    j->run->loop = &loop;
    for (; loop.index < json_array_size(elements) && status == PL_OK; loop.index++) {
        size_t outer = pl__jinja_enter(j);
        status = pl__jinja_step(j, piece->at);
        if (status == PL_OK)
            status = pl__jinja_bind(j, piece->at, &piece->targets, json_array_get(elements, loop.index));
        if (status == PL_OK) status = pl__jinja_render_pieces(j, piece->body, item, out);
        pl__jinja_leave(j, outer);
        bool ends = j->run->control == PL__J_END_LOOP;
        *whole = *whole || j->run->control == PL__J_GO_ON;
        j->run->control = PL__J_GO_ON;
        if (ends) break;
    }
    j->run->loop = outer_loop;
    return status;
}

static pl_status render_for(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, pl_bytes *out)
{
    json_t *of = NULL, *elements = NULL, *chosen = NULL;
    pl_status status;
    PL_GOTO(status, done, pl__jinja_eval_kept(j, piece->expression, item, &of));
    PL_GOTO(status, done, pl__jinja_elements(j, piece->at, of, &elements));
    if (piece->condition) {
        PL_GOTO(status, done, chosen_elements(j, piece, item, elements, &chosen));
        json_decref(elements);
        elements = json_incref(chosen);
    }
    bool whole = false; /* jinja2 takes the else also where a break or continue cut every turn short */
    PL_GOTO(status, done, render_elements(j, piece, item, elements, &whole, out));
    if (!whole && piece->or_else) status = pl__jinja_render_pieces(j, piece->or_else, item, out);
done:
    json_decref(of);
    json_decref(elements);
    json_decref(chosen);
    return status;
}

/* {% set x = ... %}, or what the body prints. */
static pl_status render_set(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item)
{
    json_t *value = NULL;
    pl_bytes text = {0};
    pl_status status;
    if (piece->expression)
        PL_GOTO(status, done, pl__jinja_eval_kept(j, piece->expression, item, &value));
    else {
        size_t outer = pl__jinja_enter(j);
        status = pl__jinja_render_pieces(j, piece->body, item, &text);
        pl__jinja_leave(j, outer);
        if (status == PL_OK) status = pl__jinja_new_text(j, piece->at, &value, text.data, text.size);
        if (status != PL_OK) goto done;
    }
    status = pl__jinja_bind(j, piece->at, &piece->targets, value);
done:
    json_decref(value);
    pl_bytes_free(&text);
    return status;
}

static pl_status render_scope(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, pl_bytes *out)
{
    size_t outer = pl__jinja_enter(j);
    pl_status status = pl__jinja_render_pieces(j, piece->body, item, out);
    pl__jinja_leave(j, outer);
    return status;
}

/* A macro inside of a scope would see names of others than those that stand around it. */
static pl_status define_macro(const pl_jinja *j, const pl__jinja_piece *piece)
{
    if (j->run->level > 0)
        return pl_jinja_fail(j, piece->at, "a macro inside of a for, a set or a macro is not supported");
    return pl__jinja_name_value(j, piece->at, piece->macro->name, j->marks[PL__J_FUNCTION], piece);
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
            PL_TRY(render_for(j, piece, item, out));
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
