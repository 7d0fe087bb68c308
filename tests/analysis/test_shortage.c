/* Runs that lack something: one template, one draw, fewer items than classes, fewer groups of items than a variance
 * needs, nothing but wrong answers, units that are missing or half written, a run that still goes on. What can be
 * computed is; all else is empty and says why; no table fails. */
#include "analysis/planted_run.h"

#include <math.h>

#include "analysis/arms.h"
#include "analysis/contrasts.h"
#include "analysis/scorers.h"

enum { DRAWS = 4 };

static int mixed(size_t item, size_t template, size_t draw)
{
    return (item * 7 + template * 3 + draw * 5) % 17 < 5 ? !planted_gold(item) : planted_gold(item);
}

/* Templates of unlike accuracy. */
static int shifting(size_t item, size_t template, size_t draw)
{
    return (item * 7 + draw) % 17 < 1 + 3 * template ? !planted_gold(item) : planted_gold(item);
}

static int all_wrong(size_t item, size_t template, size_t draw)
{
    (void)template, (void)draw;
    return !planted_gold(item);
}

static double all_wrong_margin(size_t item, size_t template, size_t draw)
{
    (void)template, (void)draw;
    return planted_gold(item) ? -2.0 : 2.0;
}

static float state_of(size_t item, size_t template, size_t draw, size_t d)
{
    return (float)pl_random_normal(1 + draw, PL_RANDOM_TEST, (uint32_t) template, item * PLANTED_WIDTH + d);
}

static void leave_out(const planted *p, size_t template, size_t draw)
{
    char id[64], path[PL_PATH_MAX];
    planted_id(id, template, draw, p->generate);
    OK(pl_run_folder_unit(path, &p->run, id));
    assert_int_equal(unlink(path), 0);
}

/* What a killed writer leaves, or one that still writes. */
static void leave_half(const planted *p, size_t template, size_t draw)
{
    char id[64], path[PL_PATH_MAX], part[PL_PATH_MAX];
    planted_id(id, template, draw, p->generate);
    OK(pl_run_folder_unit(path, &p->run, id));
    OK(pl_path(part, "%s.part", path));
    assert_int_equal(rename(path, part), 0);
    assert_int_equal(truncate(part, 700), 0);
}

static void check_stability(planted *p, const char *what)
{
    pl_stability_table *t;
    OK(pl_stability_of_run(&t, planted_view(p), NULL));
    assert_true(t->n > 0);
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        const pl_metric *metric = pl_metric_of(r->metric);
        bool counted = r->metric == PL_METRIC_MAJORITY || !strcmp(r->unit, "item");
        if (isnan(r->lo) && !counted && !*r->why_empty)
            fail_msg("%s: %s, %s, layer '%s': no interval and no reason", what, metric->name, r->contrast, r->layer);
        if (isnan(r->value) && !*r->why_empty) fail_msg("%s: %s: no value and no reason", what, metric->name);
        if (!isnan(r->lo) && !(r->lo < r->hi && *r->generalises))
            fail_msg("%s: %s: interval [%g, %g] over '%s'", what, metric->name, r->lo, r->hi, r->generalises);
        if (isinf(r->value) || isinf(r->lo) || isinf(r->hi)) fail_msg("%s: %s is infinite", what, metric->name);
    }
    pl_stability_free(t);
}

static void check_others(planted *p, const char *what)
{
    pl_arms_table *arms;
    pl_contrasts_table *contrasts;
    pl_scorers_table *scorers;
    OK(pl_arms_of_run(&arms, planted_view(p)));
    for (size_t i = 0; i < arms->n_verdicts; i++) {
        const pl_verdict_row *r = &arms->verdicts[i];
        if (r->verdict == PL_UNDECIDED && isnan(r->p) && !*r->why) fail_msg("%s: UNDECIDED without a reason", what);
    }
    pl_arms_free(arms);
    OK(pl_contrasts_of_run(&contrasts, planted_view(p)));
    for (size_t i = 0; i < contrasts->n; i++) {
        const pl_contrast_row *r = &contrasts->rows[i];
        if (isnan(r->difference.value) && !*r->why_empty) fail_msg("%s: a contrast without value and reason", what);
        assert_true(isnan(r->difference.lo) || r->difference.lo < r->difference.hi);
    }
    pl_contrasts_free(contrasts);
    OK(pl_scorers_of_run(&scorers, planted_view(p)));
    for (size_t i = 0; i < scorers->n; i++) assert_true(scorers->rows[i].n_items > 0);
    pl_scorers_free(scorers);
}

