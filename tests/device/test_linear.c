/* linear: y = act(x W^T + bias) against double precision, and promise 1 for it.
 *
 * Bound: a chain of n fused multiply-adds is off by at most n 2^-24 sum |x w|; rounding errors are random, so in fact
 * by about sqrt(n) of it. We allow (3 sqrt(n) + 8) 2^-24 sum |x w|, plus a few last bits of activation and result. */
#include "world.h"

typedef struct shape {
    size_t rows, n_in, n_out;
    pl_dtype from;
    pl_layout layout;
    pl_activation activation;
    bool bias, accumulate;
} shape;

static const shape shapes[] = {
    {1, 1, 1, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_NONE, true, false},
    {2, 3, 5, PL_F32, PL_LAYOUT_IN_OUT, PL_ACT_NONE, false, true},
    {3, 64, 48, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_GELU_TANH, true, false},
    {4, 65, 33, PL_BF16, PL_LAYOUT_OUT_IN, PL_ACT_GELU_ERF, true, false},
    {5, 127, 129, PL_F16, PL_LAYOUT_IN_OUT, PL_ACT_SILU, true, false},
    {6, 768, 16, PL_F32, PL_LAYOUT_IN_OUT, PL_ACT_NONE, true, true},
    {7, 769, 17, PL_BF16, PL_LAYOUT_IN_OUT, PL_ACT_RELU, false, false},
    {13, 385, 255, PL_F16, PL_LAYOUT_OUT_IN, PL_ACT_QUICK_GELU, true, false},
    {97, 200, 300, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_GELU_TANH, true, false},
    {193, 50, 31, PL_F32, PL_LAYOUT_IN_OUT, PL_ACT_NONE, true, true},
    {31, 3072, 70, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_NONE, true, true},
    {0, 8, 8, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_NONE, true, false},
};

static double activate(double x, pl_activation activation)
{
    switch (activation) {
    case PL_ACT_NONE:
        return x;
    case PL_ACT_GELU_ERF:
        return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
    case PL_ACT_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case PL_ACT_RELU:
        return x < 0 ? 0 : x;
    case PL_ACT_SILU:
        return x / (1.0 + exp(-x));
    case PL_ACT_QUICK_GELU:
        return x / (1.0 + exp(-1.702 * x));
    }
    return NAN;
}

/* The 16-bit types by hand: w is made exactly representable, `packed` gets the bytes that a file would hold. */
static void encode(float *w, unsigned char *packed, size_t n, pl_dtype dtype)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        if (dtype == PL_BF16) {
            memcpy(&bits, &w[i], 4);
            bits &= 0xffff0000u;
            memcpy(&w[i], &bits, 4);
            uint16_t h = (uint16_t)(bits >> 16);
            memcpy(packed + 2 * i, &h, 2);
        } else if (dtype == PL_F16) {
            int e;
            double m = frexp((double)w[i], &e); /* 11 significant bits; below 2^-14 a multiple of 2^-24 */
            double unit = ldexp(1.0, (e < -13 ? -13 : e) - 11);
            double v = trunc(ldexp(m, e) / unit) * unit;
            w[i] = (float)v;
            double a = fabs(v);
            uint16_t h = 0;
            if (a >= ldexp(1.0, -14)) {
                m = frexp(a, &e);
                h = (uint16_t)(((e - 1 + 15) << 10) | (int)((m * 2.0 - 1.0) * 1024.0));
            } else {
                h = (uint16_t)(a * ldexp(1.0, 24));
            }
            if (signbit(v)) h |= 0x8000u;
            memcpy(packed + 2 * i, &h, 2);
        } else {
            memcpy(packed + 4 * i, &w[i], 4);
        }
    }
}

