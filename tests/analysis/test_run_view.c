/* A run is read once: rows of units stay for those who come later, within a budget. */
#include "analysis/planted_run.h"

static int constant(size_t item, size_t template, size_t draw)
{
    (void)item;
    (void)template;
    (void)draw;
    return 1;
}

static void visit_all(pl_run_view *view)
{
    for (size_t i = 0; i < pl_run_view_n_units(view); i++) {
        const pl_run_unit *unit = pl_run_view_unit(view, i);
        OK(pl_run_view_take(view, unit));
        assert_int_equal(unit->obs->n_rows, 20);
        assert_int_equal(unit->loglik.n_choices, 40);
        pl_run_view_release(view, unit);
    }
}

static void test_read_once(void **state)
{
    (void)state;
    planted p = {.n = 20, .t = 3, .draws = 2, .prediction = constant};
    plant_run(&p);
    pl_run_view *view = planted_view(&p);
    assert_int_equal(pl_run_view_n_units(view), 6);
    visit_all(view);
    visit_all(view);
    assert_int_equal(pl_run_view_n_reads(view), 6);
    uproot(&p);
}

/* Without a budget a released unit goes at once, one that is held stays. */
static void test_budget(void **state)
{
    (void)state;
    planted p = {.n = 20, .t = 3, .draws = 1, .prediction = constant};
    plant_run(&p);
    pl_run_view *view = planted_view(&p);
    pl_run_view_set_budget(view, 0);
    const pl_run_unit *held = pl_run_view_unit(view, 1);
    OK(pl_run_view_take(view, held));
    const pl_frame *obs = held->obs;
    visit_all(view);
    assert_ptr_equal(held->obs, obs);
    assert_int_equal(pl_run_view_n_reads(view), 3);
    visit_all(view);
    assert_int_equal(pl_run_view_n_reads(view), 5);
    pl_run_view_release(view, held);
    assert_null(held->obs);
    pl_run_view_release(view, held); /* one that is not taken */
    uproot(&p);
}

static void test_units(void **state)
{
    (void)state;
    planted p = {.n = 20, .t = 2, .draws = 2, .prediction = constant, .captured = 7, .random_weights = true};
    plant_run(&p);
    char path[PL_PATH_MAX];
    OK(pl_run_folder_unit(path, &p.run, "unit-1-1-0"));
    assert_int_equal(unlink(path), 0);
    pl_run_view *view = planted_view(&p);
    const pl_run_unit *a = pl_run_view_unit(view, 0), *b = pl_run_view_unit(view, 1), *c = pl_run_view_unit(view, 2);
    assert_true(a->role == PL_ROLE_ID && b->role == PL_ROLE_OOD && a->chance == 0.5);
    assert_true(a->model_facts->random_weights && a->task_facts->test_items == 22);
    assert_true(a->member == b->member && a->member != c->member && a->group == c->group && a->next == 1);
    assert_true(c->done && !pl_run_view_unit(view, 3)->done);
    assert_int_equal(pl_run_view_n_missing(view), 1);
    OK(pl_run_view_take(view, a));
    assert_int_equal(a->n_captured, 7);
    const int64_t *integers;
    REFUSED(pl_run_unit_integers(&integers, a, "label"), PL_E_INPUT, "/obs/label: expected a column of integers");
    REFUSED(pl_run_unit_integers(&integers, a, "nothing"), PL_E_INPUT, "found none");
    pl_run_view_release(view, a);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_once),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
