/* Flip rate, unanimity, kappa and AC1 against statsmodels and brute force; the cases that mean nothing. */
#include "statistics/golden.h"

#include "measure/agreement.h"

static void test_golden(void **state)
{
    (void)state;
    json_t *root = golden(), *expected = member(root, "agreement");
    enum { N = 40, T = 5 };
    int codes[N * T];
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < T; k++) codes[i * T + k] = (int)element(json_array_get(member(expected, "codes"), i), k);
    pl_agreement a;
    assert_int_equal(pl_agreement_of(&a, codes, N, T, 3), PL_OK);
    assert_close(a.flip_rate, number(member(expected, "flip")), 1e-12);
    assert_close(standard_error(a.flip, N), number(member(expected, "flip_se")), 1e-12);
    assert_close(a.fleiss_kappa, number(member(expected, "fleiss_statsmodels")), 1e-12);
    assert_close(pl_jackknife(0.0, a.fleiss_kappa_left_out, N).se, number(member(expected, "kappa_se")), 1e-12);
    assert_close(a.gwet_ac1, number(member(expected, "ac1")), 1e-12);
    assert_close(pl_jackknife(0.0, a.gwet_ac1_left_out, N).se, number(member(expected, "ac1_se")), 1e-12);
    assert_close(a.unanimity.value, element(member(expected, "unanimity"), 0), 1e-12);
    assert_close(a.unanimity.lo, element(member(expected, "unanimity"), 1), 1e-12);
    assert_close(a.unanimity.hi, element(member(expected, "unanimity"), 2), 1e-12);
    double mean = 0.0;
    for (size_t p = 0; p < T * T; p++) mean += (double)a.differ[p] / (N * T * (T - 1));
    assert_close(mean, a.flip_rate, 1e-12);
    pl_agreement_free(&a);
    json_decref(root);
}

/* Section F: votes [sum_d h_itd > 0]. */
static void test_section_f(void **state)
{
    (void)state;
    float x[F_ITEMS * F_X], y[F_ITEMS * F_Y];
    const double offset[3] = {1.0, -2.0, 0.5};
    int codes[F_ITEMS * 3];
    section_f(x, y);
    for (size_t i = 0; i < F_ITEMS; i++) {
        double sum[3] = {0.0};
        for (size_t d = 0; d < 3; d++) {
            double a = (double)x[i * F_X + d], b = (double)y[i * F_Y + d];
            sum[0] += a;
            sum[1] += b;
            sum[2] += (a + b) / 2.0 + offset[d];
        }
        for (size_t k = 0; k < 3; k++) codes[i * 3 + k] = sum[k] > 0.0;
    }
    pl_agreement a;
    assert_int_equal(pl_agreement_of(&a, codes, F_ITEMS, 3, 2), PL_OK);
    assert_close(a.flip_rate, 0.2222222222, 1e-9);
    assert_close(a.fleiss_kappa, 0.5428571429, 1e-9);
    assert_close(a.gwet_ac1, 0.5675675676, 1e-9);
    pl_agreement_free(&a);
}

/* A constant predictor never flips, and no kappa can be had from it. */
static void test_constant_predictor(void **state)
{
    (void)state;
    int codes[50 * 4] = {0};
    pl_agreement a;
    assert_int_equal(pl_agreement_of(&a, codes, 50, 4, 2), PL_OK);
    assert_true(a.flip_rate == 0.0 && a.unanimity.value == 1.0);
    assert_true(isnan(a.fleiss_kappa) && a.gwet_ac1 == 1.0);
    assert_true(a.chance_flip == 0.0 && a.chance_unanimity == 1.0);
    pl_agreement_free(&a);
}

/* Identical templates, varied items: kappa exactly 1. */
static void test_identical_templates(void **state)
{
    (void)state;
    int codes[30 * 7];
    for (size_t i = 0; i < 30 * 7; i++) codes[i] = (int)(i / 7 % 3);
    pl_agreement a;
    assert_int_equal(pl_agreement_of(&a, codes, 30, 7, 3), PL_OK);
    assert_true(a.flip_rate == 0.0 && a.fleiss_kappa == 1.0 && a.gwet_ac1 == 1.0);
    assert_close(a.chance_flip, 2.0 / 3.0, 1e-12);
    pl_agreement_free(&a);
    codes[3] = 3;
    assert_int_equal(pl_agreement_of(&a, codes, 30, 7, 3), PL_E_INTERNAL);
    assert_int_equal(pl_agreement_of(&a, codes, 30, 1, 4), PL_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_section_f),
        cmocka_unit_test(test_constant_predictor),
        cmocka_unit_test(test_identical_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
