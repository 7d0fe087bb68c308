/* Mean squares of draws x templates x items, components and F intervals, against statsmodels' ANOVA. */
#include "statistics/golden.h"

#include "base/random.h"
#include "statistics/interval.h"
#include "statistics/three_way.h"
#include "statistics/variance_split.h"

enum { S = 4, T = 5, N = 24 };

static void read_values(double *y, const json_t *expected)
{
    for (size_t i = 0; i < S * T * N; i++) y[i] = element(member(expected, "y"), i);
}

static void check_sd(pl_estimate e, const json_t *expected)
{
    assert_close(e.value, element(expected, 0), 1e-9);
    assert_close(e.lo, element(expected, 1), 1e-9);
    assert_close(e.hi, element(expected, 2), 1e-9);
}

/* At .025 it is the interval's, and the p of an SD of that size is .025; SDs of shares end at 1/2. */
static void check_upper(const pl_mean_squares *m, double hi)
{
    assert_close(pl_template_sd_upper(m, NAN, 0.025), fmin(0.5, hi), 1e-9);
    for (double tail = 0.001; tail < 0.5; tail *= 2) {
        double upper = pl_template_sd_upper(m, NAN, tail);
        assert_true(upper >= pl_template_sd_upper(m, NAN, 2 * tail));
        if (upper > 0 && upper < 0.5) assert_close(pl_template_sd_p(m, NAN, upper), tail, 1e-6 * tail);
    }
}

/* Where nothing dissents there is a bound all the same, which more answers make smaller. */
static void test_no_dissent(void **state)
{
    (void)state;
    double last = 1, all[5 * 8 * 320];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) all[i] = 1;
    for (size_t n = 20; n <= 320; n *= 4) {
        pl_mean_squares m;
        OK(pl_mean_squares_of(&m, all, 5, 8, n));
        double upper = pl_template_sd_upper(&m, 1.0, 0.01);
        /* MS_t = MS_E = 1/(8 * 5 n): tau^2 = (1/F(.01; 7, 28(n - 1)) - 1)/(8 (5 n)^2) */
        double f = pl_f_quantile(0.01, 7, 28.0 * (double)(n - 1));
        assert_close(upper, sqrt((1 / f - 1) / 8) / (5 * (double)n), 1e-12);
        assert_true(upper > 0 && upper < last && pl_template_sd_p(&m, 1.0, upper * 1.001) <= 0.01);
        last = upper;
    }
}

/* The parts and their intervals, by scipy's quantiles of chi-square. */
static void test_split(void **state)
{
    (void)state;
    json_t *root = golden(), *expected = member(member(root, "three_way"), "split");
    double y[S * T * N];
    pl_crossed parts[PL_SPLIT_PARTS];
    const pl_clusters each = {0};
    read_values(y, member(root, "three_way"));
    OK(pl_variance_split_of(parts, y, S, T, N, &each));
    for (size_t p = 0; p < PL_SPLIT_PARTS; p++) {
        const json_t *one = json_array_get(expected, p);
        assert_close(parts[p].value, element(one, 0), 1e-11);
        assert_close(parts[p].lo, element(one, 1), 1e-10);
        assert_close(parts[p].hi, element(one, 2), 1e-10);
        assert_true(parts[p].over_templates && parts[p].over_draws && parts[p].n_clusters == N);
    }
    OK(pl_variance_split_of(parts, y, 2, T, N, &each)); /* a draw's variance by one degree of freedom */
    assert_true(isnan(parts[PL_SPLIT_DRAW].lo) && isfinite(parts[PL_SPLIT_TEMPLATE].lo));
    assert_true(isfinite(parts[PL_SPLIT_DRAW].value) && !parts[PL_SPLIT_ITEM].over_draws);
    OK(pl_variance_split_of(parts, y, 1, T, N, &each));
    assert_true(isnan(parts[PL_SPLIT_DRAW].value) && isfinite(parts[PL_SPLIT_ITEM].hi));
    json_decref(root);
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root = golden(), *expected = member(root, "three_way"), *ms = member(expected, "mean_squares");
    double y[S * T * N];
    pl_mean_squares m;
    read_values(y, expected);
    OK(pl_mean_squares_of(&m, y, S, T, N));
    assert_close(m.item, number(member(ms, "item")), 1e-10);
    assert_close(m.template_main, number(member(ms, "template")), 1e-10);
    assert_close(m.draw, number(member(ms, "draw")), 1e-10);
    assert_close(m.item_template, number(member(ms, "item_template")), 1e-10);
    assert_close(m.item_draw, number(member(ms, "item_draw")), 1e-10);
    assert_close(m.template_draw, number(member(ms, "template_draw")), 1e-10);
    assert_close(m.rest, number(member(ms, "rest")), 1e-10);
    check_sd(pl_template_sd_of(&m, NAN), member(expected, "template_sd"));
    check_sd(pl_draw_sd_of(&m, NAN), member(expected, "draw_sd"));
    check_upper(&m, element(member(expected, "template_sd"), 2));
    assert_close(pl_three_way_of(&m).template_main, element(member(expected, "tau2"), 0), 1e-11);
    OK(pl_mean_squares_of(&m, y, 1, T, N));
    check_sd(pl_template_sd_of(&m, NAN), member(expected, "template_sd_one_draw"));
    assert_close(pl_three_way_of(&m).template_main, element(member(expected, "tau2"), 1), 1e-11);
    assert_true(isnan(m.draw) && isnan(pl_three_way_of(&m).item_draw));
    json_decref(root);
}

