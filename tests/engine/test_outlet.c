/* States of all tokens and logits on their way to a sink: the same numbers as in the results, whatever the sink's pace
 * and the step's size, on a device that runs at once and on one that runs late; a failing sink ends the call with its
 * own words and the engine goes on; memory is kept over calls of any shape. */
#include <stdatomic.h>

#include "engine/lazy_device.h"
#include "engine/questions.h"
#include "engine/same_results.h"
#include "engine/workspace.h"

static const model_shape shape = {"gpt2", 24, 3, 3, 96, 12, 61, 150, 0}; /* 14 layers of states */

typedef struct fixture {
    random_model models[2]; /* at once, late */
    questions q;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char folder[PL_PATH_MAX];
    write_model(folder, &shape);
    open_folder(&f->models[0], folder, 1);
    open_recording(&f->models[1], folder, PL_F32);
    remove_folder(folder);
    ask(&f->q, small_sizes() ? 4 : QUESTIONS, shape.positions - 4, shape.V, 11);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    close_model(&f->models[0]);
    close_model(&f->models[1]);
    free(f);
    return 0;
}

/* A sink that keeps everything, and may dawdle or fail. */
typedef struct bowl {
    size_t n_layers, n_all, C, V, row_bytes, logit_rows;
    char *rows[20]; /* by layer, then logits */
    uint8_t *seen[20];
    unsigned pause_us;
    size_t fail_after; /* calls; 0: never */
    atomic_size_t n_calls;
} bowl;

static pl_status begin(void *context, size_t n_all)
{
    bowl *b = context;
    b->n_all = n_all;
    for (size_t l = 0; l <= b->n_layers; l++) {
        size_t rows = l < b->n_layers ? n_all : b->logit_rows ? b->logit_rows : n_all;
        PL_TRY(pl_new(&b->rows[l], rows * (l < b->n_layers ? b->row_bytes : b->V * sizeof(float)) + 1));
        PL_TRY(pl_new(&b->seen[l], rows + 1));
    }
    return PL_OK;
}

static pl_status take(void *context, size_t layer, size_t first, size_t n, void *data)
{
    bowl *b = context;
    size_t bytes = layer < b->n_layers ? b->row_bytes : b->V * sizeof(float);
    size_t call = atomic_fetch_add(&b->n_calls, 1) + 1;
    if (b->fail_after && call >= b->fail_after) return pl_fail(PL_E_IO, "the bowl is full");
    if (b->pause_us) usleep(b->pause_us);
    memcpy(b->rows[layer] + first * bytes, data, n * bytes);
    if (layer < b->n_layers) memset(data, 0xff, n * bytes); /* states may be changed, nobody reads them again */
    for (size_t i = 0; i < n; i++) b->seen[layer][first + i]++;
    return PL_OK;
}

static void empty(bowl *b)
{
    for (size_t l = 0; l < 20; l++) {
        free(b->rows[l]);
        free(b->seen[l]);
    }
}

static void all_layers(size_t layers[14], pl_capture *capture, unsigned positions)
{
    for (size_t l = 0; l < 14; l++) layers[l] = l;
    *capture = (pl_capture){.n_layers = 14, .layers = layers, .positions = positions};
}

/* float32 as the type has it. */
static void as_type(void *out, const float *in, size_t n, pl_dtype dtype)
{
    pl_processor processor;
    pl_stream *stream;
    pl_view x, y;
    OK(pl_processor_open(&processor, "cpu", 1));
    OK(processor.ops->stream_create(processor.device, &stream));
    OK(pl_view_create(&processor, &x, 1, n, PL_F32));
    OK(pl_view_create(&processor, &y, 1, n, dtype));
    OK(pl_upload(&processor, stream, x, in));
    OK(pl_op_convert(&processor, stream, &(pl_convert_args){.x = x, .y = y}));
    OK(pl_download(&processor, stream, out, y));
    pl_view_free(&processor, &x);
    pl_view_free(&processor, &y);
    processor.ops->stream_free(stream);
    pl_processor_close(&processor);
}

static void compare(const pl_results *held, const bowl *b, size_t logit_rows, pl_dtype dtype, const char *which)
{
    size_t elements = held->n_layers ? held->n_all * held->widths[0] : 0;
    void *expected = malloc(elements * sizeof(float));
    for (size_t l = 0; l < b->n_layers && held->all; l++) {
        as_type(expected, held->all[l], elements, dtype);
        same_array(b->rows[l], expected, elements * pl_dtype_bytes(dtype), "streamed states", which);
        for (size_t i = 0; i < held->n_all; i++) assert_int_equal(b->seen[l][i], 1);
    }
    free(expected);
    if (!logit_rows) return;
    same_array(b->rows[b->n_layers], held->logits, logit_rows * held->V * sizeof(float), "streamed logits", which);
    for (size_t i = 0; i < logit_rows; i++) assert_int_equal(b->seen[b->n_layers][i], 1);
}

