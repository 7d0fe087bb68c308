/* A model whose head reads states of another width than its blocks have (OPT with projections): every layer's states
 * have their own width, in the results and on their way to a sink, and are transformers' own. */
#include "engine/engine.h"
#include "model/golden.h"

enum { PLACES = 3 };

/* A sink that keeps everything. */
typedef struct bowl {
    size_t widths[PLACES];
    float *rows[PLACES];
} bowl;

static pl_status begin(void *context, size_t n_all)
{
    bowl *b = context;
    for (size_t l = 0; l < PLACES; l++) PL_TRY(pl_new(&b->rows[l], n_all * b->widths[l]));
    return PL_OK;
}

static pl_status take(void *context, size_t layer, size_t first, size_t n, void *data)
{
    const bowl *b = context;
    memcpy(b->rows[layer] + first * b->widths[layer], data, n * b->widths[layer] * sizeof(float));
    return PL_OK;
}

static void check_states(const pl_results *r, const float *hidden, const pl_config *c, const size_t *layers, size_t n)
{
    for (size_t l = 0; l < PLACES; l++) {
        const size_t width = r->widths[l];
        const float *expected = hidden + layers[l] * n * c->C;
        double mean[64] = {0};
        float as_float[64];
        assert_int_equal(width, layers[l] > c->L ? c->E : c->C);
        assert_int_equal(r->n_all, n);
        assert_true(distance(r->all[l], expected, n * width) <= GOLDEN_TOLERANCE);
        assert_true(distance(r->last[l], expected + (n - 1) * width, width) <= GOLDEN_TOLERANCE);
        for (size_t t = 1; t < n; t++)
            for (size_t i = 0; i < width; i++) mean[i] += (double)expected[t * width + i] / (double)(n - 1);
        for (size_t i = 0; i < width; i++) as_float[i] = (float)mean[i];
        assert_true(distance(r->mean[l], as_float, width) <= GOLDEN_TOLERANCE);
    }
}

static void test_model(void **state)
{
    char folder[PL_PATH_MAX];
    pl_bytes text;
    pl_processor processor;
    pl_checkpoint *checkpoint;
    pl_model *model;
    pl_engine *engine;
    size_t n, elements;
    OK(pl_path(folder, "%s/tests/golden/models/%s", PLUMB_SOURCE_DIR, (const char *)*state));
    OK(pl_processor_open(&processor, chosen_device(), 2));
    OK(pl_checkpoint_open(&checkpoint, folder));
    OK(pl_model_load(&model, &processor, checkpoint, PL_F32));
    const pl_config *c = &checkpoint->config;
    assert_int_not_equal(c->E, c->C);
    const pl_engine_options options = {.batch_tokens = 24};
    OK(pl_engine_create(&engine, model, &options));
    pl_safetensors *golden = golden_open(&text, folder);
    int32_t *ids = golden_ids(golden, "ids.1", &n);
    float *hidden = golden_values(golden, "hidden.1", &elements);
    const pl_request request = {.ids = ids, .n = n, .gold = SIZE_MAX};

    const size_t layers[PLACES] = {0, c->L, c->L + 1}, end[1] = {c->L + 1}, begun[1] = {0};
    pl_capture capture = {
        .n_layers = PLACES, .layers = layers, .positions = PL_POSITION_LAST | PL_POSITION_MEAN | PL_POSITION_ALL};
    pl_results *results, *one;
    OK(pl_engine_score(engine, &request, 1, &capture, NULL, &results));
    check_states(results, hidden, c, layers, n);

    bowl b = {.widths = {c->C, c->C, c->E}};
    const pl_sink sink = {.context = &b, .dtype = PL_F32, .begin = begin, .rows = take};
    capture.sink = &sink;
    OK(pl_engine_score(engine, &request, 1, &capture, NULL, &one));
    for (size_t l = 0; l < PLACES; l++) {
        assert_memory_equal(b.rows[l], results->all[l], n * b.widths[l] * sizeof(float));
        free(b.rows[l]);
    }
    pl_results_free(one);

    /* The same engine, its first place now of the one width and now of the other. */
    const size_t *const alone[] = {end, begun, end};
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        const pl_capture last = {.n_layers = 1, .layers = alone[i], .positions = PL_POSITION_LAST};
        const size_t place = alone[i] == end ? PLACES - 1 : 0;
        OK(pl_engine_score(engine, &request, 1, &last, NULL, &one));
        assert_memory_equal(one->last[0], results->last[place], results->widths[place] * sizeof(float));
        pl_results_free(one);
    }
    pl_results_free(results);
    free(hidden);
    free(ids);
    pl_safetensors_close(golden);
    pl_bytes_free(&text);
    pl_engine_free(engine);
    pl_model_free(model);
    pl_checkpoint_close(checkpoint);
    pl_processor_close(&processor);
}

int main(void)
{
    const int missing = device_missing();
    if (missing) return missing;
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_model, (void *)(uintptr_t) "opt-behind"),
                                       cmocka_unit_test_prestate(test_model, (void *)(uintptr_t) "opt-wider")};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
