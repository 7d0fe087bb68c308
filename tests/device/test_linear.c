/* linear: y = act(x W^T + bias) against double precision, and promise 1 for it.
 *
 * Bound: a chain of n fused multiply-adds is off by at most n 2^-24 sum |x w|; rounding errors are random, so in fact
 * by about sqrt(n) of it. We allow (3 sqrt(n) + 8) 2^-24 sum |x w|, plus a few last bits of activation and result.
 * Inputs are representable in the storage type and in tf32, whose products are exact in float32, so the bound holds for
 * every type. A 16-bit result adds its rounding; it may have been stored once before the bias and the activation. */
#include "activate.h"
#include "backward.h"

typedef struct shape {
    size_t rows, n_in, n_out;
    pl_dtype from;
    pl_layout layout;
    pl_activation activation;
    bool bias, accumulate;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 1, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_NONE, true, false, EVERY},
    {2, 3, 5, PL_F32, PL_LAYOUT_IN_OUT, PL_ACT_NONE, false, true, EVERY},
    {3, 64, 48, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_GELU_TANH, true, false, EVERY},
    {4, 65, 33, PL_BF16, PL_LAYOUT_OUT_IN, PL_ACT_GELU_ERF, true, false, EVERY},
    {5, 127, 129, PL_F16, PL_LAYOUT_IN_OUT, PL_ACT_SILU, true, false, EVERY},
    {6, 768, 16, PL_F32, PL_LAYOUT_IN_OUT, PL_ACT_NONE, true, true, EVERY},
    {7, 769, 17, PL_BF16, PL_LAYOUT_IN_OUT, PL_ACT_RELU, false, false, EVERY},
    {13, 385, 255, PL_F16, PL_LAYOUT_OUT_IN, PL_ACT_QUICK_GELU, true, false, LARGE},
    {97, 200, 300, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_GELU_TANH, true, false, LARGE},
    {193, 50, 31, PL_F32, PL_LAYOUT_IN_OUT, PL_ACT_NONE, true, true, LARGE},
    {31, 3072, 70, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_NONE, true, true, LARGE},
    {0, 8, 8, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_NONE, true, false, EVERY},
    {64, 32, 64, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_NONE, true, false, EVERY},
    {65, 33, 66, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_GELU_TANH, true, false, EVERY},
    {129, 17, 8, PL_F16, PL_LAYOUT_OUT_IN, PL_ACT_NONE, true, true, EVERY},
    {128, 768, 2304, PL_F32, PL_LAYOUT_IN_OUT, PL_ACT_NONE, true, false, BENCH},
    {8192, 768, 3072, PL_F32, PL_LAYOUT_IN_OUT, PL_ACT_GELU_TANH, true, false, BENCH},
    {8192, 3072, 768, PL_F32, PL_LAYOUT_IN_OUT, PL_ACT_NONE, true, true, BENCH},
    {2048, 4096, 4096, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_NONE, false, false, BENCH},
    {8192, 4096, 4096, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_NONE, false, true, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* The table, then every edge size as the number of rows, of inputs and of outputs. */
static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    size_t n = edge_sizes[i % EDGES];
    shape s = {.from = PL_F32, .layout = PL_LAYOUT_OUT_IN, .bias = i % 2, .accumulate = i % 3 == 0, .use = EVERY};
    s.rows = i / EDGES == 0 ? n : 3;
    s.n_in = i / EDGES == 1 ? n : 24;
    s.n_out = i / EDGES == 2 ? n : 9;
    return s;
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] -> %zu %s%s%s from %s %s", s.rows, s.n_in, s.n_out, activation_name(s.activation),
             s.bias ? " bias" : "", s.accumulate ? " accumulate" : "", pl_dtype_name(s.from),
             s.layout == PL_LAYOUT_IN_OUT ? "[in, out]" : "[out, in]");
    return s.use;
}

/* A weight from values [out, in], in a file's layout and at an odd address, set in `parts` parts. */
static pl_weight *weight_of(const world *w, const float *values, const shape *s, size_t parts)
{
    pl_weight *weight;
    size_t element = pl_dtype_bytes(s->from), n = s->n_out * s->n_in;
    must(w->processor.ops->weight_create(w->processor.device, &weight, s->n_out, s->n_in, w->compute));
    unsigned char *rows = (unsigned char *)packed(values, n, s->from), *file = (unsigned char *)malloc(n * element + 1);
    for (size_t p = 0; p < parts; p++) {
        size_t first = s->n_out * p / parts, end = s->n_out * (p + 1) / parts, width = end - first;
        for (size_t o = first; o < end; o++) {
            for (size_t i = 0; i < s->n_in; i++) {
                size_t at = s->layout == PL_LAYOUT_OUT_IN ? (o - first) * s->n_in + i : i * width + o - first;
                memcpy(file + 1 + at * element, rows + (o * s->n_in + i) * element, element);
            }
        }
        must(pl_weight_set(&w->processor, w->stream, weight, first, width, file + 1, s->from, s->layout));
    }
    free(rows);
    free(file);
    return weight;
}

