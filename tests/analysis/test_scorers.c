/* Readouts of stored log-probabilities: a planted margin decides each of them at a threshold of its own. */
#include "analysis/planted_run.h"

#include <math.h>

#include "analysis/scorers.h"
#include "analysis/stability.h"
#include "statistics/golden.h"

enum { N = 60, T = 5, DRAWS = 3, CLUSTER = 2 };
static const double FREE = 1.3;

/* Label 1 minus label 0, from -6 to 6; no threshold is among the values. */
static double margin(size_t item, size_t template, size_t draw)
{
    double noise = (double)((item * 29 + template * 17 + draw * 41) % 97) / 97.0 - 0.5;
    return (planted_gold(item) ? 1.1 : -1.7) + 9.0 * noise + 0.4 * (double)template;
}

static int predict(size_t item, size_t template, size_t draw)
{
    return margin(item, template, draw) > 0;
}

/* Label 0 scores -4 (one token, two characters), label 1 the margin minus 4 (two tokens, three characters).
 * Content-free:
 * (-4, f - 4), (-90, f - 90) and (f - 1, -1). */
static double threshold(pl_scorer scorer)
{
    double q = 1.0 / (1.0 + exp(-FREE)), p1 = (2.0 * q + 1.0 - q) / 3.0;
    double free0 = exp(-4.0) + exp(-90.0) + exp(FREE - 1.0), free1 = exp(FREE - 4.0) + exp(FREE - 90.0) + exp(-1.0);
    const double at[PL_SCORERS] = {0.0, -4.0, -2.0, log(p1 / (1.0 - p1)), log(free1 / free0)};
    return at[scorer];
}

static double outcome(pl_scorer scorer, size_t item, size_t template, size_t draw)
{
    return (margin(item, template, draw) > threshold(scorer)) == planted_gold(item);
}

static double accuracy(pl_scorer scorer, size_t from, size_t to)
{
    double sum = 0;
    for (size_t k = from; k < to; k++)
        for (size_t d = 0; d < DRAWS; d++)
            for (size_t i = 0; i < N; i++) sum += outcome(scorer, i, k, d) / (double)(DRAWS * N * (to - from));
    return sum;
}

static void test_scorers(void **state)
{
    (void)state;
    planted p = {.n = N,
                 .t = T,
                 .draws = DRAWS,
                 .cluster = CLUSTER,
                 .free_margin = FREE,
                 .prediction = predict,
                 .margin = margin};
    pl_scorers_table *t;
    pl_stability_table *table;
    plant_run(&p);
    OK(pl_scorers_of_run(&t, planted_view(&p)));
    assert_int_equal(t->n, 2 * 5); /* id and ood; no generated answers */
    for (size_t i = 0; i < t->n; i++) {
        const pl_scorer_row *r = &t->rows[i];
        assert_int_equal(r->scorer, (pl_scorer)(i / 2));
        bool id = !strcmp(r->role, "id");
        double expected = accuracy(r->scorer, id ? 0 : 1, id ? 1 : T),
               raw = accuracy(PL_SCORER_RAW, id ? 0 : 1, id ? 1 : T);
        assert_close(r->accuracy.value, expected, 1e-12);
        assert_int_equal(r->accuracy.n_clusters, N / CLUSTER);
        assert_int_equal(r->n_templates, id ? 1 : T - 1);
        if (r->scorer == PL_SCORER_RAW)
            assert_true(isnan(r->difference.value));
        else
            assert_close(r->difference.value, expected - raw, 1e-12);
        for (size_t other = 0; other < i; other++) /* they are five readouts, not one five times */
            if (t->rows[other].scorer != r->scorer && !strcmp(t->rows[other].role, r->role) && !id)
                assert_true(fabs(t->rows[other].accuracy.value - r->accuracy.value) > 1e-6);
    }
    /* The table's own template SD, of clusters, is that of the raw scores. */
    OK(pl_stability_of_run(&table, planted_view(&p), NULL));
    size_t found = 0;
    for (size_t i = 0; i < table->n; i++) {
        const pl_stability_row *r = &table->rows[i];
        if (r->metric != PL_METRIC_TEMPLATE_SD || r->draw != -1) continue;
        assert_close(t->rows[0].template_sd.value, r->value, 1e-12);
        assert_close(t->rows[0].template_sd.lo, r->lo, 1e-11);
        assert_close(t->rows[0].template_sd.hi, r->hi, 1e-11);
        found++;
    }
    assert_int_equal(found, 1);
    pl_stability_free(table);
    assert_int_equal(t->n_claims, 1);
    const pl_scorer_claim *c = t->claims;
    assert_true(c->known[PL_SCORER_RAW] && c->known[PL_SCORER_CALIBRATED] && !c->known[PL_SCORER_GENERATED]);
    assert_true(c->sensitive[PL_SCORER_RAW] == (t->rows[0].template_sd.lo > 0));
    assert_true(c->sensitive[PL_SCORER_CALIBRATED] == (t->rows[6].template_sd.lo > 0));
    assert_int_equal(pl_scorer_claim_known(c), 2);
    pl_scorers_free(t);
    uproot(&p);
}

/* An input after which no label has a share leaves the means of log-probabilities as they are. */
static void test_not_calibrated(void **state)
{
    (void)state;
    planted p = {
        .n = N, .t = T, .draws = DRAWS, .free_margin = FREE, .silent = true, .prediction = predict, .margin = margin};
    pl_scorers_table *t;
    plant_run(&p);
    OK(pl_scorers_of_run(&t, planted_view(&p)));
    assert_int_equal(t->n, 2 * 4);
    for (size_t i = 0; i < t->n; i++) assert_true(t->rows[i].scorer != PL_SCORER_CALIBRATED);
    assert_int_equal(t->rows[6].scorer, PL_SCORER_PMI);
    pl_scorers_free(t);
    uproot(&p);
}

/* A unit whose content-free scores fit its first row and not its last. */
static void test_uneven(void **state)
{
    (void)state;
    planted p = {
        .n = N, .t = T, .draws = DRAWS, .free_margin = FREE, .uneven = true, .prediction = predict, .margin = margin};
    pl_scorers_table *t;
    plant_run(&p);
    assert_int_equal(pl_scorers_of_run(&t, planted_view(&p)), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "content_free/score: 2 columns, expected one for each of the 1 choices of "
                                            "row 59 (as for every row), or for each of all 119"));
    uproot(&p);
}

/* Generated answers have one scorer; classifier heads and linear readouts, whose scores are no texts', none. */
static void test_others(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = 4, .learned = 2, .prediction = predict, .margin = margin};
    pl_scorers_table *t;
    plant_run(&p);
    OK(pl_scorers_of_run(&t, planted_view(&p)));
    assert_int_equal(t->n, 2 * 3); /* of the prompts, without content-free scores */
    for (size_t i = 0; i < t->n; i++) assert_string_equal(t->rows[i].arm, "prompt");
    pl_scorers_free(t);
    uproot(&p);
    p.learned = 0;
    p.generate = true;
    plant_run(&p);
    OK(pl_scorers_of_run(&t, planted_view(&p)));
    assert_int_equal(t->n, 2);
    assert_int_equal(t->rows[0].scorer, PL_SCORER_GENERATED);
    assert_int_equal(pl_scorer_claim_known(t->claims), 1);
    assert_true(t->claims->known[PL_SCORER_GENERATED]);
    pl_scorers_free(t);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scorers), cmocka_unit_test(test_not_calibrated),
                                       cmocka_unit_test(test_uneven), cmocka_unit_test(test_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
