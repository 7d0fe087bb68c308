/* The closed forms that the PyPI package evalstats has too (tests/golden/statistics/make_evalstats.py). */
#include "statistics/golden.h"

#include "statistics/crossed.h"
#include "statistics/interval.h"
#include "statistics/multiplicity.h"

enum { MOST = 64 };

static size_t read_list(double out[MOST], const json_t *list)
{
    size_t n = json_array_size(list);
    assert_in_range(n, 1, MOST);
    for (size_t i = 0; i < n; i++) out[i] = element(list, i);
    return n;
}

static void test_wilson(const json_t *root)
{
    json_t *row;
    size_t i;
    json_array_foreach(member(root, "wilson"), i, row)
    {
        pl_estimate e = pl_wilson((size_t)element(row, 0), (size_t)element(row, 1));
        assert_close(e.lo, element(row, 2), 1e-12);
        assert_close(e.hi, element(row, 3), 1e-12);
    }
}

/* Of items alone; and of wordings alone, where the items say the same: its centre is the same mean. */
static void test_mean(const json_t *root)
{
    json_t *row;
    size_t i;
    json_array_foreach(member(root, "mean"), i, row)
    {
        double values[MOST], still[] = {0.0, 0.0};
        size_t n = read_list(values, member(row, "values"));
        const json_t *interval = member(row, "interval");
        pl_crossed c;
        pl_crossed_design d = {.value = pl_mean(values, n), .n = n, .items = values};
        pl_crossed_of(&c, &d);
        assert_close(c.lo, element(interval, 0), 1e-9);
        assert_close(c.hi, element(interval, 1), 1e-9);
        d = (pl_crossed_design){
            .value = pl_mean(values, n), .n = 2, .items = still, .templates = pl_component_of_mean(values, n, 2)};
        pl_crossed_of(&c, &d);
        assert_close(c.lo, element(interval, 0), 1e-9);
        assert_close(c.hi, element(interval, 1), 1e-9);
        assert_true(c.over_templates && isnan(c.lo_these));
    }
}

static void test_multiplicity(const json_t *root)
{
    double p[MOST], holm[MOST], bh[MOST];
    size_t n = read_list(p, member(root, "p"));
    OK(pl_holm(holm, p, n));
    OK(pl_benjamini_hochberg(bh, p, n));
    for (size_t i = 0; i < n; i++) {
        assert_close(holm[i], element(member(root, "holm"), i), 1e-14);
        assert_close(bh[i], element(member(root, "bh"), i), 1e-14);
    }
}

static void test_evalstats(void **state)
{
    (void)state;
    json_t *root = NULL;
    OK(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/statistics/evalstats.json", 1 << 20));
    test_wilson(root);
    test_mean(root);
    test_multiplicity(root);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_evalstats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
