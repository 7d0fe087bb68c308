/* Adjusted p-values and McNemar's exact test, against statsmodels. */
#include "statistics/golden.h"

#include "statistics/multiplicity.h"

static void test_golden(void **state)
{
    (void)state;
    json_t *root = golden(), *m = member(root, "multiplicity"), *row;
    size_t n = json_array_size(member(m, "p")), i;
    double p[9], holm[9], bh[9];
    assert_int_equal(n, 8);
    for (i = 0; i < n; i++) p[i + (i > 2)] = element(member(m, "p"), i);
    p[3] = NAN; /* no hypothesis */
    OK(pl_holm(holm, p, 9));
    OK(pl_benjamini_hochberg(bh, p, 9));
    assert_true(isnan(holm[3]) && isnan(bh[3]));
    for (i = 0; i < n; i++) {
        assert_close(holm[i + (i > 2)], element(member(m, "holm"), i), 1e-14);
        assert_close(bh[i + (i > 2)], element(member(m, "bh"), i), 1e-14);
    }
    json_array_foreach(member(root, "mcnemar"), i, row)
        assert_close(pl_mcnemar((size_t)element(row, 0), (size_t)element(row, 1)), element(row, 2), 1e-11);
    assert_true(pl_mcnemar(0, 0) == 1.0);
    OK(pl_holm(holm, p, 0));
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
