/* pairwise: products of rows with rows and of columns with columns, against double precision. Bound: as for linear, a
 * chain of K fused multiply-adds is off by about sqrt(K) 2^-24 of sum |a b|; we allow (3 sqrt(K) + 4). */
#include "cases.h"

typedef struct shape {
    size_t n, m, K;
    bool columns, same; /* same: b is a, a Gram matrix */
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 1, false, false, EVERY},       {3, 5, 0, false, false, EVERY},        {0, 4, 3, true, false, EVERY},
    {70, 70, 40, false, true, EVERY},     {70, 70, 40, true, true, EVERY},       {65, 130, 300, false, false, EVERY},
    {130, 65, 270, true, false, EVERY},   {200, 200, 768, false, true, LARGE},   {768, 768, 200, true, true, LARGE},
    {768, 768, 10000, true, true, BENCH}, {4096, 4096, 768, false, true, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){1 + i % 7, edge_sizes[i] < 200 ? edge_sizes[i] : 3, 1 + edge_sizes[EDGES - 1 - i] % 37, i % 2, false,
                   EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] over %zu%s%s", s.n, s.m, s.K, s.columns ? " by columns" : "",
             s.same ? ", Gram" : "");
    return s.use;
}

static void check(const world *w, const shape *s, pl_view y, const float *a, const float *b)
{
    float *got = (float *)fetch(w, y);
    double *expected = (double *)malloc((s->n * s->m + 1) * sizeof(double));
    double *bound = (double *)malloc((s->n * s->m + 1) * sizeof(double));
    for (size_t i = 0; i < s->n; i++) {
        for (size_t j = 0; j < s->m; j++) {
            double sum = 0, size = 0;
            for (size_t k = 0; k < s->K; k++) {
                double p = (double)(s->columns ? a[k * s->n + i] : a[i * s->K + k]) *
                           (double)(s->columns ? b[k * s->m + j] : b[j * s->K + k]);
                sum += p;
                size += fabs(p);
            }
            expected[i * s->m + j] = sum;
            bound[i * s->m + j] = ldexp((3.0 * sqrt((double)s->K) + 4.0) * size + 1e-3, -24);
            /* A Gram matrix is symmetric to the last bit. */
            if (s->same && got[i * s->m + j] != got[j * s->m + i])
                fail_case("[%zu, %zu] is not [%zu, %zu]", i, j, j, i);
        }
    }
    check_close("pairwise", got, expected, bound, s->n * s->m);
    check_guards(w, y);
    free(got);
    free(expected);
    free(bound);
}

static void run(const world *w, size_t c)
{
    shape s = shape_of(c);
    float *a = normals(s.n * s.K, 1, 1.0), *other = normals(s.m * s.K, 2, 1.0), *b = s.same ? a : other;
    pl_view av = guarded(w, s.columns ? s.K : s.n, s.columns ? s.n : s.K, PL_F32, a);
    pl_view bv = guarded(w, s.columns ? s.K : s.m, s.columns ? s.m : s.K, PL_F32, b);
    pl_view yv = guarded(w, s.n, s.m, PL_F32, NULL);
    pl_pairwise_args args = {s.columns, av, s.same ? av : bv, yv};
    RUN_OP(w, pairwise, &args, 4 * (s.n * s.K + s.m * s.K + s.n * s.m), 2 * s.n * s.m * s.K);
    if (!w->timing) check(w, &s, yv, a, b);
    if (!w->timing && s.n && s.m && s.K) {
        args.b.columns--;
        assert_int_equal(w->processor.ops->pairwise(w->stream, &args), PL_E_INTERNAL);
    }
    RELEASE(w, &av, &bv, &yv);
    free(a);
    free(other);
}

/* An element's bits depend on its two vectors alone: part of a product has the bits of the whole. */
static void test_parts(void **state)
{
    (void)state;
    enum { N = 90, K = 300 };
    world w = world_open(1);
    float *x = normals(N * K, 3, 1.0);
    pl_view v = guarded(&w, N, K, PL_F32, x), whole = guarded(&w, N, N, PL_F32, NULL),
            part = guarded(&w, 7, 5, PL_F32, NULL);
    pl_pairwise_args all = {false, v, v, whole}, some = {false, pl_view_rows(v, 61, 7), pl_view_rows(v, 30, 5), part};
    must(w.processor.ops->pairwise(w.stream, &all));
    must(w.processor.ops->pairwise(w.stream, &some));
    float *a = (float *)fetch(&w, whole), *b = (float *)fetch(&w, part);
    for (size_t i = 0; i < 7; i++) assert_memory_equal(b + i * 5, a + (61 + i) * N + 30, 5 * sizeof(float));
    free(a);
    free(b);
    free(x);
    RELEASE(&w, &v, &whole, &part);
    world_close(&w);
}

static const case_table table = {
    .op = "pairwise", .n = SHAPES + EDGES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), cmocka_unit_test(test_parts)};
    return CASES_MAIN(argc, argv, &table, tests);
}
