/* score_backward: loss, log-probabilities and gradients of the vocabulary head against double precision.
 *
 * With u = 2^-24 and b the bound of a row's logits (test_score.c), p is off by at most (4 b + 24 u) p, so the gradient
 * of a logit by (4 b + 24 u) of |weight| (p + 1 at the target). Sums over it are bounded as in test_linear_backward.c.
 * The log-probabilities have the bits of op `score`. */
#include "backward.h"

typedef struct shape {
    size_t rows, C, V;
    float softcap;
    bool bias, dx, dweight, dbias, attached;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 1, 0, false, true, true, false, true, EVERY},
    {3, 16, 2, 0, false, true, true, false, true, EVERY},
    {5, 33, 127, 0, true, true, true, true, false, EVERY},
    {2, 64, 1030, 0, false, true, true, false, true, EVERY},
    {7, 48, 1025, 10.0f, true, true, true, true, false, EVERY},
    {6, 20, 97, 3.0f, false, true, false, false, true, EVERY},
    {6, 20, 97, 0, true, false, true, true, true, EVERY},
    {4, 9, 40, 0, true, false, false, true, true, EVERY},
    {4, 9, 40, 0, false, false, false, false, true, EVERY},
    {0, 8, 9, 0, true, true, true, true, true, EVERY},
    {8192, 768, 50257, 0, false, true, true, false, true, BENCH},
    {1100, 7, 20, 0, true, true, true, true, true, LARGE}, /* two chunks of rows */
    {70, 130, 300, 0, false, true, true, false, true, LARGE},
    {5, 24, 16500, 0, false, true, true, false, true, LARGE}, /* a sum over the vocabulary that a GPU cuts */
    {16, 576, 49152, 0, false, true, true, false, true, BENCH},
    {464, 576, 49152, 0, false, true, true, false, true, BENCH},
    {1024, 768, 50257, 0, false, true, true, false, true, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* The table, then every edge size as the vocabulary and as the number of rows. */
static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    size_t n = edge_sizes[i % EDGES];
    if (i >= EDGES) return (shape){n, 10, 21, 0, false, true, true, false, i % 2, EVERY};
    return (shape){1 + i % 4, 8 + i, n, i % 3 ? 0 : 5.0f, i % 2, true, true, i % 2, i % 4 > 1, EVERY};
}

static case_use describe(size_t i, char text[128])
{
    const shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] -> %zu softcap %g%s%s%s%s %s", s.rows, s.C, s.V, (double)s.softcap,
             s.bias ? " bias" : "", s.dx ? " dx" : "", s.dweight ? " dweight" : "", s.dbias ? " dbias" : "",
             s.attached ? "attached" : "packed");
    return s.use;
}

typedef struct data {
    float *x, *values, *bias, *weights, *dweight, *dbias; /* the last two: what the gradients hold before */
    int32_t *tokens;
} data;

static data data_of(const world *w, const shape *s)
{
    data d = {.x = normals(s->rows * s->C, 1, 1.0),
              .values = normals(s->V * s->C, 2, 0.4),
              .bias = normals(s->V, 3, 1.0),
              .weights = normals(s->rows, 4, 0.5),
              .dweight = normals(s->V * s->C, 5, 1.0),
              .dbias = normals(s->V, 6, 1.0),
              .tokens = (int32_t *)calloc(s->rows + 1, 4)};
    representable(d.x, s->rows * s->C, w->compute);
    representable(d.values, s->V * s->C, w->compute);
    for (size_t r = 0; r < s->rows; r++) /* the first and the last token among the targets */
        d.tokens[r] = r == 0 ? (int32_t)s->V - 1 : r == 1 ? 0 : (int32_t)(r * 7919 % s->V);
    for (size_t r = 2; r < s->rows; r += 5) d.weights[r] = 0.0f;
    return d;
}

static void data_free(data *d)
{
    float *const numbers[] = {d->x, d->values, d->bias, d->weights, d->dweight, d->dbias};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) free(numbers[i]);
    free(d->tokens);
}

typedef struct result {
    float *log_probability, *dx, *dweight, *dbias;
} result;

static void result_free(result *r)
{
    free(r->log_probability);
    free(r->dx);
    free(r->dweight);
    free(r->dbias);
}

static pl_view counts_for(const world *w, size_t rows)
{
    int32_t counts[PL_COUNTS] = {0};
    counts[PL_COUNT_ROWS] = counts[PL_COUNT_TARGETS] = (int32_t)rows;
    return ints(w, PL_COUNTS, counts);
}

