/* norm: layer norm, RMS norm and none against long double.
 *
 * Bound, in units of 2^-24 of the result and of its parts: 4. Sums are in double precision on every device, and a mean
 * that is large against the deviation is taken off in two steps, so that only the last roundings count. 16-bit results
 * add their own rounding (world.h). */
#include "cases.h"

typedef struct shape {
    size_t rows, C;
    pl_norm_kind kind;
    bool weight, bias, in_place, added; /* added: to what stands in y, float32 */
    double offset, scale;               /* of x: a large mean makes a naive variance fail */
    case_use use;
    float gain; /* 0: 1 */
} shape;

static const shape shapes[] = {
    {1, 1, PL_NORM_RMS, true, false, false, false, 0, 1, EVERY, 0},
    {3, 2, PL_NORM_LAYER, true, true, false, false, 0, 1, EVERY, 0},
    {5, 15, PL_NORM_LAYER, false, false, false, false, 0, 1, EVERY, 0},
    {4, 16, PL_NORM_RMS, true, false, true, false, 0, 1, EVERY, 0},
    {7, 17, PL_NORM_RMS_PLUS_ONE, true, false, false, false, 0, 3, EVERY, 0},
    {9, 768, PL_NORM_LAYER, true, true, false, false, 3000, 1, EVERY, 0},
    {2, 1601, PL_NORM_LAYER, true, true, true, false, 0, 1e-3, EVERY, 0},
    {3, 5000, PL_NORM_RMS, true, true, false, false, 1, 50, EVERY, 0},
    {0, 64, PL_NORM_LAYER, true, true, false, false, 0, 1, EVERY, 0},
    {3, 300, PL_NORM_RMS, true, false, false, false, 0, 1, EVERY, 0},
    {2, 1024, PL_NORM_LAYER, true, true, false, false, 2, 1, EVERY, 0},
    {2, 3000, PL_NORM_LAYER, true, true, false, false, 0, 1, EVERY, 0},
    {1, 16000, PL_NORM_LAYER, true, true, false, false, 0, 1, EVERY, 0},
    {1, 16404, PL_NORM_RMS, true, false, false, false, 0, 1, EVERY, 0},
    {65, 96, PL_NORM_LAYER, true, true, false, false, 1, 1, EVERY, 0},
    {2, 8196, PL_NORM_LAYER, true, true, false, false, -3000, 1, EVERY, 0},
    {2, 20000, PL_NORM_LAYER, true, true, false, false, 3000, 1, EVERY, 0},
    {1, 20001, PL_NORM_RMS, true, false, true, false, 0, 1, EVERY, 0},
    {300, 1024, PL_NORM_RMS, true, false, false, false, 0, 1, LARGE, 0},
    {5, 640, PL_NORM_RMS_PLUS_ONE, true, false, false, true, 0, 1, EVERY, 0},
    {3, 77, PL_NORM_LAYER, true, true, false, true, 0, 1, EVERY, 0},
    {2, 8196, PL_NORM_RMS, false, false, false, true, 0, 1, EVERY, 0},
    {4, 100, PL_NORM_NONE, false, false, false, false, 3, 1, EVERY, 0},
    {2, 1601, PL_NORM_NONE, false, false, false, true, 0, 1, EVERY, 0},
    {2, 3000, PL_NORM_NONE, true, true, false, false, 0, 1, EVERY, 0},
    {4, 100, PL_NORM_NONE, false, false, false, true, 3, 1, EVERY, 0.22f},
    {3, 1601, PL_NORM_LAYER, true, true, false, false, 1, 1, EVERY, -3.0f},
    {2, 96, PL_NORM_RMS, true, false, false, false, 0, 1, EVERY, 0.125f},
    {8192, 768, PL_NORM_LAYER, true, true, false, false, 0, 1, BENCH, 0},
    {8192, 4096, PL_NORM_RMS, true, false, false, false, 0, 1, BENCH, 0},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* The table, then every edge size. */
static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){.rows = 1 + i % 4,
                   .C = edge_sizes[i],
                   .kind = (pl_norm_kind)(i % 3),
                   .weight = i % 5,
                   .bias = i % 2,
                   .offset = i % 2 ? 0.5 : 0.0,
                   .scale = 1};
}

