/* JSON made key by key: what comes out, and that a mistake anywhere is the end's failure. */
#include "tests.h"

#include "base/json_build.h"

static void test_builds(void **state)
{
    (void)state;
    pl_json_builder b;
    json_t *made;
    pl_bytes text = {0};
    pl_json_begin(&b);
    pl_json_put_text(&b, "z", "last");
    pl_json_put_text(&b, "none", NULL);
    pl_json_put_bytes(&b, "cut", "abc", 2);
    pl_json_open_list(&b, "list");
    pl_json_put_integer(&b, NULL, -3);
    pl_json_open(&b, NULL);
    pl_json_put_bool(&b, "yes", true);
    pl_json_close(&b);
    pl_json_close(&b);
    pl_json_put_real(&b, "half", 0.5);
    pl_json_put_real(&b, "nan", 0.0 / 0.0);
    pl_json_put_size(&b, "n", 7);
    OK(pl_json_end(&b, &made, "a test"));
    OK(pl_json_canonical(&text, made));
    assert_int_equal(pl_bytes_text(&text, ""), PL_OK);
    static const char expected[] = "{\"cut\":\"ab\",\"half\":0.5,\"list\":[-3,{\"yes\":true}],\"n\":7,\"nan\":null,"
                                   "\"none\":null,\"z\":\"last\"}";
    assert_int_equal(text.size, sizeof expected - 1);
    assert_memory_equal(text.data, expected, text.size);
    pl_bytes_free(&text);
    json_decref(made);
}

static void fails(void (*wrong)(pl_json_builder *), pl_status code, const char *part)
{
    pl_json_builder b;
    json_t *made = NULL;
    pl_json_begin(&b);
    pl_json_put_integer(&b, "first", 1);
    wrong(&b);
    pl_json_put_integer(&b, "behind", 2);
    REFUSED(pl_json_end(&b, &made, "a test"), code, part);
    assert_null(made);
}

static void twice(pl_json_builder *b)
{
    pl_json_put_integer(b, "first", 2);
}

static void key_in_list(pl_json_builder *b)
{
    pl_json_open_list(b, "list");
    pl_json_put_null(b, "key");
    pl_json_close(b);
}

static void no_key(pl_json_builder *b)
{
    pl_json_put_null(b, NULL);
}

static void left_open(pl_json_builder *b)
{
    pl_json_open(b, "inside");
}

static void closed_too_often(pl_json_builder *b)
{
    pl_json_close(b);
}

static void not_utf8(pl_json_builder *b)
{
    pl_json_put_text(b, "bad", "\xff");
}

static void no_memory(pl_json_builder *b)
{
    pl_json_put(b, "lost", NULL);
}

static void test_keeps_the_first_failure(void **state)
{
    (void)state;
    fails(twice, PL_E_INTERNAL, "at first");
    fails(key_in_list, PL_E_INTERNAL, "at key");
    fails(no_key, PL_E_INTERNAL, "an element");
    fails(left_open, PL_E_INTERNAL, "left open");
    fails(closed_too_often, PL_E_INTERNAL, "a test");
    fails(not_utf8, PL_E_INTERNAL, "at bad");
    fails(no_memory, PL_E_MEMORY, "at lost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builds),
        cmocka_unit_test(test_keeps_the_first_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
