/* YAML: trees and places, typed scalars of the core schema, and everything that is refused with its place. */
#include "tests.h"

#include "base/environment.h"
#include "base/yaml.h"

static pl_yaml *parsed(const char *text)
{
    pl_yaml *doc;
    if (pl_yaml_parse(&doc, text, strlen(text), "f.yaml") != PL_OK) fail_msg("%s", pl_error_text());
    return doc;
}

static void test_tree_knows_its_places(void **state)
{
    (void)state;
    pl_yaml *doc =
        parsed("# comment\na: 1\nb:\n  - x\n  - 'y': \"é\"\n    z: |\n      one\n      two\nc: {d: [], e: {}}\n");
    const pl_yaml_node *root = pl_yaml_root(doc), *b = pl_yaml_get(root, "b"), *c = pl_yaml_get(root, "c");
    assert_int_equal(root->kind, PL_YAML_MAP);
    assert_int_equal(root->n, 3);
    assert_string_equal(root->keys[1]->text, "b");
    assert_int_equal(root->keys[1]->line, 3);
    assert_int_equal(root->keys[1]->column, 1);
    assert_int_equal(b->kind, PL_YAML_LIST);
    assert_int_equal(b->n, 2);
    assert_int_equal(b->items[0]->line, 4);
    assert_int_equal(b->items[0]->column, 5);
    assert_false(b->items[0]->quoted);
    const pl_yaml_node *y = pl_yaml_get(b->items[1], "y"), *z = pl_yaml_get(b->items[1], "z");
    assert_string_equal(y->text, "é");
    assert_true(y->quoted);
    assert_string_equal(z->text, "one\ntwo\n");
    assert_true(z->quoted);
    assert_int_equal(pl_yaml_get(c, "d")->n, 0);
    assert_int_equal(pl_yaml_get(c, "d")->kind, PL_YAML_LIST);
    assert_int_equal(pl_yaml_get(c, "e")->kind, PL_YAML_MAP);
    assert_null(pl_yaml_get(root, "none"));
    assert_null(pl_yaml_get(b, "a"));
    assert_string_equal(root->file, "f.yaml");
    pl_yaml_free(doc);
    static const char *const empty[] = {"", "# only\n", "---\n", "\xEF\xBB\xBF", "--- \n...\n"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        doc = parsed(empty[i]);
        assert_int_equal(pl_yaml_root(doc)->kind, PL_YAML_MAP);
        assert_int_equal(pl_yaml_root(doc)->n, 0);
        pl_yaml_free(doc);
    }
    doc = parsed("\xEF\xBB\xBF"
                 "a: 1");
    assert_non_null(pl_yaml_get(pl_yaml_root(doc), "a"));
    pl_yaml_free(doc);
    pl_yaml_free(NULL);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: key 'a' is already set on line 1"},
        {"{x: 1, \"x\": 2}", "f.yaml:1:8: key 'x' is already set on line 1"},
        {"a: &x 1\n", "f.yaml:1:4: anchor &x"},
        {"a: &x [1]\n", "anchor &x"},
        {"a: *x\n", "f.yaml:1:4: alias *x"},
        {"a: !function utils.f\n", "f.yaml:1:4: tag !function: Python functions are not run"},
        {"a: !!str 1\n", "tag tag:yaml.org,2002:str"},
        {"a: !x {b: 1}\n", "tag !x"},
        {"<<: {a: 1}\n", "merge keys (<<)"},
        {"a: 1\n---\nb: 2\n", "f.yaml:2:1: a second YAML document"},
        {"[a]: 1\n", "a key must be a single text, found a list"},
        {"? {a: 1}\n: 1\n", "a key must be a single text, found a map"},
        {"a: \"x\\0y\"\n", "the character \\0"},
        {"a: [1, 2\n", "f.yaml:2:1: not valid YAML"},
        {"a: 1\n b: 2\n", "f.yaml:2:"},
        {"\ta: 1\n", "f.yaml:1:"},
        {"a: \xff\n", "f.yaml: byte 3: not valid YAML"},
        {"a: \x01\n", "not valid YAML"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_yaml *doc;
        assert_int_equal(pl_yaml_parse(&doc, cases[i].text, strlen(cases[i].text), "f.yaml"), PL_E_INPUT);
        assert_null(doc);
        if (!strstr(pl_error_text(), cases[i].message)) fail_msg("'%s' gives: %s", cases[i].text, pl_error_text());
    }
}