/* One engine over calls of different shapes and types. */
static void streamed_is_what_results_hold(void **state)
{
    fixture *f = *state;
    const pl_dtype types[] = {PL_F32, PL_F16, PL_BF16};
    size_t layers[14];
    pl_capture capture;
    for (size_t device = on_cuda(); device < 2; device++)
        for (size_t tokens = small_sizes() ? 200 : 20; tokens <= (small_sizes() ? 200 : 4000); tokens *= 10) {
            const pl_engine_options options = {.batch_tokens = tokens, .shuffle_seed = tokens == 200 ? 5 : 0};
            pl_engine *engine, *plain;
            OK(pl_engine_create(&engine, f->models[device].model, &options));
            OK(pl_engine_create(&plain, f->models[0].model, &options));
            for (size_t i = 0; i < (small_sizes() ? 3 : 6); i++) {
                pl_dtype dtype = types[i % 3];
                all_layers(layers, &capture, i == 4 ? PL_POSITION_MEAN : PL_POSITION_ALL | PL_POSITION_LAST);
                capture.n_layers = i % 2 ? 14 : 3;
                capture.logits_all = i == 1;
                capture.logits_last = i == 2 || i == 4;
                pl_results *held, *results;
                OK(pl_engine_score(plain, f->q.requests, f->q.n, &capture, NULL, &held));
                size_t logit_rows = capture.logits_all ? held->n_all : capture.logits_last ? f->q.n : 0;
                bowl b = {.n_layers = capture.n_layers,
                          .C = shape.C,
                          .V = shape.V,
                          .row_bytes = shape.C * pl_dtype_bytes(dtype),
                          .logit_rows = logit_rows,
                          .pause_us = i == 3 && tokens > 100 ? 2000 : 0};
                const pl_sink sink = {.context = &b, .dtype = dtype, .begin = begin, .rows = take};
                capture.sink = &sink;
                OK(pl_engine_score(engine, f->q.requests, f->q.n, &capture, NULL, &results));
                assert_null(results->all);
                assert_null(results->logits);
                assert_int_equal(results->n_all, held->n_all);
                same_layers(results->last, held->last, capture.n_layers, f->q.n * shape.C * 4, "last", "streamed");
                same_layers(results->mean, held->mean, capture.n_layers, f->q.n * shape.C * 4, "mean", "streamed");
                compare(held, &b, logit_rows, dtype, device ? "late" : "at once");
                pl_results_free(held);
                pl_results_free(results);
                empty(&b);
            }
            pl_engine_free(engine);
            pl_engine_free(plain);
        }
}

static void a_failing_sink_ends_the_call(void **state)
{
    fixture *f = *state;
    size_t layers[14];
    pl_capture capture;
    all_layers(layers, &capture, PL_POSITION_ALL);
    for (size_t device = on_cuda(); device < 2; device++) {
        pl_engine *engine;
        OK(pl_engine_create(&engine, f->models[device].model, &(pl_engine_options){.batch_tokens = 64}));
        for (size_t after = 1; after < (small_sizes() ? 30 : 2000); after = after * 3 + 5) {
            bowl b = {.n_layers = 14, .C = shape.C, .V = shape.V, .row_bytes = shape.C * 4, .fail_after = after};
            const pl_sink sink = {.context = &b, .dtype = PL_F32, .begin = begin, .rows = take};
            pl_results *results = NULL;
            capture.sink = &sink;
            pl_status status = pl_engine_score(engine, f->q.requests, f->q.n, &capture, NULL, &results);
            if (b.n_calls < after) {
                assert_int_equal(status, PL_OK);
                pl_results_free(results);
            } else {
                assert_int_equal(status, PL_E_IO);
                assert_null(results);
                assert_string_equal(pl_error_text(), "the bowl is full");
            }
            empty(&b);
        }
        /* The engine still works. */
        bowl b = {.n_layers = 14, .C = shape.C, .V = shape.V, .row_bytes = shape.C * 4};
        const pl_sink sink = {.context = &b, .dtype = PL_F32, .begin = begin, .rows = take};
        pl_results *held, *results;
        capture.sink = NULL;
        OK(pl_engine_score(engine, f->q.requests, f->q.n, &capture, NULL, &held));
        capture.sink = &sink;
        OK(pl_engine_score(engine, f->q.requests, f->q.n, &capture, NULL, &results));
        compare(held, &b, 0, PL_F32, "after failures");
        pl_results_free(held);
        pl_results_free(results);
        empty(&b);
        pl_engine_free(engine);
    }
}

static pl_status refuse(void *context, size_t n_all)
{
    (void)context;
    (void)n_all;
    return pl_fail(PL_E_IO, "no room");
}

static void a_sink_that_does_not_begin(void **state)
{
    fixture *f = *state;
    const size_t layer = 0;
    const pl_sink sink = {.dtype = PL_F32, .begin = refuse, .rows = take};
    const pl_capture capture = {.n_layers = 1, .layers = &layer, .positions = PL_POSITION_ALL, .sink = &sink};
    pl_engine *engine;
    pl_results *results;
    OK(pl_engine_create(&engine, f->models[0].model, NULL));
    assert_int_equal(pl_engine_score(engine, f->q.requests, 2, &capture, NULL, &results), PL_E_IO);
    assert_string_equal(pl_error_text(), "no room");
    pl_engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streamed_is_what_results_hold),
        cmocka_unit_test(a_failing_sink_ends_the_call),
        cmocka_unit_test(a_sink_that_does_not_begin),
    };
    int missing = device_missing();
    if (missing) return missing;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
