/* adamw: one step against double precision, and 20 steps with gradient_norm against PyTorch.
 *
 * Bound: a new moment has three roundings, of the parts it is made of; the step of a master is off by 8 2^-24 of itself
 * and the master by one rounding. Where v is tiny, the step's error is that of sqrt(v) + eps, the same relatively. An
 * attached weight's numbers are the master's in the type of its products, rounded to nearest. */
#include "golden.h"
#include "parameters.h"

typedef struct shape {
    size_t step; /* t: bias corrections; 0: not finite */
    float clip;
    double weight_decay;
    case_use use;
    tensor tensors[4];
} shape;

static const shape shapes[] = {
    {1, 1.0f, 0.0, EVERY, {{3, 5, true, false}, {1, 1, false, false}}},
    {1, 0.25f, 0.1, EVERY, {{40, 33, true, false}, {1, 700, false, false}, {33, 17, true, true}}},
    {7, 1.0f, 0.01, EVERY, {{2100, 32, true, true}, {1, 65536, false, false}, {65, 40, true, true}}},
    {1000, 0.5f, 0.1, EVERY, {{1, 65537, true, false}, {31, 9, false, true}}},
    {0, 1.0f, 0.1, EVERY, {{65, 40, true, true}, {1, 70000, false, false}}},
    {10, 1.0f, 0.1, BENCH, {{4096, 4096, true, false}, {4096, 4096, true, false}, {1, 4096, false, false}}},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };
static const double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, rate = 1e-3;

static case_use describe(size_t i, char text[128])
{
    const shape *s = &shapes[i];
    snprintf(text, 128, "step %zu of [%zu, %zu] and more, clip %g, decay %g", s->step, s->tensors[0].rows,
             s->tensors[0].columns, (double)s->clip, s->weight_decay);
    return s->use;
}

static void factors_of(float factors[PL_FACTORS], double of_rate, size_t step, float clip)
{
    factors[PL_FACTOR_RATE] = (float)of_rate;
    factors[PL_FACTOR_FIRST] = (float)(1.0 - pow(beta1, (double)step));
    factors[PL_FACTOR_SECOND] = (float)(1.0 - pow(beta2, (double)step));
    factors[PL_FACTOR_CLIP] = clip;
    factors[PL_FACTOR_NORM] = step ? 1.0f : NAN;
    factors[PL_FACTOR_FINITE] = step ? 1.0f : 0.0f;
}

static void check(const shape *s, const parameter_set *p, const float *host[4], float *got[4])
{
    double *y[3], *bound[3];
    for (int k = 0; k < 3; k++) {
        y[k] = (double *)malloc(p->total * sizeof(double));
        bound[k] = (double *)malloc(p->total * sizeof(double));
    }
    for (size_t i = 0; i < p->n; i++) {
        for (size_t j = p->first[i]; j < p->first[i] + s->tensors[i].rows * s->tensors[i].columns; j++) {
            const double g = (double)host[1][j] * (double)s->clip, w = (double)host[0][j];
            const double m = (double)host[2][j], v = (double)host[3][j],
                         decay = s->tensors[i].decay ? s->weight_decay : 0;
            y[1][j] = m + (1 - beta1) * (g - m);
            y[2][j] = beta2 * v + (1 - beta2) * g * g;
            const double first = 1.0 - pow(beta1, (double)s->step), second = 1.0 - pow(beta2, (double)s->step);
            const double step = rate / first * y[1][j] / (sqrt(y[2][j]) / sqrt(second) + eps);
            const double big = rate / first * (fabs(m) + 0.1 * fabs(g)) / (sqrt(y[2][j]) / sqrt(second) + eps);
            y[0][j] = w - rate * decay * w - step;
            bound[0][j] = ldexp(2.0 * fabs(w) + 8.0 * big, -24);
            bound[1][j] = ldexp(3.0 * (fabs(m) + fabs(g)), -24);
            bound[2][j] = ldexp(4.0 * y[2][j], -24);
        }
    }
    check_close("master", got[0], y[0], bound[0], p->total);
    check_close("first moment", got[2], y[1], bound[1], p->total);
    check_close("second moment", got[3], y[2], bound[2], p->total);
    for (int k = 0; k < 3; k++) {
        free(y[k]);
        free(bound[k]);
    }
}

