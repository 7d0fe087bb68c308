/* Shares of a plan: every unit is in exactly one, the dear ones are spread, and no share depends on another's size. */
#include "tests.h"

#include "experiment/share.h"

enum { UNITS = 37 };
static const pl_spec spec;

static void every_unit_is_in_one_share(void **state)
{
    (void)state;
    pl_plan_unit units[UNITS] = {0};
    pl_plan plan = {.spec = &spec, .n_units = UNITS, .units = units};
    for (size_t u = 0; u < UNITS; u++) units[u].cost = (double)(u * 7 % 5);
    for (size_t n = 1; n <= UNITS + 3; n++) {
        size_t times[UNITS] = {0}, dearest = 0;
        for (size_t i = 0; i < n; i++) {
            bool mine[UNITS];
            size_t size = 0, dear = 0;
            OK(pl_share(mine, &plan, i, n));
            for (size_t u = 0; u < UNITS; u++) {
                times[u] += mine[u];
                size += mine[u];
                dear += mine[u] && units[u].cost == 4.0;
            }
            assert_true(size == UNITS / n || size == UNITS / n + 1);
            if (dear > dearest) dearest = dear;
        }
        for (size_t u = 0; u < UNITS; u++) assert_int_equal(times[u], 1);
        assert_true(dearest <= 7 / n + 1); /* 7 units cost 4 */
    }
}

static void no_shards_is_all(void **state)
{
    (void)state;
    pl_plan_unit units[3] = {{.cost = 1}, {.cost = 2}, {.cost = 3}};
    pl_plan plan = {.spec = &spec, .n_units = 3, .units = units};
    bool mine[3] = {false};
    OK(pl_share(mine, &plan, 0, 0));
    assert_true(mine[0] && mine[1] && mine[2]);
}

/* A unit that learns and what evaluates it share its weights. */
static void what_learns_stays_with_its_evaluations(void **state)
{
    (void)state;
    pl_plan_unit units[UNITS] = {0};
    pl_adaptation adaptations[UNITS];
    pl_plan plan = {.spec = &spec, .n_units = UNITS, .units = units};
    for (size_t u = 0; u < UNITS; u++) {
        adaptations[u].unit = u / 5 * 5;
        units[u].cost = (double)(u * 7 % 5);
        units[u].adaptation = u < 30 ? &adaptations[u] : NULL;
    }
    for (size_t n = 1; n <= 7; n++) {
        size_t times[UNITS] = {0};
        for (size_t i = 0; i < n; i++) {
            bool mine[UNITS];
            OK(pl_share(mine, &plan, i, n));
            for (size_t u = 0; u < UNITS; u++) times[u] += mine[u];
            for (size_t u = 0; u < 30; u++) assert_int_equal(mine[u], mine[u / 5 * 5]);
        }
        for (size_t u = 0; u < UNITS; u++) assert_int_equal(times[u], 1);
    }
}

/* What looks for itself waits for no other. */
static void a_staged_model_and_task_is_one(void **state)
{
    (void)state;
    static const pl_spec staged = {.staged = true};
    pl_plan_unit units[UNITS] = {0};
    pl_plan plan = {.spec = &staged, .n_units = UNITS, .units = units};
    for (size_t u = 0; u < UNITS; u++) {
        units[u].model = u / 20;
        units[u].task = u / 10 % 2;
        units[u].cost = (double)(u * 7 % 5);
    }
    for (size_t n = 1; n <= 6; n++) {
        size_t times[UNITS] = {0}, shards = 0;
        for (size_t i = 0; i < n; i++) {
            bool mine[UNITS], any = false;
            OK(pl_share(mine, &plan, i, n));
            for (size_t u = 0; u < UNITS; u++) {
                times[u] += mine[u];
                any = any || mine[u];
                assert_int_equal(mine[u], mine[u / 10 * 10]);
            }
            shards += any;
        }
        for (size_t u = 0; u < UNITS; u++) assert_int_equal(times[u], 1);
        assert_int_equal(shards, n < 4 ? n : 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_unit_is_in_one_share), cmocka_unit_test(no_shards_is_all),
                                       cmocka_unit_test(what_learns_stays_with_its_evaluations),
                                       cmocka_unit_test(a_staged_model_and_task_is_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
