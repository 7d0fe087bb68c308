/* linear_backward against double precision: dx = z W, dW += z^T x, dbias += sum of z, z = dy act'(pre) or dy with the
 * mask. act' is a central difference of act in double precision (error below 1e-9).
 *
 * Bounds as in test_linear.c: a chain of n fused multiply-adds is allowed (3 sqrt(n) + 8) 2^-24 of the sum of its
 * terms' sizes; z itself is off by at most 16 2^-24 |dy|, which is counted with the sizes (slopes are at most 1.2).
 * Where products round their operands to a 16-bit type, z adds half a last bit of it. */
#include "activate.h"
#include "backward.h"

typedef struct shape {
    size_t rows, n_in, n_out;
    pl_activation activation;
    float dropout;
    bool dx, accumulate_dx, dweight, dbias, attached;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 1, PL_ACT_NONE, 0, true, false, true, true, false, EVERY},
    {3, 5, 7, PL_ACT_NONE, 0, true, true, true, true, true, EVERY},
    {17, 33, 65, PL_ACT_GELU_TANH, 0, true, false, true, true, true, EVERY},
    {9, 40, 31, PL_ACT_GELU_ERF, 0, true, true, true, true, false, EVERY},
    {12, 64, 96, PL_ACT_SILU, 0, true, false, true, false, true, EVERY},
    {5, 31, 97, PL_ACT_QUICK_GELU, 0, false, false, true, true, true, EVERY},
    {26, 16, 32, PL_ACT_RELU, 0, true, false, false, false, true, EVERY},
    {7, 70, 100, PL_ACT_NONE, 0.25f, true, false, true, true, true, EVERY},
    {33, 96, 130, PL_ACT_NONE, 0.5f, true, true, true, true, false, EVERY},
    {4, 8, 9, PL_ACT_NONE, 0, false, false, false, true, false, EVERY},
    {0, 8, 9, PL_ACT_NONE, 0, true, false, true, true, true, EVERY},
    {600, 72, 140, PL_ACT_GELU_TANH, 0, true, false, true, true, true, EVERY}, /* sums over rows and outputs are cut */
    {3, 24, 900, PL_ACT_NONE, 0.1f, true, true, true, true, false, EVERY},
    {300, 47, 200, PL_ACT_GELU_TANH, 0, true, false, true, true, true, LARGE},
    {500, 130, 66, PL_ACT_NONE, 0.1f, true, true, true, true, false, LARGE},
    {70, 400, 450, PL_ACT_NONE, 0, true, false, true, true, true, LARGE},
    {2100, 72, 144, PL_ACT_NONE, 0, true, false, true, true, true, LARGE}, /* sums that a GPU cuts, by cuBLASLt */
    {3, 24, 16500, PL_ACT_NONE, 0, true, false, true, true, true, LARGE},
    {3, 24, 16500, PL_ACT_NONE, 0, true, true, true, true, true, LARGE},
    {464, 576, 1536, PL_ACT_NONE, 0, true, false, true, false, true, BENCH},
    {464, 1536, 576, PL_ACT_NONE, 0, true, false, true, false, true, BENCH},
    {1024, 768, 3072, PL_ACT_GELU_TANH, 0, true, false, true, true, true, BENCH},
    {1024, 3072, 768, PL_ACT_NONE, 0.1f, true, false, true, true, true, BENCH},
    {8192, 768, 3072, PL_ACT_GELU_TANH, 0, true, false, true, true, true, BENCH},
    {8192, 3072, 768, PL_ACT_NONE, 0, true, false, true, true, true, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* The table, then every edge size as the number of rows, of inputs and of outputs. */
static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    size_t n = edge_sizes[i % EDGES];
    shape s = {3, 24, 9, PL_ACT_NONE, 0, true, i % 3 == 0, true, true, i % 2, EVERY};
    if (i / EDGES == 0) s.rows = n;
    if (i / EDGES == 1) s.n_in = n;
    if (i / EDGES == 2) s.n_out = n;
    return s;
}

