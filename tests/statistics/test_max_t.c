/* Max T over layers: one layer has the p of its interval, equal layers cost nothing, independent ones what their number
 * says, and studies without an effect rarely find one. */
#include "statistics/golden.h"

#include "base/random.h"
#include "statistics/crossed.h"
#include "statistics/interval.h"
#include "statistics/max_t.h"

enum { ITEMS = 60, TEMPLATES = 6, LAYERS = 5 };

static void fill(double *values, size_t n, uint64_t seed, uint32_t stream, double scale, double mean)
{
    for (size_t i = 0; i < n; i++) values[i] = mean + scale * pl_random_normal(seed, PL_RANDOM_TEST, stream, i);
}

static double t_of(const double *items, const double *templates)
{
    pl_component c = pl_component_of_mean(items, ITEMS, 2), t = {0.0, 0.0};
    if (templates) t = pl_component_of_mean(templates, TEMPLATES, 2);
    return pl_mean(items, ITEMS) / sqrt(c.variance + t.variance);
}

/* Standard errors of 1,000 replicates are .016 at most. */
static void test_one_layer(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 6; seed++) {
        double items[ITEMS], p;
        fill(items, ITEMS, seed, 0, 1.0, 0.05 * (double)seed);
        double t = t_of(items, NULL), exact = 2.0 * pl_student_tail(fabs(t), ITEMS - 1.0);
        const pl_max_t of = {.n = 1, .t = &t, .levels = {ITEMS}, .values = {items}};
        OK(pl_max_t_p(&p, &of, seed));
        assert_true(fabs(p - exact) < 0.06);
        double again;
        OK(pl_max_t_p(&again, &of, seed));
        assert_true(p == again);
    }
    /* Few levels: Student's heavy tails. */
    double templates[3] = {1.0, 1.5, 0.4}, p, t = pl_mean(templates, 3) / standard_error(templates, 3);
    const pl_max_t of = {.n = 1, .t = &t, .levels = {0, 3}, .values = {NULL, templates}};
    OK(pl_max_t_p(&p, &of, 1));
    assert_true(fabs(p - 2.0 * pl_student_tail(t, 2.0)) < 0.05);
}

static void test_number_of_layers(void **state)
{
    (void)state;
    double values[LAYERS * ITEMS], t[LAYERS], p[LAYERS], alone;
    fill(values, ITEMS, 7, 0, 1.0, 0.25);
    for (size_t l = 0; l < LAYERS; l++) {
        memcpy(values + l * ITEMS, values, ITEMS * sizeof *values);
        t[l] = t_of(values, NULL);
    }
    pl_max_t of = {.n = 1, .t = t, .levels = {ITEMS}, .values = {values}};
    OK(pl_max_t_p(&alone, &of, 1));
    of.n = LAYERS;
    OK(pl_max_t_p(p, &of, 1));
    for (size_t l = 0; l < LAYERS; l++) assert_true(p[l] == alone);
    /* Unrelated layers: 1 - (1 - p)^L for the largest, the rest stepping down; a layer that is not tested has none. */
    for (uint32_t l = 0; l < LAYERS; l++) fill(values + l * ITEMS, ITEMS, 8, l, 1.0, 0.0);
    for (size_t l = 0; l < LAYERS; l++) t[l] = 2.2 - 0.3 * (double)l;
    OK(pl_max_t_p(p, &of, 1));
    double tail = 2.0 * pl_student_tail(2.2, ITEMS - 1.0);
    assert_true(fabs(p[0] - (1.0 - pow(1.0 - tail, LAYERS))) < 0.05);
    for (size_t l = 1; l < LAYERS; l++) assert_true(p[l] >= p[l - 1]);
    t[2] = NAN;
    OK(pl_max_t_p(p, &of, 1));
    assert_true(isnan(p[2]) && !isnan(p[3]));
}

/* Correlated layers over items and templates, nothing planted: some layer has p <= .05 in at most .07 of 300 studies,
 * two standard errors above .05. */
static void test_nothing_is_found(void **state)
{
    (void)state;
    enum { STUDIES = 300 };
    size_t found = 0;
    for (uint64_t r = 0; r < STUDIES; r++) {
        double items[LAYERS * ITEMS], templates[LAYERS * TEMPLATES], t[LAYERS], p[LAYERS], own[ITEMS + TEMPLATES];
        bool any = false;
        for (uint32_t l = 0; l < LAYERS; l++) {
            fill(own, ITEMS + TEMPLATES, 100 + r, l, 1.0, 0.0);
            for (size_t i = 0; i < ITEMS; i++) items[l * ITEMS + i] = own[i] + (l ? items[(l - 1) * ITEMS + i] : 0.0);
            for (size_t k = 0; k < TEMPLATES; k++)
                templates[l * TEMPLATES + k] = 0.3 * own[ITEMS + k] + (l ? templates[(l - 1) * TEMPLATES + k] : 0.0);
            pl_component of_items = pl_component_of_mean(items + l * ITEMS, ITEMS, 2),
                         of_templates = pl_component_of_mean(templates + l * TEMPLATES, TEMPLATES, 2);
            t[l] = (pl_mean(items + l * ITEMS, ITEMS) + pl_mean(templates + l * TEMPLATES, TEMPLATES)) /
                   sqrt(of_items.variance + of_templates.variance);
        }
        const pl_max_t of = {.n = LAYERS, .t = t, .levels = {ITEMS, TEMPLATES}, .values = {items, templates}};
        OK(pl_max_t_p(p, &of, r));
        for (size_t l = 0; l < LAYERS; l++) any = any || p[l] <= 0.05;
        found += any;
    }
    assert_true(found <= (size_t)(0.075 * STUDIES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_layer),
        cmocka_unit_test(test_number_of_layers),
        cmocka_unit_test(test_nothing_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
