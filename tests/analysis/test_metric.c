/* The table of metrics: every id has one whole entry, and no two have one name. */
#include "tests.h"

#include "analysis/definition.h"

static void test_entries(void **state)
{
    (void)state;
    for (pl_metric_id a = 0; a < PL_METRICS; a++) {
        const pl_metric *m = pl_metric_of(a);
        assert_true(*m->name && *m->unit && *m->meaning && m->over && m->measure && m->low < m->high);
        assert_true((m->screen != PL_SCREEN_LINE && m->screen != PL_SCREEN_LAYERS) || (*m->label && *m->hint));
        assert_true(m->screen != PL_SCREEN_LAYERS || strchr(m->preprocessing, 'c'));
        assert_int_equal(strspn(m->preprocessing, "cztl"), strlen(m->preprocessing));
        const pl_definition *d = pl_definition_of(a);
        assert_true(d->formula && *d->formula && d->source && *d->source); /* definition.c */
        for (pl_metric_id b = 0; b < a; b++) assert_string_not_equal(m->name, pl_metric_of(b)->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_entries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
