/* norm_backward: layer norm and RMS norm against long double.
 *
 * Bound: a row's sums are in double precision, so that dx has the last roundings of its parts alone: 8 2^-24 of
 * scale (|g| + |mean g| + |z mean(g z)|) and of what it is added to. Gradients of parameters are sums of as many
 * numbers as there are rows, in whatever order: (rows + 4) 2^-24 of the sum of their sizes. Two micro-batches give the
 * bits of one where rows are added one after another; CUDA adds groups of them, and is held to the bound. */
#include "golden.h"
#include "gradient.h"

typedef struct shape {
    size_t rows, C;
    pl_norm_kind kind;
    bool weight, gradients;
    double offset, scale; /* of x */
    case_use use;
    float gain; /* 0: 1 */
} shape;

static const shape shapes[] = {
    {1, 1, PL_NORM_RMS, true, true, 0, 1, EVERY, 0},          {3, 2, PL_NORM_LAYER, true, true, 0, 1, EVERY, 0},
    {5, 15, PL_NORM_LAYER, false, false, 0, 1, EVERY, 0},     {7, 17, PL_NORM_RMS_PLUS_ONE, true, true, 0, 3, EVERY, 0},
    {9, 768, PL_NORM_LAYER, true, true, 3000, 1, EVERY, 0},   {2, 1601, PL_NORM_LAYER, true, true, 0, 1e-3, EVERY, 0},
    {3, 5000, PL_NORM_RMS, true, true, 1, 50, EVERY, 0},      {0, 64, PL_NORM_LAYER, true, true, 0, 1, EVERY, 0},
    {300, 100, PL_NORM_LAYER, true, true, 1, 1, EVERY, 0},    {70, 576, PL_NORM_RMS, true, true, 0, 1, EVERY, 0},
    {70, 100, PL_NORM_NONE, false, false, 3, 1, EVERY, 0},    {3, 5000, PL_NORM_NONE, true, true, 0, 1, EVERY, 0},
    {9, 64, PL_NORM_NONE, false, false, 0, 1, EVERY, 0.22f},  {20, 768, PL_NORM_RMS, true, true, 0, 1, EVERY, 0.125f},
    {3, 2100, PL_NORM_LAYER, true, true, 1, 1, EVERY, -3.0f}, {1024, 768, PL_NORM_LAYER, true, true, 0, 1, BENCH, 0},
    {1024, 576, PL_NORM_RMS, true, true, 0, 1, BENCH, 0},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){.rows = 1 + i % 4,
                   .C = edge_sizes[i],
                   .kind = (pl_norm_kind)(i % 3),
                   .weight = i % 5,
                   .gradients = i % 7,
                   .offset = i % 2 ? 0.5 : 0.0,
                   .scale = 1};
}

static case_use describe(size_t i, char text[128])
{
    static const char *const kinds[] = {"layer", "rms", "rms + 1", "none"};
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] %s%s%s, gain %g", s.rows, s.C, kinds[s.kind], s.weight ? " weight" : "",
             s.gradients ? " with gradients" : "", (double)s.gain);
    return s.use;
}

/* Inputs, what the gradients were before, what they become, and their bounds: dx, then dweight, then dbias. */
typedef struct problem {
    shape s;
    float *x, *weight, *dy, *before;
    double *row, *weights, *after, *bound;
} problem;

static double factor(const problem *p, size_t i)
{
    return p->s.weight ? (p->s.kind == PL_NORM_RMS_PLUS_ONE ? 1.0 : 0.0) + p->weights[i] : 1.0;
}

static void moments(const problem *p, const double *row, long double *mean, long double *scale)
{
    long double square = 0;
    *mean = 0;
    for (size_t i = 0; i < p->s.C && p->s.kind == PL_NORM_LAYER; i++) *mean += (long double)row[i];
    *mean /= (long double)p->s.C;
    for (size_t i = 0; i < p->s.C; i++) square += ((long double)row[i] - *mean) * ((long double)row[i] - *mean);
    *scale = p->s.kind == PL_NORM_NONE ? 1.0L : 1.0L / sqrtl(square / (long double)p->s.C + (long double)1e-5f);
}

/* dy times the gain */
static long double pull(const problem *p, size_t i)
{
    return (long double)p->dy[i] * (p->s.gain != 0.0f ? (long double)p->s.gain : 1.0L);
}

/* sum of dy * y over row 0; the bias is 0 */
static double loss(void *context)
{
    const problem *p = (const problem *)context;
    long double mean, scale, sum = 0;
    moments(p, p->row, &mean, &scale);
    for (size_t i = 0; i < p->s.C; i++) sum += pull(p, i) * factor(p, i) * ((p->row[i] - mean) * scale);
    return (double)sum;
}

