/* gather: rows are copied bit by bit, NaN and -0 included; rows that no slot names stay as they are. */
#include "world.h"

static void check_shape(const world *w, size_t n, size_t N, size_t C, bool with_slots)
{
    float *x = normals(N * C, 1, 1.0);
    x[0] = NAN;
    x[N * C - 1] = -0.0f;
    int32_t rows[16], slots[16];
    for (size_t i = 0; i < n; i++) {
        rows[i] = i == 0 ? 0 : (int32_t)(N - 1 - (i * 3) % N);
        slots[i] = with_slots ? (int32_t)(n - i) : (int32_t)i;
    }
    pl_view xv = guarded(w, N, C, PL_F32, x), yv = guarded(w, n + 1, C, PL_F32, NULL), none = {0};
    pl_view counts = counts_of(w, n), rv = ints(w, n, rows), sv = ints(w, n, slots);
    pl_gather_args args = {counts, PL_COUNT_ROWS, rv, with_slots ? sv : none, xv, yv};
    must(w->gear.ops->gather(w->stream, &args));
    float *got = fetch(w, yv);
    for (size_t i = 0; i < n; i++) {
        assert_memory_equal(got + (size_t)slots[i] * C, x + (size_t)rows[i] * C, C * sizeof(float));
    }
    assert_true(isnan(got[with_slots ? 0 : n * C])); /* the one slot that was not named */
    check_guards(w, yv);
    free(got);
    rows[0] = (int32_t)N;
    must(w->gear.ops->upload(w->stream, rv, rows));
    assert_int_equal(w->gear.ops->gather(w->stream, &args), PL_E_INTERNAL);
    pl_view *views[] = {&xv, &yv, &counts, &rv, &sv};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) release(w, views[i]);
    free(x);
}

static void test_copies(void **state)
{
    (void)state;
    world w = world_open(2);
    check_shape(&w, 1, 1, 1, false);
    check_shape(&w, 7, 20, 33, true);
    check_shape(&w, 16, 5, 768, true);
    check_shape(&w, 16, 40, 5, false);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_copies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
