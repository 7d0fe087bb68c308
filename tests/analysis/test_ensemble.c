/* The templates of a role together, calibrated, as a condition: its accuracy is what sums of planted margins say, and
 * the variance of its templates' means the jackknife's over wordings. */
#include "analysis/planted_run.h"

#include <math.h>

#include "analysis/contrast.h"
#include "analysis/ensemble.h"
#include "statistics/golden.h"

enum { N = 40, T = 9, DEV = 4, DRAWS = 3, FIRST_OOD = 1 + DEV };
static const double FREE = 1.2;

static double margin(size_t item, size_t template, size_t draw)
{
    double noise = (double)((item * 31 + template * 57 + draw * 13) % 89) / 89.0 - 0.5;
    return (planted_gold(item) ? 0.6 : -0.6) + 5.0 * noise + 0.2 * ((double)template - 4.0);
}

static int predict(size_t item, size_t template, size_t draw)
{
    return margin(item, template, draw) > 0;
}

/* Scores differ between labels by the margin alone, less what content-free inputs have of it: their sums by its sum. */
static double is_right(size_t item, size_t draw, size_t from, size_t to, size_t without)
{
    double sum = 0, q = 1 / (1 + exp(-FREE)), share = (1 + q) / 3, off = log(share / (1 - share));
    for (size_t k = from; k < to; k++) sum += k == without ? 0 : (float)(margin(item, k, draw) - 3.0) - 1.0 + 4.0 - off;
    return (sum > 0) == planted_gold(item);
}

static double accuracy(size_t from, size_t to, size_t without)
{
    double sum = 0;
    for (size_t d = 0; d < DRAWS; d++)
        for (size_t i = 0; i < N; i++) sum += is_right(i, d, from, to, without) / (N * DRAWS);
    return sum;
}

static void test_ensemble(void **state)
{
    (void)state;
    planted p = {
        .n = N, .t = T, .dev = DEV, .draws = DRAWS, .prediction = predict, .margin = margin, .free_margin = FREE};
    pl__condition list[2], ensembles[1];
    pl__conditions of = {.list = list, .ensembles = ensembles};
    plant_run(&p);
    OK(pl_arena_create(&of.arena));
    of.view = planted_view(&p);
    OK(pl__conditions_add(&of, 0));
    OK(pl__conditions_share(&of));
    assert_int_equal(of.n_ensembles, 1);
    const pl__condition *c = &ensembles[0];
    const char *name;
    OK(pl__condition_name(&name, c, of.arena));
    assert_string_equal(name, "prompt ensembled");
    assert_close(pl__condition_accuracy(c, PL_ROLE_ID), accuracy(0, 1, SIZE_MAX), 1e-12);
    assert_close(pl__condition_accuracy(c, PL_ROLE_DEV), accuracy(1, FIRST_OOD, SIZE_MAX), 1e-12);
    pl_crossed ood;
    double pseudo[T - FIRST_OOD], w = T - FIRST_OOD, value = accuracy(FIRST_OOD, T, SIZE_MAX), mean = 0;
    OK(pl__contrast(&ood, c, NULL, PL_ROLE_OOD, of.arena));
    for (size_t k = FIRST_OOD; k < T; k++) mean += accuracy(FIRST_OOD, T, k) / w;
    for (size_t k = FIRST_OOD; k < T; k++) pseudo[k - FIRST_OOD] = value + (w - 1) * (mean - accuracy(FIRST_OOD, T, k));
    assert_close(ood.value, value, 1e-12);
    assert_close(ood.variance[1], pow(standard_error(pseudo, T - FIRST_OOD), 2), 1e-12);
    assert_true(ood.variance[1] > 0 && ood.over_draws);
    assert_true(value > pl__condition_accuracy(&list[1], PL_ROLE_OOD)); /* what it is for */
    pl_arena_free(of.arena);
    uproot(&p);

    /* What cannot be calibrated has none. */
    p.free_margin = 0;
    plant_run(&p);
    of = (pl__conditions){.list = list, .ensembles = ensembles, .view = planted_view(&p)};
    OK(pl_arena_create(&of.arena));
    OK(pl__conditions_add(&of, 0));
    assert_true(of.n == 1 && of.n_ensembles == 0);
    pl_arena_free(of.arena);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ensemble)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
