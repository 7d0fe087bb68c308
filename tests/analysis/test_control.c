/* Controls as rows: predictions that move with the draw alone, and what content-free inputs would get right. */
#include "analysis/planted_run.h"

#include <math.h>

#include "analysis/scope.h"
#include "analysis/stability.h"
#include "statistics/golden.h"

enum { N = 30, T = 4, DRAWS = 4 };
static const double FREE = 0.8;

static int predict(size_t item, size_t template, size_t draw)
{
    return (item * 11 + template * 5 + draw * 7) % 13 < 5 + draw ? planted_gold(item) : 0;
}

/* Of four templates two at most agree. */
static int three_answers(size_t item, size_t template, size_t draw)
{
    (void)draw;
    return (int)((item + template) % 3);
}

static const pl_stability_row *find(const pl_stability_table *t, pl_metric_id metric, long long draw,
                                    const char *template_name)
{
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (r->metric == metric && r->draw == draw && !strcmp(r->template_name, template_name) &&
            !strcmp(r->contrast, "templates"))
            return r;
    }
    return NULL;
}

static double unlike(size_t item, size_t template, size_t without)
{
    double sum = 0, pairs = 0;
    for (size_t a = 0; a < DRAWS; a++)
        for (size_t b = 0; b < a; b++) {
            if (a == without || b == without) continue;
            pairs++;
            sum += predict(item, template, a) != predict(item, template, b);
        }
    return sum / pairs;
}

static double mean_without(size_t draw)
{
    double sum = 0;
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < T; k++) sum += unlike(i, k, draw) / (N * T);
    return sum;
}

static void test_rows(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = DRAWS, .free_margin = FREE, .prediction = predict};
    pl_stability_table *t = planted_table(&p);
    const pl_stability_row *flips = find(t, PL_METRIC_FLIP_DRAWS, -1, "");
    assert_non_null(flips);
    double value = mean_without(SIZE_MAX), template[T] = {0}, pseudo[DRAWS];
    for (size_t k = 0; k < T; k++)
        for (size_t i = 0; i < N; i++) template[k] += unlike(i, k, SIZE_MAX) / N;
    for (size_t d = 0; d < DRAWS; d++) pseudo[d] = DRAWS * value - (DRAWS - 1) * mean_without(d);
    double high = DRAWS / (2.0 * (DRAWS - 1)), m = N + 2, centre = (N * value + high) / m, squares = 0;
    for (size_t i = 0; i < N; i++) {
        double item = 0;
        for (size_t k = 0; k < T; k++) item += unlike(i, k, SIZE_MAX) / T;
        squares += (item - centre) * (item - centre);
    }
    squares += centre * centre + (high - centre) * (high - centre);
    double variance =
        squares / (m * (m - 1)) + pow(standard_error(template, T), 2) + pow(standard_error(pseudo, DRAWS), 2);
    assert_close(flips->value, value, 1e-12);
    assert_close(flips->se, sqrt(variance), 1e-12);
    assert_string_equal(flips->generalises, "items, templates, draws");
    assert_null(find(t, PL_METRIC_FLIP_DRAWS, 0, "")); /* one draw has no other */

    double q = 1 / (1 + exp(-FREE)), p1 = (2 * q + 1 - q) / 3,
           bits = -(p1 * log(p1) + (1 - p1) * log(1 - p1)) / log(2.0);
    const pl_stability_row *label = find(t, PL_METRIC_FREE_ACC, -1, ""),
                           *entropy = find(t, PL_METRIC_FREE_ENTROPY, -1, "");
    assert_true(label && entropy && p1 > 0.5);
    assert_close(label->value, 0.6, 1e-12); /* label 1's share */
    assert_close(entropy->value, bits, 1e-12);
    assert_close(find(t, PL_METRIC_FREE_ENTROPY, 2, "t3")->value, bits, 1e-12);
    assert_close(find(t, PL_METRIC_FREE_ACC, 2, "t3")->value, 0.6, 1e-12);
    assert_close(entropy->null_mean, 1, 1e-15);
    pl_stability_free(t);
    uproot(&p);
    p.free_margin = 0; /* there are no content-free inputs */
    t = planted_table(&p);
    assert_true(!find(t, PL_METRIC_FREE_ACC, -1, "") && !find(t, PL_METRIC_FREE_ENTROPY, -1, ""));
    pl_stability_free(t);
    uproot(&p);
}

/* Of 26 predictions of six labels .867 of the pairs can differ, of two labels .52: an interval may reach so far. */
static void test_flips_most(void **state)
{
    (void)state;
    assert_close(pl__flips_most(26, 2), 0.52, 1e-15);
    assert_close(pl__flips_most(26, 6), 26.0 / 25.0 * 5.0 / 6.0, 1e-15);
    assert_true(pl__flips_most(2, 2) == 1 && pl__flips_most(3, 6) == 1);
    assert_close(pl__flips_most(4, 1), pl__flips_most(4, 2), 1e-15); /* a constant predictor could have said another */
}

/* Of three answers .83 of the pairs of four templates differ: beyond what two labels could. */
static void test_many_labels(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = 1, .generate = true, .prediction = three_answers};
    pl_stability_table *t = planted_table(&p);
    const pl_stability_row *flips = find(t, PL_METRIC_FLIP_RATE, 0, "");
    assert_true(flips && flips->value > 0.8 && flips->hi >= flips->value);
    pl_stability_free(t);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_flips_most),
                                       cmocka_unit_test(test_many_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
