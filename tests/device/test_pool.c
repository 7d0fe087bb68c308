/* pool: sums in the order of the ranges, one addition after another: exactly the plain loop's bits, and the same when a
 * slot's ranges are spread over two calls. */
#include "world.h"

enum { N = 40, C = 70, SLOTS = 4 };

static pl_status pool(const world *w, pl_view x, pl_view y, int32_t n, const int32_t *slots, const int32_t *indptr,
                      const int32_t *ranges)
{
    pl_view nv = ints(w, 1, &n), sv = ints(w, (size_t)n, slots), iv = ints(w, (size_t)n + 1, indptr);
    pl_view rv = guarded(w, (size_t)indptr[n], 2, PL_I32, ranges);
    pl_pool_args args = {nv, iv, rv, sv, x, y};
    pl_status status = w->gear.ops->pool(w->stream, &args);
    pl_view *views[] = {&nv, &sv, &iv, &rv};
    for (size_t i = 0; i < 4; i++) release(w, views[i]);
    return status;
}

static void test_order(void **state)
{
    (void)state;
    const int32_t slots[] = {2, 0, 1}, indptr[] = {0, 3, 3, 4}, ranges[] = {5, 10, 30, 10, 0, 3, 17, 1};
    float *x = normals(N * C, 1, 1.0), expected[SLOTS * C] = {0}, zero[SLOTS * C] = {0};
    for (size_t i = 0; i < 3; i++) {
        for (int32_t j = indptr[i]; j < indptr[i + 1]; j++) {
            for (int32_t r = ranges[2 * j]; r < ranges[2 * j] + ranges[2 * j + 1]; r++) {
                for (size_t c = 0; c < C; c++) expected[(size_t)slots[i] * C + c] += x[(size_t)r * C + c];
            }
        }
    }
    for (int threads = 1; threads <= 2; threads++) {
        world w = world_open(threads);
        pl_view xv = guarded(&w, N, C, PL_F32, x), yv = guarded(&w, SLOTS, C, PL_F32, zero);
        must(pool(&w, xv, yv, 3, slots, indptr, ranges));
        float *got = fetch(&w, yv);
        assert_memory_equal(got, expected, sizeof expected);
        free(got);
        /* the first slot's ranges cut in the middle of a range */
        must(w.gear.ops->upload(w.stream, yv, zero));
        const int32_t part_a[] = {5, 4}, part_b[] = {9, 6, 30, 10, 0, 3, 17, 1}, ends_a[] = {0, 1};
        must(pool(&w, xv, yv, 1, slots, ends_a, part_a));
        must(pool(&w, xv, yv, 3, slots, indptr, part_b));
        got = fetch(&w, yv);
        assert_memory_equal(got, expected, sizeof expected);
        got[2 * C] += 1e-3f;
        assert_memory_not_equal(got, expected, sizeof expected);
        check_guards(&w, yv);
        free(got);
        /* a range past the rows, an indptr that goes back */
        const int32_t outside[] = {5, 10, 31, 10, 0, 3, 17, 1}, back[] = {0, 3, 2, 4};
        assert_int_equal(pool(&w, xv, yv, 3, slots, indptr, outside), PL_E_INTERNAL);
        assert_int_equal(pool(&w, xv, yv, 3, slots, back, ranges), PL_E_INTERNAL);
        release(&w, &xv);
        release(&w, &yv);
        world_close(&w);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
