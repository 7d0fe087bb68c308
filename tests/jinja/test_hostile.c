/* Templates that would hang, fill memory or overflow the stack: values of shared parts, deep values, and texts that are
 * gone over again and again. Task and chat templates alike, each within a second of processor time (ten where each
 * access to memory is checked). */
#include "tests.h"

#include <time.h>

#include "base/json.h"
#include "jinja/jinja.h"

#define DOUBLE(name)     "{% set " name " = [" name ", " name "] %}"
#define DOUBLES_5(name)  DOUBLE(name) DOUBLE(name) DOUBLE(name) DOUBLE(name) DOUBLE(name)
#define DOUBLES_15(name) "{% set " name " = [1] %}" DOUBLES_5(name) DOUBLES_5(name) DOUBLES_5(name)
#define TURNS(body)      "{% for turn in range(500) %}" body "{% endfor %}"

#ifdef __SANITIZE_ADDRESS__
enum { MOST_SECONDS = 10 };
#else
enum { MOST_SECONDS = 1 };
#endif

static const char STEPS[] = "one rendering took more than 5000000 steps";
static const char GROWTH[] = "the texts of one rendering grew beyond 16777216 bytes";
static const char DEPTH[] = "a value of lists or objects inside of one another, deeper than 200 levels";

static json_t *item_of_test(void)
{
    static char text[100001];
    memset(text, 'a', sizeof text - 1);
    json_t *x = json_pack("[i]", 1);
    return json_pack("{s:o, s:s, s:[s, s, s]}", "x", x, "text", text, "texts", text, text, text);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static pl_status render(const char *source, bool is_chat, pl_bytes *out)
{
    pl_jinja *j;
    bool refused;
    json_t *item = item_of_test();
    assert_int_equal(is_chat ? pl_jinja_compile_chat(&j, source, "where") : pl_jinja_compile(&j, source, "where"),
                     PL_OK);
    const pl_jinja_chat chat = {.names = item, .date = "2024-07-26"};
    pl_status status = is_chat ? pl_jinja_render_chat(j, &chat, out, &refused) : pl_jinja_render(j, item, out);
    pl_jinja_free(j);
    json_decref(item);
    return status;
}

static void refuse(const char *source, const char *place, const char *message)
{
    for (int is_chat = 0; is_chat < 2; is_chat++) {
        pl_bytes out = {0};
        double begin = seconds();
        pl_status status = render(source, is_chat, &out);
        double took = seconds() - begin;
        if (status != PL_E_INPUT || !strstr(pl_error_text(), message) || !strstr(pl_error_text(), place))
            fail_msg("'%.400s' gives %s: %s", source, pl_status_text(status), pl_error_text());
        if (took > MOST_SECONDS) fail_msg("'%.400s' took %.2f s", source, took);
        assert_int_equal(out.size, 0);
        pl_bytes_free(&out);
    }
}

/* Parts that stand in a value many times are counted each time they are met. */
static void test_shared_parts(void **state)
{
    (void)state;
    const struct {
        const char *source, *place, *message;
    } cases[] = {
        {"{% set ns = namespace(x=[1]) %}\n{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}",
         "where: template 2:", STEPS},
        {DOUBLES_15("x") "\n" DOUBLES_5("x") DOUBLES_5("x") DOUBLES_5("x") "{{ x | tojson }}",
         "where: template 2:", STEPS},
        /* Two values of the same shape, none a part of the other. */
        {DOUBLES_15("x") DOUBLES_15("y") "\n" TURNS("{% if x == y %}{% endif %}"), "where: template 2:", STEPS},
        {DOUBLES_15("x") DOUBLES_15("y") "\n" TURNS("{% if [x] in [[y]] %}{% endif %}"), "where: template 2:", STEPS},
        {DOUBLES_15("x") DOUBLES_15("y") "\n" TURNS("{% if x < y %}{% endif %}"), "where: template 2:", STEPS},
        {DOUBLES_15("x") DOUBLES_15("y") "\n" TURNS("{% set z = [[x, y] | sort, [x, y] | unique | list] %}"),
         "where: template 2:", STEPS},
        {DOUBLES_15("x") DOUBLES_15("y") "\n" TURNS("{{ [x].count(y) }}{{ [x].index(y) }}"),
         "where: template 2:", STEPS},
        {"{% set ns = namespace(x=1) %}" DOUBLES_15("x") "\n" TURNS("{% set ns.x = x %}"), "where: template 2:", STEPS},
        {DOUBLES_15("x") "\n" TURNS("{{ '%.0s' % [x] }}"), "where: template 2:", STEPS},
        {DOUBLES_15("x") "\n" TURNS("{{ ([(x, x)] | tojson)[:0] }}"), "where: template 2:", STEPS},
        {"{% macro f(a) %}{% endmacro %}" DOUBLES_15("x") "\n" TURNS("{{ f([x]) }}"), "where: template 2:", STEPS},
        /* What is written is bounded while it is written. */
        {"{% set x = [text] %}" DOUBLES_5("x") DOUBLES_5("x") "\n{{ x | string }}", "where: template 2:", GROWTH},
        {"{% set x = [text] %}" DOUBLES_5("x") DOUBLES_5("x") "\n{{ x | tojson }}", "where: template 2:", GROWTH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refuse(cases[i].source, cases[i].place, cases[i].message);
}

/* Written with 64 blanks a level, 16 levels deep: only chat templates indent. */
static void test_json_is_bounded_while_it_is_written(void **state)
{
    (void)state;
    pl_bytes out = {0};
    double begin = seconds();
    assert_int_equal(render(DOUBLES_15("x") "\n{{ x | tojson(indent=64) }}", true, &out), PL_E_INPUT);
    assert_true(seconds() - begin < MOST_SECONDS);
    assert_non_null(strstr(pl_error_text(), "where: template 2:"));
    assert_non_null(strstr(pl_error_text(), GROWTH));
    pl_bytes_free(&out);
}

/* What walks over a value or frees it goes as deep as it is. */
static void test_deep_values(void **state)
{
    (void)state;
    pl_bytes source = {0};
    for (int i = 0; i < 80000; i++) OK(pl_bytes_text(&source, "{%set x=[x]%}"));
    assert_true(source.size < 1024 * 1024);
    refuse(source.data, "where: template 1:2", DEPTH);
    pl_bytes_free(&source);
    refuse("{% set ns = namespace(x=[1]) %}\n{% for i in range(80000) %}{% set ns.x = [ns.x] %}{% endfor %}",
           "where: template 2:", DEPTH);
    refuse("{% set ns = namespace(x={}) %}\n{% for i in range(80000) %}{% set ns.x = {'a': (ns.x,)} %}{% endfor %}",
           "where: template 2:", DEPTH);
    /* A list may hold a namespace, whose value grows behind the list's back. */
    refuse("{% set ns = namespace(x=[1]) %}{% set l = [ns] %}\n"
           "{% for i in range(80000) %}{% set ns.x = [l[0].x] %}{% endfor %}",
           "where: template 2:", DEPTH);
}

/* Few steps that each go over a long text, or a long list. */
static void test_long_values(void **state)
{
    (void)state;
    static const struct {
        const char *source, *message;
    } cases[] = {
        {"{% set t = text * 50 %}\n{% for i in range(99999) %}{% if t | length %}{% endif %}{% endfor %}", STEPS},
        {"{% set t = text * 20 %}{% set u = text * 19 ~ text[1:] ~ 'b' %}\n"
         "{% for i in range(99999) %}{% if [t] == [u] %}{% endif %}{% endfor %}",
         STEPS},
        {"{% set t = (text * 50,) %}\n{% for i in range(99999) %}{{ '%.0s' % t }}{% endfor %}", STEPS},
        {"{% set t = range(100000) | list %}\n{% for i in range(99999) %}{{ t | select('none') | join }}{% endfor %}",
         STEPS},
        {"{% set t = range(100000) | list %}\n{% for i in range(99999) %}{% if 'a' in t %}{% endif %}{% endfor %}",
         STEPS},
        {"{% set t = range(100000) | list %}\n{{ t | unique | list | length }}", STEPS},
        {"{% set t = text * 40 %}{% set u = 'b' ~ text * 20 %}\n{{ t.rfind(u) }}", STEPS},
        {"{% set t = text * 40 %}{% set u = 'b' ~ text * 20 %}\n{{ t.rsplit(u) | length }}", STEPS},
        {"{% set t = 'c' * 4000000 %}{% set u = text * 20 ~ 'c' %}\n{{ t.strip(u) }}", STEPS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i].source, "where: template 2:", cases[i].message);
}

/* A long chat that is gathered turn by turn, and a value as deep as may be. */
static void test_what_prompts_use(void **state)
{
    (void)state;
    for (int is_chat = 0; is_chat < 2; is_chat++) {
        pl_bytes out = {0};
        OK(render("{% set ns = namespace(turns=[]) %}{% for i in range(1000) %}"
                  "{% set ns.turns = ns.turns + [{'role': 'user', 'content': [{'type': 'text', 'text': 'a'}]}] %}"
                  "{% endfor %}{{ ns.turns | length }} {{ ns.turns | tojson | length }}",
                  is_chat, &out));
        assert_string_equal(out.data, "1000 62000");
        pl_bytes_clear(&out);
        OK(render("{% set ns = namespace(x=[1]) %}{% for i in range(199) %}{% set ns.x = [ns.x] %}{% endfor %}"
                  "{{ ns.x | tojson | length }}",
                  is_chat, &out));
        assert_string_equal(out.data, "401");
        pl_bytes_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_parts),     cmocka_unit_test(test_json_is_bounded_while_it_is_written),
        cmocka_unit_test(test_deep_values),      cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_what_prompts_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
