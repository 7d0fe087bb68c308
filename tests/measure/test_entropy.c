/* Entropy, JSD, Brier and NLL against scipy and numpy. */
#include "statistics/golden.h"

#include "measure/entropy.h"
#include "statistics/interval.h"

static void test_labels(void **state)
{
    (void)state;
    json_t *root = golden(), *expected = member(root, "labels");
    enum { N = 7, T = 4, M = 3 };
    double q[N * T * M], scores[M], jsd[N];
    for (size_t r = 0; r < N * T; r++) {
        for (size_t j = 0; j < M; j++) scores[j] = element(member(expected, "scores"), r * M + j);
        assert_true(pl_softmax(q + r * M, scores, M));
        size_t gold = (size_t)element(member(expected, "gold"), r / T);
        assert_close(pl_brier(q + r * M, M, gold), element(member(expected, "brier"), r), 1e-12);
        assert_close(pl_nll(q + r * M, gold), element(member(expected, "nll"), r), 1e-12);
    }
    pl_jsd_of_items(jsd, q, N, T, M, 0);
    for (size_t i = 0; i < N; i++) assert_close(jsd[i], element(member(expected, "jsd"), i), 1e-12);
    json_decref(root);
}

static void test_jsd_ends(void **state)
{
    (void)state;
    const double a[] = {1.0, 0.0}, b[] = {0.0, 1.0}, c[] = {0.3, 0.7}, broken[] = {NAN, NAN};
    assert_true(pl_jsd(a, b, 2) == 1.0 && pl_jsd(c, c, 2) == 0.0);
    assert_true(isnan(pl_jsd(c, broken, 2)));
    double q[2];
    const double none[] = {-INFINITY, -INFINITY}, one[] = {-INFINITY, -3.0}, wrong[] = {0.0, NAN};
    assert_false(pl_softmax(q, none, 2));
    assert_false(pl_softmax(q, wrong, 2));
    assert_true(isnan(q[0]));
    assert_true(pl_softmax(q, one, 2) && q[0] == 0.0 && q[1] == 1.0);
}

static void test_prediction_entropy(void **state)
{
    (void)state;
    json_t *root = golden(), *expected = member(root, "agreement");
    int codes[40 * 5];
    for (size_t i = 0; i < 40; i++)
        for (size_t k = 0; k < 5; k++) codes[i * 5 + k] = (int)element(json_array_get(member(expected, "codes"), i), k);
    double e, left[40];
    assert_int_equal(pl_prediction_entropy(&e, left, codes, 5, 40, 3), PL_OK);
    assert_close(e, element(member(expected, "entropy"), 0), 1e-12);
    assert_close(pl_jackknife(e, left, 40).se, element(member(expected, "entropy"), 1), 1e-12);
    int constant[17] = {0};
    assert_int_equal(pl_prediction_entropy(&e, left, constant, 1, 17, 2), PL_OK);
    assert_true(e == 0.0 && left[0] == 0.0 && left[16] == 0.0);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_jsd_ends),
        cmocka_unit_test(test_prediction_entropy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
