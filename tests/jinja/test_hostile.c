/* Templates that would hang, fill memory or overflow the stack: values of shared parts, deep values, and texts that are
 * gone over again and again. Task and chat templates alike, each within a second of processor time (ten where each
 * access to memory is checked). What counts steps is tried with a tenth of them in a tenth of the time, a few
 * of each kind with all. */
#include "tests.h"

#include <time.h>

#include "base/json.h"
#include "jinja/tree.h"

#define DOUBLE(name)     "{% set " name " = [" name ", " name "] %}"
#define DOUBLES_5(name)  DOUBLE(name) DOUBLE(name) DOUBLE(name) DOUBLE(name) DOUBLE(name)
#define DOUBLES_15(name) "{% set " name " = [1] %}" DOUBLES_5(name) DOUBLES_5(name) DOUBLES_5(name)
#define TURNS(body)      "{% for turn in range(500) %}" body "{% endfor %}"

#ifdef __SANITIZE_ADDRESS__
enum { MOST_SECONDS = 10 };
#else
enum { MOST_SECONDS = 1 };
#endif

enum { PART = 10 };
static const char STEPS[] = "one rendering took more than 500000 steps";
static const char ALL_STEPS[] = "one rendering took more than 5000000 steps";
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

static pl_status render(const char *source, bool is_chat, size_t most_steps, pl_bytes *out)
{
    pl_jinja *j;
    bool refused;
    json_t *item = item_of_test();
    assert_int_equal(is_chat ? pl_jinja_compile_chat(&j, source, "where") : pl_jinja_compile(&j, source, "where"),
                     PL_OK);
    assert_int_equal(j->most_steps, PL__JINJA_MAX_STEPS);
    j->most_steps = most_steps;
    json_t *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", "q");
    const pl_jinja_chat chat = {.names = item, .messages = messages, .asks = true, .date = "2024-07-26"};
    pl_status status = is_chat ? pl_jinja_render_chat(j, &chat, out, &refused) : pl_jinja_render(j, item, out);
    pl_jinja_free(j);
    json_decref(item);
    json_decref(messages);
    return status;
}

/* With 1/part of the steps, in 1/part of the time. */
static void refuse_part(const char *source, const char *place, const char *message, int part)
{
    for (int is_chat = 0; is_chat < 2; is_chat++) {
        pl_bytes out = {0};
        double begin = seconds();
        pl_status status = render(source, is_chat, (size_t)(PL__JINJA_MAX_STEPS / part), &out);
        double took = seconds() - begin;
        if (status != PL_E_INPUT || !strstr(pl_error_text(), message) || !strstr(pl_error_text(), place))
            fail_msg("'%.400s' gives %s: %s", source, pl_status_text(status), pl_error_text());
        if (took * part > MOST_SECONDS) fail_msg("'%.400s' took %.2f s", source, took);
        assert_int_equal(out.size, 0);
        pl_bytes_free(&out);
    }
}

