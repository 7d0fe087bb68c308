/* Calibrated similarity: the package's scores, thresholds and p for the same permutations (it keeps float32: 1e-6), and
 * what cannot be calibrated. */
#include "statistics/golden.h"

#include "base/memory.h"
#include "measure/calibrated.h"
#include "measure/cka.h"

enum { CONDITIONS_MAX = 3 };

static size_t count(const json_t *object, const char *key)
{
    return (size_t)number(member(object, key));
}

/* The package's answer: score, p, tau. */
static void check(const pl_calibrated *ours, const json_t *theirs)
{
    assert_close(ours->score, element(theirs, 0), 1e-6);
    assert_close(ours->p, element(theirs, 1), 1e-6);
    assert_close(ours->tau, element(theirs, 2), 1e-6);
}

static void check_case(const json_t *c)
{
    const json_t *x = member(c, "x"), *order = member(c, "orders");
    pl_permuted of = {.n = count(c, "n"), .t = count(c, "t"), .width = count(c, "width")};
    const float *states[CONDITIONS_MAX];
    float *all;
    size_t *orders;
    pl_calibrated cka, mknn;
    pl_cka plain;
    OK(pl_new(&all, json_array_size(x)));
    OK(pl_new(&orders, json_array_size(order)));
    for (size_t i = 0; i < json_array_size(x); i++) all[i] = (float)element(x, i);
    for (size_t i = 0; i < json_array_size(order); i++) orders[i] = (size_t)element(order, i);
    for (size_t k = 0; k < of.t; k++) states[k] = all + k * of.n * of.width;
    of.states = states;
    of.orders = orders;
    of.n_orders = json_array_size(order) / of.n;
    OK(pl_cka_calibrated(&cka, &of));
    OK(pl_mknn_calibrated(&mknn, &of));
    check(&cka, member(c, "cka"));
    check(&mknn, member(c, "mknn"));
    OK(pl_cka_of(&plain, states, of.n, of.t, of.width));
    assert_close(cka.observed, plain.mean, 1e-12);
    pl_cka_free(&plain);
    /* The same states everywhere: 1, and nothing permuted reaches it. A constant condition is similar to none. */
    for (size_t k = 1; k < of.t; k++) states[k] = states[0];
    OK(pl_cka_calibrated(&cka, &of));
    OK(pl_mknn_calibrated(&mknn, &of));
    assert_true(fabs(cka.score - 1.0) < 1e-12 && mknn.score == 1.0 && mknn.observed == 1.0);
    assert_close(mknn.p, 1.0 / (double)(of.n_orders + 1), 1e-12);
    for (size_t i = 0; i < of.n * of.width; i++) all[i] = 2.5f;
    OK(pl_cka_calibrated(&cka, &of));
    assert_true(isnan(cka.observed) && isnan(cka.score) && isnan(cka.p));
    OK(pl_mknn_calibrated(&mknn, &of));
    assert_true(isnan(mknn.observed) && isnan(mknn.p));
    free(all);
    free(orders);
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root = NULL, *c;
    size_t i;
    OK(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/measure/calibrated.json", 1 << 20));
    json_array_foreach(member(root, "cases"), i, c) check_case(c);
    json_decref(root);
}

/* The order statistic by hand: ten values, tau the 10th of 10 at .95. */
static void test_score(void **state)
{
    (void)state;
    const double permuted[] = {0.1, 0.3, 0.2, 0.0, 0.4, 0.25, 0.15, 0.05, 0.35};
    pl_calibrated c;
    OK(pl_calibrated_of(&c, 0.5, permuted, 9));
    assert_true(c.tau == 0.5 && c.score == 0.0 && fabs(c.p - 0.1) < 1e-15); /* too few permutations to say more */
    OK(pl_calibrated_of(&c, 0.25, permuted, 9));
    assert_true(c.tau == 0.4 && c.score == 0.0 && fabs(c.p - 0.5) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_score)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