/* A weight from w [out, in], in a file's layout and at an odd address, set in `parts` parts. */
static pl_weight *weight_of(const world *w, float *values, const shape *s, size_t parts)
{
    pl_weight *weight;
    size_t element = pl_dtype_bytes(s->from), n = s->n_out * s->n_in;
    must(w->gear.ops->weight_create(w->gear.device, &weight, s->n_out, s->n_in, PL_F32));
    unsigned char *packed = (unsigned char *)malloc(n * element), *file = (unsigned char *)malloc(n * element + 1);
    encode(values, packed, n, s->from);
    for (size_t p = 0; p < parts; p++) {
        size_t first = s->n_out * p / parts, end = s->n_out * (p + 1) / parts, width = end - first;
        for (size_t o = first; o < end; o++) {
            for (size_t i = 0; i < s->n_in; i++) {
                size_t at = s->layout == PL_LAYOUT_OUT_IN ? (o - first) * s->n_in + i : i * width + o - first;
                memcpy(file + 1 + at * element, packed + (o * s->n_in + i) * element, element);
            }
        }
        must(w->gear.ops->weight_set(w->stream, weight, first, width, file + 1, s->from, s->layout));
    }
    free(packed);
    free(file);
    return weight;
}

static void check_shape(const world *w, const shape *s, size_t parts)
{
    size_t rows = s->rows, n = rows * s->n_out;
    float *x = normals(rows * s->n_in, 1, 1.0), *values = normals(s->n_out * s->n_in, 2, 0.3);
    float *bias = normals(s->n_out, 3, 1.0), *old = normals(n, 4, 2.0);
    pl_weight *weight = weight_of(w, values, s, parts);
    pl_view xv = guarded(w, rows, s->n_in, PL_F32, x), counts = counts_of(w, rows);
    pl_view yv = guarded(w, rows + 2, s->n_out, PL_F32, NULL), none = {0}; /* capacity above the count */
    pl_view biasv = guarded(w, 1, s->n_out, PL_F32, bias), top = pl_view_rows(yv, 0, rows);
    if (s->accumulate) must(w->gear.ops->upload(w->stream, top, old));
    pl_linear_args args = {counts, PL_COUNT_ROWS, xv, weight, s->bias ? biasv : none, s->activation, s->accumulate, yv};
    must(w->gear.ops->linear(w->stream, &args));
    float *got = fetch(w, top);
    double *expected = (double *)malloc((n + 1) * sizeof(double)), *bound = (double *)malloc((n + 1) * sizeof(double));
    for (size_t r = 0; r < rows; r++) {
        for (size_t o = 0; o < s->n_out; o++) {
            double sum = 0, size = 0;
            for (size_t i = 0; i < s->n_in; i++) {
                double p = (double)x[r * s->n_in + i] * (double)values[o * s->n_in + i];
                sum += p;
                size += fabs(p);
            }
            if (s->bias) sum += (double)bias[o];
            double y = activate(sum, s->activation) + (s->accumulate ? (double)old[r * s->n_out + o] : 0.0);
            expected[r * s->n_out + o] = y;
            bound[r * s->n_out + o] =
                ldexp((3.0 * sqrt((double)s->n_in) + 8.0) * size + 8.0 * (fabs(sum) + fabs(y)) + 1e-3, -24);
        }
    }
    check_close("linear", got, expected, bound, n);
    /* Guards, and the rows above the count. */
    check_guards(w, pl_view_rows(yv, 0, rows + 2));
    float *rest = fetch(w, pl_view_rows(yv, rows, 2));
    for (size_t i = 0; i < 2 * s->n_out; i++) assert_true(isnan(rest[i]));
    free(rest);
    free(got);
    free(expected);
    free(bound);
    release(w, &xv);
    release(w, &yv);
    release(w, &biasv);
    release(w, &counts);
    w->gear.ops->weight_free(weight);
    free(x);
    free(values);
    free(bias);
    free(old);
}

static void test_values(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        world w = world_open(threads);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            check_shape(&w, &shapes[i], 1);
            check_shape(&w, &shapes[i], 3); /* q, k and v set one after another */
        }
        world_close(&w);
    }
}