/* An attached weight's numbers are its master's: products of unit vectors give them back. Half a last bit of a type is
 * 2^-bits of the number, and half of float16's smallest number. */
static void check_weights(const world *w, const parameter_set *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const pl_parameter *t = &p->list[i];
        if (!t->weight) continue;
        const size_t n_in = t->master.columns, n_out = t->master.rows;
        float *units = (float *)calloc(n_in * n_in, sizeof *units), *master = (float *)fetch(w, t->master);
        for (size_t j = 0; j < n_in; j++) units[j * n_in + j] = 1.0f;
        pl_view x = numbers(w, n_in, 0, n_in, w->type, units), y = guarded(w, n_in, n_out, w->type, NULL);
        pl_view counts = counts_of(w, n_in);
        pl_linear_args args = {.counts = counts, .x = x, .weight = t->weight, .y = y};
        must(pl_op_linear(&w->processor, w->stream, &args));
        float *got = fetch_numbers(w, y);
        for (size_t j = 0; j < n_in * n_out; j++) {
            const double number = (double)master[j], kept = (double)got[j % n_in * n_out + j / n_in];
            const double half_bit = ldexp(fabs(number), -fraction_bits(w->compute)) + stored(0.0, w->compute);
            if (w->compute == PL_F32 ? kept != number : !(fabs(kept - number) <= half_bit))
                fail_case("the weight of tensor %zu has %.9g for %.9g", i, kept, number);
        }
        RELEASE(w, &x, &y, &counts);
        free(units);
        free(master);
        free(got);
    }
}

static void run(const world *w, size_t k)
{
    const shape *s = &shapes[k];
    size_t n = 0, total = 0;
    while (n < 4 && s->tensors[n].rows) total += s->tensors[n].rows * s->tensors[n].columns, n++;
    float *x[4] = {normals(total, 1, 0.1), normals(total, 2, 0.1), normals(total, 3, 0.01), normals(total, 4, 0.01)};
    for (size_t i = 0; i < total; i++) x[3][i] = i % 9 ? x[3][i] * x[3][i] : 1e-20f;
    for (size_t i = 0; i < total && s->step == 1; i++) x[2][i] = x[3][i] = 0.0f;
    if (!s->step) x[1][total / 2] = NAN;
    const float *host[4] = {x[0], x[1], x[2], x[3]};
    float factors[PL_FACTORS];
    factors_of(factors, rate, s->step, s->clip);
    parameter_set p = parameters_create(w, s->tensors, n, host);
    pl_view fv = guarded(w, 1, PL_FACTORS, PL_F32, factors);
    pl_adamw_args args = {p.made, fv, beta1, beta2, eps, s->weight_decay};
    RUN_OP(w, adamw, &args, 32 * total, 0);
    if (!w->timing) {
        float *got[4];
        for (int i = 0; i < 4; i++) got[i] = parameters_fetch(w, &p, i);
        for (size_t i = 0; i < total; i++) assert_true(got[1][i] == 0.0f);
        for (int i = 0; i < 4 && !s->step; i++) {
            if (i != 1) assert_memory_equal(got[i], x[i], total * sizeof(float));
        }
        if (s->step) check(s, &p, host, got);
        same_bits("masters", got[0], total * sizeof(float));
        same_bits("first moments", got[2], total * sizeof(float));
        same_bits("second moments", got[3], total * sizeof(float));
        check_weights(w, &p);
        parameters_check_gaps(w, &p);
        for (int i = 0; i < 4; i++) free(got[i]);
    }
    release(w, &fv);
    parameters_free(w, &p);
    for (int i = 0; i < 4; i++) free(x[i]);
}

static const case_table table = {.op = "adamw", .n = SHAPES, .tf32 = true, .describe = describe, .run = run};

