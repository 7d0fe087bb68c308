/* score: log-probabilities, arg max and logits against double precision.
 *
 * Bound of a logit z: (3 sqrt(n) + 8) 2^-24 sum |x w| (see test_linear.c); of log p: twice that, plus the rounding of
 * log p itself. Inputs are representable in the compute type and logits are float32, so one bound serves every type. */
#include "backward.h"

typedef struct shape {
    size_t rows, C, V;
    float softcap;
    bool bias, logits, greedy;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 1, 0, false, true, true, EVERY},
    {3, 16, 2, 0, true, true, true, EVERY},
    {5, 33, 127, 0, false, false, true, EVERY},
    {2, 64, 1024, 0, false, true, false, EVERY},
    {7, 48, 1025, 10.0f, true, true, true, EVERY},
    {130, 20, 3000, 0, false, true, true, LARGE},
    {97, 64, 2049, 30.0f, false, false, false, LARGE},
    {0, 8, 9, 0, true, true, true, EVERY},
    {66, 8, 70, 0, true, true, true, EVERY},
    {2, 8, 2300, 0, false, true, true, EVERY},
    {64, 768, 50257, 0, false, false, true, BENCH},
    {1024, 768, 50257, 0, false, false, true, BENCH},
    {1024, 4096, 32000, 0, false, false, true, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* The table, then every edge size as the vocabulary. */
static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){1 + i % 4, 8 + i, edge_sizes[i], i % 3 ? 0 : 5.0f, i % 2, i % 4 > 0, true, EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] -> %zu softcap %g%s%s%s", s.rows, s.C, s.V, (double)s.softcap,
             s.bias ? " bias" : "", s.logits ? " logits" : "", s.greedy ? " greedy" : "");
    return s.use;
}

/* What the op gives. */
typedef struct result {
    float *log_probability, *logits;
    int32_t *target_greedy, *greedy;
} result;

/* Capacities stand above the counts; what is past them is NaN or an id that does not exist. */
static result score(const world *w, const shape *s, const float *x, const float *values, const float *bias,
                    const int32_t *target_rows, const int32_t *target_tokens, size_t n_targets)
{
    enum { SPARE = 2 };
    size_t rows = s->rows + SPARE;
    pl_view master, none = {0}, xv = numbers(w, s->rows, SPARE, s->C, w->type, x),
                    biasv = guarded(w, 1, s->V, PL_F32, bias);
    pl_view rowsv = ints(w, n_targets + 1, NULL), tokensv = ints(w, n_targets + 1, NULL);
    pl_view lpv = guarded(w, 1, n_targets + 1, PL_F32, NULL), tgv = ints(w, n_targets + 1, NULL),
            gv = ints(w, rows, NULL);
    pl_view lv = guarded(w, rows, s->V, PL_F32, NULL), workspace;
    int32_t counts[PL_COUNTS] = {0};
    counts[PL_COUNT_ROWS] = (int32_t)s->rows;
    counts[PL_COUNT_TARGETS] = (int32_t)n_targets;
    pl_view countsv = ints(w, PL_COUNTS, counts);
    send(w, pl_view_columns(rowsv, 0, n_targets), target_rows);
    send(w, pl_view_columns(tokensv, 0, n_targets), target_tokens);
    pl_weight *weight = weight_in_form(w, !w->cuda && s->V % 2, &master, values, s->V, s->C); /* both forms */
    must(pl_view_create(&w->processor, &workspace, 1, w->processor.ops->score_workspace_bytes(rows, s->V), PL_U8));
    pl_score_args args = {.counts = countsv,
                          .x = xv,
                          .weight = weight,
                          .bias = s->bias ? biasv : none,
                          .softcap = s->softcap,
                          .target_rows = rowsv,
                          .target_tokens = tokensv,
                          .log_probability = lpv,
                          .target_greedy = s->greedy ? tgv : none,
                          .greedy = s->greedy ? gv : none,
                          .logits = s->logits ? lv : none,
                          .workspace = workspace};
    size_t element = pl_dtype_bytes(w->type);
    RUN_OP(w, score, &args, (s->V + s->rows) * s->C * element, 2 * s->rows * s->C * s->V);
    check_guards(w, lpv);
    check_guards(w, tgv);
    check_guards(w, gv);
    check_guards(w, lv);
    result r = {(float *)fetch(w, lpv), (float *)fetch(w, lv), (int32_t *)fetch(w, tgv), (int32_t *)fetch(w, gv)};
    if (!w->timing) { /* past the counts, and what was not asked for */
        assert_true(isnan(r.log_probability[n_targets]));
        assert_int_equal(r.target_greedy[n_targets], -1);
        for (size_t i = s->greedy ? s->rows : 0; i < rows; i++) assert_int_equal(r.greedy[i], -1);
        if (!s->logits) check_untouched(w, lv, 0);
    }
    w->processor.ops->weight_free(weight);
    RELEASE(w, &master, &xv, &biasv, &rowsv, &tokensv, &lpv, &tgv, &gv, &lv, &countsv, &workspace);
    return r;
}

