/* RFC 4648, section 10, and lengths around a step of the encoder. */
#include "tests.h"

#include "base/base64.h"

static void test_vectors(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_bytes out = {0};
        OK(pl_base64(&out, cases[i][0], strlen(cases[i][0])));
        assert_string_equal(out.size ? out.data : "", cases[i][1]);
        pl_bytes_clear(&out);
        OK(pl_base64_read(&out, cases[i][1], strlen(cases[i][1]), "here"));
        assert_string_equal(out.data, cases[i][0]);
        pl_bytes_free(&out);
    }
}

/* Only the end has padding, and every character is of the alphabet. */
static void test_long(void **state)
{
    (void)state;
    static unsigned char data[3000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 7);
    for (size_t n = 760; n < 780; n++) {
        pl_bytes out = {0};
        OK(pl_base64(&out, data, n));
        size_t padding = (3 - n % 3) % 3;
        assert_int_equal(out.size, (n + 2) / 3 * 4);
        assert_int_equal(strspn(out.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
                         out.size - padding);
        pl_bytes back = {0};
        OK(pl_base64_read(&back, out.data, out.size, "here"));
        assert_int_equal(back.size, n);
        assert_memory_equal(back.data, data, n);
        pl_bytes_free(&back);
        pl_bytes_free(&out);
    }
}

/* 22 and 23 digits make as many bytes as are reserved for 20: a NUL behind them would be one too many. */
#define DIGITS "AAAAAAAAAAAAAAAAAAAA"

static void test_wrong(void **state)
{
    (void)state;
    static const char *const cases[] = {"Z",    "Zg",     "Zg=",  "Zh==",     "Zg===",     "Z===",      "Zm9=",
                                        "Zm8 ", "Zm\n8=", "=Zm8", "Zg==Zg==", DIGITS "AA", DIGITS "AAA"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_bytes out = {0};
        REFUSED(pl_base64_read(&out, cases[i], strlen(cases[i]), "here"), PL_E_INPUT, "here: not base64: ");
        pl_bytes_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_long),
                                       cmocka_unit_test(test_wrong)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