static void check(const world *w, const shape *s, const float *x, const float *values, const float *bias,
                  const float *old, float *got)
{
    size_t n = s->rows * s->n_out;
    double *expected = (double *)malloc((n + 1) * sizeof(double)), *bound = (double *)malloc((n + 1) * sizeof(double));
    for (size_t k = 0; k < n; k++) {
        size_t r = k / s->n_out, o = k % s->n_out;
        double sum = 0, size = 0;
        for (size_t i = 0; i < s->n_in; i++) {
            double p = (double)x[r * s->n_in + i] * (double)values[o * s->n_in + i];
            sum += p;
            size += fabs(p);
        }
        double once = s->accumulate ? 0.0 : 1.2 * stored(sum, w->type); /* no activation is steeper than 1.2 */
        if (s->bias) sum += (double)bias[o];
        double y = activate(sum, s->activation) + (s->accumulate ? (double)old[k] : 0.0);
        expected[k] = y;
        bound[k] = ldexp((3.0 * sqrt((double)s->n_in) + 8.0) * size + 8.0 * (fabs(sum) + fabs(y)) + 1e-3, -24);
        if (!s->accumulate) bound[k] += once + stored(y, w->type);
    }
    check_close("linear", got, expected, bound, n);
    free(expected);
    free(bound);
}

static void run_parts(const world *w, const shape *s, size_t parts)
{
    enum { SPARE = 2 };
    size_t n = s->rows * s->n_out;
    float *x = normals(s->rows * s->n_in, 1, 1.0), *values = normals(s->n_out * s->n_in, 2, 0.3);
    float *bias = normals(s->n_out, 3, 1.0), *old = normals(n, 4, 2.0);
    representable(x, s->rows * s->n_in, w->compute);
    representable(values, s->n_out * s->n_in, w->compute);
    representable(values, s->n_out * s->n_in, s->from);
    pl_weight *weight = weight_of(w, values, s, parts);
    /* Capacity above the count; what x holds there (NaN) reaches no counted row. Accumulated results are float32. */
    pl_view xv = numbers(w, s->rows, SPARE, s->n_in, w->type, x), counts = counts_of(w, s->rows), none = {0};
    pl_view yv = guarded(w, s->rows + SPARE, s->n_out, s->accumulate ? PL_F32 : w->type, NULL);
    pl_view biasv = guarded(w, 1, s->n_out, PL_F32, bias), top = pl_view_rows(yv, 0, s->rows);
    if (s->accumulate) send(w, top, old);
    pl_linear_args args = {.counts = counts,
                           .count = PL_COUNT_ROWS,
                           .x = xv,
                           .weight = weight,
                           .bias = s->bias ? biasv : none,
                           .activation = s->activation,
                           .accumulate = s->accumulate,
                           .y = yv};
    size_t element = pl_dtype_bytes(w->type), bytes = (s->rows + s->n_out) * s->n_in * element + n * element;
    RUN_OP(w, linear, &args, bytes, 2 * n * s->n_in);
    if (!w->timing) {
        float *got = fetch_numbers(w, top);
        check(w, s, x, values, bias, old, got);
        check_guards(w, yv);
        if (!w->cuda) check_untouched(w, yv, s->rows);
        free(got);
    }
    RELEASE(w, &xv, &yv, &biasv, &counts);
    w->processor.ops->weight_free(weight);
    free(x);
    free(values);
    free(bias);
    free(old);
}

static void run(const world *w, size_t k)
{
    const shape s = shape_of(k);
    run_parts(w, &s, 1);
    if (k < SHAPES && w->aligned && !w->timing) run_parts(w, &s, 3); /* q, k and v set one after another */
}

/* In every type of the device. */
static void each_type(void (*f)(const world *w))
{
    const pl_dtype types[] = {PL_F32, PL_BF16, PL_F16, PL_TF32, PL_BF16X3};
    world w = world_open(1);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (w.cuda ? types[i] == PL_BF16X3 : !cpu_has(types[i])) continue;
        w.compute = types[i];
        w.type = pl_activation_type(w.processor.ops, types[i]);
        f(&w);
    }
    world_close(&w);
}

