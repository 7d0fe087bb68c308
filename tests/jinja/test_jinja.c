/* The template language against jinja2 (tests/golden/jinja/jinja.json, made by make_jinja.py), and the errors for what
 * lies outside the subset. */
#include "tests.h"

#include "base/json.h"
#include "jinja/jinja.h"

/* Outcome of one golden case; prints what differs. */
static bool agrees(const json_t *c)
{
    const char *source = json_string_value(json_object_get(c, "source"));
    const json_t *item = json_object_get(c, "item"), *output = json_object_get(c, "output"),
                 *value = json_object_get(c, "value");
    pl_jinja *j;
    pl_bytes text = {0};
    json_t *found = NULL;
    bool same;
    pl_status status = pl_jinja_compile(&j, source, "case");
    if (status == PL_OK && output) status = pl_jinja_render(j, item, &text);
    if (status == PL_OK && !output) status = pl_jinja_value(j, item, &found);
    /* A case that jinja2 refuses may also fail in rendering only. */
    if (json_object_get(c, "error"))
        same = status != PL_OK || pl_jinja_render(j, item, &text) != PL_OK;
    else if (output)
        same = status == PL_OK && text.size == json_string_length(output) &&
               memcmp(text.data ? text.data : "", json_string_value(output), text.size) == 0;
    else
        same = status == PL_OK && json_equal(value, found);
    if (!same && json_object_get(c, "may_refuse") && status != PL_OK)
        same = strstr(pl_error_text(), "case: template ") != NULL;
    if (!same) {
        char *expected = json_dumps(c, JSON_ENCODE_ANY), *got = found ? json_dumps(found, JSON_ENCODE_ANY) : NULL;
        print_message("%s\n  gives %s, '%s', %s\n", expected, pl_status_text(status), text.data ? text.data : "",
                      got ? got : pl_error_text());
        free(expected);
        free(got);
    }
    json_decref(found);
    pl_bytes_free(&text);
    pl_jinja_free(j);
    return same;
}

static void check_file(const char *name, size_t least)
{
    json_t *cases;
    char path[PL_PATH_MAX];
    OK(pl_path(path, PLUMB_SOURCE_DIR "/tests/golden/jinja/%s", name));
    OK(pl_json_read(&cases, path, 4 << 20));
    size_t n = json_array_size(cases), wrong = 0;
    assert_true(n >= least);
    for (size_t i = 0; i < n; i++) wrong += !agrees(json_array_get(cases, i));
    json_decref(cases);
    assert_int_equal(wrong, 0);
}

static void test_agrees_with_jinja2(void **state)
{
    (void)state;
    check_file("jinja.json", 1700);
}

/* Expressions as task files hold them and readers tried them. */
static void test_agrees_on_cases_of_readers(void **state)
{
    (void)state;
    check_file("cases.json", 90);
}

