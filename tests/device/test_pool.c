/* pool: sums in the order of the ranges, one addition after another: exactly the plain loop's bits, and the same when a
 * slot's ranges are spread over two calls. */
#include "cases.h"

typedef struct shape {
    size_t n, N, C, range; /* slots written; rows; columns; rows of the longest range */
    case_use use;
} shape;

static const shape shapes[] = {
    {3, 40, 70, 10, EVERY},     {1, 1, 1, 1, EVERY},         {0, 5, 8, 2, EVERY},
    {17, 100, 33, 60, EVERY},   {4, 30, 1030, 7, EVERY},     {70, 90, 12, 3, EVERY},
    {200, 500, 768, 64, LARGE}, {512, 8192, 768, 16, BENCH}, {512, 8192, 4096, 16, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){1 + i % 4, 20, edge_sizes[i], 5, EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] into %zu slots, ranges up to %zu", s.N, s.C, s.n, s.range);
    return s.use;
}

static pl_status pool(const world *w, pl_view x, pl_view y, int32_t n, const int32_t *slots, const int32_t *indptr,
                      const int32_t *ranges)
{
    pl_view nv = ints(w, 1, &n), sv = ints(w, (size_t)n, slots), iv = ints(w, (size_t)n + 1, indptr);
    pl_view rv = guarded(w, (size_t)indptr[n], 2, PL_I32, ranges);
    pl_pool_args args = {nv, iv, rv, sv, x, y};
    pl_status status = pl_op_pool(&w->processor, w->stream, &args);
    settle(w);
    RELEASE(w, &nv, &sv, &iv, &rv);
    return status;
}

/* Each slot has none to three ranges of one row up; y begins as numbers, one slot is not named. */
static void run(const world *w, size_t k)
{
    enum { SPARE = 2 };
    const shape s = shape_of(k);
    float *x = normals(s.N * s.C, 1, 1.0), *y = normals((s.n + 1) * s.C, 2, 1.0);
    int32_t *slots = (int32_t *)calloc(s.n + SPARE, 4), *indptr = (int32_t *)calloc(s.n + SPARE + 1, 4);
    int32_t *ranges = (int32_t *)calloc(6 * s.n + 2, 4), n = (int32_t)s.n, sum = 0;
    for (size_t i = 0; i < s.n + SPARE; i++) {
        slots[i] = i < s.n ? (int32_t)((i * 7 + 1) % s.n) : -1;
        indptr[i + 1] = i < s.n ? indptr[i] + (int32_t)pl_random_below(5, PL_RANDOM_TEST, 1, i, 4) : -1;
        for (int32_t j = indptr[i]; j < indptr[i + 1]; j++) {
            uint32_t length = 1 + pl_random_below(5, PL_RANDOM_TEST, 2, (uint64_t)j, (uint32_t)s.range);
            uint32_t first = pl_random_below(5, PL_RANDOM_TEST, 3, (uint64_t)j, (uint32_t)(s.N - length + 1));
            ranges[2 * j] = (int32_t)first;
            ranges[2 * j + 1] = (int32_t)length;
            sum += (int32_t)length;
        }
    }
    for (size_t i = 0; s.n % 7 == 0 && i < s.n; i++) slots[i] = (int32_t)(s.n - i); /* i * 7 would repeat */
    pl_view xv = guarded(w, s.N, s.C, PL_F32, x), yv = guarded(w, s.n + 1, s.C, PL_F32, y), nv = ints(w, 1, &n);
    pl_view sv = ints(w, s.n + SPARE, slots), iv = ints(w, s.n + SPARE + 1, indptr);
    pl_view rv = guarded_rows(w, (size_t)indptr[s.n], 1, 2, PL_I32, ranges);
    pl_pool_args args = {nv, iv, rv, sv, xv, yv};
    RUN_OP(w, pool, &args, 4 * s.C * ((size_t)sum + 2 * s.n), (size_t)sum * s.C);
    if (!w->timing) {
        for (int32_t j = 0, i = 0; i < n; i++) {
            for (; j < indptr[i + 1]; j++) {
                for (int32_t r = ranges[2 * j]; r < ranges[2 * j] + ranges[2 * j + 1]; r++) {
                    for (size_t c = 0; c < s.C; c++) y[(size_t)slots[i] * s.C + c] += x[(size_t)r * s.C + c];
                }
            }
        }
        float *got = (float *)fetch(w, yv);
        assert_memory_equal(got, y, (s.n + 1) * s.C * sizeof(float));
        check_guards(w, yv);
        free(got);
    }
    RELEASE(w, &xv, &yv, &nv, &sv, &iv, &rv);
    free(x);
    free(y);
    free(slots);
    free(indptr);
    free(ranges);
}

/* The first slot's ranges cut in the middle of a range; what a backend that sees the ids refuses. */
static void test_order(void **state)
{
    (void)state;
    enum { N = 40, C = 70, SLOTS = 4 };
    const int32_t slots[] = {2, 0, 1}, indptr[] = {0, 3, 3, 4}, ranges[] = {5, 10, 30, 10, 0, 3, 17, 1};
    float *x = normals(N * C, 1, 1.0), zero[SLOTS * C] = {0};
    for (int threads = 1; threads <= 2; threads++) {
        world w = world_open(threads);
        pl_view xv = guarded(&w, N, C, PL_F32, x), yv = guarded(&w, SLOTS, C, PL_F32, zero);
        must(pool(&w, xv, yv, 3, slots, indptr, ranges));
        float *expected = (float *)fetch(&w, yv);
        send(&w, yv, zero);
        const int32_t part_a[] = {5, 4}, part_b[] = {9, 6, 30, 10, 0, 3, 17, 1}, ends_a[] = {0, 1};
        must(pool(&w, xv, yv, 1, slots, ends_a, part_a));
        must(pool(&w, xv, yv, 3, slots, indptr, part_b));
        float *got = (float *)fetch(&w, yv);
        assert_memory_equal(got, expected, sizeof zero);
        got[2 * C] += 1e-3f;
        assert_memory_not_equal(got, expected, sizeof zero);
        check_guards(&w, yv);
        free(got);
        free(expected);
        if (!w.cuda) { /* a range past the rows, an indptr that goes back */
            const int32_t outside[] = {5, 10, 31, 10, 0, 3, 17, 1}, back[] = {0, 3, 2, 4};
            assert_int_equal(pool(&w, xv, yv, 3, slots, indptr, outside), PL_E_INTERNAL);
            assert_int_equal(pool(&w, xv, yv, 3, slots, back, ranges), PL_E_INTERNAL);
        }
        RELEASE(&w, &xv, &yv);
        world_close(&w);
    }
    free(x);
}

static const case_table table = {.op = "pool", .n = SHAPES + EDGES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), cmocka_unit_test(test_order)};
    return CASES_MAIN(argc, argv, &table, tests);
}
