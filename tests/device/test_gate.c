/* gate: act(first half) * second half, also in place. Bound: the activation's few last bits (vmath.h), 12 2^-24. */
#include "world.h"

static double activate(double x, pl_activation activation)
{
    switch (activation) {
    case PL_ACT_SILU:
        return x / (1.0 + exp(-x));
    case PL_ACT_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case PL_ACT_GELU_ERF:
        return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
    default:
        return NAN;
    }
}

static void check_shape(const world *w, size_t rows, size_t F, pl_activation activation, bool in_place)
{
    float *x = normals(rows * 2 * F, 1, 2.0);
    double *expected = (double *)malloc(rows * F * sizeof(double)),
           *bound = (double *)malloc(rows * F * sizeof(double));
    for (size_t i = 0; i < rows * F; i++) {
        double g = (double)x[i / F * 2 * F + i % F], up = (double)x[i / F * 2 * F + F + i % F];
        expected[i] = activate(g, activation) * up;
        bound[i] = ldexp((12.0 * fabs(expected[i]) + 2.0 * fabs(g * up) + 1e-3), -24);
    }
    pl_view xv = guarded(w, rows, 2 * F, PL_F32, x), other = guarded(w, rows, F, PL_F32, NULL);
    pl_view yv = in_place ? pl_view_columns(xv, 0, F) : other;
    pl_batch batch = {.counts = counts_of(w, rows)};
    pl_gate_args args = {&batch, activation, xv, yv};
    must(w->gear.ops->gate(w->stream, &args));
    float *got = fetch(w, yv);
    check_close("gate", got, expected, bound, rows * F);
    check_guards(w, in_place ? xv : yv);
    free(got);
    release(w, &xv);
    release(w, &other);
    release(w, &batch.counts);
    free(x);
    free(expected);
    free(bound);
}

static void test_values(void **state)
{
    (void)state;
    const size_t widths[] = {1, 7, 256, 257, 1100};
    for (int threads = 1; threads <= 2; threads++) {
        world w = world_open(threads);
        for (size_t i = 0; i < 5; i++) {
            check_shape(&w, 1 + i, widths[i], PL_ACT_SILU, false);
            check_shape(&w, 6 - i, widths[i], PL_ACT_GELU_TANH, true);
            check_shape(&w, 2, widths[i], PL_ACT_GELU_ERF, true);
        }
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