static void solve(problem *p)
{
    const size_t C = p->s.C, n = p->s.rows * C;
    for (size_t i = 0; i < n + 2 * C; i++) {
        p->after[i] = (double)p->before[i];
        p->bound[i] = fabs(p->after[i]);
    }
    for (size_t r = 0; r < p->s.rows; r++) {
        long double mean, scale, level = 0, slant = 0;
        for (size_t i = 0; i < C; i++) p->row[i] = (double)p->x[r * C + i];
        moments(p, p->row, &mean, &scale);
        for (size_t i = 0; i < C; i++) {
            level += pull(p, r * C + i) * factor(p, i);
            slant += pull(p, r * C + i) * factor(p, i) * ((p->row[i] - mean) * scale);
        }
        level = p->s.kind == PL_NORM_LAYER ? level / C : 0;
        slant = p->s.kind == PL_NORM_NONE ? 0 : slant / C;
        for (size_t i = 0; i < C; i++) {
            const long double dy = pull(p, r * C + i), g = dy * factor(p, i), z = (p->row[i] - mean) * scale;
            p->after[r * C + i] += (double)(scale * (g - level - z * slant));
            p->bound[r * C + i] += (double)(scale * (fabsl(g) + fabsl(level) + fabsl(z * slant)));
            p->after[n + i] += (double)(dy * z);
            p->bound[n + i] += (double)fabsl(dy * z);
            p->after[n + C + i] += (double)dy;
            p->bound[n + C + i] += fabs((double)dy);
        }
    }
    for (size_t i = 0; i < n + 2 * C; i++)
        p->bound[i] = ldexp((i < n ? 8.0 : (double)p->s.rows + 4.0) * p->bound[i] + 1e-9, -24);
}

static void check_formula(problem *p)
{
    const size_t C = p->s.C;
    if (!p->s.rows || p->s.offset > 100 || p->s.scale < 0.1) return;
    for (size_t i = 0; i < C; i++) p->row[i] = (double)p->x[i];
    for (size_t k = 0; k < 5; k++) {
        const size_t i = pl_random_below(11, PL_RANDOM_TEST, 0, k, (uint32_t)C);
        check_slope("dx", loss, p, &p->row[i], p->after[i] - (double)p->before[i]);
    }
    for (size_t i = 0; i < C && i < 3 && p->s.weight && p->s.rows == 1; i++)
        check_slope("dweight", loss, p, &p->weights[i], p->after[C + i] - (double)p->before[C + i]);
}

/* Rows [from, to) as one micro-batch; results beside those of before. */
static void run_rows(const world *w, const problem *p, size_t from, size_t to, float *gradients)
{
    enum { SPARE = 2 };
    const shape *s = &p->s;
    const size_t C = s->C, rows = to - from, n = s->rows * C;
    pl_view none = {0}, counts = counts_of(w, rows), wv = guarded(w, 1, C, PL_F32, p->weight);
    pl_view xv = guarded_rows(w, rows, SPARE, C, PL_F32, p->x + from * C);
    pl_view dyv = numbers(w, rows, SPARE, C, w->type, p->dy + from * C);
    pl_view dxv = guarded_rows(w, rows, SPARE, C, PL_F32, gradients + from * C);
    pl_view dwv = guarded(w, 1, C, PL_F32, gradients + n), dbv = guarded(w, 1, C, PL_F32, gradients + n + C);
    pl_view workspace = workspace_of(w, w->processor.ops->norm_backward_workspace_bytes(rows + SPARE, C));
    pl_norm_backward_args args = {.counts = counts,
                                  .count = PL_COUNT_TOKENS,
                                  .kind = s->kind,
                                  .eps = 1e-5f,
                                  .x = xv,
                                  .weight = s->weight ? wv : none,
                                  .dy = dyv,
                                  .dx = dxv,
                                  .dweight = s->gradients ? dwv : none,
                                  .dbias = s->gradients ? dbv : none,
                                  .workspace = workspace,
                                  .gain = s->gain};
    RUN_OP(w, norm_backward, &args, 16 * rows * C, 0);
    const pl_view views[] = {pl_view_rows(dxv, 0, rows), dwv, dbv};
    float *to_host[] = {gradients + from * C, gradients + n, gradients + n + C};
    for (int i = 0; i < 3; i++) {
        float *got = fetch_numbers(w, views[i]);
        memcpy(to_host[i], got, views[i].rows * C * sizeof *got);
        free(got);
    }
    check_guards(w, dxv);
    check_guards(w, dwv);
    check_guards(w, dbv);
    check_guards(w, workspace);
    check_untouched(w, dxv, rows);
    RELEASE(w, &counts, &wv, &xv, &dyv, &dxv, &dwv, &dbv, &workspace);
}