static result backward(const world *w, const shape *s, const data *d, bool attached)
{
    enum { SPARE = 2 };
    const pl_view none = {0};
    const size_t rows = s->rows;
    pl_view master, x = numbers(w, rows, SPARE, s->C, w->type, d->x), bias = guarded(w, 1, s->V, PL_F32, d->bias);
    pl_weight *weight = weight_in_form(w, attached, &master, d->values, s->V, s->C);
    pl_view tokens = ints(w, rows + SPARE, NULL), weights = guarded(w, 1, rows + SPARE, PL_F32, NULL);
    pl_view lp = guarded(w, 1, rows + SPARE, PL_F32, NULL), counts = counts_for(w, rows);
    pl_view dx = guarded(w, rows + SPARE, s->C, w->type, NULL), dweight = guarded(w, s->V, s->C, PL_F32, d->dweight);
    pl_view dbias = guarded(w, 1, s->V, PL_F32, d->dbias);
    send(w, pl_view_columns(tokens, 0, rows), d->tokens);
    send(w, pl_view_columns(weights, 0, rows), d->weights);
    if (w->processor.ops->whole_capacity) /* the caller has cleared what products may run over */
        must(pl_fill_zero(&w->processor, w->stream, pl_view_rows(x, rows, SPARE)));
    const size_t bytes = w->processor.ops->score_backward_workspace_bytes(rows + SPARE, s->V, s->C, w->compute);
    pl_view workspace = dirty_workspace(w, bytes);
    const pl_score_backward_args args = {.counts = counts,
                                         .x = x,
                                         .weight = weight,
                                         .bias = s->bias ? bias : none,
                                         .softcap = s->softcap,
                                         .target_tokens = tokens,
                                         .loss_weights = weights,
                                         .log_probability = lp,
                                         .dx = s->dx ? dx : none,
                                         .dweight = s->dweight ? dweight : none,
                                         .dbias = s->dbias ? dbias : none,
                                         .workspace = workspace};
    const size_t products = (size_t)(1 + s->dx + s->dweight);
    RUN_OP(w, score_backward, &args, 0, 2 * products * rows * s->C * s->V);
    result r = {.log_probability = (float *)fetch(w, lp),
                .dx = fetch_numbers(w, pl_view_rows(dx, 0, rows)),
                .dweight = (float *)fetch(w, dweight),
                .dbias = (float *)fetch(w, dbias)};
    pl_view *const views[] = {&lp, &dx, &dweight, &dbias, &master};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) check_guards(w, *views[i]);
    if (!s->dx || !w->processor.ops->whole_capacity) check_untouched(w, dx, s->dx ? rows : 0);
    if (!w->timing) check_workspace(w, workspace);
    for (size_t i = rows; i < rows + SPARE; i++) assert_true(isnan(r.log_probability[i]));
    w->processor.ops->weight_free(weight);
    RELEASE(w, &master, &x, &bias, &tokens, &weights, &lp, &counts, &dx, &dweight, &dbias, &workspace);
    return r;
}

/* The log-probabilities have the bits of `score`. */
static void check_score(const world *w, const shape *s, const data *d, const result *got)
{
    const pl_view none = {0};
    pl_view master, x = numbers(w, s->rows, 0, s->C, w->type, d->x), bias = guarded(w, 1, s->V, PL_F32, d->bias);
    pl_weight *weight = weight_in_form(w, false, &master, d->values, s->V, s->C);
    int32_t *rows = (int32_t *)calloc(s->rows + 1, 4);
    for (size_t r = 0; r < s->rows; r++) rows[r] = (int32_t)r;
    pl_view rowsv = ints(w, s->rows, rows), tokens = ints(w, s->rows, d->tokens), counts = counts_for(w, s->rows);
    pl_view lp = guarded(w, 1, s->rows, PL_F32, NULL);
    pl_view workspace = dirty_workspace(w, w->processor.ops->score_workspace_bytes(s->rows, s->V));
    const pl_score_args args = {.counts = counts,
                                .x = x,
                                .weight = weight,
                                .bias = s->bias ? bias : none,
                                .softcap = s->softcap,
                                .target_rows = rowsv,
                                .target_tokens = tokens,
                                .log_probability = lp,
                                .workspace = workspace};
    must(pl_op_score(&w->processor, w->stream, &args));
    float *expected = (float *)fetch(w, lp);
    if (memcmp(expected, got->log_probability, s->rows * sizeof(float))) fail_case("log_probability: other bits");
    free(expected);
    free(rows);
    w->processor.ops->weight_free(weight);
    RELEASE(w, &master, &x, &bias, &rowsv, &tokens, &counts, &lp, &workspace);
}

