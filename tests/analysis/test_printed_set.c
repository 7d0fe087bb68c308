/* Flips split by label shares, the variance split of the readout margin, absolute components of states: planted runs
 * whose numbers are sums over what was planted. */
#include "analysis/planted_run.h"

#include <math.h>

#include "analysis/stability.h"
#include "statistics/golden.h"
#include "statistics/interval.h"
#include "statistics/three_way.h"

enum { N = 40 };

static const pl_stability_row *get(const pl_stability_table *t, pl_metric_id metric, const char *layer, long long draw)
{
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (r->metric == metric && !strcmp(r->contrast, "templates") && !*r->template_name &&
            !strcmp(r->layer, layer) && r->draw == draw && (!*r->preproc || *r->preproc == 'c'))
            return r;
    }
    fail_msg("no row %s", pl_metric_of(metric)->name);
    return NULL;
}

/* One order of the items and a threshold for each template: all flips are forced. */
static int by_threshold(size_t item, size_t template, size_t draw)
{
    static const size_t thresholds[] = {10, 20, 25};
    (void)draw;
    return item < thresholds[template];
}

/* Half of the items under either template, but not the same half: none is. */
static int by_half(size_t item, size_t template, size_t draw)
{
    (void)draw;
    return (item + 10 * template) % 40 < 20;
}

static void test_flips(void **state)
{
    (void)state;
    planted p = {.n = N, .t = 3, .draws = 1, .prediction = by_threshold},
            q = {.n = N, .t = 2, .draws = 1, .prediction = by_half};
    pl_stability_table *t = planted_table(&p);
    assert_close(get(t, PL_METRIC_FLIP_RATE, "", 0)->value, 0.25, 1e-12);
    assert_close(get(t, PL_METRIC_FLIP_FORCED, "", 0)->value, 0.25, 1e-12);
    assert_close(get(t, PL_METRIC_FLIP_REST, "", 0)->value, 0.0, 1e-12);
    assert_string_equal(get(t, PL_METRIC_FLIP_FORCED, "", 0)->generalises, "items, templates");
    pl_stability_free(t);
    uproot(&p);
    t = planted_table(&q);
    const pl_stability_row *r = get(t, PL_METRIC_FLIP_FORCED, "", 0);
    assert_close(get(t, PL_METRIC_FLIP_RATE, "", 0)->value, 0.5, 1e-12);
    assert_close(r->value, 0.0, 1e-12);
    assert_close(get(t, PL_METRIC_FLIP_REST, "", 0)->value, 0.5, 1e-12);
    /* 20 items differ: E|sum of 20 signs| of 40, for each of the two labels by a half. */
    double null = 0;
    for (int k = 0; k <= 20; k++)
        null += exp(lgamma(21) - lgamma(k + 1) - lgamma(21 - k) - 20 * log(2)) * abs(20 - 2 * k) / 40;
    assert_close(r->null_mean, null, 1e-12);
    pl_stability_free(t);
    uproot(&q);
}

/* Leaving each item out again: 12 of 40 under t0, 25 under t1, ten flips that are not forced. */
static int with_both(size_t item, size_t template, size_t draw)
{
    (void)draw;
    return template ? item >= 5 && item < 30 : item < 12;
}

static double forced_without(size_t gone)
{
    double shares = 0, n = 0;
    for (size_t i = 0; i < N; i++) {
        if (i == gone) continue;
        shares += with_both(i, 0, 0) - with_both(i, 1, 0);
        n++;
    }
    return fabs(shares) / n;
}

static void test_flips_left_out(void **state)
{
    (void)state;
    planted p = {.n = N, .t = 2, .draws = 1, .prediction = with_both};
    pl_stability_table *t = planted_table(&p);
    double left[N], rest[N], flips = 0;
    for (size_t i = 0; i < N; i++) flips += with_both(i, 0, 0) != with_both(i, 1, 0);
    for (size_t i = 0; i < N; i++) {
        double without = flips - (with_both(i, 0, 0) != with_both(i, 1, 0));
        left[i] = forced_without(i);
        rest[i] = without / (N - 1) - left[i];
    }
    const pl_stability_row *forced = get(t, PL_METRIC_FLIP_FORCED, "", 0), *other = get(t, PL_METRIC_FLIP_REST, "", 0);
    assert_close(forced->value, 13.0 / N, 1e-12);
    assert_close(forced->se, pl_jackknife(forced->value, left, N).se, 1e-12);
    assert_close(other->value, flips / N - 13.0 / N, 1e-12);
    assert_close(other->se, pl_jackknife(other->value, rest, N).se, 1e-12);
    pl_stability_free(t);
    uproot(&p);
}

static int gold(size_t item, size_t template, size_t draw)
{
    (void)template;
    (void)draw;
    return planted_gold(item);
}

static double noisy_margin(size_t item, size_t template, size_t draw)
{
    return 2.0 * pl_random_normal(1, PL_RANDOM_TEST, 0, item) + pl_random_normal(2, PL_RANDOM_TEST, 0, template) +
           0.7 * pl_random_normal(3, PL_RANDOM_TEST, 0, draw) +
           0.5 * pl_random_normal(4, PL_RANDOM_TEST, (uint32_t)(draw * 16 + template), item);
}

