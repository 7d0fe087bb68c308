/* Cochran's Q and the tail of chi-square, against statsmodels and scipy. */
#include "statistics/golden.h"

#include "base/memory.h"
#include "statistics/cochran.h"
#include "statistics/interval.h"

static void test_golden(void **state)
{
    (void)state;
    json_t *root = golden(), *c = member(root, "template"), *row;
    size_t n = (size_t)number(member(c, "n")), t = (size_t)number(member(c, "t")), i, places[9];
    uint8_t *correct;
    OK(pl_new(&correct, n * t));
    for (i = 0; i < n * t; i++) correct[i] = (uint8_t)element(member(c, "correct"), i);
    for (i = 0; i < t; i++) places[i] = i;
    pl_cochran q = pl_cochran_q(correct, n, t, places, t);
    assert_close(q.q, element(member(root, "cochran"), 0), 1e-13);
    assert_close(q.p, element(member(root, "cochran"), 1), 1e-12);
    assert_true(q.df == (double)t - 1.0);
    free(correct);
    json_array_foreach(member(root, "chi_square_tail"), i, row)
    {
        double p = element(row, 2);
        assert_true(fabs(pl_chi_square_tail(element(row, 0), element(row, 1)) - p) <= 1e-12 * p + 1e-15);
    }
    json_decref(root);
}

/* Two templates: the squared difference of the discordant pairs over their number. */
static void test_by_hand(void **state)
{
    (void)state;
    const uint8_t correct[] = {1, 1, 0, 1, 1, 0,
                               0, 0, 1, 0, 1, 0}; /* [6, 2]: one item only the second, three only the first */
    const size_t both[] = {0, 1}, same[] = {0, 0};
    assert_close(pl_cochran_q(correct, 6, 2, both, 2).q, 1.0, 1e-15); /* (3 - 1)^2 / 4 */
    assert_true(isnan(pl_cochran_q(correct, 6, 2, same, 2).q));
    assert_true(pl_chi_square_tail(0.0, 3.0) == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_by_hand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