static void run(const world *w, size_t k)
{
    problem p = {.s = shape_of(k)};
    const size_t C = p.s.C, n = p.s.rows * C, all = n + 2 * C;
    p.x = normals(n, 1, p.s.scale);
    for (size_t i = 0; i < n; i++) p.x[i] += (float)p.s.offset;
    p.weight = normals(C, 2, 1.0);
    p.dy = normals(n, 3, 1.0);
    representable(p.dy, n, w->type);
    p.before = normals(all, 4, 1.0);
    float *once = (float *)malloc(all * sizeof *once), *twice = (float *)malloc(all * sizeof *twice);
    memcpy(once, p.before, all * sizeof *once);
    memcpy(twice, p.before, all * sizeof *twice);
    run_rows(w, &p, 0, p.s.rows, once);
    if (!w->timing) {
        p.row = (double *)malloc(C * sizeof(double));
        p.weights = (double *)malloc(C * sizeof(double));
        p.after = (double *)malloc(all * sizeof(double));
        p.bound = (double *)malloc(all * sizeof(double));
        for (size_t i = 0; i < C; i++) p.weights[i] = (double)p.weight[i];
        solve(&p);
        check_close("dx", once, p.after, p.bound, n);
        if (p.s.gradients)
            check_close("dweight and dbias", once + n, p.after + n, p.bound + n, 2 * C);
        else
            assert_memory_equal(once + n, p.before + n, 2 * C * sizeof *once);
        same_bits("dx, dweight and dbias", once, all * sizeof *once);
        check_formula(&p);
        run_rows(w, &p, 0, p.s.rows / 3, twice);
        run_rows(w, &p, p.s.rows / 3, p.s.rows, twice);
        assert_memory_equal(once, twice, (w->cuda ? n : all) * sizeof *once);
        if (p.s.gradients && w->cuda) check_close("dweight and dbias", twice + n, p.after + n, p.bound + n, 2 * C);
        free(p.row);
        free(p.weights);
        free(p.after);
        free(p.bound);
    }
    free(p.x);
    free(p.weight);
    free(p.dy);
    free(p.before);
    free(once);
    free(twice);
}

static const case_table table = {.op = "norm_backward", .n = SHAPES + EDGES, .describe = describe, .run = run};

/* PyTorch's gradients (tests/golden/device/gradients.py), of numbers of order 1. */
static void test_golden(void **state)
{
    enum { ROWS = 6, C = 24 };
    static const char *const kinds[] = {"layer", "rms", "rms_plus_one"};
    static const float zeros[ROWS * C];
    (void)state;
    golden g = golden_open("tests/golden/device/norms.txt");
    world w = world_open(2);
    w.compute = w.type = PL_F32;
    for (int kind = 0; kind < 3; kind++) {
        pl_view counts = counts_of(&w, ROWS), wv = guarded(&w, 1, C, PL_F32, golden_get(&g, "weight", C));
        pl_view xv = guarded(&w, ROWS, C, PL_F32, golden_get(&g, "x", ROWS * C));
        pl_view dyv = guarded(&w, ROWS, C, PL_F32, golden_get(&g, "dy", ROWS * C));
        pl_view dxv = guarded(&w, ROWS, C, PL_F32, zeros), dwv = guarded(&w, 1, C, PL_F32, zeros);
        pl_view dbv = guarded(&w, 1, C, PL_F32, zeros);
        pl_view workspace = workspace_of(&w, w.processor.ops->norm_backward_workspace_bytes(ROWS, C));
        pl_norm_backward_args args = {
            counts, PL_COUNT_TOKENS, (pl_norm_kind)kind, 1e-5f, xv, wv, dyv, dxv, dwv, dbv, workspace, 0};
        must(pl_op_norm_backward(&w.processor, w.stream, &args));
        const pl_view views[] = {dxv, dwv, dbv};
        static const char *const names[] = {"dx", "dweight", "dbias"};
        for (int i = 0; i < 3; i++) {
            char name[32];
            snprintf(name, sizeof name, "%s_%s", kinds[kind], names[i]);
            golden_check(&w, &g, name, views[i], 2e-6);
        }
        RELEASE(&w, &counts, &wv, &xv, &dyv, &dxv, &dwv, &dbv, &workspace);
    }
    world_close(&w);
    golden_close(&g);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), PORTABLE(&table), cmocka_unit_test(test_golden)};
    return CASES_MAIN(argc, argv, &table, tests);
}
