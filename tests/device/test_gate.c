/* gate: act(first half) * second half, also in place. Bound: the activation's few last bits, 12 2^-24 of the result and
 * 2 of |gate * up|, where 1 + tanh or 1 + erf cancels. */
#include "activate.h"
#include "cases.h"

typedef struct shape {
    size_t rows, F;
    pl_activation activation;
    bool in_place;
    case_use use;
} shape;

static const size_t widths[] = {1, 7, 256, 257, 1100};
static const shape shapes[] = {
    {0, 16, PL_ACT_SILU, false, EVERY},    {70, 40, PL_ACT_SILU, true, EVERY},
    {5, 48, PL_ACT_RELU, false, EVERY},    {5, 49, PL_ACT_QUICK_GELU, false, EVERY},
    {300, 900, PL_ACT_SILU, false, LARGE}, {2048, 11008, PL_ACT_SILU, false, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, WIDTHS = 3 * sizeof widths / sizeof *widths };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    if (i >= WIDTHS) {
        i -= WIDTHS;
        return (shape){1 + i % 3, edge_sizes[i], i % 2 ? PL_ACT_SILU : PL_ACT_GELU_TANH, i % 4 == 1, EVERY};
    }
    const pl_activation activations[] = {PL_ACT_SILU, PL_ACT_GELU_TANH, PL_ACT_GELU_ERF};
    return (shape){i % 3 == 0   ? 1 + i / 3
                   : i % 3 == 1 ? 6 - i / 3
                                : 2,
                   widths[i / 3], activations[i % 3], i % 3 > 0, EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, 2 * %zu] %s%s", s.rows, s.F, activation_name(s.activation),
             s.in_place ? " in place" : "");
    return s.use;
}

static void check(const world *w, const shape *s, const float *x, float *got)
{
    size_t n = s->rows * s->F;
    double *expected = (double *)malloc((n + 1) * sizeof(double)), *bound = (double *)malloc((n + 1) * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        size_t at = i / s->F * 2 * s->F + i % s->F;
        double g = (double)x[at], up = (double)x[at + s->F];
        expected[i] = activate(g, s->activation) * up;
        bound[i] = ldexp((12.0 * fabs(expected[i]) + 2.0 * fabs(g * up) + 1e-3), -24) + stored(expected[i], w->type);
    }
    check_close("gate", got, expected, bound, n);
    free(expected);
    free(bound);
}

static void run(const world *w, size_t k)
{
    enum { SPARE = 2 };
    shape s = shape_of(k);
    size_t n = s.rows * s.F;
    float *x = normals(2 * n, 1, 2.0);
    representable(x, 2 * n, w->type);
    pl_view xv = numbers(w, s.rows, SPARE, 2 * s.F, w->type, x), other = guarded(w, s.rows + SPARE, s.F, w->type, NULL);
    pl_view yv = s.in_place ? pl_view_columns(xv, 0, s.F) : other;
    pl_batch batch = {.counts = counts_of(w, s.rows)};
    pl_gate_args args = {&batch, s.activation, xv, yv};
    RUN_OP(w, gate, &args, 3 * n * pl_dtype_bytes(w->type), 0);
    if (!w->timing) {
        float *got = fetch_numbers(w, pl_view_rows(yv, 0, s.rows));
        check(w, &s, x, got);
        check_guards(w, s.in_place ? xv : yv);
        check_untouched(w, s.in_place ? xv : yv, s.rows);
        if (s.in_place) { /* the second half stays */
            float *up = fetch_numbers(w, pl_view_columns(pl_view_rows(xv, 0, s.rows), s.F, s.F));
            for (size_t i = 0; i < n; i++) assert_memory_equal(&up[i], &x[i / s.F * 2 * s.F + s.F + i % s.F], 4);
            free(up);
        }
        free(got);
    }
    RELEASE(w, &xv, &other, &batch.counts);
    free(x);
}

static const case_table table = {.op = "gate", .n = SHAPES + WIDTHS + EDGES, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
