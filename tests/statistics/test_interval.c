/* Intervals against scipy and statsmodels (tests/golden/statistics/generate.py). */
#include "statistics/golden.h"

#include "statistics/interval.h"

static void test_wilson(void **state)
{
    (void)state;
    json_t *root = golden(), *row;
    size_t i;
    json_array_foreach(member(root, "wilson"), i, row)
    {
        size_t k = (size_t)element(row, 0), n = (size_t)element(row, 1);
        pl_estimate e = pl_wilson(k, n);
        assert_close(e.value, (double)k / (double)n, 0.0);
        assert_close(e.lo, element(row, 2), 1e-12);
        assert_close(e.hi, element(row, 3), 1e-12);
    }
    assert_true(isnan(pl_wilson(0, 0).value));
    json_decref(root);
}

static void test_quantiles(void **state)
{
    (void)state;
    json_t *root = golden(), *row;
    size_t i;
    json_array_foreach(member(root, "normal"), i, row)
        assert_close(pl_normal_quantile(element(row, 0)), element(row, 1), 1e-12);
    json_array_foreach(member(root, "student_tail"), i, row) assert_close(
        pl_student_tail(element(row, 0), element(row, 1)), element(row, 2), 1e-9); /* log-gammas of 350,000 */
    json_array_foreach(member(root, "quartile"), i, row)
        assert_close(pl_quartile_factor(element(row, 0)) / element(row, 1), 1.0, 0.05); /* Wilson and Hilferty's */
    json_array_foreach(member(root, "chi_square"), i, row)
        assert_close(pl_chi_square_quantile(element(row, 0), element(row, 1)) / element(row, 2), 1.0, 1e-10);
    json_array_foreach(member(root, "f"), i, row)
        assert_close(pl_f_quantile(element(row, 0), element(row, 1), element(row, 2)), element(row, 3), 1e-10);
    json_array_foreach(member(root, "student"), i, row)
        assert_close(pl_student_quantile(element(row, 0), element(row, 1)), element(row, 2), 1e-9);
    json_decref(root);
}

/* A mean's delete-one jackknife is its SD/sqrt(n). */
static void test_mean_and_jackknife(void **state)
{
    (void)state;
    const double x[] = {1.0, 4.0, 4.5, -2.0, 0.25, 9.0};
    enum { N = sizeof x / sizeof *x };
    double left[N], sum = 0.0;
    for (size_t i = 0; i < N; i++) sum += x[i];
    for (size_t i = 0; i < N; i++) left[i] = (sum - x[i]) / (N - 1);
    pl_estimate jack = pl_jackknife(sum / N, left, N);
    assert_close(jack.se, standard_error(x, N), 1e-14);
    assert_close(pl_mean(x, N), sum / N, 1e-14);
    assert_close(jack.hi - jack.value, pl_student_quantile(0.975, N - 1) * jack.se, 1e-14);
    assert_close(jack.value - jack.lo, pl_student_quantile(0.975, N - 1) * jack.se, 1e-14);
}

static void test_edges(void **state)
{
    (void)state;
    const double same[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
    pl_estimate e = pl_jackknife(0.1, same, 7);
    assert_true(e.se == 0.0 && e.lo == 0.1 && e.hi == 0.1);
    assert_true(pl_mean(same, 7) == 0.1);
    e = pl_jackknife(0.1, same, 1);
    assert_true(e.value == 0.1 && isnan(e.se) && isnan(e.lo));
    const double broken[] = {0.1, NAN, 0.2};
    e = pl_jackknife(0.5, broken, 3);
    assert_true(e.value == 0.5 && isnan(e.se) && isnan(e.hi));
    e = pl_estimate_clip((pl_estimate){0.5, 0.5, -0.2, 1.3}, 0.0, 1.0);
    assert_true(e.lo == 0.0 && e.hi == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wilson),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_mean_and_jackknife),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