static void result_free(result *r)
{
    free(r->log_probability);
    free(r->logits);
    free(r->target_greedy);
    free(r->greedy);
}

/* z and its bound for all rows; both [rows, V]. */
static void reference(const shape *s, const float *x, const float *values, const float *bias, double *z, double *bound)
{
    for (size_t r = 0; r < s->rows; r++) {
        for (size_t v = 0; v < s->V; v++) {
            double sum = 0, size = 0;
            for (size_t c = 0; c < s->C; c++) {
                double p = (double)x[r * s->C + c] * (double)values[v * s->C + c];
                sum += p;
                size += fabs(p);
            }
            if (s->bias) sum += (double)bias[v];
            bound[r * s->V + v] = ldexp((3.0 * sqrt((double)s->C) + 8.0) * size + 8.0 * fabs(sum) + 1e-3, -24);
            if (s->softcap > 0) sum = (double)s->softcap * tanh(sum / (double)s->softcap);
            z[r * s->V + v] = sum;
        }
    }
}

static void check(const shape *s, const result *got, const double *z, const double *bound, const int32_t *rows,
                  const int32_t *tokens, size_t n_targets)
{
    double *lp = (double *)malloc((n_targets + 1) * sizeof(double)),
           *lp_bound = (double *)malloc((n_targets + 1) * sizeof(double));
    for (size_t i = 0; i < n_targets; i++) {
        const double *row = z + (size_t)rows[i] * s->V;
        double most = -INFINITY, sum = 0, worst_bound = 0;
        for (size_t v = 0; v < s->V; v++) most = row[v] > most ? row[v] : most;
        for (size_t v = 0; v < s->V; v++) sum += exp(row[v] - most);
        for (size_t v = 0; v < s->V; v++) worst_bound = fmax(worst_bound, bound[(size_t)rows[i] * s->V + v]);
        lp[i] = row[tokens[i]] - most - log(sum);
        lp_bound[i] = 2.0 * worst_bound + ldexp(4.0 * (1.0 + fabs(lp[i])), -24);
    }
    check_close("log_probability", got->log_probability, lp, lp_bound, n_targets);
    if (s->logits) check_close("logits", got->logits, z, bound, s->rows * s->V);
    for (size_t r = 0; s->greedy && r < s->rows; r++) { /* nothing is above the arg max by more than the bounds */
        const double *row = z + r * s->V;
        assert_in_range(got->greedy[r], 0, s->V - 1);
        for (size_t v = 0; v < s->V; v++) assert_true(row[got->greedy[r]] + 2.0 * bound[r * s->V + v] >= row[v]);
        for (size_t v = 0; s->logits && v < s->V; v++) { /* and in the op's own logits it is exact */
            float best = got->logits[r * s->V + (size_t)got->greedy[r]], other = got->logits[r * s->V + v];
            assert_true(v < (size_t)got->greedy[r] ? other < best : other <= best);
        }
    }
    for (size_t i = 0; s->greedy && i < n_targets; i++) {
        assert_int_equal(got->target_greedy[i], got->greedy[rows[i]] == tokens[i]);
    }
    free(lp);
    free(lp_bound);
}

/* Two targets a row. */
static void run(const world *w, size_t k)
{
    const shape s = shape_of(k);
    size_t n = s.rows * s.V, n_targets = 2 * s.rows;
    float *x = normals(s.rows * s.C, 1, 1.0), *values = normals(s.V * s.C, 2, 0.7), *bias = normals(s.V, 3, 1.0);
    representable(x, s.rows * s.C, w->compute);
    representable(values, s.V * s.C, w->compute);
    double *z = w->timing ? NULL : (double *)malloc((n + 1) * sizeof(double));
    double *bound = w->timing ? NULL : (double *)malloc((n + 1) * sizeof(double));
    int32_t *rows = (int32_t *)malloc((n_targets + 1) * 4), *tokens = (int32_t *)malloc((n_targets + 1) * 4);
    for (size_t i = 0; i < n_targets; i++) { /* the first and last token among the targets */
        rows[i] = (int32_t)((i * 7) % s.rows);
        tokens[i] = i == 0 ? 0 : i == 1 ? (int32_t)s.V - 1 : (int32_t)((i * 7919) % s.V);
    }
    result got = score(w, &s, x, values, bias, rows, tokens, n_targets);
    if (!w->timing) {
        reference(&s, x, values, bias, z, bound);
        check(&s, &got, z, bound, rows, tokens, n_targets);
    }
    result_free(&got);
    free(x);
    free(values);
    free(bias);
    free(z);
    free(bound);
    free(rows);
    free(tokens);
}