/* NaN in a row stays in that row; infinite weights give no NaN elsewhere. */
static void check_nan(const world *w)
{
    shape s = {8, 32, 24, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_RELU, false, false, EVERY};
    float *x = normals(8 * 32, 1, 1.0), *values = normals(24 * 32, 2, 1.0);
    representable(x, 8 * 32, w->type);
    x[3 * 32 + 5] = NAN;
    pl_weight *weight = weight_of(w, values, &s, 1);
    pl_view xv = numbers(w, 8, 0, 32, w->type, x), yv = guarded(w, 8, 24, w->type, NULL), counts = counts_of(w, 8);
    for (pl_activation a = PL_ACT_NONE; a <= PL_ACT_QUICK_GELU; a++) {
        pl_linear_args args = {
            .counts = counts, .count = PL_COUNT_ROWS, .x = xv, .weight = weight, .activation = a, .y = yv};
        must(pl_op_linear(&w->processor, w->stream, &args));
        float *y = fetch_numbers(w, yv);
        for (size_t i = 0; i < 8 * 24; i++) {
            if ((isnan(y[i]) != 0) != (i / 24 == 3)) {
                fail_case("%s, %s: y[%zu] is %g", pl_dtype_name(w->compute), activation_name(a), i, (double)y[i]);
            }
        }
        free(y);
    }
    RELEASE(w, &xv, &yv, &counts);
    w->processor.ops->weight_free(weight);
    free(x);
    free(values);
}

static void test_nan(void **state)
{
    (void)state;
    each_type(check_nan);
}

static void test_errors(void **state)
{
    (void)state;
    world w = world_open(1);
    pl_weight *weight;
    pl_view x = guarded(&w, 2, 4, PL_F32, NULL), y = guarded(&w, 2, 3, PL_F32, NULL), counts = counts_of(&w, 2);
    assert_int_equal(w.processor.ops->weight_create(w.processor.device, &weight, 4, 4, w.cuda ? PL_I32 : PL_F16),
                     PL_E_UNSUPPORTED);
    assert_non_null(strstr(pl_error_text(), "float32"));
    must(w.processor.ops->weight_create(w.processor.device, &weight, 4, 4, PL_F32));
    pl_linear_args narrow = {.counts = counts, .count = PL_COUNT_ROWS, .x = x, .weight = weight, .y = y};
    assert_int_equal(pl_op_linear(&w.processor, w.stream, &narrow), PL_E_INTERNAL);
    assert_non_null(strstr(pl_error_text(), "linear: y"));
    pl_view many = counts_of(&w, 3);
    pl_linear_args over = {.counts = many, .count = PL_COUNT_ROWS, .x = x, .weight = weight, .y = x};
    if (!w.cuda) assert_int_equal(pl_op_linear(&w.processor, w.stream, &over), PL_E_INTERNAL);
    float data[16] = {0};
    assert_int_equal(pl_weight_set(&w.processor, w.stream, weight, 3, 2, data, PL_F32, PL_LAYOUT_OUT_IN),
                     PL_E_INTERNAL);
    assert_int_equal(pl_weight_set(&w.processor, w.stream, weight, 0, 4, data, PL_I32, PL_LAYOUT_OUT_IN),
                     PL_E_UNSUPPORTED);
    w.processor.ops->weight_free(weight);
    RELEASE(&w, &x, &y, &counts, &many);
    world_close(&w);
}

/* weight_refresh gives the bits of weight_set: the same rounding to the storage type. */
static void check_refresh(const world *w)
{
    shape s = {5, 40, 70, PL_F32, PL_LAYOUT_OUT_IN, PL_ACT_NONE, false, false, EVERY};
    float *x = normals(5 * 40, 1, 1.0), *values = normals(70 * 40, 2, 1.0), *y[2];
    representable(x, 5 * 40, w->type);
    pl_view xv = numbers(w, 5, 0, 40, w->type, x), counts = counts_of(w, 5);
    pl_view from = guarded(w, 70, 40, PL_F32, values), yv = guarded(w, 5, 70, w->type, NULL);
    for (int i = 0; i < 2; i++) {
        pl_weight *weight;
        if (i == 0) {
            weight = weight_of(w, values, &s, 1);
        } else {
            must(w->processor.ops->weight_create(w->processor.device, &weight, 70, 40, w->compute));
            must(pl_weight_refresh(&w->processor, w->stream, weight, from));
        }
        pl_linear_args args = {.counts = counts, .count = PL_COUNT_ROWS, .x = xv, .weight = weight, .y = yv};
        must(pl_op_linear(&w->processor, w->stream, &args));
        y[i] = fetch_numbers(w, yv);
        w->processor.ops->weight_free(weight);
    }
    assert_memory_equal(y[0], y[1], 5 * 70 * sizeof(float));
    free(y[0]);
    free(y[1]);
    RELEASE(w, &xv, &from, &yv, &counts);
    free(x);
    free(values);
}

static void test_refresh(void **state)
{
    (void)state;
    each_type(check_refresh);
}

/* In training: an attached weight gives the bits of a packed one, `pre` is what the activation was applied to, and what
 * is added to the residual stream went through the mask. Both forms of several sizes, rows past the count untouched on
 * the CPU. */
