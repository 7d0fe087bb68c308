/* head_norm: each head by itself, in place, other columns untouched. Bound as in test_norm.c. */
#include "world.h"

typedef struct shape {
    size_t rows, heads, D, first, columns;
    pl_norm_kind kind;
} shape;

static const shape shapes[] = {
    {1, 1, 1, 0, 1, PL_NORM_RMS},
    {3, 4, 64, 0, 400, PL_NORM_RMS},
    {5, 2, 33, 70, 150, PL_NORM_RMS_PLUS_ONE},
    {2, 3, 128, 10, 400, PL_NORM_LAYER},
};

static void test_values(void **state)
{
    (void)state;
    world w = world_open(2);
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        const shape *s = &shapes[k];
        size_t n = s->rows * s->columns;
        float *x = normals(n, 1, 2.0), *weight = normals(s->D, 2, 1.0);
        double *expected = (double *)malloc(n * sizeof(double)), *bound = (double *)malloc(n * sizeof(double));
        for (size_t i = 0; i < n; i++) {
            expected[i] = (double)x[i];
            bound[i] = ldexp(fabs((double)x[i]), -23);
        }
        for (size_t j = 0; j < s->rows * s->heads; j++) {
            size_t at = j / s->heads * s->columns + s->first + j % s->heads * s->D;
            double mean = 0, square = 0;
            for (size_t d = 0; d < s->D; d++) mean += s->kind == PL_NORM_LAYER ? (double)x[at + d] / (double)s->D : 0.0;
            for (size_t d = 0; d < s->D; d++) square += pow((double)x[at + d] - mean, 2) / (double)s->D;
            for (size_t d = 0; d < s->D; d++) {
                double y = ((double)x[at + d] - mean) / sqrt(square + (double)1e-6f);
                y *= (double)weight[d] + (s->kind == PL_NORM_RMS_PLUS_ONE ? 1.0 : 0.0);
                expected[at + d] = y;
                bound[at + d] = ldexp(4.0 * fabs(y) + 0.1, -24);
            }
        }
        pl_view xv = guarded(&w, s->rows, s->columns, PL_F32, x), wv = guarded(&w, 1, s->D, PL_F32, weight);
        pl_batch batch = {.counts = counts_of(&w, s->rows)};
        pl_head_norm_args args = {&batch, s->kind, 1e-6f, s->heads, s->D, s->first, wv, xv};
        must(w.gear.ops->head_norm(w.stream, &args));
        float *got = fetch(&w, xv);
        for (size_t i = 0; i < n; i++) { /* outside the heads: the same bits */
            size_t column = i % s->columns;
            if (column < s->first || column >= s->first + s->heads * s->D) assert_memory_equal(&got[i], &x[i], 4);
        }
        check_close("head_norm", got, expected, bound, n);
        check_guards(&w, xv);
        free(got);
        release(&w, &xv);
        release(&w, &wv);
        release(&w, &batch.counts);
        free(x);
        free(weight);
        free(expected);
        free(bound);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
