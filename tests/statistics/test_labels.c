/* f1 and mcc against scikit-learn (tests/golden/statistics/labels.json, made by make_labels.py). */
#include "tests.h"

#include <math.h>

#include "base/json.h"
#include "statistics/labels.h"

enum { MOST = 400 };

static size_t read_labels(int64_t out[MOST], const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) out[i] = json_integer_value(json_array_get(list, i));
    return json_array_size(list);
}

/* Both sums are of whole numbers; a division and a root remain. */
static void test_values(void **state)
{
    (void)state;
    json_t *cases, *c;
    size_t i;
    OK(pl_json_read(&cases, PLUMB_SOURCE_DIR "/tests/golden/statistics/labels.json", 1 << 20));
    assert_true(json_array_size(cases) > 20);
    json_array_foreach(cases, i, c)
    {
        int64_t gold[MOST], predicted[MOST];
        size_t n = read_labels(gold, json_object_get(c, "gold"));
        assert_int_equal(read_labels(predicted, json_object_get(c, "predicted")), n);
        const json_t *f1 = json_object_get(c, "f1");
        assert_true(fabs(pl_mcc(gold, predicted, n) - json_number_value(json_object_get(c, "mcc"))) < 1e-14);
        if (json_is_null(f1))
            assert_true(isnan(pl_f1(gold, predicted, n)));
        else
            assert_true(fabs(pl_f1(gold, predicted, n) - json_number_value(f1)) < 1e-14);
    }
    json_decref(cases);
}

static void test_no_label_has_no_value(void **state)
{
    (void)state;
    const int64_t gold[] = {0, 1}, predicted[] = {-1, 1};
    assert_true(isnan(pl_f1(gold, predicted, 2)));
    assert_true(isnan(pl_mcc(gold, predicted, 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_no_label_has_no_value)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
