/* JSON: places in errors, canonical bytes, typed look-ups, atomic files. */
#include "tests.h"

#include "base/file.h"
#include "base/json.h"

static void test_parse_errors_name_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "w:"},
        {"{\"a\": 1,\n \"b\": }", "w:2:7: not valid JSON"},
        {"{\"a\": 1, \"a\": 2}", "duplicate"},
        {"[1] x", "w:1:"},
        {"[\"\xff\"]", "w:1:"},
        {"[1e999]", "overflow"},
        {"[NaN]", "w:1:"},
        {"<html>", "w: a web page"},
        {"\x1f\x8b", "w: compressed (gzip)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *value;
        assert_int_equal(pl_json_parse(&value, cases[i].text, strlen(cases[i].text), "w"), PL_E_INPUT);
        assert_null(value);
        if (!strstr(pl_error_text(), cases[i].message)) fail_msg("'%s' gives: %s", cases[i].text, pl_error_text());
    }
    /* Nesting is bounded by the parser. */
    char *deep = malloc(100000);
    json_t *value;
    memset(deep, '[', 100000);
    assert_int_equal(pl_json_parse(&value, deep, 100000, "w"), PL_E_INPUT);
    free(deep);
}

/* What transformers writes for "no limit", hashes of 64 bits without a sign, and what only looks like them. */
static void test_integers_beyond_64_bits(void **state)
{
    (void)state;
    static const struct {
        const char *text, *plain, *wide;
    } cases[] = {
        {"{\"m\": 1000000000000000019884624838656}", "{\"m\": 1e30}",
         "{\"m\": \"\\u00001000000000000000019884624838656\"}"},
        {"[18446744073709551615,-9223372036854775809,9223372036854775807,-9223372036854775808]",
         "[18446744073709551616.0,-9223372036854775808.0,9223372036854775807,-9223372036854775808]",
         "[\"\\u000018446744073709551615\",\"\\u0000-9223372036854775809\",9223372036854775807,-9223372036854775808]"},
        {"[9223372036854775808, \"9223372036854775808\", \"\\\"9223372036854775808\", 12345678901234567890e-1,"
         "92233720368547758080.5]",
         "[9223372036854775808.0, \"9223372036854775808\", \"\\\"9223372036854775808\", 1234567890123456789.0, "
         "92233720368547758080.5]",
         "[\"\\u00009223372036854775808\", \"9223372036854775808\", \"\\\"9223372036854775808\", "
         "12345678901234567890e-1,"
         "92233720368547758080.5]"},
        {"99999999999999999999", "1e20", "\"\\u000099999999999999999999\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *value, *expected = json_loads(cases[i].plain, JSON_DECODE_ANY, NULL);
        bool wide = false;
        OK(pl_json_parse(&value, cases[i].text, strlen(cases[i].text), "w"));
        assert_true(json_equal(value, expected));
        json_decref(value);
        json_decref(expected);
        expected = json_loads(cases[i].wide, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        OK(pl_json_parse_wide(&value, &wide, cases[i].text, strlen(cases[i].text), "w", 1));
        assert_true(wide && json_equal(value, expected));
        json_decref(value);
        json_decref(expected);
    }
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"[00000000000000000000001]", "not valid JSON"},   {"[99999999999999999999+1]", "not valid JSON"},
        {"[99999999999999999999, \"\\u0000\"]", "U+0000"}, {"[99999999999999999999, \"open", "not valid JSON"},
        {"[99999999999999999999, \"\\", "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *value;
        bool wide;
        REFUSED(pl_json_parse_wide(&value, &wide, bad[i].text, strlen(bad[i].text), "w", 5), PL_E_INPUT,
                bad[i].message);
        assert_null(value);
    }
    json_t *value;
    bool wide = true;
    OK(pl_json_parse_wide(&value, &wide, "[\"\\u00001\", 1]", 14, "w", 1));
    assert_false(wide);
    json_decref(value);
}

static void test_canonical_bytes(void **state)
{
    (void)state;
    json_t *a, *b;
    pl_bytes x = {0}, y = {0};
    static const char first[] = "{\"b\": [1, 0.1, null], \"a\": {\"z\": true, \"y\": \"\\u00e9\"}}";
    static const char second[] = " {\"a\":{\"y\":\"\xc3\xa9\", \"z\":true},\n\"b\":[1,1e-1,null]}";
    assert_int_equal(pl_json_parse(&a, first, strlen(first), "w"), PL_OK);
    assert_int_equal(pl_json_parse(&b, second, strlen(second), "w"), PL_OK);
    assert_int_equal(pl_json_canonical(&x, a), PL_OK);
    assert_int_equal(pl_json_canonical(&y, b), PL_OK);
    assert_string_equal(x.data, y.data);
    assert_string_equal(x.data, "{\"a\":{\"y\":\"\xc3\xa9\",\"z\":true},\"b\":[1,0.10000000000000001,null]}");
    pl_bytes_free(&x);
    pl_bytes_free(&y);
    json_decref(a);
    json_decref(b);
}

static void test_look_ups(void **state)
{
    (void)state;
    json_t *o = json_pack("{s:s, s:i, s:f, s:b, s:n, s:i}", "t", "x", "i", 5, "r", 0.5, "b", 1, "n", "neg", -1);
    const char *text = "default";
    size_t size = 7;
    double real = 1.5;
    bool truth = false;
    assert_int_equal(pl_json_get_text(&text, o, "none", "w"), PL_OK);
    assert_int_equal(pl_json_get_text(&text, o, "n", "w"), PL_OK);
    assert_string_equal(text, "default");
    assert_int_equal(pl_json_get_text(&text, o, "t", "w"), PL_OK);
    assert_string_equal(text, "x");
    assert_int_equal(pl_json_get_text(&text, o, "i", "w"), PL_E_INPUT);
    assert_string_equal(pl_error_text(), "w: i: expected a text, found an integer");
    assert_int_equal(pl_json_get_size(&size, o, "none", "w"), PL_OK);
    assert_int_equal(size, 7);
    assert_int_equal(pl_json_get_size(&size, o, "i", "w"), PL_OK);
    assert_int_equal(size, 5);
    assert_int_equal(pl_json_get_size(&size, o, "neg", "w"), PL_E_INPUT);
    assert_int_equal(pl_json_get_size(&size, o, "r", "w"), PL_E_INPUT);
    assert_int_equal(pl_json_get_real(&real, o, "r", "w"), PL_OK);
    assert_true(real == 0.5);
    assert_int_equal(pl_json_get_real(&real, o, "i", "w"), PL_OK);
    assert_true(real == 5);
    assert_int_equal(pl_json_get_real(&real, o, "t", "w"), PL_E_INPUT);
    assert_int_equal(pl_json_get_bool(&truth, o, "b", "w"), PL_OK);
    assert_true(truth);
    assert_int_equal(pl_json_get_bool(&truth, o, "i", "w"), PL_E_INPUT);
    json_decref(o);
}

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/plumb_json_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    json_t *value = json_pack("{s:i, s:[i]}", "b", 1, "a", 2), *back;
    assert_int_equal(pl_json_write(path, value), PL_OK);
    pl_bytes text;
    assert_int_equal(pl_file_read(&text, path, 1000), PL_OK);
    assert_string_equal(text.data, "{\n  \"b\": 1,\n  \"a\": [\n    2\n  ]\n}\n");
    pl_bytes_free(&text);
    assert_int_equal(pl_json_read(&back, path, 1000), PL_OK);
    assert_true(json_equal(value, back));
    json_decref(back);
    assert_int_equal(pl_json_read(&back, path, 5), PL_E_INPUT);
    assert_null(back);
    json_decref(value);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_errors_name_their_place),
        cmocka_unit_test(test_integers_beyond_64_bits),
        cmocka_unit_test(test_canonical_bytes),
        cmocka_unit_test(test_look_ups),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