static case_use describe(size_t i, char text[128])
{
    static const char *const kinds[] = {"layer", "rms", "rms + 1", "none"};
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] %s%s%s%s%s, gain %g", s.rows, s.C, kinds[s.kind], s.weight ? " weight" : "",
             s.bias ? " bias" : "", s.in_place ? " in place" : "", s.added ? " added" : "", (double)s.gain);
    return s.use;
}

static void check(const world *w, const shape *s, const float *x, const float *weight, const float *bias,
                  const float *before, float *got)
{
    size_t n = s->rows * s->C;
    double *expected = (double *)malloc((n + 1) * sizeof(double)), *bound = (double *)malloc((n + 1) * sizeof(double));
    for (size_t r = 0; r < s->rows; r++) {
        long double mean = 0, square = 0;
        const float *row = x + r * s->C;
        if (s->kind == PL_NORM_LAYER) {
            for (size_t i = 0; i < s->C; i++) mean += row[i];
            mean /= s->C;
        }
        for (size_t i = 0; i < s->C; i++) square += (row[i] - mean) * (row[i] - mean);
        long double deviation = s->kind == PL_NORM_NONE ? 1 : sqrtl(square / s->C + (long double)1e-5f);
        for (size_t i = 0; i < s->C; i++) {
            double factor = s->weight ? (s->kind == PL_NORM_RMS_PLUS_ONE ? 1.0 : 0.0) + (double)weight[i] : 1.0;
            double y = (double)((row[i] - mean) / deviation) * factor, b = 4.0 * (fabs(y) + 0.1);
            if (s->bias) y += (double)bias[i];
            if (s->gain != 0.0f) {
                b = (b + fabs(y)) * fabs((double)s->gain);
                y *= (double)s->gain;
            }
            if (s->added) {
                b += fabs(y); /* the norm is rounded before it is added */
                y += (double)before[r * s->C + i];
            }
            expected[r * s->C + i] = y;
            bound[r * s->C + i] = ldexp(b + fabs(y), -24) + stored(y, s->added ? PL_F32 : w->type);
        }
    }
    check_close("norm", got, expected, bound, n);
    free(expected);
    free(bound);
}

static void run(const world *w, size_t k)
{
    enum { SPARE = 2 };
    shape s = shape_of(k);
    size_t n = s.rows * s.C;
    if (s.in_place && w->type != PL_F32) s.in_place = false; /* x is float32, y is not */
    float *x = normals(n, 1, s.scale), *weight = normals(s.C, 2, 1.0), *bias = normals(s.C, 3, 1.0);
    for (size_t i = 0; i < n; i++) x[i] += (float)s.offset;
    float *before = normals(n, 4, 1.0);
    pl_view none = {0}, xv = guarded_rows(w, s.rows, SPARE, s.C, PL_F32, x), counts = counts_of(w, s.rows);
    pl_view other = s.added ? guarded_rows(w, s.rows, SPARE, s.C, PL_F32, before)
                            : guarded(w, s.rows + SPARE, s.C, w->type, NULL),
            yv = s.in_place ? xv : other;
    pl_view wv = guarded(w, 1, s.C, PL_F32, weight), bv = guarded(w, 1, s.C, PL_F32, bias);
    pl_norm_args args = {counts, PL_COUNT_TOKENS, s.kind, 1e-5f, xv, s.weight ? wv : none, s.bias ? bv : none,
                         yv,     s.added,         s.gain};
    RUN_OP(w, norm, &args, n * (4 + pl_dtype_bytes(w->type)), 0);
    if (!w->timing) {
        float *got = fetch_numbers(w, pl_view_rows(yv, 0, s.rows));
        check(w, &s, x, weight, bias, before, got);
        check_guards(w, yv);
        check_untouched(w, yv, s.rows);
        free(got);
    }
    RELEASE(w, &xv, &counts, &other, &wv, &bv);
    free(x);
    free(weight);
    free(bias);
    free(before);
}

static const case_table table = {.op = "norm", .n = SHAPES + EDGES, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
