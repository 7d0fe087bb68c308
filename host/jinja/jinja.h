/* The part of Jinja in which tasks write prompts. Everything outside it is an error with line and column; nothing is
 * ever printed literally by mistake, and what is inside gives what jinja2 gives, with these exceptions, which are
 * errors: a list or object printed as it is (`x | string` writes it as Python does), integers beyond 64 bits, a
 * generator that gets a name, `varargs` and `kwargs` in a macro, `caller` in a macro and `loop` beside a for as names
 * of one's own.
 *
 *   {{ expression }}   {# comment #}   {%- -%} {{- -}} trimming
 *   {% if e %} {% elif e %} {% else %} {% endif %}   {% for a, b in e if e %} {% else %} {% endfor %} with loop.index
 * ...
 *   {% set a = e %}   {% set a %} {% endset %}   {% set n.a = e %} of a namespace()   {% raw %} {% endraw %}
 *   {% macro f(a, b=e) %} {% endmacro %} and f(x, b=y); {% call(a) f(x) %} {% endcall %}, whose body f calls as
 * caller(y)
 *   {% filter f | g(x) %} {% endfilter %}   {% set a | f %} {% endset %}   {% with a=e, b=e %} {% endwith %}
 *   {% for a in e recursive %} with loop(e), which goes through e by the same body
 *   expressions: names, texts in quotes, numbers, true/false/none, [a, b], (a, b), {"k": a}, x[0], x["key"], x.key,
 *                x[a:b:c], + - * / // % ** ~, == != < <= > >= in, not and or, a if c else b, x | filter(a), x is test,
 *                x.method(a), range(n), namespace(k=a), dict(k=a); the tables in filters.c and predicates.c list them
 * As in lm-evaluation-harness a name that the item lacks is an error, and a trailing newline is kept. */
#ifndef PLUMB_JINJA_JINJA_H
#define PLUMB_JINJA_JINJA_H

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"

typedef struct pl_jinja pl_jinja;

/* `where` ("file:line") stands in front of errors; it is copied, as is the source. */
pl_status pl_jinja_compile(pl_jinja **out, const char *source, const char *where);
void pl_jinja_free(pl_jinja *jinja); /* takes NULL */

/* Templates that are not written as one: a field of the item by its name, whose value is as the data has it, and a list
 * of templates (taken over, also on failure). */
pl_status pl_jinja_field(pl_jinja **out, const char *field, const char *where);
pl_status pl_jinja_list(pl_jinja **out, pl_jinja **parts, size_t n, const char *where);
bool pl_jinja_is_field(const pl_jinja *jinja);

/* A chat template as transformers' apply_chat_template takes it (ImmutableSandboxedEnvironment with trim_blocks and
 * lstrip_blocks, its extensions and functions): besides the above {% break %}, {% continue %}, {% generation %},
 * raise_exception(text), strftime_now(format), and tojson with indent. A name or field that is not there prints as
 * nothing, is false and empty, and what is asked of it beyond that is an error; lists and objects print as Python
 * writes them. */
pl_status pl_jinja_compile_chat(pl_jinja **out, const char *source, const char *where);
/* What a chat template is given. */
typedef struct pl_jinja_chat {
    const json_t *names; /* a JSON object: bos_token, tools, ... */
    json_t *messages;    /* a list; NULL: none, and no add_generation_prompt */
    bool asks;           /* add_generation_prompt */
    const char *date;    /* "YYYY-MM-DD", the day of strftime_now */
} pl_jinja_chat;

/* Appends what it makes of a chat. *refused: PL_E_INPUT because the template called raise_exception. */
pl_status pl_jinja_render_chat(const pl_jinja *jinja, const pl_jinja_chat *chat, pl_bytes *out, bool *refused);

/* Appends the text for one item (a JSON object). */
pl_status pl_jinja_render(const pl_jinja *jinja, const json_t *item, pl_bytes *out);

/* When the source is exactly one {{ expression }}, its value with its own type (a new reference); otherwise the
 * rendered text as a JSON text. Serves doc_to_choice and doc_to_target. */
pl_status pl_jinja_value(const pl_jinja *jinja, const json_t *item, json_t **out);

/* Python's str(value), appended; lists and objects are errors. Errors are about byte `at` of the source. */
pl_status pl_jinja_text(const pl_jinja *jinja, size_t at, const json_t *value, pl_bytes *out);

/* Python's repr(value), appended: also of lists and objects. */
pl_status pl_jinja_repr(const pl_jinja *jinja, size_t at, const json_t *value, pl_bytes *out);

/* PL_E_INPUT "where: template line:column: ..." for byte `at` of the source. */
pl_status pl_jinja_fail(const pl_jinja *jinja, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
