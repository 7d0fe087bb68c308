/* Probes between conditions: every answer is scikit-learn's; what cannot be probed. */
#include "statistics/golden.h"

#include "base/memory.h"
#include "measure/probe.h"

static size_t count(const json_t *object, const char *key)
{
    return (size_t)number(member(object, key));
}

static size_t *sizes(const json_t *array)
{
    size_t n = json_array_size(array), *out;
    OK(pl_new(&out, n));
    for (size_t i = 0; i < n; i++) out[i] = (size_t)element(array, i);
    return out;
}

static void check_case(const json_t *c)
{
    const json_t *x = member(c, "x"), *correct = member(c, "correct"), *control = member(c, "control");
    pl_probe_items items = {.n = count(c, "n"),
                            .t = count(c, "t"),
                            .width = count(c, "width"),
                            .n_classes = count(c, "m"),
                            .n_folds = count(c, "folds")};
    size_t *classes = sizes(member(c, "classes")), *permuted = sizes(member(c, "permuted")),
           *fold = sizes(member(c, "fold"));
    float *all;
    const float *states[3];
    OK(pl_new(&all, json_array_size(x)));
    for (size_t i = 0; i < json_array_size(x); i++) all[i] = (float)element(x, i);
    for (size_t k = 0; k < items.t; k++) states[k] = all + k * items.n * items.width;
    items.states = states;
    items.classes = classes;
    items.permuted = permuted;
    items.fold = fold;
    pl_probe probe;
    assert_true(pl_probe_can(&items));
    OK(pl_probe_of(&probe, &items));
    assert_int_equal(json_array_size(correct), items.t * items.t * items.n);
    for (size_t i = 0; i < json_array_size(correct); i++) assert_int_equal(probe.correct[i], (int)element(correct, i));
    for (size_t i = 0; i < json_array_size(control); i++) assert_int_equal(probe.control[i], (int)element(control, i));
    pl_probe_free(&probe);
    /* A class that a fold holds alone cannot be learned outside it; nor can an empty fold be asked. */
    items.n_folds++;
    assert_false(pl_probe_can(&items));
    items.n_folds--;
    for (size_t i = 0; i < items.n; i++) fold[i] = classes[i] == 0 ? 0 : fold[i];
    assert_false(pl_probe_can(&items));
    free(all);
    free(classes);
    free(permuted);
    free(fold);
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root = NULL, *c;
    size_t i;
    OK(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/measure/probe.json", 1 << 20));
    json_array_foreach(member(root, "cases"), i, c) check_case(c);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