static case_use describe(size_t i, char text[128])
{
    const shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] -> %zu %s dropout %g%s%s%s%s %s", s.rows, s.n_in, s.n_out,
             activation_name(s.activation), (double)s.dropout, s.dx ? " dx" : "", s.accumulate_dx ? " accumulate" : "",
             s.dweight ? " dweight" : "", s.dbias ? " dbias" : "", s.attached ? "attached" : "packed");
    return s.use;
}

static const int32_t mask_key[3] = {12345, -77, 9};
enum { MASK_LAYER = 5 };

/* The numbers of a case, on the host. */
typedef struct data {
    float *x, *values, *dy, *pre, *dx, *dweight, *dbias; /* the last three: what the gradients hold before */
    int32_t *examples, *positions;
} data;

static data data_of(const world *w, const shape *s)
{
    data d = {.x = normals(s->rows * s->n_in, 1, 1.0),
              .values = normals(s->n_out * s->n_in, 2, 0.3),
              .dy = normals(s->rows * s->n_out, 3, 1.0),
              .pre = normals(s->rows * s->n_out, 4, 1.5),
              .dx = normals(s->rows * s->n_in, 5, 1.0),
              .dweight = normals(s->n_out * s->n_in, 6, 1.0),
              .dbias = normals(s->n_out, 7, 1.0)};
    representable(d.x, s->rows * s->n_in, w->compute);
    representable(d.values, s->n_out * s->n_in, w->compute);
    representable(d.dy, s->rows * s->n_out, w->type);
    representable(d.pre, s->rows * s->n_out, w->type);
    representable(d.dx, s->rows * s->n_in, w->type);
    d.examples = (int32_t *)calloc(s->rows + 1, 4);
    d.positions = (int32_t *)calloc(s->rows + 1, 4);
    for (size_t r = 0; r < s->rows; r++) {
        d.examples[r] = (int32_t)(1000 - r / 3);
        d.positions[r] = (int32_t)(r % 3 + r / 2);
    }
    return d;
}

static void data_free(data *d)
{
    float *const numbers[] = {d->x, d->values, d->dy, d->pre, d->dx, d->dweight, d->dbias};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) free(numbers[i]);
    free(d->examples);
    free(d->positions);
}

/* What the op gives. */
typedef struct result {
    float *dx, *dweight, *dbias;
} result;

static void result_free(result *r)
{
    free(r->dx);
    free(r->dweight);
    free(r->dbias);
}

/* Rows first .. first + rows, added to the gradients in `dweight` and `dbias`. */
static void backward(const world *w, const shape *s, const data *d, const pl_weight *weight, size_t first, size_t rows,
                     pl_view dweight, pl_view dbias, float *dx)
{
    enum { SPARE = 2 };
    const pl_view none = {0};
    const pl_dtype dy_type = s->dropout > 0 ? PL_F32 : w->type;
    pl_view x = numbers(w, rows, SPARE, s->n_in, w->type, d->x + first * s->n_in);
    pl_view dy = numbers(w, rows, SPARE, s->n_out, dy_type, d->dy + first * s->n_out);
    pl_view pre = numbers(w, rows, SPARE, s->n_out, w->type, d->pre + first * s->n_out);
    pl_view dxv = guarded(w, rows + SPARE, s->n_in, w->type, NULL), top = pl_view_rows(dxv, 0, rows);
    pl_view counts = counts_of(w, rows), key = ints(w, 3, mask_key);
    pl_view examples = ints(w, rows + SPARE, NULL), positions = ints(w, rows + SPARE, NULL);
    send(w, pl_view_columns(examples, 0, rows), d->examples + first);
    send(w, pl_view_columns(positions, 0, rows), d->positions + first);
    if (w->processor.ops->whole_capacity) { /* the caller has cleared what products may run over */
        must(pl_fill_zero(&w->processor, w->stream, pl_view_rows(x, rows, SPARE)));
        must(pl_fill_zero(&w->processor, w->stream, pl_view_rows(dy, rows, SPARE)));
    }
    if (s->accumulate_dx) {
        void *old = packed(d->dx + first * s->n_in, rows * s->n_in, w->type);
        send(w, top, old);
        free(old);
    }
    const pl_backend *ops = w->processor.ops;
    pl_view workspace =
        dirty_workspace(w, ops->linear_backward_workspace_bytes(rows + SPARE, s->n_out, s->n_in, w->compute));
    pl_linear_backward_args args = {.counts = counts,
                                    .count = PL_COUNT_ROWS,
                                    .x = x,
                                    .dy = dy,
                                    .weight = weight,
                                    .activation = s->activation,
                                    .pre = s->activation == PL_ACT_NONE ? none : pre,
                                    .positions = positions,
                                    .dx = s->dx ? dxv : none,
                                    .accumulate_dx = s->accumulate_dx,
                                    .dweight = s->dweight ? dweight : none,
                                    .dbias = s->dbias ? dbias : none,
                                    .workspace = workspace};
    args.dropout = (pl_dropout){s->dropout, MASK_LAYER, PL_DROPOUT_DOWN, key, examples};
    RUN_OP(w, linear_backward, &args, 0,
           (s->dx ? 2 : 0) * rows * s->n_in * s->n_out + (s->dweight ? 2 : 0) * rows * s->n_in * s->n_out);
    if (!w->timing) {
        float *got = fetch_numbers(w, top);
        memcpy(dx, got, rows * s->n_in * sizeof *dx);
        free(got);
        check_guards(w, dxv);
        if (!w->processor.ops->whole_capacity) check_untouched(w, dxv, rows);
        check_workspace(w, workspace);
    }
    RELEASE(w, &x, &dy, &pre, &dxv, &counts, &key, &examples, &positions, &workspace);
}