static void test_all_tables(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        planted p;
        size_t missing, half; /* the last so many units */
    } cases[] = {
        {"one template", {.n = 30, .t = 1, .draws = DRAWS}, 0, 0},
        {"one template and draw", {.n = 30, .t = 1, .draws = 1}, 0, 0},
        {"one draw", {.n = 30, .t = 5, .draws = 1}, 0, 0},
        {"one item", {.n = 1, .t = 5, .draws = DRAWS}, 0, 0}, /* of two classes */
        {"two items", {.n = 2, .t = 5, .draws = DRAWS}, 0, 0},
        {"one group of items", {.n = 10, .t = 5, .draws = DRAWS, .cluster = 10}, 0, 0},
        {"two groups of items", {.n = 10, .t = 5, .draws = DRAWS, .cluster = 5}, 0, 0},
        {"all wrong", {.n = 30, .t = 5, .draws = DRAWS, .prediction = all_wrong, .margin = all_wrong_margin}, 0, 0},
        {"units missing", {.n = 30, .t = 5, .draws = DRAWS}, 7, 0},
        {"one unit alone", {.n = 30, .t = 5, .draws = DRAWS}, 5 * DRAWS - 1, 0},
        {"units half written", {.n = 30, .t = 5, .draws = DRAWS}, 0, 7},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (size_t learned = 0; learned < 3; learned++) { /* prompts; and linear readouts; and tuned models */
            planted p = cases[c].p;
            if (learned && p.draws < 2) continue;
            p.state = state_of;
            p.free_margin = 0.5;
            p.dev = p.t > 3 ? 2 : 0;
            p.learned = learned ? p.draws / 2 : 0;
            p.tuned = learned == 2;
            if (!p.prediction) p.prediction = mixed;
            plant_run(&p);
            for (size_t u = 0; u < cases[c].missing + cases[c].half; u++) {
                size_t at = p.t * p.draws - 1 - u;
                (cases[c].half ? leave_half : leave_out)(&p, at % p.t, at / p.t);
            }
            check_stability(&p, cases[c].what);
            check_others(&p, cases[c].what);
            uproot(&p);
        }
}

/* What can be said of answers that are all wrong: 0, and how sure that is. */
static void test_all_wrong(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 5, .draws = DRAWS, .prediction = all_wrong, .margin = all_wrong_margin};
    pl_stability_table *t = planted_table(&p);
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (r->metric == PL_METRIC_ACC) {
            assert_true(r->value == 0.0 && r->lo == 0.0 && r->hi > 0.0 && r->hi < 0.3);
            n++;
        } else if (r->metric == PL_METRIC_FLIP_RATE) {
            assert_true(r->value == 0.0 && r->lo == 0.0 && r->hi > 0.0);
        } else if (r->metric == PL_METRIC_TEMPLATE_SD) {
            assert_true(r->value == 0.0 && isnan(r->lo) && strstr(r->why_empty, "less than the noise"));
        }
    }
    assert_true(n > 0);
    pl_stability_free(t);
    uproot(&p);
}

/* Six members, but of two draws in three orders each: what is over draws is so from three draws on. */
static void test_orders_are_no_draws(void **state)
{
    (void)state;
    planted p = {.n = 60, .t = 5, .draws = 6, .orders = 3, .prediction = shifting, .state = state_of};
    pl_stability_table *t = planted_table(&p);
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        assert_null(strstr(r->generalises, "draws"));
        bool worst = r->metric == PL_METRIC_ACC_WORST,
             whole = worst || r->metric == PL_METRIC_TEMPLATE_SD || r->metric == PL_METRIC_MARGIN_ITEM;
        if (!whole || r->order >= 0) continue;
        assert_string_equal(r->generalises, worst ? "items" : "items, templates");
        assert_non_null(strstr(r->why_empty, "not over draws: 2 draws"));
        n++;
    }
    assert_int_equal(n, 3);
    pl_stability_free(t);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_tables), cmocka_unit_test(test_all_wrong),
                                       cmocka_unit_test(test_orders_are_no_draws)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
