/* Template variance of accuracy: the ANOVA, its jackknife, and its permutation null. */
#include "statistics/golden.h"

#include <omp.h>

#include "base/random.h"
#include "statistics/interval.h"
#include "statistics/template_variance.h"

static void test_golden(void **state)
{
    (void)state;
    json_t *root = golden(), *expected = member(root, "template");
    uint8_t correct[60 * 9];
    for (size_t i = 0; i < 60 * 9; i++) correct[i] = (uint8_t)element(member(expected, "correct"), i);
    pl_template_variance v;
    assert_int_equal(pl_template_variance_of(&v, correct, 60, 9, 1), PL_OK);
    assert_close(v.tau2, number(member(expected, "tau2")), 1e-13);
    double left[9];
    for (size_t k = 0; k < 9; k++) left[k] = pl_template_sd(v.without_template[k]);
    assert_close(pl_jackknife(0.0, left, 9).se, number(member(expected, "sd_se")), 1e-10);
    pl_template_variance_free(&v);
    json_decref(root);
}

/* Under the null the unbiased tau^2 has mean 0 over permutations, exactly in expectation. */
static void test_null(void **state)
{
    (void)state;
    enum { N = 200, T = 10 };
    uint8_t correct[N * T];
    for (size_t i = 0; i < N * T; i++) correct[i] = pl_random_uniform(5, PL_RANDOM_TEST, 0, i) < 0.5;
    pl_template_variance v;
    assert_int_equal(pl_template_variance_of(&v, correct, N, T, 1), PL_OK);
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
    static uint8_t correct[N * T];
    /* Accuracies .4, .45, ..., .75: their variance (divisor T - 1) is 0.015. */
    for (size_t i = 0; i < N * T; i++)
        correct[i] = pl_random_uniform(6, PL_RANDOM_TEST, 0, i) < 0.4 + 0.05 * (double)(i % T);
    pl_template_variance v;
    assert_int_equal(pl_template_variance_of(&v, correct, N, T, 1), PL_OK);
    assert_close(pl_template_sd(v.tau2), sqrt(0.015), 0.01);
    pl_null null;
    assert_int_equal(pl_null_of(&null, v.null_spread, PL_PERMUTATIONS, v.spread), PL_OK);
    assert_close(null.p, 1.0 / (1.0 + PL_PERMUTATIONS), 1e-12);
    pl_template_variance_free(&v);
}

static void test_identical_templates(void **state)
{
    (void)state;
    uint8_t correct[37 * 7];
    for (size_t i = 0; i < 37 * 7; i++) correct[i] = i / 7 % 3 == 0;
    pl_template_variance v;
    assert_int_equal(pl_template_variance_of(&v, correct, 37, 7, 1), PL_OK);
    assert_true(v.tau2 == 0.0 && v.spread == 0.0);
    for (size_t r = 0; r < PL_PERMUTATIONS; r++) assert_true(v.null_tau2[r] == 0.0 && v.null_spread[r] == 0.0);
    pl_template_variance_free(&v);
    assert_int_equal(pl_template_variance_of(&v, correct, 37, 1, 1), PL_E_INPUT);
}

static void test_same_null_for_any_threads(void **state)
{
    (void)state;
    enum { N = 900 }; /* enough for several threads (analysis/parallel.h) */
    static uint8_t correct[N * 5];
    for (size_t i = 0; i < N * 5; i++) correct[i] = pl_random_uniform(7, PL_RANDOM_TEST, 0, i) < 0.6;
    pl_template_variance one, three, other;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    assert_int_equal(pl_template_variance_of(&one, correct, N, 5, 1), PL_OK);
    omp_set_num_threads(3);
    assert_int_equal(pl_template_variance_of(&three, correct, N, 5, 1), PL_OK);
    omp_set_num_threads(threads);
    assert_int_equal(pl_template_variance_of(&other, correct, N, 5, 2), PL_OK);
    assert_memory_equal(one.null_tau2, three.null_tau2, PL_PERMUTATIONS * sizeof(double));
    assert_memory_not_equal(one.null_tau2, other.null_tau2, PL_PERMUTATIONS * sizeof(double));
    pl_template_variance_free(&one);
    pl_template_variance_free(&three);
    pl_template_variance_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_planted_effect),
        cmocka_unit_test(test_identical_templates),
        cmocka_unit_test(test_same_null_for_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