static void check_training(const world *w)
{
    enum { SPARE = 2 };
    static const size_t sizes[][3] = {{1, 5, 7}, {5, 40, 70}, {13, 33, 129}, {60, 200, 31}, {300, 24, 40}};
    const int32_t key[3] = {-9, 4, 17};
    const float probability = 0.3f, scale = 1.0f / (1.0f - probability);
    for (size_t k = 0; k < 2 * sizeof sizes / sizeof *sizes; k++) {
        const size_t rows = sizes[k / 2][0], n_in = sizes[k / 2][1], n_out = sizes[k / 2][2], n = rows * n_out;
        const bool added = k % 2;
        float *x = normals(rows * n_in, 1, 1.0), *values = normals(n_out * n_in, 2, 0.3),
              *bias = normals(n_out, 3, 1.0);
        float *old = normals(n, 4, 1.0), *y[2], *pre[2];
        representable(x, rows * n_in, w->type);
        int32_t examples[302], positions[302];
        for (size_t r = 0; r < 302; r++) {
            examples[r] = r < rows ? (int32_t)(7 * r) : -1;
            positions[r] = r < rows ? (int32_t)(r / 2) : -1;
        }
        pl_view xv = numbers(w, rows, SPARE, n_in, w->type, x), biasv = guarded(w, 1, n_out, PL_F32, bias);
        pl_view counts = counts_of(w, rows), keyv = ints(w, 3, key), ev = ints(w, 302, examples);
        pl_view pv = ints(w, 302, positions);
        for (int form = 0; form < 2; form++) {
            pl_view master, none = {0};
            pl_weight *weight = weight_in_form(w, form, &master, values, n_out, n_in);
            pl_view yv = guarded(w, rows + SPARE, n_out, added ? PL_F32 : w->type, NULL);
            pl_view prev = guarded(w, rows + SPARE, n_out, w->type, NULL);
            if (added) send(w, pl_view_rows(yv, 0, rows), old);
            pl_linear_args args = {.counts = counts,
                                   .count = PL_COUNT_ROWS,
                                   .x = xv,
                                   .weight = weight,
                                   .bias = biasv,
                                   .activation = added ? PL_ACT_NONE : PL_ACT_GELU_TANH,
                                   .accumulate = added,
                                   .y = yv,
                                   .pre = prev,
                                   .positions = added ? pv : none};
            if (added) args.dropout = (pl_dropout){probability, 3, PL_DROPOUT_OUT, keyv, ev};
            must(pl_op_linear(&w->processor, w->stream, &args));
            y[form] = fetch_numbers(w, pl_view_rows(yv, 0, rows));
            pre[form] = fetch_numbers(w, pl_view_rows(prev, 0, rows));
            check_guards(w, yv);
            check_guards(w, prev);
            if (!w->cuda) check_untouched(w, yv, rows);
            if (!w->cuda) check_untouched(w, prev, rows);
            w->processor.ops->weight_free(weight);
            RELEASE(w, &master, &yv, &prev);
        }
        assert_memory_equal(y[0], y[1], n * sizeof(float));
        assert_memory_equal(pre[0], pre[1], n * sizeof(float));
        for (size_t i = 0; i < n; i++) {
            const size_t r = i / n_out;
            const bool kept = mask_of(key, 3, PL_DROPOUT_OUT, probability, examples[r], positions[r], i % n_out) > 0.0;
            const double z = (double)pre[0][i], once = (double)scale * stored(z, w->type);
            const double y_of = kept ? (double)(old[i] + pre[0][i] * scale) : (double)old[i];
            const double act = activate(z, PL_ACT_GELU_TANH), bound = ldexp(8.0 + 8.0 * fabs(z), -24);
            /* What is added has not been rounded to `pre`'s type; what was dropped adds nothing at all. */
            if (added && fabs((double)y[0][i] - y_of) > (kept && once > 0.0 ? once + ldexp(fabs(y_of), -23) : 0.0))
                fail_case("dropout: element %zu", i);
            if (!added && fabs((double)y[0][i] - act) > bound + stored(act, w->type)) fail_case("pre: element %zu", i);
        }
        for (int form = 0; form < 2; form++) {
            free(y[form]);
            free(pre[form]);
        }
        RELEASE(w, &xv, &biasv, &counts, &keyv, &ev, &pv);
        free(x);
        free(values);
        free(bias);
        free(old);
    }
}

static void test_training(void **state)
{
    (void)state;
    each_type(check_training);
}

static const case_table table = {
    .op = "linear", .n = SHAPES + 3 * EDGES, .tf32 = true, .weights = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASES(&table),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_training),
    };
    return CASES_MAIN(argc, argv, &table, tests);
}
