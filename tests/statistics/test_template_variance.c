/* Template variance of accuracy: the ANOVA and its permutation null. */
#include "statistics/golden.h"

#include <omp.h>

#include "base/random.h"
#include "statistics/interval.h"
#include "statistics/template_variance.h"

/* 0s and 1s [n, t] as one draw [1, t, n]. */
static void fill(double *out, const uint8_t *correct, size_t n, size_t t)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < t; k++) out[k * n + i] = correct[i * t + k];
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root = golden(), *expected = member(root, "template"), *three = member(root, "three_way");
    uint8_t correct[60 * 9];
    double values[60 * 9];
    for (size_t i = 0; i < 60 * 9; i++) correct[i] = (uint8_t)element(member(expected, "correct"), i);
    fill(values, correct, 60, 9);
    pl_template_variance v;
    assert_int_equal(pl_template_variance_of(&v, values, 1, 9, 60, 1), PL_OK);
    assert_close(v.tau2, number(member(expected, "tau2")), 1e-13);
    pl_template_variance_free(&v);
    /* Four draws: the sums that permutations change give what the mean squares give. */
    for (size_t i = 0; i < 4 * 5 * 24; i++) values[i] = element(member(three, "y"), i);
    assert_int_equal(pl_template_variance_of(&v, values, 4, 5, 24, 1), PL_OK);
    assert_close(v.tau2, element(member(three, "tau2"), 0), 1e-12);
    assert_close(v.tau2, pl_three_way_of(&v.mean_squares).template_main, 1e-12);
    pl_template_variance_free(&v);
    json_decref(root);
}

/* Under the null the unbiased tau^2 has mean 0 over permutations, exactly in expectation. */
static void test_null(void **state)
{
    (void)state;
    enum { N = 200, T = 10 };
    double correct[N * T];
    for (size_t i = 0; i < N * T; i++) correct[i] = pl_random_uniform(5, PL_RANDOM_TEST, 0, i % N * T + i / N) < 0.5;
    pl_template_variance v;
    assert_int_equal(pl_template_variance_of(&v, correct, 1, T, N, 1), PL_OK);
    double mean = pl_mean(v.null_tau2, PL_PERMUTATIONS);
    assert_true(fabs(mean) < 4.0 * standard_error(v.null_tau2, PL_PERMUTATIONS));
    pl_null null;
    assert_int_equal(pl_null_of(&null, v.null_spread, PL_PERMUTATIONS, v.spread), PL_OK);
    /* 200 items, 10 templates, no effect: the design's simulation gives .100. */
    assert_close(null.mean, 0.100, 0.01);
    assert_true(null.p > 0.01 && null.quantile95 > null.mean);
    pl_template_variance_free(&v);
}

static void test_planted_effect(void **state)
{
    (void)state;
    enum { N = 2000, T = 8 };
    static double correct[N * T];
    /* Accuracies .4, .45, ..., .75: their variance (divisor T - 1) is 0.015. */
    for (size_t i = 0; i < N * T; i++)
        correct[i] = pl_random_uniform(6, PL_RANDOM_TEST, 0, i) < 0.4 + 0.05 * (double)(i / N);
    pl_template_variance v;
    assert_int_equal(pl_template_variance_of(&v, correct, 1, T, N, 1), PL_OK);
    assert_close(pl_template_sd(v.tau2), sqrt(0.015), 0.01);
    pl_null null;
    assert_int_equal(pl_null_of(&null, v.null_spread, PL_PERMUTATIONS, v.spread), PL_OK);
    assert_close(null.p, 1.0 / (1.0 + PL_PERMUTATIONS), 1e-12);
    pl_template_variance_free(&v);
}

static void test_identical_templates(void **state)
{
    (void)state;
    double correct[37 * 7];
    for (size_t i = 0; i < 37 * 7; i++) correct[i] = i % 37 % 3 == 0;
    pl_template_variance v;
    assert_int_equal(pl_template_variance_of(&v, correct, 1, 7, 37, 1), PL_OK);
    assert_true(v.tau2 == 0.0 && v.spread == 0.0);
    for (size_t r = 0; r < PL_PERMUTATIONS; r++) assert_true(v.null_tau2[r] == 0.0 && v.null_spread[r] == 0.0);
    pl_template_variance_free(&v);
    assert_int_equal(pl_template_variance_of(&v, correct, 1, 1, 37, 1), PL_E_INPUT);
}

/* Rows of one, two and three values: over permutations every column has the same mean, and tau^2 has mean 0. */
static void test_kinds_of_rows(void **state)
{
    (void)state;
    enum { N = 60, T = 5, S = 2 };
    double values[S * T * N];
    for (size_t d = 0; d < S; d++)
        for (size_t k = 0; k < T; k++)
            for (size_t i = 0; i < N; i++)
                values[(d * T + k) * N + i] = i % 3 == 0   ? 2.0
                                              : i % 3 == 1 ? (double)((i + k + d) % 4 == 0)
                                                           : (double)((i * 7 + k * 3 + d) % 5 % 3);
    pl_template_variance v;
    assert_int_equal(pl_template_variance_of(&v, values, S, T, N, 3), PL_OK);
    assert_close(v.tau2, pl_three_way_of(&v.mean_squares).template_main, 1e-12);
    assert_true(fabs(pl_mean(v.null_tau2, PL_PERMUTATIONS)) < 4.0 * standard_error(v.null_tau2, PL_PERMUTATIONS));
    assert_true(standard_error(v.null_tau2, PL_PERMUTATIONS) > 0.0);
    pl_template_variance_free(&v);
}

static void test_same_null_for_any_threads(void **state)
{
    (void)state;
    enum { N = 900 }; /* enough for several threads (analysis/parallel.h) */
    static double correct[N * 5];
    for (size_t i = 0; i < N * 5; i++) correct[i] = pl_random_uniform(7, PL_RANDOM_TEST, 0, i) < 0.6;
    pl_template_variance one, three, other;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    assert_int_equal(pl_template_variance_of(&one, correct, 1, 5, N, 1), PL_OK);
    omp_set_num_threads(3);
    assert_int_equal(pl_template_variance_of(&three, correct, 1, 5, N, 1), PL_OK);
    omp_set_num_threads(threads);
    assert_int_equal(pl_template_variance_of(&other, correct, 1, 5, N, 2), PL_OK);
    assert_memory_equal(one.null_tau2, three.null_tau2, PL_PERMUTATIONS * sizeof(double));
    assert_memory_not_equal(one.null_tau2, other.null_tau2, PL_PERMUTATIONS * sizeof(double));
    pl_template_variance_free(&one);
    pl_template_variance_free(&three);
    pl_template_variance_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),         cmocka_unit_test(test_null),
        cmocka_unit_test(test_planted_effect), cmocka_unit_test(test_identical_templates),
        cmocka_unit_test(test_kinds_of_rows),  cmocka_unit_test(test_same_null_for_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