/* Planted components come back: each within five of its standard errors, roughly its size times sqrt(2/levels). */
static void test_planted(void **state)
{
    (void)state;
    enum { DRAWS = 12, TEMPLATES = 14, ITEMS = 150 };
    static double y[DRAWS * TEMPLATES * ITEMS];
    for (size_t d = 0; d < DRAWS; d++)
        for (size_t k = 0; k < TEMPLATES; k++)
            for (size_t i = 0; i < ITEMS; i++)
                y[(d * TEMPLATES + k) * ITEMS + i] =
                    1000.0 + 2.0 * pl_random_normal(1, PL_RANDOM_TEST, 0, i) +
                    1.5 * pl_random_normal(2, PL_RANDOM_TEST, 0, k) + pl_random_normal(3, PL_RANDOM_TEST, 0, d) +
                    1.2 * pl_random_normal(4, PL_RANDOM_TEST, (uint32_t)k, i) +
                    0.8 * pl_random_normal(5, PL_RANDOM_TEST, (uint32_t)d, i) +
                    0.6 * pl_random_normal(6, PL_RANDOM_TEST, (uint32_t)d, k) +
                    0.5 * pl_random_normal(7, PL_RANDOM_TEST, (uint32_t)(d * TEMPLATES + k), i);
    pl_mean_squares m;
    OK(pl_mean_squares_of(&m, y, DRAWS, TEMPLATES, ITEMS));
    pl_three_way v = pl_three_way_of(&m);
    assert_close(v.rest, 0.25, 0.01);
    assert_close(v.item_template, 1.44, 0.1);
    assert_close(v.item_draw, 0.64, 0.1);
    assert_close(v.template_draw, 0.36, 0.15);
    assert_true(v.item > 2.0 && v.item < 6.0 && v.template_main > 0.5 && v.template_main < 5.0);
    pl_estimate t = pl_template_sd_of(&m, NAN), s = pl_draw_sd_of(&m, NAN);
    assert_true(t.lo < 1.5 && t.hi > 1.5 && s.lo < 1.0 && s.hi > 1.0);
}

static void test_skewed_shares(void **state)
{
    (void)state;
    json_t *root = golden(), *row;
    size_t i;
    json_array_foreach(member(root, "beta_kurtosis"), i, row)
        assert_close(pl_beta_kurtosis(element(row, 0), element(row, 1)), element(row, 2), 1e-10);
    assert_true(pl_beta_kurtosis(0.5, 0.3) == 0.0 && pl_beta_kurtosis(1.0, 0.0) == 0.0);
    /* Wider near the end of the range, and the same in the middle, where a beta has less than normal tails. */
    double y[S * T * N];
    pl_mean_squares m;
    read_values(y, member(root, "three_way"));
    OK(pl_mean_squares_of(&m, y, S, T, N));
    m.template_main = 2.0 * m.item_template;
    pl_estimate plain = pl_template_sd_of(&m, NAN), middle = pl_template_sd_of(&m, 0.5),
                end = pl_template_sd_of(&m, 0.97);
    assert_true(plain.hi == middle.hi && end.hi > plain.hi && end.value == plain.value);
    json_decref(root);
}

static void test_nothing_varies(void **state)
{
    (void)state;
    double y[2 * 3 * 4];
    for (size_t i = 0; i < 24; i++) y[i] = (double)(i % 4);
    pl_mean_squares m;
    OK(pl_mean_squares_of(&m, y, 2, 3, 4));
    pl_estimate e = pl_template_sd_of(&m, NAN);
    assert_true(e.value == 0.0 && isnan(e.lo) && isnan(e.hi));
    assert_int_equal(pl_mean_squares_of(&m, y, 2, 1, 12), PL_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),  cmocka_unit_test(test_split),         cmocka_unit_test(test_no_dissent),
        cmocka_unit_test(test_planted), cmocka_unit_test(test_skewed_shares), cmocka_unit_test(test_nothing_varies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
