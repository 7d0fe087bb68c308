/* Threads with devices of their own, on one GPU too: they open it, read weights and multiply at the same time, and each has
 * the numbers that it has alone. */
#include <pthread.h>

#include "world.h"

enum { THREADS = 3, SHAPES = 5, ROWS = 9 };
static const size_t shapes[SHAPES][2] = {{32, 48}, {48, 32}, {64, 16}, {16, 96}, {33, 40}}; /* [in, out] */

typedef struct worker {
    pl_dtype compute;
    float y[SHAPES][ROWS * 96];
    char error[256]; /* "": none */
} worker;

static pl_status multiply(const world *w, worker *me, size_t i)
{
    const pl_backend *ops = w->processor.ops;
    const size_t in = shapes[i][0], out = shapes[i][1];
    const pl_dtype type = pl_activation_type(ops, me->compute);
    static const int32_t n[PL_COUNTS] = {ROWS, ROWS, ROWS};
    pl_weight *weight = NULL;
    pl_view counts, x32, x, y, y32;
    float *values = malloc(in * out * sizeof *values), *rows = malloc(ROWS * in * sizeof *rows);
    for (size_t k = 0; k < in * out; k++) values[k] = (float)pl_random_normal(3, PL_RANDOM_TEST, (uint32_t)i, k);
    for (size_t k = 0; k < ROWS * in; k++) rows[k] = (float)pl_random_normal(4, PL_RANDOM_TEST, (uint32_t)i, k);
    PL_TRY(ops->weight_create(w->processor.device, &weight, out, in, me->compute));
    PL_TRY(pl_weight_set(&w->processor, w->stream, weight, 0, out, values, PL_F32, PL_LAYOUT_OUT_IN));
    PL_TRY(pl_view_create(&w->processor, &counts, 1, PL_COUNTS, PL_I32));
    PL_TRY(pl_view_create(&w->processor, &x32, ROWS, in, PL_F32));
    PL_TRY(pl_view_create(&w->processor, &x, ROWS, in, type));
    PL_TRY(pl_view_create(&w->processor, &y, ROWS, out, type));
    PL_TRY(pl_view_create(&w->processor, &y32, ROWS, out, PL_F32));
    PL_TRY(pl_upload(&w->processor, w->stream, counts, n));
    PL_TRY(pl_upload(&w->processor, w->stream, x32, rows));
    const pl_convert_args in_args = {.x = x32, .y = x}, out_args = {.x = y, .y = y32};
    const pl_linear_args args = {.counts = counts, .count = PL_COUNT_TOKENS, .x = x, .weight = weight, .y = y};
    PL_TRY(pl_op_convert(&w->processor, w->stream, &in_args));
    PL_TRY(pl_op_linear(&w->processor, w->stream, &args));
    PL_TRY(pl_op_convert(&w->processor, w->stream, &out_args));
    PL_TRY(pl_download(&w->processor, w->stream, me->y[i], y32));
    PL_TRY(ops->stream_wait(w->stream));
    pl_view *const views[] = {&counts, &x32, &x, &y, &y32};
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) pl_view_free(&w->processor, views[v]);
    ops->weight_free(weight);
    free(values);
    free(rows);
    return PL_OK;
}

/* cmocka's checks belong to the main thread. */
static void *work(void *context)
{
    worker *me = context;
    world w = {0};
    pl_status status = pl_processor_open(&w.processor, chosen_device(), 1);
    if (status == PL_OK) status = w.processor.ops->stream_create(w.processor.device, &w.stream);
    for (size_t i = 0; i < SHAPES && status == PL_OK; i++) status = multiply(&w, me, i);
    if (status != PL_OK) snprintf(me->error, sizeof me->error, "%s", pl_error_text());
    if (w.stream) w.processor.ops->stream_free(w.stream);
    pl_processor_close(&w.processor);
    return NULL;
}

static void test_side_by_side(void **state)
{
    (void)state;
    static worker alone, workers[THREADS];
    const pl_dtype computes[] = {PL_F32, on_cuda() || cpu_has_bf16() ? PL_BF16 : PL_F32};
    for (size_t c = 0; c < 2; c++) {
        pthread_t threads[THREADS];
        alone = (worker){.compute = computes[c]};
        work(&alone);
        assert_string_equal(alone.error, "");
        for (size_t t = 0; t < THREADS; t++) {
            workers[t] = (worker){.compute = computes[c]};
            assert_int_equal(pthread_create(&threads[t], NULL, work, &workers[t]), 0);
        }
        for (size_t t = 0; t < THREADS; t++) {
            pthread_join(threads[t], NULL);
            assert_string_equal(workers[t].error, "");
            assert_memory_equal(workers[t].y, alone.y, sizeof alone.y);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_side_by_side)};
    const int missing = device_missing();
    if (missing) return missing;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