/* Where the steps are what is too much, the part; bytes and depth have their limits as they are. */
static void refuse(const char *source, const char *place, const char *message)
{
    refuse_part(source, place, message, message == STEPS ? PART : 1);
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
        {DOUBLES_15("x") DOUBLES_15("y") "\n" TURNS("{% set z = [x, y] | sort %}"), "where: template 2:", STEPS},
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
    assert_int_equal(render(DOUBLES_15("x") "\n{{ x | tojson(indent=64) }}", true, PL__JINJA_MAX_STEPS, &out),
                     PL_E_INPUT);
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

/* Each letter of a long text, again and again: what takes long for a letter, and many names. */
#define EACH(expression)                                                                                               \
    "{% set t = text * 40 %}\n{% for i in range(99999) %}{% if " expression " %}{% endif %}{% endfor %}"
static void test_letters(void **state)
{
    (void)state;
    static const struct {
        const char *source, *message;
    } cases[] = {
        {EACH("t | trim('a')"), STEPS},
        {EACH("t.strip('a')"), STEPS},
        {EACH("t | wordcount"), STEPS},
        {EACH("t.count('ab')"), STEPS},
        {EACH("t[-1]"), STEPS},
        {EACH("t.isalpha()"), STEPS},
        {EACH("t.rfind('b')"), STEPS},
        {EACH("'b' in t"), STEPS},
        {EACH("t == text"), STEPS},
        {EACH("t.strip('abcdefghijklmnopqrstuvwxyz')"), STEPS},
        {EACH("t | title | length"), GROWTH},
        {EACH("t[::100]"), GROWTH},
        {EACH("t.splitlines()"), GROWTH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i].source, "where: template 2:", cases[i].message);
    refuse("{% set t = range(100000) | list %}\n{% for i in range(99999) %}{% if t | sum %}{% endif %}{% endfor %}",
           "where: template 2:", STEPS);
    refuse("{% set t = [text * 40] %}\n{% for i in range(99999) %}{% if '%.1s' % (t,) %}{% endif %}{% endfor %}",
           "where: template 2:", STEPS);
    refuse("{% set t = [[1, 2.5]] * 9999 %}\n{% for i in range(99999) %}{% if t | tojson %}{% endif %}{% endfor %}",
           "where: template 2:", STEPS);
    pl_bytes source = {0};
    for (int i = 0; i < 2000; i++) OK(pl_bytes_format(&source, "{%% set a%d = 1 %%}", i));
    OK(pl_bytes_text(&source, "\n{% for i in range(99999) %}{{ a0 is defined }}{% endfor %}"));
    refuse(source.data, "where: template 2:", STEPS);
    pl_bytes_clear(&source);
    OK(pl_bytes_text(&source,
                     "{% for i in range(2) %}{% if i > 2 %}{% for x in [1] %}")); /* names undefined at first */
    for (int i = 0; i < 7000; i++) OK(pl_bytes_format(&source, "{{ a%d }}", i));
    OK(pl_bytes_text(&source, "{% endfor %}{% endif %}\n"));
    for (int i = 0; i < 7000; i++) OK(pl_bytes_format(&source, "{%% set a%d = 1 %%}", i));
    OK(pl_bytes_text(&source, "{% endfor %}"));
    refuse(source.data, "where: template 2:", STEPS);
    pl_bytes_free(&source);
}

/* With all steps that a rendering has. */
static void test_within_a_second(void **state)
{
    (void)state;
    static const char *const sources[] = {
        EACH("t | trim('a')"),
        DOUBLES_15("x") DOUBLES_15("y") "\n" TURNS("{% if x == y %}{% endif %}"),
        "\n{% for i in range(99999) %}{% for j in [1, 2, 3, 4] * 9 %}{% if i + j > i * j and not loop.first %}"
        "{% endif %}{% endfor %}{% endfor %}",
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        refuse_part(sources[i], "where: template 2:", ALL_STEPS, 1);
}

/* Bodies that are run elsewhere: what they call again, and what they set. */
static void test_bodies_of_others(void **state)
{
    (void)state;
    refuse("\n{% for x in [1] * 50 recursive %}{{ loop([1] * 50) }}{% endfor %}",
           "where: template 2:", "loops call one another deeper than 100 levels");
    refuse("\n{% for x in [[[[1] * 30] * 30] * 30] * 30 recursive %}{% if x is iterable %}{{ loop(x) }}{% endif %}{% "
           "endfor %}",
           "where: template 2:", STEPS);
    refuse(
        "{% macro f(n) %}{{ caller(n) }}{{ caller(n) }}{% endmacro %}\n"
        "{% macro g(n) %}{% call(m) f(n - 1) %}{% if m %}{{ g(m) }}{% endif %}{% endcall %}{% endmacro %}{{ g(30) }}",
        "where: template 2:", STEPS);
    refuse(
        "{% macro f() %}{{ caller() }}{% endmacro %}\n{% for a in range(9) %}{% for b in range(99999) %}{% call f() %}"
        "{% set x = [b] %}{% endcall %}{% endfor %}{% endfor %}",
        "where: template 2:", STEPS);
    refuse("\n{% for a in range(99) %}{% filter upper %}{{ text }}{{ text }}{% endfilter %}{% endfor %}",
           "where: template 2:", GROWTH);
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
                  is_chat, PL__JINJA_MAX_STEPS, &out));
        assert_string_equal(out.data, "1000 62000");
        pl_bytes_clear(&out);
        OK(render("{% set ns = namespace(x=[1]) %}{% for i in range(199) %}{% set ns.x = [ns.x] %}{% endfor %}"
                  "{{ ns.x | tojson | length }}",
                  is_chat, PL__JINJA_MAX_STEPS, &out));
        assert_string_equal(out.data, "401");
        pl_bytes_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_parts),     cmocka_unit_test(test_json_is_bounded_while_it_is_written),
        cmocka_unit_test(test_deep_values),      cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_what_prompts_use), cmocka_unit_test(test_letters),
        cmocka_unit_test(test_within_a_second),  cmocka_unit_test(test_bodies_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