/* What jinja2 has and the subset has not: source, and what the message must hold. */
static void test_names_what_is_outside(void **state)
{
    (void)state;
    static const struct {
        const char *source, *message;
    } cases[] = {
        {"{% macro f() %}", "where: template 1:4: the macro has no endmacro"},
        {"{% macro f(a=1, b) %}{% endmacro %}", "a parameter without a default follows one with"},
        {"{% for x in y %}{% break %}{% endfor %}", "tag 'break' is not supported"},
        {"a\n {% include 'x' %}", "template 2:5: tag 'include' is not supported: there are no other templates"},
        {"{% from 'x' import y %}", "tag 'from' is not supported: there are no other templates"},
        {"{% autoescape true %}", "tag 'autoescape' is not supported; templates have if"},
        {"{% filter upper %}", "where: template 1:4: the filter has no endfilter"},
        {"{% filter upper %}{% endcall %}", "'endcall' without a tag before it"},
        {"{% macro f() %}{% endmacro %}{% call f() %}", "1:33: the call has no endcall"},
        {"{% call x %}{% endcall %}", "1:4: call: expected the call of a macro"},
        {"{% with a %}{% endwith %}", "expected '='"},
        {"{% with a = 1 %}", "the with has no endwith"},
        {"{% macro f() %}{{ varargs }}{% endmacro %}", "1:19: 'varargs' in a macro is not supported"},
        {"{% macro f(varargs) %}{{ kwargs }}{% endmacro %}", "1:26: 'kwargs' in a macro is not supported"},
        {"{% macro f(a, a) %}{% endmacro %}", "1:15: two parameters 'a'"},
        {"{% macro f(caller=1) %}{{ caller }}{% endmacro %}", "1:4: a parameter 'caller' of a macro that names it"},
        {"{% macro f() %}{% set caller = 1 %}{% endmacro %}",
         "1:23: 'caller' in a macro is what a call block gives it"},
        {"{% for loop in x %}{% endfor %}", "1:8: 'loop' is what a for gives its body; use another name"},
        {"{% for a in x %}{% set loop = 1 %}{% endfor %}", "1:24: 'loop' is what a for gives its body"},
        {"{% with loop = 1 %}{% for a in x %}{% endfor %}{% endwith %}", "1:9: 'loop' is what a for gives its body"},
        {"{% set y | replace('a', b) %}{% endset %}", "1:25: 'b' is named by the filters of this set only"},
        {"{{ x | random }}", "template 1:8: filter 'random' is not supported; expected one of: trim, lower"},
        {"é {{ x | escape }}", "template 1:10: filter 'escape' is not supported"},
        {"{{ x.append(1) }}", "template 1:6: method 'append' is not supported; expected one of: strip, lstrip"},
        {"{{ cycler(3) }}", "no such function; expected range(...), namespace(...)"},
        {"{{ x is escaped }}", "test 'escaped' is not supported; expected one of: defined"},
        {"{{ x is divisibleby }}", "test divisibleby: expected 1 arguments, found 0"},
        {"{{ x.items }}", "write x[\"items\"]"},
        {"{{ 0x1F }}", "expected plain decimal digits"},
        {"{{ x|lower('a') }}", "lower: unknown or surplus argument; it takes at most 0"},
        {"{{ x|join(',', 'name', 1) }}", "it takes at most 2"},
        {"{{ x.split(by=1) }}", "split: unknown or surplus argument"},
        {"{{ '\\N{DASH}' }}", "an escape by name"},
        {"{{ '\\0' }}", "an escape gives no letter"},
        {"{{ '\\ud800' }}", "an escape gives no letter"},
        {"{{ 99999999999999999999 }}", "integer beyond 64 bits"},
        {"\xff", "byte 0 is not valid UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_jinja *j;
        assert_int_equal(pl_jinja_compile(&j, cases[i].source, "where"), PL_E_INPUT);
        assert_null(j);
        if (!strstr(pl_error_text(), cases[i].message)) fail_msg("'%s' gives: %s", cases[i].source, pl_error_text());
    }
}

static void test_names_what_the_item_lacks(void **state)
{
    (void)state;
    static const struct {
        const char *source, *message;
    } cases[] = {
        {"ab {{ txt }}", "file:3: template 1:7: the item has no field 'txt'; it has: 'text', 'list'"},
        {"\n{{ list }}", "template 2:4: expected a text, found a list"},
        {"{{ text ~ list }}", "expected a text, found a list"},
        {"{{ text.x }}", "a text has no field 'x'"},
        {"{{ list[1] }}", "index 1 of a list of length 1"},
        {"{{ ('a' if not text) == '' }}", "an if without else gave no value here"},
        {"{{ text < 1 }}", "cannot order a text and an integer"},
        {"{{ text|truncate(1) }}", "length 1 is shorter than its end of 3 letters"},
        {"{{ list.index('x') }}", "template 1:9: index: 'x' is not in a list"},
        {"{% for a, b in [[1]] %}{% endfor %}", "template 1:4: 2 names for 1 values"},
        {"{% set t = list|map('string') %}{{ t|join }}", "'t' would be a generator"},
        {"{% set n.x = 1 %}", "'n' is no namespace; expected {% set n = namespace() %} before"},
        {"{% set n = namespace(a=1) %}{% set n.m = [n] %}", "a namespace cannot hold a namespace"},
        {"{{ loop.index }}", "the item has no field 'loop'"},
        {"{% for a in list %}{{ loop.even }}{% endfor %}", "loop has no field 'even'; expected index"},
        {"{{ text * 9999999999 }}", "grew beyond 16777216 bytes"},
        {"{{ list * 99999999 }}", "grew beyond 16777216 bytes"},
        {"{{ range(200000) | length }}", "range: more than 100000 numbers"},
        {"{{ 2 ** 63 }}", "a number beyond 64 bits (**)"},
        {"{{ list in {'a': 1} }}", "template 1:4: cannot look for a list, which has no hash in Python"},
        {"{% for a in list %}{{ text }}{% endfor %}{% set text = 1 %}",
         "template 1:23: 'text' is undefined here: the template gives it a value elsewhere"},
        {"{{ '%d' % text }}", "type d expects a number, found a text"},
    };
    json_t *item = json_pack("{s:s, s:[i]}", "text", "abc", "list", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_jinja *j;
        pl_bytes text = {0};
        assert_int_equal(pl_jinja_compile(&j, cases[i].source, "file:3"), PL_OK);
        assert_int_equal(pl_jinja_render(j, item, &text), PL_E_INPUT);
        if (!strstr(pl_error_text(), cases[i].message)) fail_msg("'%s' gives: %s", cases[i].source, pl_error_text());
        assert_int_equal(text.size, 0); /* nothing half-written */
        pl_bytes_free(&text);
        pl_jinja_free(j);
    }
    json_decref(item);
}

/* Depth, length and growth are bounded, with errors. */
static void test_limits(void **state)
{
    (void)state;
    pl_bytes source = {0}, out = {0};
    pl_jinja *j;
    assert_int_equal(pl_bytes_text(&source, "{{ "), PL_OK);
    for (int i = 0; i < 500; i++) assert_int_equal(pl_bytes_text(&source, "("), PL_OK);
    assert_int_equal(pl_jinja_compile(&j, source.data, "w"), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "nested deeper than 100 levels"));

    pl_bytes_clear(&source);
    assert_int_equal(pl_bytes_text(&source, "{{ 1"), PL_OK);
    for (int i = 0; i < 5000; i++) assert_int_equal(pl_bytes_text(&source, " ~ 1"), PL_OK);
    assert_int_equal(pl_bytes_text(&source, " }}"), PL_OK);
    assert_int_equal(pl_jinja_compile(&j, source.data, "w"), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "more than 2000 parts"));

    pl_bytes_clear(&source);
    for (int i = 0; i < 200; i++) assert_int_equal(pl_bytes_text(&source, "{% if 1 %}"), PL_OK);
    assert_int_equal(pl_jinja_compile(&j, source.data, "w"), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "nested deeper"));

    pl_bytes_clear(&source);
    assert_int_equal(pl_bytes_text(&source, "{{ x"), PL_OK);
    for (int i = 0; i < 40; i++) assert_int_equal(pl_bytes_text(&source, "|replace('a', 'aaaaaaaa')"), PL_OK);
    assert_int_equal(pl_bytes_text(&source, " }}"), PL_OK);
    assert_int_equal(pl_jinja_compile(&j, source.data, "w"), PL_OK);
    json_t *item = json_pack("{s:s}", "x", "aaaaaaaaaa");
    assert_int_equal(pl_jinja_render(j, item, &out), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "grew beyond"));
    json_decref(item);
    pl_jinja_free(j);

    /* Loops inside of loops. */
    pl_bytes_clear(&source);
    for (int i = 0; i < 3; i++)
        OK(pl_bytes_text(&source, i ? "{% for x in l %}" : "{% set l = range(1000)|list %}{% for x in l %}"));
    for (int i = 0; i < 3; i++) OK(pl_bytes_text(&source, "{% endfor %}"));
    OK(pl_jinja_compile(&j, source.data, "w"));
    item = json_object();
    REFUSED(pl_jinja_render(j, item, &out), PL_E_INPUT, "one rendering took more than 5000000 steps");
    json_decref(item);
    pl_jinja_free(j);

    /* No text is too long, but those of one rendering are together. */
    pl_bytes long_text = {0};
    for (int i = 0; i < 10000; i++) OK(pl_bytes_text(&long_text, "ten bytes "));
    pl_bytes_clear(&source);
    OK(pl_bytes_text(&source, "{{ (x"));
    for (int i = 0; i < 170; i++) OK(pl_bytes_text(&source, " ~ x"));
    OK(pl_bytes_text(&source, ")[0] }}"));
    OK(pl_jinja_compile(&j, source.data, "w"));
    item = json_pack("{s:s}", "x", long_text.data);
    REFUSED(pl_jinja_render(j, item, &out), PL_E_INPUT, "the texts of one rendering grew beyond 16777216 bytes");
    json_decref(item);
    pl_bytes_free(&long_text);
    pl_jinja_free(j);
    pl_bytes_free(&source);
    pl_bytes_free(&out);
}