/* All rows in `parts` micro-batches. */
static result run_parts(const world *w, const shape *s, const data *d, bool attached, size_t parts)
{
    pl_view master;
    pl_weight *weight = weight_in_form(w, attached, &master, d->values, s->n_out, s->n_in);
    pl_view dweight = guarded(w, s->n_out, s->n_in, PL_F32, d->dweight);
    pl_view dbias = guarded(w, 1, s->n_out, PL_F32, d->dbias);
    result r = {.dx = (float *)calloc(s->rows * s->n_in + 1, sizeof(float))};
    for (size_t p = 0; p < parts; p++) {
        size_t first = s->rows * p / parts, end = s->rows * (p + 1) / parts;
        backward(w, s, d, weight, first, end - first, dweight, dbias, r.dx + first * s->n_in);
    }
    r.dweight = (float *)fetch(w, dweight);
    r.dbias = (float *)fetch(w, dbias);
    check_guards(w, dweight);
    check_guards(w, dbias);
    check_guards(w, master);
    w->processor.ops->weight_free(weight);
    RELEASE(w, &master, &dweight, &dbias);
    return r;
}

static double slope_of(double x, pl_activation activation)
{
    const double h = 1e-5;
    if (activation == PL_ACT_NONE) return 1.0;
    return (activate(x + h, activation) - activate(x - h, activation)) / (2 * h);
}

/* z and the largest part that rounding may have in it; both [rows, out]. */
static void reference_z(const shape *s, const data *d, double *z, double *size)
{
    for (size_t k = 0; k < s->rows * s->n_out; k++) {
        size_t r = k / s->n_out, o = k % s->n_out;
        double factor = slope_of((double)d->pre[k], s->activation);
        if (s->dropout > 0)
            factor = mask_of(mask_key, MASK_LAYER, PL_DROPOUT_DOWN, s->dropout, d->examples[r], d->positions[r], o);
        z[k] = (double)d->dy[k] * factor;
        size[k] = fmax(fabs(z[k]), factor == 0.0 ? 0.0 : fabs((double)d->dy[k]));
    }
}

/* Bound of a sum of n terms whose sizes add up to `size`. Tensor cores cut a float32 off as TF32: a whole last bit. */
static double bound_of(const world *w, size_t n, double size, double value)
{
    double b = ldexp((3.0 * sqrt((double)n) + 24.0) * size + 8.0 * fabs(value) + 1e-3, -24);
    return w->compute == PL_F32 ? b : b + ldexp(size, (w->compute == PL_TF32) - fraction_bits(w->compute));
}

