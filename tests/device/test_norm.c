/* norm: layer norm and RMS norm against long double. The sums are in double precision, so only the last roundings
 * count: 4 2^-24 of the result and of its parts. */
#include "world.h"

typedef struct shape {
    size_t rows, C;
    pl_norm_kind kind;
    bool weight, bias, in_place;
    double offset, scale; /* of x: a large mean makes a naive variance fail */
} shape;

static const shape shapes[] = {
    {1, 1, PL_NORM_RMS, true, false, false, 0, 1},           {3, 2, PL_NORM_LAYER, true, true, false, 0, 1},
    {5, 15, PL_NORM_LAYER, false, false, false, 0, 1},       {4, 16, PL_NORM_RMS, true, false, true, 0, 1},
    {7, 17, PL_NORM_RMS_PLUS_ONE, true, false, false, 0, 3}, {9, 768, PL_NORM_LAYER, true, true, false, 3000, 1},
    {2, 1601, PL_NORM_LAYER, true, true, true, 0, 1e-3},     {3, 5000, PL_NORM_RMS, true, true, false, 1, 50},
};

static void check_shape(const world *w, const shape *s)
{
    size_t n = s->rows * s->C;
    float *x = normals(n, 1, s->scale), *weight = normals(s->C, 2, 1.0), *bias = normals(s->C, 3, 1.0);
    for (size_t i = 0; i < n; i++) x[i] += (float)s->offset;
    double *expected = (double *)malloc(n * sizeof(double)), *bound = (double *)malloc(n * sizeof(double));
    const float eps = 1e-5f;
    for (size_t r = 0; r < s->rows; r++) {
        long double mean = 0, square = 0;
        const float *row = x + r * s->C;
        if (s->kind == PL_NORM_LAYER) {
            for (size_t i = 0; i < s->C; i++) mean += row[i];
            mean /= s->C;
        }
        for (size_t i = 0; i < s->C; i++) square += (row[i] - mean) * (row[i] - mean);
        for (size_t i = 0; i < s->C; i++) {
            long double y = (row[i] - mean) / sqrtl(square / s->C + (long double)eps);
            if (s->weight) y *= (s->kind == PL_NORM_RMS_PLUS_ONE ? 1.0L : 0.0L) + weight[i];
            bound[r * s->C + i] = ldexp(4.0 * (double)(fabsl(y) + 0.1L), -24);
            if (s->bias) y += bias[i];
            expected[r * s->C + i] = (double)y;
            bound[r * s->C + i] += ldexp(fabs((double)y), -24);
        }
    }
    pl_view none = {0}, xv = guarded(w, s->rows, s->C, PL_F32, x), counts = counts_of(w, s->rows);
    pl_view other = guarded(w, s->rows, s->C, PL_F32, NULL), yv = s->in_place ? xv : other;
    pl_view wv = guarded(w, 1, s->C, PL_F32, weight), bv = guarded(w, 1, s->C, PL_F32, bias);
    pl_norm_args args = {counts, PL_COUNT_TOKENS, s->kind, eps, xv, s->weight ? wv : none, s->bias ? bv : none, yv};
    must(w->gear.ops->norm(w->stream, &args));
    float *got = fetch(w, yv);
    check_close("norm", got, expected, bound, n);
    check_guards(w, yv);
    free(got);
    pl_view *views[] = {&xv, &counts, &other, &wv, &bv};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) release(w, views[i]);
    free(x);
    free(weight);
    free(bias);
    free(expected);
    free(bound);
}

static void test_values(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        world w = world_open(threads);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_shape(&w, &shapes[i]);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
