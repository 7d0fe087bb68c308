/* A trained model, where the data are there: its reference states and logits (recomputed in float64), and 200 greedy
 * tokens equal to llama2.c's text. */
#include "base/json.h"
#include "model/golden.h"

static pl_status data_path(char out[PL_PATH_MAX], const char *name)
{
    const char *data = getenv("PLUMB_DATA");
    if (data && *data) return pl_path(out, "%s/models/stories260K%s", data, name);
    return pl_path(out, "%s/../shared/data/models/stories260K%s", PLUMB_SOURCE_DIR, name);
}

static void open_stories(pl_model **model, pl_processor *processor)
{
    char folder[PL_PATH_MAX];
    pl_checkpoint *checkpoint;
    OK(data_path(folder, ""));
    if (!pl_folder_exists(folder)) skip();
    OK(pl_processor_open(processor, chosen_device(), 0));
    OK(pl_checkpoint_open(&checkpoint, folder));
    OK(pl_model_load(model, processor, checkpoint, PL_F32));
    pl_checkpoint_close(checkpoint);
}

static void test_states(void **state)
{
    (void)state;
    enum { T = 32 };
    pl_processor processor;
    pl_model *model;
    open_stories(&model, &processor);
    const pl_config *c = pl_model_config(model);

    char path[PL_PATH_MAX];
    pl_map map;
    pl_safetensors *reference;
    OK(data_path(path, "/reference.safetensors"));
    OK(pl_file_map(&map, path));
    OK(pl_safetensors_parse(&reference, map.data, map.size, path));
    const pl_tensor *stored = pl_safetensors_find(reference, "input_ids");
    assert_int_equal(stored->bytes, T * sizeof(int64_t));
    int32_t ids[T];
    for (size_t i = 0; i < T; i++) {
        int64_t id;
        memcpy(&id, stored->data + i * sizeof id, sizeof id);
        ids[i] = (int32_t)id;
    }

    const sequence sequence = {ids, 0, T, 0, 0};
    pl_kv *kv = kv_for(model, 1);
    outputs o;
    run_model(&o, model, kv, &sequence, 1, 1);
    for (size_t l = 0; l <= c->L; l++) {
        char name[64];
        size_t n;
        snprintf(name, sizeof name, "hidden_states.%zu", l);
        float *expected = golden_values(reference, name, &n);
        assert_int_equal(n, T * c->C);
        /* hidden_states[L] is the final norm's output. */
        double d = distance(o.hidden + (l < c->L ? l : l + 1) * T * c->C, expected, n);
        assert_true(d <= GOLDEN_TOLERANCE);
        free(expected);
    }
    size_t n;
    float *logits = golden_values(reference, "logits", &n);
    assert_int_equal(n, T * c->V);
    assert_true(distance(o.logits, logits, n) <= GOLDEN_TOLERANCE);
    free(logits);
    outputs_free(&o);
    processor.ops->kv_free(kv);
    pl_safetensors_close(reference);
    pl_file_unmap(&map);
    pl_model_free(model);
    pl_processor_close(&processor);
}

static void test_greedy(void **state)
{
    (void)state;
    enum { STEPS = 200, MOST = PATH_PAGES * PL_PAGE };
    pl_processor processor;
    pl_model *model;
    open_stories(&model, &processor);
    char path[PL_PATH_MAX];
    json_t *expected;
    OK(data_path(path, "/expected_greedy_ids.json"));
    OK(pl_json_read(&expected, path, 1 << 20));
    size_t n = json_array_size(expected);
    assert_true(n >= STEPS);

    /* One pass over all of them: token i + 1 must be the arg max of row i. (test_golden runs token by token.) */
    int32_t ids[MOST] = {0};
    assert_true(n <= MOST);
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(expected, i));
    pl_kv *kv = kv_for(model, 1);
    const sequence sequence = {ids, 0, n - 1, 0, 0};
    outputs o;
    run_model(&o, model, kv, &sequence, 1, 1);
    for (size_t i = 0; i + 1 < n; i++) assert_int_equal(o.greedy[i], ids[i + 1]);
    outputs_free(&o);
    processor.ops->kv_free(kv);
    json_decref(expected);
    pl_model_free(model);
    pl_processor_close(&processor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_states), cmocka_unit_test(test_greedy)};
    int missing = device_missing();
    if (missing) return missing;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