/* What the file holds: float32 of margin - 3 beside -1, against -4; of the gold label minus the other. */
static void fill(double *out, size_t draws, size_t templates)
{
    for (size_t d = 0; d < draws; d++)
        for (size_t k = 0; k < templates; k++)
            for (size_t i = 0; i < N; i++) {
                double yes = (double)(float)(noisy_margin(i, k, d) - 3.0) + 3.0;
                out[(d * templates + k) * N + i] = planted_gold(i) ? yes : -yes;
            }
}

static void test_margin(void **state)
{
    (void)state;
    enum { T = 5, S = 4 };
    static const pl_metric_id ids[] = {PL_METRIC_MARGIN_ITEM,      PL_METRIC_MARGIN_TEMPLATE,
                                       PL_METRIC_MARGIN_DRAW,      PL_METRIC_MARGIN_ITEM_TEMPLATE,
                                       PL_METRIC_MARGIN_ITEM_DRAW, PL_METRIC_MARGIN_TEMPLATE_DRAW,
                                       PL_METRIC_MARGIN_REST};
    planted p = {
        .n = N, .t = T, .draws = S, .prediction = gold, .margin = noisy_margin, .cluster = 2, .reversed = true};
    static double values[S * T * N];
    pl_stability_table *t = planted_table(&p);
    pl_mean_squares m;
    fill(values, S, T);
    OK(pl_mean_squares_of(&m, values, S, T, N));
    pl_three_way v = pl_three_way_of(&m);
    const double expected[] = {v.item, v.template_main, v.draw, v.item_template, v.item_draw, v.template_draw, v.rest};
    for (size_t i = 0; i < 7; i++) {
        const pl_stability_row *r = get(t, ids[i], "", -1);
        assert_close(r->value, expected[i], 1e-10);
        assert_true(r->lo < r->value && r->hi > r->value && r->n_clusters == N / 2);
        assert_string_equal(r->generalises, "items, templates, draws");
    }
    assert_close(get(t, PL_METRIC_MARGIN_REST, "", -1)->value, 0.25, 0.05);
    /* Of one draw there are item, template and rest. */
    OK(pl_mean_squares_of(&m, values, 1, T, N));
    v = pl_three_way_of(&m);
    assert_close(get(t, PL_METRIC_MARGIN_ITEM, "", 0)->value, v.item, 1e-10);
    assert_close(get(t, PL_METRIC_MARGIN_REST, "", 0)->value, v.rest, 1e-10);
    for (size_t i = 0; i < t->n; i++) assert_false(t->rows[i].metric == PL_METRIC_MARGIN_DRAW && t->rows[i].draw >= 0);
    pl_stability_free(t);
    uproot(&p);
}

static float noisy_state(size_t item, size_t template, size_t draw, size_t d)
{
    return (float)(3.0 * pl_random_normal(1, PL_RANDOM_TEST, 0, item * PLANTED_WIDTH + d) +
                   pl_random_normal(2 + draw, PL_RANDOM_TEST, (uint32_t) template, item * PLANTED_WIDTH + d));
}

static void test_absolute_components(void **state)
{
    (void)state;
    planted p = {.n = 200, .t = 4, .draws = 1, .prediction = gold, .state = noisy_state};
    pl_stability_table *t = planted_table(&p);
    const pl_stability_row *item = get(t, PL_METRIC_S2_ITEM, "01", 0),
                           *other = get(t, PL_METRIC_S2_INTERACTION, "01", 0);
    assert_close(item->value, 9.0 * PLANTED_WIDTH, 0.15 * PLANTED_WIDTH);
    assert_close(other->value, 1.0 * PLANTED_WIDTH, 0.1 * PLANTED_WIDTH);
    assert_true(item->lo < 9.0 * PLANTED_WIDTH && item->hi > 9.0 * PLANTED_WIDTH && isnan(item->null_mean));
    assert_close(get(t, PL_METRIC_WOBBLE, "01", 0)->value, other->value / (item->value + other->value), 1e-12);
    pl_stability_free(t);
    uproot(&p);
}

static float dominated_state(size_t item, size_t template, size_t draw, size_t d)
{
    return noisy_state(item, template, draw, d) * (d ? 1.0f : 20.0f);
}

/* Shift and icc of what is nearly one dimension have no interval, of one draw and of the mean over draws. */
static void test_one_dimension(void **state)
{
    (void)state;
    planted p = {.n = 60, .t = 4, .draws = 3, .prediction = gold, .state = dominated_state};
    pl_stability_table *t = planted_table(&p);
    static const pl_metric_id ids[] = {PL_METRIC_SHIFT, PL_METRIC_ICC, PL_METRIC_WOBBLE};
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        for (size_t m = 0; m < 3; m++) {
            if (r->metric != ids[m] || strcmp(r->layer, "01") || strcmp(r->contrast, "templates")) continue;
            bool withheld = m < 2 && !strcmp(r->preproc, "c");
            assert_true(isfinite(r->value) && isnan(r->lo) == withheld);
            if (withheld) assert_true(isnan(r->p) && !strcmp(r->ci_method, "none"));
            assert_int_equal(strstr(r->why_empty, "participation_ratio is below 3") != NULL, withheld);
            n += withheld;
        }
    }
    assert_int_equal(n, 8);
    assert_true(get(t, PL_METRIC_PARTICIPATION_RATIO, "01", 0)->value < 1.1);
    pl_stability_free(t);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flips),         cmocka_unit_test(test_flips_left_out),
        cmocka_unit_test(test_margin),        cmocka_unit_test(test_absolute_components),
        cmocka_unit_test(test_one_dimension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
