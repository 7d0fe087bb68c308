/* What reaches a terminal, a log or a table: control characters and what reorders text are shown, the rest is left. */
#include "tests.h"

#include "base/utf8.h"
#include "base/visible.h"

static void is_shown(const char *text, const char *expected)
{
    char out[256];
    pl_bytes bytes = {0};
    pl_visible_text(out, sizeof out, text);
    assert_string_equal(out, expected);
    OK(pl_visible_append(&bytes, text, strlen(text)));
    assert_string_equal(bytes.data ? bytes.data : "", expected);
    pl_bytes_free(&bytes);
}

static void test_forms(void **state)
{
    (void)state;
    is_shown("", "");
    is_shown("a \\ b 'ü' 漢字 🙂 \xC2\xA0", "a \\ b 'ü' 漢字 🙂 \xC2\xA0");
    is_shown("\x1b[31mred\x7f\t\r\n", "\\x1b[31mred\\x7f\\x09\\x0d\\x0a");
    is_shown("\xC2\x9B"
             "31m \xC2\x80",
             "\\u{009b}31m \\u{0080}");
    is_shown("\xE2\x80\xAE\xE2\x81\xA6\xE2\x80\x8F\xD8\x9C\xE2\x80\xA8",
             "\\u{202e}\\u{2066}\\u{200f}\\u{061c}\\u{2028}");
    is_shown("\xff\xC2 \xE2\x80 \xF0\x9F\x99", "\\xff\\xc2 \\xe2\\x80 \\xf0\\x9f\\x99"); /* no character */
    is_shown("\xC1\x9B \xED\xA0\x80", "\\xc1\\x9b \\xed\\xa0\\x80");                     /* overlong, half a pair */
}

/* Every character: only these are shown in another form. */
static void test_every_character(void **state)
{
    (void)state;
    size_t n_shown = 0;
    for (uint32_t c = 1; c < 0x110000; c++) {
        char text[4], out[PL_VISIBLE];
        if (c >= 0xD800 && c < 0xE000) continue;
        size_t n = pl_utf8_put(text, c);
        assert_int_equal(pl_visible(out, text, n), n);
        n_shown += strlen(out) != n || memcmp(out, text, n) != 0;
    }
    assert_int_equal(n_shown, 31 + 1 + 32 + 3 + 7 + 4);
}

static void test_cut_between_characters(void **state)
{
    (void)state;
    char out[8];
    pl_visible_text(out, sizeof out, "12345\x1b");
    assert_string_equal(out, "12345");
    pl_visible_text(out, sizeof out, "123456ü");
    assert_string_equal(out, "123456");
    pl_visible_text(out, sizeof out, "12345ü7");
    assert_string_equal(out, "12345ü");
}

static void test_print(void **state)
{
    (void)state;
    char *text = NULL, long_text[9000];
    size_t size = 0;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    FILE *file = open_memstream(&text, &size);
    pl_print(file, "\nmodel %s: %d\n\n", "a\nb\x1b\n", 5);
    fflush(file);
    assert_string_equal(text, "\nmodel a\\x0ab\\x1b\\x0a: 5\n\n");
    const size_t first = size;
    pl_print(file, "%s", "\n");
    fflush(file);
    assert_string_equal(text + first, "\\x0a");
    pl_print(file, "%s\n", long_text);
    fclose(file);
    assert_int_equal(text[size - 1], '\n');
    assert_int_equal(size, first + 4 + 4095 + 1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_cut_between_characters),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
