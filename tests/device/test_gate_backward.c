/* gate_backward: of y = act(gate) * up. Bound: a few last bits of slope and activation, which are off by 2^-24 of 1 or
 * of |gate| where 1 + erf or a sigmoid is near 0; numbers of up to 1e30, where a careless slope is inf * 0. */
#include "activate.h"
#include "gradient.h"

typedef struct shape {
    size_t rows, F;
    pl_activation activation;
    bool in_place;
    case_use use;
} shape;

static const shape shapes[] = {
    {0, 16, PL_ACT_SILU, false, EVERY},      {70, 300, PL_ACT_SILU, false, EVERY},
    {5, 48, PL_ACT_RELU, false, EVERY},      {5, 49, PL_ACT_QUICK_GELU, true, EVERY},
    {3, 1100, PL_ACT_GELU_ERF, true, EVERY}, {3, 257, PL_ACT_GELU_TANH, false, EVERY},
    {9, 256, PL_ACT_NONE, false, EVERY},     {1024, 1536, PL_ACT_SILU, false, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){1 + i % 3, edge_sizes[i], (pl_activation)(i % 6), i % 4 == 1, EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, 2 * %zu] %s%s", s.rows, s.F, activation_name(s.activation),
             s.in_place ? " in place" : "");
    return s.use;
}

typedef struct point {
    pl_activation activation;
    double gate, up, dy;
} point;

static double loss(void *context)
{
    const point *p = (const point *)context;
    return p->dy * activate(p->gate, p->activation) * p->up;
}

static void check(const world *w, const shape *s, const float *x, const float *dy, float *got)
{
    size_t F = s->F, n = s->rows * 2 * F;
    double *expected = (double *)malloc((n + 1) * sizeof(double)), *bound = (double *)malloc((n + 1) * sizeof(double));
    for (size_t i = 0; i < s->rows * F; i++) {
        size_t at = i / F * 2 * F + i % F;
        point p = {s->activation, (double)x[at], (double)x[at + F], (double)dy[i]};
        expected[at] = p.dy * p.up * activation_slope(p.gate, p.activation);
        expected[at + F] = p.dy * activate(p.gate, p.activation);
        bound[at] = ldexp(12.0 * (fabs(expected[at]) + fabs(p.dy * p.up)) + 1e-6, -24) + stored(expected[at], w->type);
        bound[at + F] = ldexp(12.0 * fabs(expected[at + F]) + 2.0 * fabs(p.dy * p.gate) + 1e-6, -24) +
                        stored(expected[at + F], w->type);
        if (i % 11 || fabs(p.gate) > 1e3 || (p.activation == PL_ACT_RELU && fabs(p.gate) < 1e-3)) continue;
        check_slope("dgate", loss, &p, &p.gate, expected[at]);
        check_slope("dup", loss, &p, &p.up, expected[at + F]);
    }
    check_close("dx", got, expected, bound, n);
    same_bits("dx", got, n * sizeof *got);
    free(expected);
    free(bound);
}

static void run(const world *w, size_t k)
{
    enum { SPARE = 2 };
    shape s = shape_of(k);
    size_t n = s.rows * s.F;
    float *x = normals(2 * n, 1, 2.0), *dy = normals(n, 2, 1.0);
    const float extremes[] = {-30.0f, 30.0f, -1e4f, 1e4f, -1e20f, 1e20f, -1e30f, 1e30f, 0.0f, -0.0f, -88.0f, 88.5f};
    for (size_t i = 0; i < 12 && s.F >= 48 && s.rows; i++) {
        if (w->type != PL_F16 || fabsf(extremes[i]) <= 1e4f) x[3 * i] = extremes[i];
    }
    representable(x, 2 * n, w->type);
    representable(dy, n, w->type);
    pl_view xv = numbers(w, s.rows, SPARE, 2 * s.F, w->type, x), dyv = numbers(w, s.rows, SPARE, s.F, w->type, dy);
    pl_view other = guarded(w, s.rows + SPARE, 2 * s.F, w->type, NULL), dxv = s.in_place ? xv : other;
    pl_batch batch = {.counts = counts_of(w, s.rows)};
    pl_gate_backward_args args = {&batch, s.activation, xv, dyv, dxv};
    RUN_OP(w, gate_backward, &args, 5 * n * pl_dtype_bytes(w->type), 0);
    if (!w->timing) {
        float *got = fetch_numbers(w, pl_view_rows(dxv, 0, s.rows));
        check(w, &s, x, dy, got);
        check_guards(w, dxv);
        check_untouched(w, dxv, s.rows);
        free(got);
    }
    RELEASE(w, &xv, &dyv, &other, &batch.counts);
    free(x);
    free(dy);
}

static const case_table table = {.op = "gate_backward", .n = SHAPES + EDGES, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), PORTABLE(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
