/* head_norm: each head by itself, in place, other columns untouched. Bounds as in test_norm.c. */
#include "cases.h"

typedef struct shape {
    size_t rows, heads, D, first, columns;
    pl_norm_kind kind;
    case_use use;
    bool own, bias; /* own: each head has its own weights */
} shape;

static const shape shapes[] = {
    {1, 1, 1, 0, 1, PL_NORM_RMS, EVERY, false, false},
    {3, 4, 64, 0, 400, PL_NORM_RMS, EVERY, false, false},
    {5, 2, 33, 70, 150, PL_NORM_RMS_PLUS_ONE, EVERY, false, false},
    {2, 3, 128, 10, 400, PL_NORM_LAYER, EVERY, false, false},
    {2, 5, 80, 3, 410, PL_NORM_RMS, EVERY, false, false},
    {1, 2, 256, 0, 512, PL_NORM_RMS, EVERY, false, false},
    {0, 2, 16, 0, 32, PL_NORM_RMS, EVERY, false, false},
    {67, 3, 8, 1, 30, PL_NORM_RMS, EVERY, false, false},
    {5, 3, 64, 8, 300, PL_NORM_LAYER, EVERY, true, false},
    {4, 2, 33, 3, 80, PL_NORM_LAYER, EVERY, true, true},
    {6, 4, 16, 0, 70, PL_NORM_LAYER, EVERY, false, true},
    {8192, 32, 128, 0, 6144, PL_NORM_RMS, BENCH, false, false},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){
        1 + i % 3, 1 + i % 2, edge_sizes[i], i % 4, (1 + i % 2) * edge_sizes[i] + i % 4 + i % 3, (pl_norm_kind)(i % 3),
        EVERY,     false,     false};
}

static case_use describe(size_t i, char text[128])
{
    static const char *const kinds[] = {"layer", "rms", "rms + 1"};
    shape s = shape_of(i);
    snprintf(text, 128, "%zu rows, %zu heads of %zu from column %zu, %s", s.rows, s.heads, s.D, s.first, kinds[s.kind]);
    return s.use;
}

static void check(const world *w, const shape *s, const float *x, const float *weights, const float *bias, float *got)
{
    size_t n = s->rows * s->columns;
    double *expected = (double *)malloc((n + 1) * sizeof(double)), *bound = (double *)malloc((n + 1) * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        expected[i] = (double)x[i];
        bound[i] = ldexp(fabs((double)x[i]), 1 - fraction_bits(w->type));
        size_t column = i % s->columns; /* outside the heads: the same bits */
        if (column < s->first || column >= s->first + s->heads * s->D) assert_memory_equal(&got[i], &x[i], 4);
    }
    for (size_t j = 0; j < s->rows * s->heads; j++) {
        size_t at = j / s->heads * s->columns + s->first + j % s->heads * s->D;
        const float *weight = weights + (s->own ? j % s->heads * s->D : 0);
        double mean = 0, square = 0;
        for (size_t d = 0; d < s->D; d++) mean += s->kind == PL_NORM_LAYER ? (double)x[at + d] / (double)s->D : 0.0;
        for (size_t d = 0; d < s->D; d++) square += pow((double)x[at + d] - mean, 2) / (double)s->D;
        double deviation = sqrt(square + (double)1e-6f);
        for (size_t d = 0; d < s->D; d++) {
            double factor = (double)weight[d] + (s->kind == PL_NORM_RMS_PLUS_ONE ? 1.0 : 0.0);
            double y = ((double)x[at + d] - mean) / deviation * factor, b = 4.0 * fabs(y) + 0.1;
            if (s->bias) y += (double)bias[d];
            expected[at + d] = y;
            bound[at + d] = ldexp(b + (s->bias ? fabs(y) : 0.0), -24) + stored(y, w->type);
        }
    }
    check_close("head_norm", got, expected, bound, n);
    free(expected);
    free(bound);
}

static void run(const world *w, size_t k)
{
    enum { SPARE = 2 };
    shape s = shape_of(k);
    size_t n = s.rows * s.columns;
    const size_t n_weights = s.own ? s.heads : 1;
    float *x = normals(n, 1, 2.0), *weight = normals(n_weights * s.D, 2, 1.0), *bias = normals(s.D, 3, 1.0);
    representable(x, n, w->type);
    pl_view xv = numbers(w, s.rows, SPARE, s.columns, w->type, x), wv = guarded(w, n_weights, s.D, PL_F32, weight),
            bv = guarded(w, 1, s.D, PL_F32, bias), none = {0};
    pl_batch batch = {.counts = counts_of(w, s.rows)};
    pl_head_norm_args args = {&batch, s.kind, 1e-6f, s.heads, s.D, s.first, wv, xv, s.bias ? bv : none};
    RUN_OP(w, head_norm, &args, 2 * s.rows * s.heads * s.D * pl_dtype_bytes(w->type), 0);
    if (!w->timing) {
        float *got = fetch_numbers(w, pl_view_rows(xv, 0, s.rows));
        check(w, &s, x, weight, bias, got);
        check_guards(w, xv);
        check_untouched(w, xv, s.rows);
        free(got);
    }
    RELEASE(w, &xv, &wv, &bv, &batch.counts);
    free(x);
    free(weight);
    free(bias);
}

static const case_table table = {.op = "head_norm", .n = SHAPES + EDGES, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
