/* Contextual calibration as Zhao et al.'s code has it, and ensembles over templates. */
#include "statistics/golden.h"

#include "measure/calibration.h"

static json_t *golden_cases(void)
{
    json_t *root = NULL;
    OK(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/measure/calibration.json", 1 << 20));
    return root;
}

static size_t count(const json_t *object, const char *key)
{
    return (size_t)number(member(object, key));
}

/* Scores are log-probabilities up to what a row's labels have in common: `lower` is taken from each of them, so far
 * that their exponentials would be 0. */
static void check_case(const json_t *c, double lower)
{
    size_t m = count(c, "m"), t = count(c, "t"), n = count(c, "n"), n_inputs = count(c, "n_inputs");
    double bias[4], ensemble[4], free_scores[12], scores[16];
    const double *rows[4];
    for (size_t i = 0; i < n_inputs * m; i++) free_scores[i] = element(member(c, "free"), i) - lower;
    assert_true(pl_calibration_bias(bias, free_scores, n_inputs, m));
    for (size_t j = 0; j < m; j++) assert_close(bias[j], element(member(c, "bias"), j), 1e-10);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < t * m; k++) scores[k] = element(member(c, "scores"), i * t * m + k) - lower;
        for (size_t k = 0; k < t; k++) rows[k] = scores + k * m;
        assert_true(pl_best_label(scores, NULL, m) == (size_t)element(member(c, "plain"), i));
        assert_true(pl_best_label(scores, bias, m) == (size_t)element(member(c, "calibrated"), i));
        pl_ensemble(ensemble, rows, t, m);
        for (size_t j = 0; j < m; j++) assert_close(ensemble[j], element(member(c, "ensemble"), i * m + j), 1e-10);
        assert_true(pl_best_label(ensemble, NULL, m) == (size_t)element(member(c, "ensemble_answers"), i));
    }
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root = golden_cases(), *c = NULL;
    size_t at = 0;
    json_array_foreach(member(root, "cases"), at, c)
    {
        check_case(c, 0.0);
        check_case(c, 2000.0);
    }
    assert_true(at == 2);
    json_decref(root);
}

static void test_ends(void **state)
{
    (void)state;
    double bias[2], out[2];
    const double one[] = {-INFINITY, -3.0}, wrong[] = {NAN, 0.0}, even[] = {-5.0, -5.0, -900.0, -900.0};
    const double *rows[] = {even, one};
    assert_false(pl_calibration_bias(bias, even, 0, 2)); /* no input */
    assert_true(isnan(bias[0]) && isnan(bias[1]));
    assert_false(pl_calibration_bias(bias, wrong, 1, 2));
    assert_false(pl_calibration_bias(bias, one, 1, 2)); /* a label that no content-free input ever gives */
    assert_true(isnan(bias[1]));
    assert_true(pl_calibration_bias(bias, even, 2, 2));
    assert_close(bias[0], log(0.5), 1e-15);
    assert_true(pl_best_label(even, bias, 2) == 0); /* the first of equals */
    /* Long options: shares that exp and log take for 0. */
    const double far[] = {-3.0, -1003.0, -3.0, -2003.0};
    assert_true(pl_calibration_bias(bias, far, 2, 2));
    assert_close(bias[0], 0.0, 1e-15);
    assert_close(bias[1], -1000.0 - log(2.0), 1e-12);
    pl_unconditional(bias, even, 2, 2); /* (e^-5 + e^-900) / 2 */
    assert_close(bias[0], -5.0 - log(2.0), 1e-15);
    pl_unconditional(bias, one, 1, 2);
    assert_true(bias[0] == -INFINITY && bias[1] == -3.0);
    pl_ensemble(out, rows, 2, 2);
    assert_true(out[0] == -INFINITY && out[1] == 0.0);
    rows[1] = wrong;
    pl_ensemble(out, rows, 2, 2);
    assert_true(isnan(out[0]) && isnan(out[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