/* One row's gradient by its logits, and its bound; returns log p of the target, and its bound in *lp_bound. */
static double reference_row(const shape *s, const data *d, size_t r, double *dz, double *bound, double *lp_bound)
{
    const double u = 0x1p-24, cap = (double)s->softcap, weight = (double)d->weights[r];
    double most = -INFINITY, sum = 0, b = 0;
    const size_t target = (size_t)d->tokens[r];
    for (size_t v = 0; v < s->V; v++) {
        double z = 0, size = 0;
        for (size_t c = 0; c < s->C; c++) {
            double p = (double)d->x[r * s->C + c] * (double)d->values[v * s->C + c];
            z += p;
            size += fabs(p);
        }
        if (s->bias) z += (double)d->bias[v];
        b = fmax(b, u * ((3.0 * sqrt((double)s->C) + 8.0) * size + 8.0 * fabs(z)));
        dz[v] = cap > 0 ? cap * tanh(z / cap) : z;
        most = fmax(most, dz[v]);
    }
    for (size_t v = 0; v < s->V; v++) sum += exp(dz[v] - most);
    const double lp = dz[target] - most - log(sum);
    for (size_t v = 0; v < s->V; v++) {
        const double p = exp(dz[v] - most) / sum, slope = cap > 0 ? 1.0 - dz[v] * dz[v] / cap / cap : 1.0;
        dz[v] = weight * (p - (v == target)) * slope;
        bound[v] = fabs(weight) * (p + (v == target)) * (4.0 * b + 24.0 * u);
    }
    *lp_bound = 2.0 * b + u * 4.0 * (1.0 + fabs(lp));
    return lp;
}

/* Expected and bound of sums, made term by term. */
typedef struct sums {
    double *expected, *bound, *size;
} sums;

static sums sums_create(size_t n, const float *old)
{
    sums t = {(double *)calloc(n + 1, 8), (double *)calloc(n + 1, 8), (double *)calloc(n + 1, 8)};
    for (size_t i = 0; old && i < n; i++) {
        t.expected[i] = (double)old[i];
        t.size[i] = fabs((double)old[i]);
    }
    return t;
}

static void sums_add(sums *t, size_t i, double dz, double bound, double factor)
{
    t->expected[i] += dz * factor;
    t->bound[i] += bound * fabs(factor);
    t->size[i] += fabs(dz * factor);
}

/* `type`: what the result is stored in. Tensor cores cut a float32 off as TF32: a whole last bit. */
static void sums_check(const world *w, sums *t, const char *what, float *got, size_t n, size_t terms, pl_dtype type)
{
    for (size_t i = 0; i < n; i++) {
        t->bound[i] += ldexp((3.0 * sqrt((double)terms) + 8.0) * t->size[i] + 1e-3, -24) + stored(t->expected[i], type);
        if (w->compute != PL_F32) t->bound[i] += ldexp(t->size[i], (w->compute == PL_TF32) - fraction_bits(w->compute));
    }
    check_close(what, got, t->expected, t->bound, n);
    free(t->expected);
    free(t->bound);
    free(t->size);
}

static void check(const world *w, const shape *s, const data *d, result *got)
{
    const size_t R = s->rows, C = s->C, V = s->V;
    sums dx = sums_create(R * C, NULL), dweight = sums_create(V * C, d->dweight), dbias = sums_create(V, d->dbias);
    sums lp = sums_create(R, NULL);
    double *dz = (double *)malloc(V * sizeof *dz), *bound = (double *)malloc(V * sizeof *bound);
    for (size_t r = 0; r < R; r++) {
        lp.expected[r] = reference_row(s, d, r, dz, bound, &lp.bound[r]);
        for (size_t v = 0; w->compute == PL_F16 && v < V; v++) bound[v] += 0x1p-25; /* half its smallest subnormal */
        for (size_t v = 0; v < V; v++) {
            for (size_t c = 0; c < C; c++) {
                sums_add(&dx, r * C + c, dz[v], bound[v], (double)d->values[v * C + c]);
                if (s->dweight) sums_add(&dweight, v * C + c, dz[v], bound[v], (double)d->x[r * C + c]);
            }
            if (s->dbias) sums_add(&dbias, v, dz[v], bound[v], 1.0);
        }
    }
    sums_check(w, &lp, "log_probability", got->log_probability, R, 1, PL_F32);
    sums_check(w, &dx, "dx", got->dx, s->dx ? R * C : 0, V, w->type);
    sums_check(w, &dweight, "dweight", got->dweight, V * C, R, PL_F32);
    sums_check(w, &dbias, "dbias", got->dbias, V, R, PL_F32);
    free(dz);
    free(bound);
}