/* 20 steps of PyTorch's AdamW with clip_grad_norm_ and a schedule: a matrix that decays and a vector that does not.
 * Each step is within 1e-6 of its size (1e-2), roundings of the numbers themselves beside it. */
static void test_golden(void **state)
{
    enum { STEPS = 20, MATRIX = 35, VECTOR = 7, TOTAL = MATRIX + VECTOR };
    (void)state;
    golden g = golden_open("tests/golden/device/adamw.txt");
    world w = world_open(1);
    w.compute = w.type = PL_F32;
    const tensor tensors[] = {{5, 7, true, false}, {1, 7, false, false}};
    float start[TOTAL], factors[PL_FACTORS];
    memcpy(start, golden_get(&g, "matrix", MATRIX), MATRIX * sizeof(float));
    memcpy(start + MATRIX, golden_get(&g, "vector", VECTOR), VECTOR * sizeof(float));
    const float *host[4] = {start, NULL, NULL, NULL}, *rates = golden_get(&g, "rates", STEPS);
    const float *gradients = golden_get(&g, "gradients", STEPS * TOTAL), *norms = golden_get(&g, "norms", STEPS);
    parameter_set p = parameters_create(&w, tensors, 2, host);
    pl_view fv = guarded(&w, 1, PL_FACTORS, PL_F32, NULL);
    pl_view workspace = workspace_of(&w, w.processor.ops->gradient_norm_workspace_bytes(p.made));
    for (size_t t = 0; t < STEPS; t++) {
        send(&w, p.list[0].gradient, gradients + t * TOTAL);
        send(&w, p.list[1].gradient, gradients + t * TOTAL + MATRIX);
        factors_of(factors, (double)rates[t], t + 1, 0);
        send(&w, fv, factors);
        const pl_gradient_norm_args norm = {p.made, 1.0f, fv, workspace};
        const pl_adamw_args args = {p.made, fv, beta1, beta2, eps, 0.1};
        must(pl_op_gradient_norm(&w.processor, w.stream, &norm));
        must(pl_op_adamw(&w.processor, w.stream, &args));
        float *got = (float *)fetch(&w, fv);
        assert_true(fabs((double)got[PL_FACTOR_NORM] / (double)norms[t] - 1.0) < 1e-6);
        assert_true((got[PL_FACTOR_CLIP] < 1.0f) == (norms[t] > 1.0f));
        free(got);
        if (t != 0 && t != STEPS - 1) continue;
        char matrix[16], vector[16];
        snprintf(matrix, sizeof matrix, "matrix_%zu", t + 1);
        snprintf(vector, sizeof vector, "vector_%zu", t + 1);
        golden_check(&w, &g, matrix, p.list[0].master, 5e-7);
        golden_check(&w, &g, vector, p.list[1].master, 5e-7);
    }
    RELEASE(&w, &fv, &workspace);
    parameters_free(&w, &p);
    world_close(&w);
    golden_close(&g);
}

/* A weight that is not attached to its parameter would go on with old numbers. */
static void test_refusals(void **state)
{
    (void)state;
    world w = world_open(1);
    w.compute = w.type = PL_F32;
    const tensor tensors[] = {{4, 8, true, true}, {4, 8, true, true}};
    const float *host[4] = {NULL, NULL, NULL, NULL};
    parameter_set p = parameters_create(&w, tensors, 2, host);
    pl_parameter swapped[2] = {p.list[0], p.list[1]};
    pl_parameters *made;
    swapped[0].weight = p.list[1].weight;
    assert_int_equal(pl_parameters_create(&w.processor, &made, swapped, 2), PL_E_INTERNAL);
    swapped[0] = p.list[0];
    swapped[1].second.columns = 7;
    assert_int_equal(pl_parameters_create(&w.processor, &made, swapped, 2), PL_E_INTERNAL);
    parameters_free(&w, &p);
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), PORTABLE(&table), cmocka_unit_test(test_golden),
                                       cmocka_unit_test(test_refusals)};
    return CASES_MAIN(argc, argv, &table, tests);
}
