/* The summary of a null: mean, SD, quantile and p-value. */
#include "tests.h"

#include <math.h>

#include "statistics/permutation.h"

static void test_by_hand(void **state)
{
    (void)state;
    double values[20];
    pl_null null;
    for (size_t i = 0; i < 20; i++) values[i] = (double)((i * 7) % 20); /* 0 .. 19, in another order */
    OK(pl_null_of(&null, values, 20, 18.0));
    assert_true(fabs(null.mean - 9.5) < 1e-14);
    assert_true(fabs(null.sd - sqrt(35.0)) < 1e-13); /* (n^2 - 1)/12 n/(n - 1) */
    assert_true(null.quantile95 == 18.0);
    assert_true(fabs(null.p - 3.0 / 21.0) < 1e-15); /* 18 and 19 reach it, and it itself */
}

static void test_ends(void **state)
{
    (void)state;
    const double alike[3] = {0.25, 0.25, 0.25};
    pl_null null;
    OK(pl_null_of(&null, alike, 3, 0.25 + 1e-15)); /* equal but for rounding */
    assert_true(null.p == 1.0 && null.sd == 0.0 && null.mean == 0.25);
    OK(pl_null_of(&null, alike, 3, 1.0));
    assert_true(null.p == 0.25);
    OK(pl_null_of(&null, alike, 1, 0.0));
    assert_true(isnan(null.mean) && isnan(null.sd) && isnan(null.p) && isnan(null.quantile95));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_hand), cmocka_unit_test(test_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