static void test_value_keeps_its_type(void **state)
{
    (void)state;
    static const struct {
        const char *source, *json;
    } cases[] = {
        {"{{ label }}", "1"},
        {"{{ label }} ", "\"1 \""},
        {"{{ [a, 'b'] }}", "[\"x\", \"b\"]"},
        {"{{ a }}", "\"x\""},
        {"plain", "\"plain\""},
        {"{{ label == 1 }}", "true"},
        {"{{ (a, [label, (1,)]) }}", "[\"x\", [1, [1]]]"},
        {"{{ [a]|map('upper')|list }}", "[\"X\"]"},
        {"{{ {'k': a} }}", "{\"k\": \"x\"}"},
        {"{% set y = label %}{{ y }}", "\"1\""},
        {"{# c #}{{ a }}", "\"x\""},
        {"", "\"\""},
    };
    json_t *item = json_pack("{s:i, s:s}", "label", 1, "a", "x");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_jinja *j;
        json_t *found, *expected = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        assert_int_equal(pl_jinja_compile(&j, cases[i].source, "w"), PL_OK);
        assert_int_equal(pl_jinja_value(j, item, &found), PL_OK);
        if (!json_equal(found, expected)) fail_msg("%s", cases[i].source);
        json_decref(found);
        json_decref(expected);
        pl_jinja_free(j);
    }
    json_decref(item);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_jinja2),
        cmocka_unit_test(test_agrees_on_cases_of_readers),
        cmocka_unit_test(test_names_what_is_outside),
        cmocka_unit_test(test_names_what_the_item_lacks),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_value_keeps_its_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
