/* copy: bits of one view in another of the same shape and type, with other strides; nothing around it. */
#include "world.h"

static void check_shape(const world *w, size_t rows, size_t columns, pl_dtype dtype)
{
    size_t bytes = rows * columns * pl_dtype_bytes(dtype);
    unsigned char *x = (unsigned char *)malloc(bytes + 1);
    for (size_t i = 0; i < bytes; i++) x[i] = (unsigned char)pl_random_below(3, PL_RANDOM_TEST, 0, i, 256);
    pl_view from = guarded(w, rows, columns, dtype, x), to = guarded(w, rows + 1, columns, dtype, NULL);
    pl_copy_args args = {from, pl_view_rows(to, 1, rows)};
    must(w->gear.ops->copy(w->stream, &args));
    float *got = fetch(w, args.to);
    assert_memory_equal(got, x, bytes);
    check_guards(w, args.to);
    check_guards(w, to);
    args.to.columns++;
    assert_int_equal(w->gear.ops->copy(w->stream, &args), PL_E_INTERNAL);
    free(got);
    free(x);
    release(w, &from);
    release(w, &to);
}

static void test_copies(void **state)
{
    (void)state;
    world w = world_open(1);
    check_shape(&w, 1, 1, PL_F32);
    check_shape(&w, 3, 7, PL_F32);
    check_shape(&w, 5, 33, PL_BF16);
    check_shape(&w, 2, 100, PL_I32);
    check_shape(&w, 1, 1000, PL_U8);
    world_close(&w);
}

/* Events: what the host waits for has passed. */
static void test_events(void **state)
{
    (void)state;
    world w = world_open(1);
    const pl_backend *ops = w.gear.ops;
    pl_event *event;
    pl_stream *other;
    must(ops->event_create(w.gear.device, &event));
    must(ops->stream_create(w.gear.device, &other));
    float *x = normals(1000, 1, 1.0), y[1000];
    pl_view v = guarded(&w, 10, 100, PL_F32, NULL);
    must(ops->upload(w.stream, v, x));
    must(ops->event_record(event, w.stream));
    must(ops->event_wait(event, other));
    must(ops->download(other, y, v));
    must(ops->event_record(event, other));
    must(ops->event_wait_host(event));
    assert_memory_equal(x, y, sizeof y);
    release(&w, &v);
    free(x);
    ops->stream_free(other);
    ops->event_free(event);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_copies), cmocka_unit_test(test_events)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
