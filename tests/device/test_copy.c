/* copy: bits of one view in another of the same shape and type, with other strides; nothing around it. */
#include "cases.h"

typedef struct shape {
    size_t rows, columns;
    pl_dtype dtype;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, PL_F32, EVERY},   {3, 7, PL_F32, EVERY},     {5, 33, PL_BF16, EVERY},     {2, 100, PL_I32, EVERY},
    {1, 1000, PL_U8, EVERY}, {4, 1, PL_U8, EVERY},      {70, 64, PL_F16, EVERY},     {2, 5000, PL_F32, EVERY},
    {3, 17, PL_U8, EVERY},   {300, 500, PL_F32, LARGE}, {8192, 4096, PL_F32, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    const pl_dtype types[] = {PL_F32, PL_BF16, PL_U8};
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){1 + i % 3, edge_sizes[i], types[i % 3], EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] %s", s.rows, s.columns, pl_dtype_name(s.dtype));
    return s.use;
}

static void run(const world *w, size_t k)
{
    const shape s = shape_of(k);
    size_t bytes = s.rows * s.columns * pl_dtype_bytes(s.dtype);
    unsigned char *x = (unsigned char *)malloc(bytes + 1);
    for (size_t i = 0; i < bytes; i++) x[i] = (unsigned char)pl_random_below(3, PL_RANDOM_TEST, 0, i, 256);
    pl_view from = guarded(w, s.rows, s.columns, s.dtype, x);
    pl_view to = guarded(w, s.rows + 1, s.columns, s.dtype, NULL);
    pl_copy_args args = {from, pl_view_rows(to, 1, s.rows)};
    RUN_OP(w, copy, &args, 2 * bytes, 0);
    if (!w->timing) {
        unsigned char *got = (unsigned char *)fetch(w, args.to);
        assert_memory_equal(got, x, bytes);
        check_guards(w, args.to);
        check_guards(w, to);
        args.to.columns++;
        assert_int_equal(pl_op_copy(&w->processor, w->stream, &args), PL_E_INTERNAL);
        free(got);
    }
    free(x);
    RELEASE(w, &from, &to);
}

/* Events: what the host waits for has passed. */
static void test_events(void **state)
{
    (void)state;
    world w = world_open(1);
    const pl_backend *ops = w.processor.ops;
    pl_event *event;
    pl_stream *other;
    must(ops->event_create(w.processor.device, &event));
    must(ops->stream_create(w.processor.device, &other));
    float *x = normals(1000, 1, 1.0), y[1000];
    pl_view v = guarded(&w, 10, 100, PL_F32, NULL);
    must(pl_upload(&w.processor, w.stream, v, x));
    must(ops->event_record(event, w.stream));
    must(ops->event_wait(event, other));
    must(pl_download(&w.processor, other, y, v));
    must(ops->event_record(event, other));
    must(ops->event_wait_host(event));
    assert_memory_equal(x, y, sizeof y);
    release(&w, &v);
    free(x);
    ops->stream_free(other);
    ops->event_free(event);
    world_close(&w);
}

static const case_table table = {.op = "copy", .n = SHAPES + EDGES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), cmocka_unit_test(test_events)};
    return CASES_MAIN(argc, argv, &table, tests);
}