/* Equal logits: the lowest id, within a block, over blocks and over chunks. */
static void test_ties(void **state)
{
    (void)state;
    world w = world_open(2);
    const shape s = {3, 2, 2500, 0, false, true, true, EVERY};
    float *x = normals(3 * 2, 1, 1.0), *values = (float *)calloc(2500 * 2, sizeof(float)),
          *bias = normals(2500, 3, 1.0);
    const int32_t rows[] = {0, 1, 2}, tokens[] = {0, 0, 1};
    for (size_t i = 0; i < 6; i++) x[i] = 1.0f;
    result got = score(&w, &s, x, values, bias, rows, tokens, 3);
    for (size_t r = 0; r < 3; r++) assert_int_equal(got.greedy[r], 0);
    assert_int_equal(got.target_greedy[0], 1);
    assert_int_equal(got.target_greedy[2], 0);
    assert_true(fabs((double)got.log_probability[2] + log(2500.0)) < 1e-6);
    result_free(&got);
    values[2 * 1100] = values[2 * 1101] = values[2 * 2300] = values[2 * 1300] = 3.0f;
    got = score(&w, &s, x, values, bias, rows, tokens, 3);
    for (size_t r = 0; r < 3; r++) assert_int_equal(got.greedy[r], 1100);
    result_free(&got);
    /* A NaN in a row makes its log-probabilities NaN and leaves the others alone. */
    x[2] = NAN;
    result bad = score(&w, &s, x, values, bias, rows, tokens, 3);
    for (size_t i = 0; i < 3; i++) assert_int_equal(isnan(bad.log_probability[i]) != 0, i == 1);
    assert_int_equal(bad.greedy[1], -1);
    result_free(&bad);
    free(x);
    free(values);
    free(bias);
    world_close(&w);
}

/* A logit that is NaN or +inf, or no finite logit at all, leaves a row without an arg max; -inf beside numbers is one
 * that is never chosen. Planted at each place of a block, in the first, a middle and the last chunk. */
static void test_not_finite(void **state)
{
    (void)state;
    world opened = world_open(2), *w = &opened;
    const int32_t rows[] = {0, 1}, tokens[] = {0, 0};
    const shape s = {2, 1, 2300, 0, true, true, true, EVERY};
    static const size_t places[] = {0, 1, 17, 63, 64, 700, 1023, 1024, 2047, 2048, 2299};
    const float x[2] = {1, 0};
    float *values = calloc(s.V, sizeof *values), *bias = calloc(s.V, sizeof *bias);
    assert_true(values && bias);
    for (size_t i = 0; i < s.V; i++) bias[i] = -(float)(i % 7);
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
        static const float planted[] = {NAN, INFINITY, -INFINITY};
        for (size_t p = 0; p < 3; p++) {
            float kept = bias[places[k]];
            bias[places[k]] = planted[p];
            result r = score(w, &s, x, values, bias, rows, tokens, 2);
            int32_t first = places[k] == 0 ? 7 : 0;
            for (size_t row = 0; row < 2; row++) assert_int_equal(r.greedy[row], p < 2 ? -1 : first);
            result_free(&r);
            bias[places[k]] = kept;
        }
    }
    /* The first chunk without a number: the others are chosen from. Then none has one. */
    for (size_t i = 0; i < 1100; i++) bias[i] = -INFINITY;
    result r = score(w, &s, x, values, bias, rows, tokens, 2);
    assert_int_equal(r.greedy[0], 1106);
    result_free(&r);
    for (size_t i = 0; i < s.V; i++) bias[i] = -INFINITY;
    r = score(w, &s, x, values, bias, rows, tokens, 2);
    assert_int_equal(r.greedy[0], -1);
    result_free(&r);
    free(values);
    free(bias);
    world_close(w);
}

static const case_table table = {
    .op = "score", .n = SHAPES + EDGES, .tf32 = true, .weights = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), cmocka_unit_test(test_ties), cmocka_unit_test(test_not_finite)};
    return CASES_MAIN(argc, argv, &table, tests);
}
