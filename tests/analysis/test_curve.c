/* Curves over layers and families of tests: differences against sums over what was planted, and which rows are adjusted
 * together. */
#include "analysis/planted_run.h"

#include <math.h>

#include "analysis/curve.h"
#include "analysis/rows.h"
#include "analysis/stability.h"
#include "statistics/golden.h"
#include "statistics/multiplicity.h"

enum { N = 24, T = 4, S = 3, LAYERS = 3 };

/* Layer l: items around .1 l, templates and draws nearly the same in all layers. */
static void add_layer(pl__curves *curves, size_t l, size_t n, uint64_t items)
{
    static const char *const names[LAYERS] = {"00", "05", "final_norm"};
    double values[3][N];
    for (size_t i = 0; i < N; i++) values[0][i] = 0.1 * (double)l + 0.02 * (double)((7 * i + 3 * l) % 11);
    for (size_t k = 0; k < T; k++) values[1][k] = 0.3 * (double)k + 0.01 * (double)(k * l);
    for (size_t d = 0; d < S; d++) values[2][d] = 0.2 * (double)d + 0.005 * (double)(d * d * l);
    const pl__curve_point point = {.row = {.metric = PL_METRIC_WOBBLE,
                                           .layer = names[l],
                                           .position = "last",
                                           .preproc = "c",
                                           .contrast = "templates",
                                           .model = "",
                                           .why_empty = "",
                                           .p_adjusted = NAN},
                                   .same_items = items,
                                   .value = pl_mean(values[0], n),
                                   .levels = {n, T, S},
                                   .values = {values[0], values[1], values[2]}};
    OK(pl__curve_add(curves, &point));
}

static void test_differences(void **state)
{
    (void)state;
    pl__rows rows = {0};
    OK(pl_arena_create(&rows.arena));
    for (size_t l = 0; l < LAYERS; l++) add_layer(&rows.curves, l, N, 1);
    OK(pl__curve_rows(&rows));
    assert_int_equal(rows.n, LAYERS - 1);
    assert_int_equal(rows.curves.n, 0);
    for (size_t l = 1; l < LAYERS; l++) {
        const pl_stability_row *r = &rows.rows[l - 1];
        double items[N], templates[T], draws[S];
        for (size_t i = 0; i < N; i++)
            items[i] = 0.1 * (double)l + 0.02 * ((double)((7 * i + 3 * l) % 11) - (double)(7 * i % 11));
        for (size_t k = 0; k < T; k++) templates[k] = 0.01 * (double)(k * l);
        for (size_t d = 0; d < S; d++) draws[d] = 0.005 * (double)(d * d * l);
        assert_string_equal(r->contrast, l == 1 ? "05|00" : "final_norm|00");
        assert_string_equal(r->layer, l == 1 ? "05" : "final_norm");
        assert_close(r->value, pl_mean(items, N), 1e-12);
        assert_close(r->se,
                     sqrt(pow(standard_error(items, N), 2) + pow(standard_error(templates, T), 2) +
                          pow(standard_error(draws, S), 2)),
                     1e-12);
        assert_string_equal(r->generalises, "items, templates, draws");
        assert_true(r->p > 0.0 && r->p_adjusted >= r->p && r->null_mean == 0.0);
    }
    pl_arena_free(rows.arena);
    rows.arena = NULL;
    pl__rows_free(&rows);
}

/* Layers of other items, and those without a number, are no part of a curve; the first that has one is its start. */
static void test_what_is_compared(void **state)
{
    (void)state;
    pl__rows rows = {0};
    OK(pl_arena_create(&rows.arena));
    add_layer(&rows.curves, 0, N, 1);
    rows.curves.points[0].value = NAN;
    add_layer(&rows.curves, 1, N, 1);
    add_layer(&rows.curves, 2, N, 1);
    add_layer(&rows.curves, 2, N - 1, 2);
    OK(pl__curve_rows(&rows));
    assert_int_equal(rows.n, 1);
    assert_string_equal(rows.rows[0].contrast, "final_norm|05");
    pl_arena_free(rows.arena);
    pl__rows_free(&rows);
}

