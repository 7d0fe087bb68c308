/* Products in bf16x3: float32's accuracy, and what becomes of numbers at the ends of the range.
 *
 * Errors are against double precision, in root mean square over all elements. A chain of n fused multiply-adds in
 * float32 has about sqrt(n) / 2 roundings' worth; bf16x3 rounds fewer sums (32 k at once) and leaves out products below
 * 2^-22 of a term: at most 2 times float32's is allowed, and bfloat16's is at least 100 times as large. */
#include "backward.h"

typedef struct errors {
    double y, dx, dweight;
} errors;

static double rms_of(const float *got, const double *expected, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += ((double)got[i] - expected[i]) * ((double)got[i] - expected[i]);
    return sqrt(sum / (double)n);
}

/* a [rows, k] b [k, columns] by strides. */
static double *product_of(const float *a, size_t a_row, size_t a_k, const float *b, size_t b_k, size_t b_column,
                          size_t rows, size_t k, size_t columns)
{
    double *c = (double *)calloc(rows * columns, sizeof *c);
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < k; i++) {
            const double x = (double)a[r * a_row + i * a_k];
            for (size_t j = 0; j < columns; j++) c[r * columns + j] += x * (double)b[i * b_k + j * b_column];
        }
    }
    return c;
}

/* y = x W^T, dx = dy W and dW = dy^T x of normal numbers. */
static errors errors_of(pl_dtype compute, size_t rows, size_t n_in, size_t n_out, bool attached)
{
    world opened = world_open(2), *w = &opened;
    w->compute = compute;
    w->type = PL_F32;
    const pl_backend *ops = w->processor.ops;
    float *x = normals(rows * n_in, 1, 1.0), *values = normals(n_out * n_in, 2, 0.3);
    float *dy = normals(rows * n_out, 3, 1.0);
    pl_view master, xv = guarded(w, rows, n_in, PL_F32, x), dyv = guarded(w, rows, n_out, PL_F32, dy);
    pl_view yv = guarded(w, rows, n_out, PL_F32, NULL), dxv = guarded(w, rows, n_in, PL_F32, NULL);
    float *zeros = (float *)calloc(n_out * n_in, sizeof *zeros);
    pl_view dweight = guarded(w, n_out, n_in, PL_F32, zeros), counts = counts_of(w, rows);
    pl_view workspace = dirty_workspace(w, ops->linear_backward_workspace_bytes(rows, n_out, n_in, compute));
    pl_weight *weight = weight_in_form(w, attached, &master, values, n_out, n_in);
    pl_linear_args forward = {.counts = counts, .count = PL_COUNT_ROWS, .x = xv, .weight = weight, .y = yv};
    pl_linear_backward_args backward = {.counts = counts,
                                        .count = PL_COUNT_ROWS,
                                        .x = xv,
                                        .dy = dyv,
                                        .weight = weight,
                                        .dx = dxv,
                                        .dweight = dweight,
                                        .workspace = workspace};
    must(pl_op_linear(&w->processor, w->stream, &forward));
    must(pl_op_linear_backward(&w->processor, w->stream, &backward));
    check_workspace(w, workspace);
    float *got[] = {(float *)fetch(w, yv), (float *)fetch(w, dxv), (float *)fetch(w, dweight)};
    double *expected[] = {product_of(x, n_in, 1, values, 1, n_in, rows, n_in, n_out),
                          product_of(dy, n_out, 1, values, n_in, 1, rows, n_out, n_in),
                          product_of(dy, 1, n_out, x, n_in, 1, n_out, rows, n_in)};
    const errors e = {rms_of(got[0], expected[0], rows * n_out), rms_of(got[1], expected[1], rows * n_in),
                      rms_of(got[2], expected[2], n_out * n_in)};
    ops->weight_free(weight);
    RELEASE(w, &master, &xv, &dyv, &yv, &dxv, &dweight, &counts, &workspace);
    for (size_t i = 0; i < 3; i++) {
        free(got[i]);
        free(expected[i]);
    }
    free(x);
    free(values);
    free(dy);
    free(zeros);
    world_close(w);
    return e;
}