/* NaN in a row stays in that row; infinite weights give no NaN elsewhere. */
static void test_nan(void **state)
{
    (void)state;
    world w = world_open(1);
    shape s = {8, 32, 24, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_RELU, false, false};
    float *x = normals(8 * 32, 1, 1.0), *values = normals(24 * 32, 2, 1.0);
    x[3 * 32 + 5] = NAN;
    pl_weight *weight = weight_of(&w, values, &s, 1);
    pl_view xv = guarded(&w, 8, 32, PL_F32, x), yv = guarded(&w, 8, 24, PL_F32, NULL), counts = counts_of(&w, 8),
            no = {0};
    for (pl_activation a = PL_ACT_NONE; a <= PL_ACT_QUICK_GELU; a++) {
        pl_linear_args args = {counts, PL_COUNT_ROWS, xv, weight, no, a, false, yv};
        must(w.gear.ops->linear(w.stream, &args));
        float *y = fetch(&w, yv);
        for (size_t i = 0; i < 8 * 24; i++) assert_int_equal(isnan(y[i]) != 0, i / 24 == 3);
        free(y);
    }
    release(&w, &xv);
    release(&w, &yv);
    release(&w, &counts);
    w.gear.ops->weight_free(weight);
    free(x);
    free(values);
    world_close(&w);
}

static void test_errors(void **state)
{
    (void)state;
    world w = world_open(1);
    pl_weight *weight;
    pl_view x = guarded(&w, 2, 4, PL_F32, NULL), y = guarded(&w, 2, 3, PL_F32, NULL), counts = counts_of(&w, 2),
            no = {0};
    assert_int_equal(w.gear.ops->weight_create(w.gear.device, &weight, 4, 4, PL_BF16), PL_E_UNSUPPORTED);
    assert_non_null(strstr(pl_error_text(), "float32"));
    must(w.gear.ops->weight_create(w.gear.device, &weight, 4, 4, PL_F32));
    pl_linear_args narrow = {counts, PL_COUNT_ROWS, x, weight, no, PL_ACT_NONE, false, y};
    assert_int_equal(w.gear.ops->linear(w.stream, &narrow), PL_E_INTERNAL);
    assert_non_null(strstr(pl_error_text(), "linear: y"));
    pl_view many = counts_of(&w, 3);
    pl_linear_args over = {many, PL_COUNT_ROWS, x, weight, no, PL_ACT_NONE, false, x};
    assert_int_equal(w.gear.ops->linear(w.stream, &over), PL_E_INTERNAL);
    float data[16] = {0};
    assert_int_equal(w.gear.ops->weight_set(w.stream, weight, 3, 2, data, PL_F32, PL_LAYOUT_OUT_IN), PL_E_INTERNAL);
    assert_int_equal(w.gear.ops->weight_set(w.stream, weight, 0, 4, data, PL_I32, PL_LAYOUT_OUT_IN), PL_E_UNSUPPORTED);
    w.gear.ops->weight_free(weight);
    release(&w, &x);
    release(&w, &y);
    release(&w, &counts);
    release(&w, &many);
    world_close(&w);
}

/* weight_refresh gives the bits of weight_set. */
static void test_refresh(void **state)
{
    (void)state;
    world w = world_open(2);
    shape s = {5, 40, 70, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_NONE, false, false};
    float *x = normals(5 * 40, 1, 1.0), *values = normals(70 * 40, 2, 1.0), *y[2];
    pl_view xv = guarded(&w, 5, 40, PL_F32, x), counts = counts_of(&w, 5), no = {0};
    pl_view from = guarded(&w, 70, 40, PL_F32, values), yv = guarded(&w, 5, 70, PL_F32, NULL);
    for (int i = 0; i < 2; i++) {
        pl_weight *weight;
        if (i == 0) {
            weight = weight_of(&w, values, &s, 1);
        } else {
            must(w.gear.ops->weight_create(w.gear.device, &weight, 70, 40, PL_F32));
            must(w.gear.ops->weight_refresh(w.stream, weight, from));
        }
        pl_linear_args args = {counts, PL_COUNT_ROWS, xv, weight, no, PL_ACT_NONE, false, yv};
        must(w.gear.ops->linear(w.stream, &args));
        y[i] = fetch(&w, yv);
        w.gear.ops->weight_free(weight);
    }
    assert_memory_equal(y[0], y[1], 5 * 70 * sizeof(float));
    free(y[0]);
    free(y[1]);
    release(&w, &xv);
    release(&w, &from);
    release(&w, &yv);
    release(&w, &counts);
    free(x);
    free(values);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_refresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
