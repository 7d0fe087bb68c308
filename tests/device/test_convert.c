/* convert: every float16 and bfloat16 value there and back, and rounding against an exact reference: the nearest of the
 * two neighbours in the 16-bit type, ties to the even one. */
#include "cases.h"

typedef struct shape {
    size_t rows, C;
    pl_dtype from, to;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, PL_F32, PL_BF16, EVERY},       {3, 5000, PL_F32, PL_F16, EVERY},    {70, 33, PL_BF16, PL_F32, EVERY},
    {5, 768, PL_F16, PL_F32, EVERY},      {4, 257, PL_F32, PL_F32, EVERY},     {300, 500, PL_F32, PL_F16, LARGE},
    {8192, 4096, PL_F32, PL_BF16, BENCH}, {8192, 4096, PL_F32, PL_F16, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    const pl_dtype types[] = {PL_F32, PL_BF16, PL_F16};
    return (shape){1 + i % 3, edge_sizes[i], i % 2 ? types[1 + i / 2 % 2] : PL_F32,
                   i % 2 ? PL_F32 : types[1 + i / 2 % 2], EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] %s to %s", s.rows, s.C, pl_dtype_name(s.from), pl_dtype_name(s.to));
    return s.use;
}

/* Rows with odd strides; values of all sizes, representable ones among them. */
static void run(const world *w, size_t k)
{
    const shape s = shape_of(k);
    size_t n = s.rows * s.C;
    int32_t zero = 0;
    float *x = normals(n, 1, 3.0);
    for (size_t i = 0; i < n; i++) x[i] *= i % 3 ? 1.0f : 1e-5f;
    representable(x, n, s.from);
    pl_view xv = numbers(w, s.rows, 0, s.C, s.from, x), yv = guarded(w, s.rows, s.C, s.to, NULL),
            ov = ints(w, 1, &zero);
    pl_convert_args args = {xv, yv, ov};
    RUN_OP(w, convert, &args, n * (pl_dtype_bytes(s.from) + pl_dtype_bytes(s.to)), 0);
    if (!w->timing) {
        float *got = fetch_numbers(w, yv);
        for (size_t i = 0; i < n; i++) {
            /* Half a last bit, and no 16-bit number nearer: rounding itself is checked below for every value. */
            if (fabs((double)got[i] - (double)x[i]) > stored((double)x[i], s.to)) {
                fail_case("element %zu: %g became %g", i, (double)x[i], (double)got[i]);
            }
        }
        check_guards(w, yv);
        check_guards(w, ov);
        int32_t *overflow = (int32_t *)fetch(w, ov);
        assert_int_equal(*overflow, 0);
        free(overflow);
        free(got);
    }
    RELEASE(w, &xv, &yv, &ov);
    free(x);
}

static float *to_f32(const world *w, const uint16_t *h, size_t n, pl_dtype dtype)
{
    pl_view xv = guarded(w, 1, n, dtype, h), yv = guarded(w, 1, n, PL_F32, NULL);
    pl_convert_args args = {xv, yv, {0}};
    must(pl_op_convert(&w->processor, w->stream, &args));
    float *y = (float *)fetch(w, yv);
    check_guards(w, yv);
    release(w, &xv);
    release(w, &yv);
    return y;
}

static uint16_t *from_f32(const world *w, const float *x, size_t n, pl_dtype dtype, int32_t *overflow)
{
    int32_t zero = 0;
    pl_view xv = guarded(w, 1, n, PL_F32, x), yv = guarded(w, 1, n, dtype, NULL), ov = ints(w, 1, &zero);
    pl_convert_args args = {xv, yv, ov};
    must(pl_op_convert(&w->processor, w->stream, &args));
    must(pl_op_convert(&w->processor, w->stream, &args)); /* overflow is added to */
    uint16_t *y = (uint16_t *)fetch(w, yv);
    int32_t *count = (int32_t *)fetch(w, ov);
    assert_int_equal(*count % 2, 0);
    *overflow = *count / 2;
    free(count);
    check_guards(w, yv);
    release(w, &xv);
    release(w, &yv);
    release(w, &ov);
    return y;
}