static void test_accuracy(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{33, 64, 50}, {200, 768, 96}, {70, 3072, 40}, {520, 100, 130}};
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof *shapes; i++) {
        const size_t *s = shapes[i / 2];
        const errors one = errors_of(PL_F32, s[0], s[1], s[2], i % 2),
                     split = errors_of(PL_BF16X3, s[0], s[1], s[2], i % 2);
        const errors half = errors_of(PL_BF16, s[0], s[1], s[2], i % 2);
        print_message("[%zu, %zu] -> %zu: float32 %.1e %.1e %.1e, bf16x3 %.1e %.1e %.1e, bfloat16 %.1e %.1e %.1e\n",
                      s[0], s[1], s[2], one.y, one.dx, one.dweight, split.y, split.dx, split.dweight, half.y, half.dx,
                      half.dweight);
        assert_true(split.y <= 2 * one.y && split.dx <= 2 * one.dx && split.dweight <= 2 * one.dweight);
        assert_true(half.y >= 100 * split.y && half.dx >= 100 * split.dx && half.dweight >= 100 * split.dweight);
        assert_true(split.y > 0 && split.y != one.y);
    }
}

/* y of one row whose first element is `x` and a weight of one output whose first is `value`; the others are 0. */
static float product_with(float x, float value)
{
    enum { N = 40 };
    world opened = world_open(1), *w = &opened;
    float xs[N] = {x}, values[N] = {value}, y;
    w->compute = PL_BF16X3;
    w->type = PL_F32;
    pl_view master, xv = guarded(w, 1, N, PL_F32, xs), yv = guarded(w, 1, 1, PL_F32, NULL), counts = counts_of(w, 1);
    pl_weight *weight = weight_in_form(w, true, &master, values, 1, N);
    pl_linear_args args = {.counts = counts, .count = PL_COUNT_ROWS, .x = xv, .weight = weight, .y = yv};
    must(pl_op_linear(&w->processor, w->stream, &args));
    float *got = (float *)fetch(w, yv);
    y = *got;
    free(got);
    w->processor.ops->weight_free(weight);
    RELEASE(w, &master, &xv, &yv, &counts);
    world_close(w);
    return y;
}

/* A number is the sum of its parts: times 1 it comes back, up to the largest. What of it is below 2^-126 is flushed to
 * 0: numbers from 2^-103 on are whole. What is not finite stays so, and is one of x or of the weight. */
static void test_range(void **state)
{
    (void)state;
    const float whole[] = {1.0f,
                           -3.14159274f,
                           16777215.0f,
                           0x1.fffffep127f,
                           -0x1.ffff00p127f,
                           0x1.fefffep127f,
                           0x1.ff8002p-1f,
                           0x1.008002p0f,
                           0x1.fffffep-103f,
                           -0x1.000002p-103f,
                           0.0f};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        const float left = product_with(whole[i], 1.0f), right = product_with(1.0f, whole[i]);
        if (left != whole[i] || right != whole[i])
            fail_msg("%a times 1 is %a and %a", (double)whole[i], (double)left, (double)right);
    }
    for (uint32_t i = 0; i < 200; i++) { /* significands of all kinds */
        const uint32_t bits = 0x3f800000u | (pl_random_u32(5, PL_RANDOM_TEST, 1, i) & 0x7fffffu);
        float x;
        memcpy(&x, &bits, sizeof x);
        assert_true(product_with(x, 1.0f) == x && product_with(-1.0f, x) == -x);
    }
    for (float small = 0x1.fffffep-104f; small > 0.0f; small *= 0.5f)
        assert_true(fabsf(product_with(small, 1.0f) - small) <= 0x1p-125f);
    assert_true(isfinite(product_with(0x1.fffffep127f, 0x1p-126f)));
    assert_false(isfinite(product_with(0x1.fffffep127f, 2.0f)));
    const float bad[] = {INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < 3; i++) {
        assert_false(isfinite(product_with(bad[i], 0.5f)));
        assert_false(isfinite(product_with(-2.0f, bad[i])));
    }
}

static void test_refused(void **state)
{
    (void)state;
    pl_weight *weight = NULL;
    setenv("PLUMB_CPU", "avx2", 1);
    world w = world_open(1);
    assert_int_equal(w.processor.ops->weight_create(w.processor.device, &weight, 3, 5, PL_BF16X3), PL_E_UNSUPPORTED);
    assert_string_equal(pl_error_text(),
                        "bf16x3 needs a CPU with AMX, this one computes with avx2: choose dtype float32");
    world_close(&w);
    unsetenv("PLUMB_CPU");
}

int main(void)
{
    const struct CMUnitTest all[] = {cmocka_unit_test(test_refused), cmocka_unit_test(test_accuracy),
                                     cmocka_unit_test(test_range)};
    const bool has = !on_cuda() && cpu_has(PL_BF16X3);
    if (on_cuda()) return 0;
    if (!has) print_message("SKIP bf16x3: the CPU has no AMX\n");
    return has ? cmocka_run_group_tests(all, NULL, NULL) : 0;
}