static void check(const world *w, const shape *s, const data *d, result *got)
{
    const size_t R = s->rows, I = s->n_in, O = s->n_out, most = (R + O) * I + O + 1;
    double *z = (double *)malloc((R * O + 1) * sizeof *z), *size = (double *)malloc((R * O + 1) * sizeof *size);
    double *expected = (double *)malloc(most * sizeof *expected), *bound = (double *)malloc(most * sizeof *bound);
    reference_z(s, d, z, size);
    for (size_t k = 0; s->dx && k < R * I; k++) {
        double sum = 0, sizes = 0, old = s->accumulate_dx ? (double)d->dx[k] : 0.0;
        for (size_t o = 0; o < O; o++) {
            double v = (double)d->values[o * I + k % I];
            sum += z[k / I * O + o] * v;
            sizes += size[k / I * O + o] * fabs(v);
        }
        expected[k] = sum + old;
        bound[k] = bound_of(w, O, sizes, fabs(sum) + fabs(old)) + stored(sum + old, w->type);
    }
    if (s->dx) check_close("dx", got->dx, expected, bound, R * I);
    for (size_t k = 0; k < O * I; k++) {
        double sum = (double)d->dweight[k], sizes = fabs(sum);
        for (size_t r = 0; s->dweight && r < R; r++) {
            double v = (double)d->x[r * I + k % I];
            sum += z[r * O + k / I] * v;
            sizes += size[r * O + k / I] * fabs(v);
        }
        expected[k] = sum;
        bound[k] = bound_of(w, R, sizes, sum);
    }
    check_close("dweight", got->dweight, expected, bound, O * I);
    for (size_t o = 0; o < O; o++) {
        double sum = (double)d->dbias[o], sizes = fabs(sum);
        for (size_t r = 0; s->dbias && r < R; r++) {
            sum += z[r * O + o];
            sizes += size[r * O + o];
        }
        expected[o] = sum;
        bound[o] = bound_of(w, R, sizes, sum);
    }
    check_close("dbias", got->dbias, expected, bound, O);
    free(z);
    free(size);
    free(expected);
    free(bound);
}

static void same_bits(const shape *s, const result *a, const result *b, const char *what)
{
    if (memcmp(a->dweight, b->dweight, s->n_out * s->n_in * sizeof(float)) ||
        memcmp(a->dbias, b->dbias, s->n_out * sizeof(float)) || memcmp(a->dx, b->dx, s->rows * s->n_in * sizeof(float)))
        fail_case("%s: other bits", what);
}

/* The other form of the weight gives the same bits, or where another maker may show as good values. A batch in two
 * parts gives the same bits, too, where sums are chains over rows. */
static void run(const world *w, size_t k)
{
    const shape s = shape_of(k);
    data d = data_of(w, &s);
    result got = run_parts(w, &s, &d, s.attached, 1);
    if (!w->timing) {
        check(w, &s, &d, &got);
        result other = run_parts(w, &s, &d, !s.attached, 1);
        if (form_shows(w, s.n_in))
            check(w, &s, &d, &other);
        else
            same_bits(&s, &got, &other, s.attached ? "packed" : "attached");
        result_free(&other);
        if (w->compute == PL_F32 && !w->cuda) { /* CUDA cuts sums over rows at places that depend on the capacity */
            other = run_parts(w, &s, &d, s.attached, 2);
            same_bits(&s, &got, &other, "two micro-batches");
            result_free(&other);
        }
    }
    result_free(&got);
    data_free(&d);
}

/* Any number of threads gives the same bits. */
static void test_threads(void **state)
{
    (void)state;
    const shape s = {150, 200, 333, PL_ACT_GELU_TANH, 0, true, true, true, true, true, EVERY};
    result first = {0};
    for (int threads = 1; threads <= 7; threads += 2) {
        world w = world_open(threads);
        w.compute = w.type = PL_F32;
        data d = data_of(&w, &s);
        result got = run_parts(&w, &s, &d, true, 1);
        if (threads == 1) {
            first = got;
        } else {
            same_bits(&s, &first, &got, "threads");
            result_free(&got);
        }
        data_free(&d);
        world_close(&w);
    }
    result_free(&first);
}

/* The gradient by finite differences through `linear` itself: L = sum of c * act(x W^T + b), by a weight and an input.
 */
