/* The shots of an item: the first of the draw that give nothing away, in the unit's order. */
#include "tests.h"

#include "experiment/draw.h"
#include "experiment/shots.h"

enum { POOL = 6 };

/* Rows 1 and 4 of the pool read like item 0; keys stand for texts. */
static void make_task(pl_plan_task *task, pl_task *t, pl_data *test, pl_data *pool, pl_row_key *keys,
                      pl_row_key **lists)
{
    for (size_t i = 0; i < POOL + 2; i++) keys[i] = (pl_row_key){{i, 0}};
    keys[2 + 1] = keys[2 + 4] = keys[0];
    lists[0] = keys;
    lists[1] = keys + 2;
    *test = (pl_data){.n = 2};
    *pool = (pl_data){.n = POOL};
    *t = (pl_task){.path = "t.yaml", .test = test, .fewshot = pool};
    static const size_t items[] = {0, 1};
    *task = (pl_plan_task){.task = t, .rows = {.n_items = 2, .items = items, .test = &lists[0], .fewshot = &lists[1]}};
}

static void test_set_aside(void **state)
{
    (void)state;
    pl_plan_task task;
    pl_task t;
    pl_data test, pool;
    pl_row_key keys[POOL + 2], *lists[2];
    make_task(&task, &t, &test, &pool, keys, lists);
    const size_t permutation[POOL] = {4, 0, 1, 5, 2, 3}, wanted[3] = {0, 5, 2};
    size_t shots[POOL], set_aside;
    pl_plan_unit unit = {.k = 3};
    OK(pl_shots_choose(shots, &set_aside, &task, &unit, 1, permutation, 0));
    assert_memory_equal(shots, wanted, sizeof wanted);
    assert_int_equal(set_aside, 2);
    OK(pl_shots_choose(shots, &set_aside, &task, &unit, 1, permutation, 1));
    assert_memory_equal(shots, permutation, 3 * sizeof *shots);
    assert_int_equal(set_aside, 0);
    unit.k = 5;
    REFUSED(pl_shots_choose(shots, &set_aside, &task, &unit, 1, permutation, 0), PL_E_INPUT, "only 4 shots are left");
}

/* Another order has the same shots. */
static void test_order(void **state)
{
    (void)state;
    pl_plan_task task;
    pl_task t;
    pl_data test, pool;
    pl_row_key keys[POOL + 2], *lists[2];
    make_task(&task, &t, &test, &pool, keys, lists);
    const size_t permutation[POOL] = {4, 0, 1, 5, 2, 3};
    size_t shots[4], ordered[4] = {0, 5, 2, 3}, set_aside;
    pl_plan_unit unit = {.k = 4, .order = 2};
    OK(pl_shots_choose(shots, &set_aside, &task, &unit, 9, permutation, 0));
    OK(pl_draw_order(ordered, 4, 9, 0, 2));
    assert_memory_equal(shots, ordered, sizeof shots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_set_aside), cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
