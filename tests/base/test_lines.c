/* Lines of a stream: ends, NULs, the limit, and that no more than it is read. */
#include "tests.h"

#include "base/lines.h"

static void check(const char *text, size_t size, const char *const *wanted, size_t n)
{
    pl_bytes line = {0};
    bool more;
    FILE *stream = fmemopen((void *)(uintptr_t)text, size, "r");
    assert_non_null(stream);
    for (size_t i = 0; i < n; i++) {
        OK(pl_line_read(&line, &more, stream, "in", i + 1));
        assert_true(more);
        assert_string_equal(line.data, wanted[i]);
        assert_int_equal(line.size, strlen(wanted[i]));
    }
    OK(pl_line_read(&line, &more, stream, "in", n + 1));
    assert_false(more);
    fclose(stream);
    pl_bytes_free(&line);
}

static void test_lines(void **state)
{
    (void)state;
    check("a\n\nbc\r\n", 7, (const char *[]){"a", "", "bc\r"}, 3);
    check("a\nb", 3, (const char *[]){"a", "b"}, 2);
    check("\n", 1, (const char *[]){""}, 1);
    assert_int_equal(pl_lines_count("a\n\nb", 4), 2);
    assert_int_equal(pl_lines_count("", 0), 0);
}

/* A line that never ends is refused at the limit. */
static void test_limit(void **state)
{
    (void)state;
    pl_bytes line = {0};
    bool more;
    FILE *zeros = fopen("/dev/zero", "rb");
    assert_non_null(zeros);
    REFUSED(pl_line_read(&line, &more, zeros, "in", 7), PL_E_INPUT, "in:7: a line of 1678");
    assert_non_null(strstr(pl_error_text(), "expected at most 16777216 (16 MiB)"));
    assert_true(line.size < PL_LINE_MAX + 10000);
    fclose(zeros);
    pl_bytes_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