static void test_limits(void **state)
{
    (void)state;
    pl_yaml *doc;
    enum { BIG = 5 * 1024 * 1024 };
    char *text = malloc(BIG);
    memset(text, '[', 100);
    assert_int_equal(pl_yaml_parse(&doc, text, 100, "f.yaml"), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "nested deeper than 64 levels"));
    memset(text, ' ', BIG);
    assert_int_equal(pl_yaml_parse(&doc, text, BIG, "f.yaml"), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "expected at most"));
    text[0] = '[';
    for (size_t i = 1; i < 600001; i++) text[i] = i % 2 ? '1' : ',';
    assert_int_equal(pl_yaml_parse(&doc, text, 600001, "f.yaml"), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "more than 200000 values"));
    free(text);
}

static void test_unknown_keys(void **state)
{
    (void)state;
    static const pl_yaml_key known[] = {{"models", "", ""}, {"tasks", "", ""}, {"seed", "", ""}, {NULL}};
    pl_yaml *doc = parsed("model: 1");
    assert_int_equal(pl_yaml_check_keys(pl_yaml_root(doc), known), PL_E_INPUT);
    assert_string_equal(pl_error_text(), "f.yaml:1:1: unknown key 'model'; did you mean 'models'?");
    pl_yaml_free(doc);
    doc = parsed("models: 1\nwhatever: 2");
    assert_int_equal(pl_yaml_check_keys(pl_yaml_root(doc), known), PL_E_INPUT);
    assert_string_equal(pl_error_text(), "f.yaml:2:1: unknown key 'whatever'; expected one of: models, tasks, seed");
    pl_yaml_free(doc);
    doc = parsed("tsaks: 1"); /* two letters changed places: distance 2 */
    assert_int_equal(pl_yaml_check_keys(pl_yaml_root(doc), known), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "did you mean 'tasks'?"));
    pl_yaml_free(doc);
    doc = parsed("sad: 1"); /* a short word two letters away is another word, not a slip */
    assert_int_equal(pl_yaml_check_keys(pl_yaml_root(doc), known), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "unknown key 'sad'; expected one of"));
    pl_yaml_free(doc);
    doc = parsed("seed: 1\nmodels: []");
    assert_int_equal(pl_yaml_check_keys(pl_yaml_root(doc), known), PL_OK);
    assert_int_equal(pl_yaml_check_keys(pl_yaml_get(pl_yaml_root(doc), "models"), known), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "f.yaml:2:9: expected a map of keys and values, found a list"));
    pl_yaml_free(doc);
}

/* The core schema, through JSON. */
static void test_core_schema(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"1", "1"},
        {"-0", "0"},
        {"+12", "12"},
        {"007", "7"},
        {"0o17", "15"},
        {"0x1F", "31"},
        {"1.5", "1.5"},
        {".5", "0.5"},
        {"1.", "1.0"},
        {"5e-5", "5e-5"},
        {"1E3", "1000.0"},
        {"-.5e+1", "-5.0"},
        {"true", "true"},
        {"False", "false"},
        {"yes", "\"yes\""},
        {"no", "\"no\""},
        {"null", "null"},
        {"~", "null"},
        {"", "null"},
        {"'1'", "\"1\""},
        {"\"\"", "\"\""},
        {"1_000", "\"1_000\""},
        {"0b1", "\"0b1\""},
        {"1e", "\"1e\""},
        {".", "\".\""},
        {"1 2", "\"1 2\""},
        {"[1, a, [~]]", "[1, \"a\", [null]]"},
        {"{k: {j: 1}}", "{\"k\": {\"j\": 1}}"},
        {"9223372036854775807", "9223372036854775807"},
        {"0x", "\"0x\""},
        {"-0x1", "\"-0x1\""},
        {"TRUE", "true"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100] = "k: ";
        pl_yaml *doc = parsed(strcat(text, cases[i].yaml));
        json_t *found, *expected = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        assert_non_null(expected);
        assert_int_equal(pl_yaml_to_json(&found, pl_yaml_get(pl_yaml_root(doc), "k")), PL_OK);
        if (!json_equal(found, expected)) fail_msg("%s", cases[i].yaml);
        json_decref(found);
        json_decref(expected);
        pl_yaml_free(doc);
    }
    static const char *const wrong[] = {"9223372036854775808", ".inf", "-.INF", ".nan", "1e999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        pl_yaml *doc = parsed(wrong[i]);
        json_t *found;
        assert_int_equal(pl_yaml_to_json(&found, pl_yaml_root(doc)), PL_E_INPUT);
        assert_null(found);
        pl_yaml_free(doc);
    }
}

