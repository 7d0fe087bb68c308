/* Chat templates against transformers (tests/golden/jinja/chat.json, made by make_chat.py), and what bounds them. With
 * PLUMB_CHAT_CASES, a file of make_chat.py's over templates that may not be shipped, those too. */
#include "tests.h"

#include "base/json.h"
#include "base/utf8.h"
#include "jinja/jinja.h"

static const char DAY[] = "2024-07-26"; /* what make_chat.py takes for today */

/* As a run renders: the messages and whether they ask for an answer beside the names. */
static pl_status render(const pl_jinja *j, const json_t *all, pl_bytes *out, bool *refused)
{
    json_t *names = json_copy((json_t *)(uintptr_t)all);
    const pl_jinja_chat chat = {.names = names,
                                .messages = json_object_get(all, "messages"),
                                .asks = json_is_true(json_object_get(all, "add_generation_prompt")),
                                .date = DAY};
    json_object_del(names, "messages");
    json_object_del(names, "add_generation_prompt");
    pl_status status = pl_jinja_render_chat(j, &chat, out, refused);
    json_decref(names);
    return status;
}

/* Outcome of one case; prints what differs. */
static bool agrees(const json_t *c)
{
    const char *source = json_string_value(json_object_get(c, "source"));
    const json_t *names = json_object_get(c, "names"), *output = json_object_get(c, "output");
    pl_jinja *j;
    pl_bytes text = {0};
    bool refused = false, raised = json_is_true(json_object_get(c, "refused"));
    pl_status status = pl_jinja_compile_chat(&j, source, "case");
    if (status == PL_OK) status = render(j, names, &text, &refused);
    bool same = output ? status == PL_OK && text.size == json_string_length(output) &&
                             memcmp(text.data ? text.data : "", json_string_value(output), text.size) == 0
                       : status == PL_E_INPUT && refused == raised && strstr(pl_error_text(), "case: template ");
    /* What jinja2 gives, and plumb may refuse with its place but must not give otherwise. */
    if (!same && json_object_get(c, "may_refuse"))
        same = status == PL_E_INPUT && strstr(pl_error_text(), "case: template ");
    if (!same) {
        print_message("%s\n%.300s\n  expected %s\n  gives    %s\n", json_string_value(json_object_get(c, "template")),
                      source, output ? json_string_value(output) : json_string_value(json_object_get(c, "error")),
                      status == PL_OK ? (text.data ? text.data : "") : pl_error_text());
    }
    pl_bytes_free(&text);
    pl_jinja_free(j);
    return same;
}

static size_t disagreements(const char *path, size_t *n)
{
    json_t *cases;
    size_t wrong = 0;
    if (pl_json_read(&cases, path, 64 << 20) != PL_OK) fail_msg("%s", pl_error_text());
    *n = json_array_size(cases);
    for (size_t i = 0; i < *n; i++) wrong += !agrees(json_array_get(cases, i));
    json_decref(cases);
    return wrong;
}

static void test_agrees_with_transformers(void **state)
{
    (void)state;
    size_t n;
    assert_int_equal(disagreements(PLUMB_SOURCE_DIR "/tests/golden/jinja/chat.json", &n), 0);
    assert_true(n > 900);
}

static void test_agrees_on_templates_of_others(void **state)
{
    (void)state;
    const char *path = getenv("PLUMB_CHAT_CASES");
    size_t n;
    if (!path) {
        print_message("SKIP published chat templates: PLUMB_CHAT_CASES names no file\n");
        skip();
    }
    assert_int_equal(disagreements(path, &n), 0);
    assert_true(n > 0);
}

/* Recursion, growth and steps are bounded, with errors that say where. */
static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *source, *message;
    } cases[] = {
        {"{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}\n{{ f(0) }}",
         "template 1:20: macros call one another deeper than 100"},
        {"{% macro f(n) %}{{ f(n) ~ f(n) }}{% endmacro %}{{ f(0) }}", "deeper than 100 levels"},
        {"{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}xxxxxxxxxx{% endmacro %}{{ f(40) }}",
         "grew beyond 16777216 bytes"},
        {"{% macro f(n) %}{% if n %}{% set a = f(n - 1) %}{% set a = f(n - 1) %}{% endif %}{% endmacro %}{{ f(40) }}",
         "one rendering took more than 5000000 steps"},
        {"{% for a in range(9999) %}{% for b in range(9999) %}{% continue %}{% endfor %}{% endfor %}",
         "grew beyond 16777216 bytes"},
        {"{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
         "grew beyond"},
        {"a\n{{ raise_exception('no ' ~ 1) }}", "where: template 2:4: the template refuses the chat: no 1"},
        {"{{ strftime_now('%Z') }}", "directive '%Z' is not supported"},
        {"{{ messages.x.y }}", "template 1:14: looked for y in what is undefined"},
        {"{% macro f() %}x{% endmacro %}\n{% call f() %}{% endcall %}",
         "template 2:9: macro f does not call caller(): no call block can be put into it"},
        {"{% for a in [1] %}{{ loop([2]) }}{% endfor %}",
         "template 1:22: loop(...) belongs to a for that is recursive"},
        {"{% filter length %}a{% endfilter %}", "template 1:4: the filters give an integer, expected a text"},
        {"{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}", "loops call one another deeper than 100 levels"},
        {"{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{{ caller() }}{% endmacro %}{{ f() }}",
         "deeper than 100 levels"},
        {"{% for a in [[1] * 9] * 9 recursive %}{% for b in range(9999) %}{% endfor %}{{ loop([a] * 9) }}{% endfor %}",
         "grew beyond 16777216 bytes"},
        {"{{ f(1) }}", "no macro or function 'f' here"},
    };
    json_t *names = json_pack("{s:[{s:s, s:s}]}", "messages", "role", "user", "content", "q");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_jinja *j;
        pl_bytes text = {0};
        bool refused;
        assert_int_equal(pl_jinja_compile_chat(&j, cases[i].source, "where"), PL_OK);
        assert_int_equal(render(j, names, &text, &refused), PL_E_INPUT);
        if (!strstr(pl_error_text(), cases[i].message)) fail_msg("'%s' gives: %s", cases[i].source, pl_error_text());
        assert_true(refused == (strstr(cases[i].source, "raise_exception") != NULL));
        assert_int_equal(text.size, 0);
        pl_bytes_free(&text);
        pl_jinja_free(j);
    }
    json_decref(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_transformers),
        cmocka_unit_test(test_agrees_on_templates_of_others),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