static int some_flips(size_t item, size_t template, size_t draw)
{
    bool wrong = (item * 5 + template * 3 + draw) % 11 < 3 + template;
    return wrong ? !planted_gold(item) : planted_gold(item);
}

static float some_state(size_t item, size_t template, size_t draw, size_t d)
{
    return (float)(2.0 * pl_random_normal(1, PL_RANDOM_TEST, 0, item * PLANTED_WIDTH + d) +
                   pl_random_normal(2 + draw, PL_RANDOM_TEST, (uint32_t) template, item * PLANTED_WIDTH + d));
}

/* In a run: the last two planted layers are equal, and every other p is adjusted with those beside it. */
static void test_run(void **state)
{
    (void)state;
    planted p = {.n = 30, .t = 4, .draws = 3, .prediction = some_flips, .state = some_state};
    pl_stability_table *t;
    size_t n = 0, n_equal = 0;
    double values[64], adjusted[64];
    t = planted_table(&p);
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (isnan(r->p) != isnan(r->p_adjusted) || r->p_adjusted < r->p - 1e-12)
            fail_msg("row %zu: %g, %g", i, r->p, r->p_adjusted);
        if (!strcmp(r->contrast, "final_norm|01")) {
            assert_true(r->value == 0.0 && isnan(r->lo) && r->draw == -1);
            n_equal++;
        }
        if (r->metric == PL_METRIC_ACC && *r->template_name && r->draw >= 0) values[n++] = r->p;
    }
    assert_int_equal(n_equal, 5); /* wobble and shift in two ways, CKA */
    assert_int_equal(n, 12);
    OK(pl_benjamini_hochberg(adjusted, values, n));
    n = 0;
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (r->metric == PL_METRIC_ACC && *r->template_name && r->draw >= 0)
            assert_close(r->p_adjusted, adjusted[n++], 1e-14);
    }
    pl_stability_free(t);
    uproot(&p);
}

/* Cochran's Q of a member, with its degrees of freedom; items in groups have none. */
static void test_cochran(void **state)
{
    (void)state;
    for (size_t cluster = 0; cluster < 3; cluster += 2) {
        planted p = {.n = 30, .t = 4, .draws = 1, .prediction = some_flips, .cluster = cluster};
        pl_stability_table *t;
        size_t n = 0;
        t = planted_table(&p);
        for (size_t i = 0; i < t->n; i++) {
            const pl_stability_row *r = &t->rows[i];
            if (r->metric != PL_METRIC_COCHRAN_Q) continue;
            n++;
            if (cluster) {
                assert_true(isnan(r->value) && strstr(r->why_empty, "items are in groups"));
                continue;
            }
            assert_true(r->value > 0.0 && r->df == (double)r->n_templates - 1.0 && r->p > 0.0 && r->p < 1.0);
        }
        assert_int_equal(n, 2); /* all templates, and those of role ood */
        pl_stability_free(t);
        uproot(&p);
    }
}

/* A wording counts once, with whatever label words. */
static void test_cochran_of_wordings(void **state)
{
    (void)state;
    double value[2] = {0.0, 0.0}, df[2] = {0.0, 0.0};
    for (size_t twins = 0; twins < 2; twins++) {
        planted p = {.n = 30, .t = 3 + twins, .draws = 1, .prediction = some_flips, .twins = twins};
        pl_stability_table *t;
        t = planted_table(&p);
        for (size_t i = 0; i < t->n; i++) {
            const pl_stability_row *r = &t->rows[i];
            if (r->metric != PL_METRIC_COCHRAN_Q || strcmp(r->contrast, "templates") != 0) continue;
            value[twins] = r->value;
            df[twins] = r->df;
        }
        pl_stability_free(t);
        uproot(&p);
    }
    assert_true(df[0] == 2.0 && df[1] == 2.0);
    assert_close(value[1], value[0], 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_cochran_of_wordings),
        cmocka_unit_test(test_what_is_compared),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_cochran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