static void test_typed_reads(void **state)
{
    (void)state;
    pl_yaml *doc = parsed("i: -5\nr: 2.5e-1\nb: true\nt: text\nq: '5'\nn:\nl: [1]\nh: 0x10\n");
    const pl_yaml_node *m = pl_yaml_root(doc);
    const char *text;
    size_t size;
    long long integer;
    double real;
    bool truth;
    assert_int_equal(pl_yaml_to_integer(&integer, pl_yaml_get(m, "i")), PL_OK);
    assert_int_equal(integer, -5);
    assert_int_equal(pl_yaml_to_size(&size, pl_yaml_get(m, "i")), PL_E_INPUT);
    assert_string_equal(pl_error_text(), "f.yaml:1:4: expected an integer of 0 or more, found '-5'");
    assert_int_equal(pl_yaml_to_size(&size, pl_yaml_get(m, "h")), PL_OK);
    assert_int_equal(size, 16);
    assert_int_equal(pl_yaml_to_real(&real, pl_yaml_get(m, "r")), PL_OK);
    assert_true(real == 0.25);
    assert_int_equal(pl_yaml_to_real(&real, pl_yaml_get(m, "h")), PL_OK);
    assert_true(real == 16);
    assert_int_equal(pl_yaml_to_real(&real, pl_yaml_get(m, "t")), PL_E_INPUT);
    assert_int_equal(pl_yaml_to_bool(&truth, pl_yaml_get(m, "b")), PL_OK);
    assert_true(truth);
    assert_int_equal(pl_yaml_to_bool(&truth, pl_yaml_get(m, "t")), PL_E_INPUT);
    assert_string_equal(pl_error_text(), "f.yaml:4:4: expected true or false, found 'text'");
    assert_int_equal(pl_yaml_to_integer(&integer, pl_yaml_get(m, "q")), PL_E_INPUT);
    assert_string_equal(pl_error_text(), "f.yaml:5:4: expected an integer, found the text \"5\"");
    assert_int_equal(pl_yaml_to_integer(&integer, pl_yaml_get(m, "r")), PL_E_INPUT);
    assert_int_equal(pl_yaml_to_text(&text, pl_yaml_get(m, "q")), PL_OK);
    assert_string_equal(text, "5");
    assert_int_equal(pl_yaml_to_text(&text, pl_yaml_get(m, "n")), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "expected a text (in quotes when it is empty), found nothing"));
    assert_int_equal(pl_yaml_to_text(&text, pl_yaml_get(m, "l")), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "found a list"));
    pl_yaml_free(doc);
}

static void test_paths_take_variables(void **state)
{
    (void)state;
    setenv("PLUMB_TEST_SET", "/data", 1);
    setenv("PLUMB_TEST_EMPTY", "", 1);
    unsetenv("PLUMB_TEST_UNSET");
    static const struct {
        const char *yaml, *path, *message;
    } cases[] = {
        {"${PLUMB_TEST_SET}/x", "/data/x", NULL},
        {"a${PLUMB_TEST_SET}b${PLUMB_TEST_SET}", "a/datab/data", NULL},
        {"${PLUMB_TEST_UNSET:-../data}/x", "../data/x", NULL},
        {"${PLUMB_TEST_EMPTY:-other}", "other", NULL},
        {"${PLUMB_TEST_SET:-other}", "/data", NULL},
        {"${PLUMB_TEST_UNSET:-}x", "x", NULL},
        {"$HOME/$x$", "$HOME/$x$", NULL},
        {"'x${PLUMB_TEST_EMPTY}'", "x", NULL},
        {"${PLUMB_TEST_UNSET}/x", NULL, "f.yaml:1:1: the environment variable PLUMB_TEST_UNSET is not set"},
        {"${PLUMB_TEST_SET", NULL, "'${' without '}'"},
        {"${}", NULL, "expected ${NAME}"},
        {"${1X}", NULL, "expected ${NAME}"},
        {"${A-B}", NULL, "expected ${NAME}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_yaml *doc = parsed(cases[i].yaml);
        pl_bytes path = {0};
        pl_status status = pl_yaml_to_path(&path, pl_yaml_root(doc));
        if (cases[i].path) {
            if (status != PL_OK) fail_msg("%s", pl_error_text());
            assert_string_equal(path.data, cases[i].path);
        } else {
            assert_int_equal(status, PL_E_INPUT);
            if (!strstr(pl_error_text(), cases[i].message)) fail_msg("'%s' gives: %s", cases[i].yaml, pl_error_text());
        }
        pl_bytes_free(&path);
        pl_yaml_free(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_knows_its_places),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_core_schema),
        cmocka_unit_test(test_typed_reads),
        cmocka_unit_test(test_paths_take_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