/* The value of 16 bits with `mantissa` mantissa bits and 15 - mantissa exponent bits, from the definition. */
static double value_of(uint16_t h, int mantissa)
{
    int exponent_bits = 15 - mantissa, bias = (1 << (exponent_bits - 1)) - 1, e = (h & 0x7fff) >> mantissa;
    double m = h & ((1 << mantissa) - 1), sign = h & 0x8000 ? -1.0 : 1.0;
    if (e == (1 << exponent_bits) - 1) return m == 0 ? sign * INFINITY : NAN;
    if (e == 0) return sign * ldexp(m, 1 - bias - mantissa);
    return sign * ldexp(m + (1 << mantissa), e - bias - mantissa);
}

static void check_type(const world *w, pl_dtype dtype, int mantissa)
{
    enum { ALL = 65536 };
    int32_t overflow;
    uint16_t *h = (uint16_t *)malloc(ALL * sizeof *h);
    for (size_t i = 0; i < ALL; i++) h[i] = (uint16_t)i;
    float *x = to_f32(w, h, ALL, dtype);
    for (size_t i = 0; i < ALL; i++) {
        double v = value_of((uint16_t)i, mantissa);
        assert_true(isnan(v) ? isnan(x[i]) : (double)x[i] == v && !signbit(x[i]) == !signbit(v));
    }
    uint16_t *back = from_f32(w, x, ALL, dtype, &overflow);
    for (size_t i = 0; i < ALL; i++) {
        if (isnan(x[i]))
            assert_true(isnan(value_of(back[i], mantissa)));
        else
            assert_int_equal(back[i], i);
    }
    assert_int_equal(overflow, dtype == PL_F16 ? 2 : 0); /* the two infinities */
    free(back);
    /* Between neighbours a and b: just below the middle, the middle, just above. */
    float *between = (float *)malloc(3 * ALL * sizeof(float));
    size_t n = 0, finite = (size_t)((1 << (15 - mantissa)) - 1) << mantissa;
    size_t step = (dtype == PL_F16 ? 1 : 5) * (on_emulator() ? 7 : 1);
    for (size_t i = 0; i + 1 < finite; i += step) {
        float middle = (float)(((double)x[i] + (double)x[i + 1]) / 2.0);
        between[n++] = nextafterf(middle, 0.0f);
        between[n++] = middle;
        between[n++] = nextafterf(middle, INFINITY);
    }
    back = from_f32(w, between, n, dtype, &overflow);
    assert_int_equal(overflow, 0);
    for (size_t k = 0; k < n; k++) {
        size_t i = k / 3 * step;
        if (dtype == PL_BF16 && i == 0) continue; /* the middle of the smallest two is itself below float32 */
        size_t expected = k % 3 == 0 ? i : k % 3 == 2 ? i + 1 : i + i % 2;
        assert_int_equal(back[k], expected);
    }
    free(back);
    free(between);
    free(x);
    free(h);
}

static void test_all_values(void **state)
{
    (void)state;
    world w = world_open(1);
    check_type(&w, PL_F16, 10);
    check_type(&w, PL_BF16, 7);
    world_close(&w);
}

static void test_overflow(void **state)
{
    (void)state;
    world w = world_open(2);
    const float x[] = {65519.0f, 65520.0f, -65536.0f, 1e30f, 65504.0f, INFINITY, NAN, 0.0f};
    int32_t overflow;
    uint16_t *h = from_f32(&w, x, 8, PL_F16, &overflow);
    assert_int_equal(overflow, 4);
    assert_int_equal(h[0], 0x7bff);
    assert_int_equal(h[1], 0x7c00);
    assert_int_equal(h[2], 0xfc00);
    assert_true(isnan(value_of(h[6], 10)));
    free(h);
    pl_view wrong = ints(&w, 4, NULL);
    pl_convert_args args = {wrong, wrong, {0}};
    assert_int_equal(pl_op_convert(&w.processor, w.stream, &args), PL_E_INTERNAL);
    release(&w, &wrong);
    world_close(&w);
}

static const case_table table = {
    .op = "convert", .n = SHAPES + EDGES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), cmocka_unit_test(test_all_values),
                                       cmocka_unit_test(test_overflow)};
    return CASES_MAIN(argc, argv, &table, tests);
}
