/* exact_match against lm-evaluation-harness, and Python's regular expressions against Python (make_exact_match.py). */
#include "tests.h"

#include "base/json.h"
#include "base/yaml.h"
#include "task/exact_match.h"
#include "task/filter.h"
#include "task/python_regex.h"

#define GOLDEN PLUMB_SOURCE_DIR "/tests/golden/task/exact_match.json"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void test_as_lm_eval_has_it(void **state)
{
    (void)state;
    json_t *golden, *one;
    size_t i, n_true = 0;
    OK(pl_json_read(&golden, GOLDEN, 1 << 20));
    json_array_foreach(json_object_get(golden, "cases"), i, one)
    {
        /* JSON is YAML. */
        char *flags = json_dumps(json_object_get(one, "flags"), 0);
        pl_yaml *doc;
        pl_exact_match *metric;
        bool equal;
        json_t *back;
        OK(pl_yaml_parse(&doc, flags, strlen(flags), "flags"));
        OK(pl_exact_match_make(&metric, pl_yaml_root(doc)));
        const char *a = text_of(one, "prediction"), *b = text_of(one, "reference");
        OK(pl_exact_match_is(metric, &equal, a, strlen(a), b));
        bool expected = json_is_true(json_object_get(one, "exact_match"));
        if (equal != expected) fail_msg("'%s' and '%s' under %s: %d", a, b, flags, equal);
        n_true += expected;
        OK(pl_exact_match_flags(metric, &back));
        if (json_array_size(json_object_get(json_object_get(one, "flags"), "regexes_to_ignore")) > 0)
            assert_true(json_equal(back, json_object_get(one, "flags")));
        json_decref(back);
        pl_exact_match_free(metric);
        pl_yaml_free(doc);
        free(flags);
    }
    assert_true(i > 300 && n_true > 30 && n_true < i - 30);
    json_decref(golden);
}

static void test_expressions_as_python_has_them(void **state)
{
    (void)state;
    json_t *golden, *one, *text;
    size_t i, k;
    OK(pl_json_read(&golden, GOLDEN, 1 << 20));
    const json_t *texts = json_object_get(golden, "texts");
    json_array_foreach(json_object_get(golden, "removed"), i, one)
    {
        pl__python_regex *regex;
        OK(pl__python_regex_compile(&regex, text_of(one, "pattern"), "w"));
        json_array_foreach(texts, k, text)
        {
            pl_bytes left = {0};
            const json_t *expected = json_array_get(json_object_get(one, "left"), k);
            OK(pl__python_regex_remove(regex, &left, json_string_value(text), json_string_length(text)));
            if (left.size != json_string_length(expected) ||
                (left.size && memcmp(left.data, json_string_value(expected), left.size) != 0))
                fail_msg("%s on text %zu leaves '%s', expected '%s'", text_of(one, "pattern"), k,
                         left.size ? left.data : "", json_string_value(expected));
            pl_bytes_free(&left);
        }
        pl__python_regex_free(regex);
    }
    json_array_foreach(json_object_get(golden, "refused"), i, one)
    {
        pl__python_regex *regex;
        pl_status status = pl__python_regex_compile(&regex, json_string_value(one), "w: key");
        if (status == PL_OK) fail_msg("%s is taken", json_string_value(one));
        assert_null(regex);
        assert_non_null(strstr(pl_error_text(), "w: key"));
        assert_non_null(strstr(pl_error_text(), json_string_value(one)));
    }
    json_decref(golden);
}

static void test_filters_as_lm_eval_has_them(void **state)
{
    (void)state;
    json_t *golden, *one, *answer;
    size_t i, k;
    OK(pl_json_read(&golden, GOLDEN, 1 << 20));
    json_array_foreach(json_object_get(golden, "filtered"), i, one)
    {
        char *steps = json_dumps(json_object_get(one, "filter"), 0);
        pl_bytes text = {0};
        pl_yaml *doc;
        pl_filter *filter;
        OK(pl_bytes_format(&text, "[{\"name\": \"f\", \"filter\": %s}]", steps));
        OK(pl_yaml_parse(&doc, text.data, text.size, "filters"));
        OK(pl_filter_make(&filter, pl_yaml_root(doc), NULL));
        assert_string_equal(pl_filter_name(filter), "f");
        assert_true(json_equal(pl_filter_json(filter), json_object_get(one, "filter")));
        json_array_foreach(json_object_get(golden, "answers"), k, answer)
        {
            pl_bytes out = {0};
            OK(pl_filter_apply(filter, &out, json_string_value(answer), json_string_length(answer)));
            const char *expected = json_string_value(json_array_get(json_object_get(one, "out"), k));
            if (strcmp(out.data, expected) != 0)
                fail_msg("%s makes '%s' of '%s', expected '%s'", steps, out.data, json_string_value(answer), expected);
            pl_bytes_free(&out);
        }
        pl_filter_free(filter);
        pl_yaml_free(doc);
        pl_bytes_free(&text);
        free(steps);
    }
    assert_true(i > 8);
    json_decref(golden);
}

/* A pattern that would take for ever stops with an error, not with the machine. */
static void test_hostile_patterns(void **state)
{
    (void)state;
    pl__python_regex *regex;
    pl_bytes left = {0};
    char text[64];
    memset(text, 'a', sizeof text);
    OK(pl__python_regex_compile(&regex, "(a|aa)+$", "w"));
    text[sizeof text - 1] = 'c';
    REFUSED(pl__python_regex_remove(regex, &left, text, sizeof text), PL_E_INPUT, "w: regular expression:");
    pl__python_regex_free(regex);
    pl_bytes_free(&left);
    char longest[5000];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = 0;
    REFUSED(pl__python_regex_compile(&regex, longest, "w"), PL_E_INPUT, "bytes, expected at most");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_lm_eval_has_it),
        cmocka_unit_test(test_expressions_as_python_has_them),
        cmocka_unit_test(test_filters_as_lm_eval_has_them),
        cmocka_unit_test(test_hostile_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
