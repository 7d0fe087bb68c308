/* Tables as CSV: what is written reads back, what is broken is refused with its line. */
#include "tests.h"

#include <float.h>
#include <math.h>

#include "base/csv_table.h"
#include "base/file.h"

static void write_text(char path[PL_PATH_MAX], const char *folder, const char *text)
{
    OK(pl_path(path, "%s/t.csv", folder));
    OK(pl_file_replace(path, text, strlen(text)));
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const texts[] = {"plain", "a,b",      "say \"x\"",   "=SUM(A1)", "-",
                                        "",      "-1,\"2\"", "caf\xC3\xA9", "'kept"};
    static const double reals[] = {0.1, -3, 1e300, DBL_MIN, 1.0 / 3, NAN, 0, 12345678.9, 5e-324};
    enum { N = sizeof texts / sizeof *texts };
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    pl_bytes text = {0};
    pl_csv_table t;
    make_folder(folder);
    OK(pl_bytes_text(&text, "name,value\n"));
    for (size_t i = 0; i < N; i++) {
        OK(pl_csv_text(&text, texts[i]));
        OK(pl_bytes_text(&text, ","));
        OK(pl_csv_real(&text, reals[i]));
        OK(pl_bytes_text(&text, "\n"));
    }
    write_text(path, folder, text.data);
    OK(pl_csv_read(&t, path));
    assert_int_equal(t.n, N);
    assert_int_equal(t.n_columns, 2);
    for (size_t i = 0; i < N; i++) {
        double value = pl_csv_number(&t, i, "value");
        assert_string_equal(pl_csv_field(&t, i, "name"), texts[i]);
        assert_true(isnan(reals[i]) ? isnan(value) : value == reals[i]);
    }
    assert_string_equal(pl_csv_field(&t, 0, "no such"), "");
    assert_true(isnan(pl_csv_number(&t, 0, "no such")));
    assert_true(isnan(pl_csv_number(&t, 0, "name")));
    pl_csv_free(&t);
    pl_bytes_free(&text);
    remove_folder(folder);
}

static void test_broken(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {{"a,b\n1,2\n3\n", "t.csv:3: 1 fields, expected 2"},
                 {"a,b\n1,2,3\n", "t.csv:2: 3 fields, expected 2"},
                 {"a,b\n\"1,2\n", "t.csv:2: a quoted field that does not end"},
                 {"a,b\n\"1\"x,2\n", "t.csv:2: a quoted field that does not end"}};
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    pl_csv_table t;
    make_folder(folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(path, folder, cases[i].text);
        REFUSED(pl_csv_read(&t, path), PL_E_INPUT, cases[i].said);
    }
    write_text(path, folder, "a,b\n");
    OK(pl_csv_read(&t, path));
    assert_int_equal(t.n, 0);
    pl_csv_free(&t);
    write_text(path, folder, "");
    OK(pl_csv_read(&t, path));
    assert_int_equal(t.n, 0);
    pl_csv_free(&t);
    write_text(path, folder, "a,b\n1,2"); /* no newline at the end */
    OK(pl_csv_read(&t, path));
    assert_string_equal(pl_csv_field(&t, 0, "b"), "2");
    pl_csv_free(&t);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_broken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