static void same_bits(const shape *s, const result *a, const result *b, const char *what)
{
    if (memcmp(a->log_probability, b->log_probability, s->rows * sizeof(float)) ||
        memcmp(a->dweight, b->dweight, s->V * s->C * sizeof(float)) ||
        memcmp(a->dbias, b->dbias, s->V * sizeof(float)) ||
        (s->dx && memcmp(a->dx, b->dx, s->rows * s->C * sizeof(float))))
        fail_case("%s: other bits", what);
}

static void run(const world *w, size_t k)
{
    const shape s = shape_of(k);
    data d = data_of(w, &s);
    result got = backward(w, &s, &d, s.attached);
    if (!w->timing) {
        check(w, &s, &d, &got);
        check_score(w, &s, &d, &got);
        result other = backward(w, &s, &d, !s.attached);
        if (form_shows(w, s.C))
            check(w, &s, &d, &other);
        else
            same_bits(&s, &got, &other, s.attached ? "packed" : "attached");
        result_free(&other);
    }
    result_free(&got);
    data_free(&d);
}

/* Any number of threads gives the same bits. */
static void test_threads(void **state)
{
    (void)state;
    const shape s = {150, 70, 2100, 0, true, true, true, true, true, EVERY};
    result first = {0};
    for (int threads = 1; threads <= 7; threads += 2) {
        world w = world_open(threads);
        w.compute = w.type = PL_F32;
        data d = data_of(&w, &s);
        result got = backward(&w, &s, &d, true);
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

/* The loss of its own log-probabilities, sum of weight * -log p, by an element of the weight and of the input. The step
 * h = 2^-6 leaves h^2 / 6 of the third derivative (below 4e-4 here) and 2^-24 of the loss over h. */
static void test_differences(void **state)
{
    (void)state;
    world opened = world_open(1), *w = &opened;
    w->compute = w->type = PL_F32;
    const float h = 0x1p-6f;
    for (int softcap = 0; softcap < 2; softcap++) {
        const shape s = {6, 12, 30, softcap ? 4.0f : 0.0f, true, true, true, true, true, EVERY};
        data d = data_of(w, &s);
        memset(d.dweight, 0, s.V * s.C * sizeof(float));
        result got = backward(w, &s, &d, true);
        for (size_t i = 0; i < 10; i++) {
            float *const place[] = {&d.values[i * 37 % (s.V * s.C)], &d.x[i * 7 % (s.rows * s.C)]};
            const float claimed[] = {got.dweight[i * 37 % (s.V * s.C)], got.dx[i * 7 % (s.rows * s.C)]};
            for (size_t k = 0; k < 2; k++) {
                double loss[2] = {0};
                const float keep = *place[k];
                for (int side = 0; side < 2; side++) {
                    *place[k] = keep + (side ? h : -h);
                    result at = backward(w, &s, &d, true);
                    for (size_t r = 0; r < s.rows; r++)
                        loss[side] -= (double)d.weights[r] * (double)at.log_probability[r];
                    result_free(&at);
                }
                *place[k] = keep;
                assert_true(fabs((loss[1] - loss[0]) / (2 * (double)h) - (double)claimed[k]) < 1e-3);
            }
        }
        result_free(&got);
        data_free(&d);
    }
    world_close(w);
}

/* A target whose probability is none: its row's loss is infinite, and gradients say so, though the softmax alone would
 * give numbers. */
static void test_not_finite(void **state)
{
    (void)state;
    world opened = world_open(1), *w = &opened;
    w->compute = w->type = PL_F32;
    const shape s = {2, 12, 30, 0.0f, true, true, true, true, true, EVERY};
    data d = data_of(w, &s);
    const size_t target = (size_t)d.tokens[0];
    for (size_t i = 0; i < s.C; i++) d.x[i] = i ? 0.0f : 3e38f;
    for (size_t v = 0; v < s.V; v++) d.values[v * s.C] = v == target ? -1e3f : 0.0f;
    memset(d.dweight, 0, s.V * s.C * sizeof(float));
    result got = backward(w, &s, &d, true);
    assert_true(isinf(got.log_probability[0]) && got.log_probability[0] < 0);
    assert_true(isnan(got.dx[0]) && isnan(got.dweight[(target ? 0 : 1) * s.C]));
    assert_true(isfinite(got.log_probability[1]) && isfinite(got.dx[s.C]));
    result_free(&got);
    data_free(&d);
    world_close(w);
}

static const case_table table = {
    .op = "score_backward", .n = SHAPES + 2 * EDGES, .tf32 = true, .weights = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASES(&table),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_not_finite),
    };
    return CASES_MAIN(argc, argv, &table, tests);
}