static double loss_of(const world *w, const shape *s, const data *d, const pl_weight *weight, pl_view xv, pl_view biasv)
{
    pl_view y = guarded(w, s->rows, s->n_out, PL_F32, NULL), counts = counts_of(w, s->rows);
    pl_linear_args args = {.counts = counts,
                           .count = PL_COUNT_ROWS,
                           .x = xv,
                           .weight = weight,
                           .bias = biasv,
                           .activation = s->activation,
                           .y = y};
    must(pl_op_linear(&w->processor, w->stream, &args));
    float *got = (float *)fetch(w, y);
    double sum = 0;
    for (size_t i = 0; i < s->rows * s->n_out; i++) sum += (double)got[i] * (double)d->dy[i];
    free(got);
    RELEASE(w, &y, &counts);
    return sum;
}

/* The step h = 2^-6 leaves h^2 / 6 of the third derivative (below 4e-4 here) and 2^-24 of the loss's terms over h. */
static void test_differences(void **state)
{
    (void)state;
    world opened = world_open(1), *w = &opened;
    w->compute = w->type = PL_F32;
    for (pl_activation a = PL_ACT_NONE; a <= PL_ACT_QUICK_GELU; a++) {
        if (a == PL_ACT_RELU) continue; /* its kink is no place for differences */
        const shape s = {5, 12, 10, a, 0, true, false, true, true, true, EVERY};
        data d = data_of(w, &s);
        pl_view master = guarded(w, s.n_out, s.n_in, PL_F32, d.values), x = guarded(w, s.rows, s.n_in, PL_F32, d.x);
        pl_view bias = guarded(w, 1, s.n_out, PL_F32, d.dbias), counts = counts_of(w, s.rows);
        pl_view y = guarded(w, s.rows, s.n_out, PL_F32, NULL), pre = guarded(w, s.rows, s.n_out, PL_F32, NULL);
        pl_weight *weight;
        must(pl_weight_attach(&w->processor, &weight, master, PL_F32));
        must(pl_weight_refresh(&w->processor, w->stream, weight, master));
        pl_linear_args args = {.counts = counts,
                               .count = PL_COUNT_ROWS,
                               .x = x,
                               .weight = weight,
                               .bias = bias,
                               .activation = a,
                               .y = y,
                               .pre = pre};
        must(pl_op_linear(&w->processor, w->stream, &args));
        free(d.pre);
        d.pre = (float *)fetch(w, pre);
        float *old = d.dweight;
        d.dweight = (float *)calloc(s.n_out * s.n_in, sizeof(float));
        result got = run_parts(w, &s, &d, true, 1);
        const float h = 0x1p-6f;
        for (size_t i = 0; i < 8; i++) {
            const size_t at = i * 13 % (s.n_out * s.n_in), in = i * 7 % (s.rows * s.n_in);
            double l[2], m[2];
            for (int side = 0; side < 2; side++) {
                float keep = d.values[at], kept = d.x[in];
                d.values[at] += side ? h : -h;
                send(w, master, d.values);
                must(pl_weight_refresh(&w->processor, w->stream, weight, master));
                l[side] = loss_of(w, &s, &d, weight, x, bias);
                d.values[at] = keep;
                send(w, master, d.values);
                must(pl_weight_refresh(&w->processor, w->stream, weight, master));
                d.x[in] += side ? h : -h;
                send(w, x, d.x);
                m[side] = loss_of(w, &s, &d, weight, x, bias);
                d.x[in] = kept;
                send(w, x, d.x);
            }
            assert_true(fabs((l[1] - l[0]) / (2 * (double)h) - (double)got.dweight[at]) < 2e-3);
            assert_true(fabs((m[1] - m[0]) / (2 * (double)h) - (double)got.dx[in]) < 2e-3);
        }
        free(old);
        result_free(&got);
        data_free(&d);
        w->processor.ops->weight_free(weight);
        RELEASE(w, &master, &x, &bias, &counts, &y, &pre);
    }
    world_close(w);
}

static const case_table table = {
    .op = "linear_backward", .n = SHAPES + 3 * EDGES, .tf32 = true, .weights = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASES(&table),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_differences),
    };
    return CASES_MAIN(argc, argv, &table, tests);
}
