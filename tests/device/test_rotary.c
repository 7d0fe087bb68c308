/* rotary: both pairings, part of the head's width, values left alone. Bound: three roundings, 4 2^-24 (|a| + |b|). */
#include "cases.h"

enum { POSITIONS = 40 };

typedef struct shape {
    size_t rows, H, G, D, width;
    bool interleaved;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 1, 2, 2, false, EVERY},    {5, 4, 2, 64, 64, false, EVERY},   {7, 3, 1, 80, 20, false, EVERY},
    {6, 4, 4, 16, 8, true, EVERY},    {3, 2, 1, 10, 0, false, EVERY},    {0, 2, 1, 8, 8, false, EVERY},
    {4, 2, 2, 128, 128, true, EVERY}, {3, 1, 1, 33, 6, false, EVERY},    {2, 2, 1, 256, 256, false, EVERY},
    {66, 2, 1, 6, 6, false, EVERY},   {3, 3, 1, 17, 14, true, EVERY},    {5, 5, 5, 9, 2, false, EVERY},
    {2, 12, 4, 31, 30, false, EVERY}, {130, 8, 8, 64, 64, false, LARGE}, {8192, 32, 8, 128, 128, false, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static case_use describe(size_t i, char text[128])
{
    const shape *s = &shapes[i];
    snprintf(text, 128, "%zu rows, H %zu, G %zu, D %zu, width %zu%s", s->rows, s->H, s->G, s->D, s->width,
             s->interleaved ? " interleaved" : "");
    return s->use;
}

static void check(const world *w, const shape *s, const float *x, const int32_t *positions, const float *cosine,
                  const float *sine, float *got)
{
    size_t columns = (s->H + 2 * s->G) * s->D, n = s->rows * columns, half = s->width / 2;
    double *expected = (double *)malloc((n + 1) * sizeof(double)), *bound = (double *)malloc((n + 1) * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        expected[i] = (double)x[i];
        bound[i] = ldexp(fabs((double)x[i]), 1 - fraction_bits(w->type));
        if (i % columns >= (s->H + s->G) * s->D) assert_memory_equal(&got[i], &x[i], 4);
    }
    for (size_t k = 0; half && k < s->rows * (s->H + s->G) * half; k++) {
        size_t r = k / ((s->H + s->G) * half), j = k % ((s->H + s->G) * half), at = j % half;
        size_t head = r * columns + j / half * s->D, table = (size_t)positions[r] * half + at;
        size_t a = head + (s->interleaved ? 2 * at : at), b = head + (s->interleaved ? 2 * at + 1 : at + half);
        double c = (double)cosine[table], t = (double)sine[table];
        expected[a] = (double)x[a] * c - (double)x[b] * t;
        expected[b] = (double)x[b] * c + (double)x[a] * t;
        bound[a] = ldexp(4.0 * (fabs((double)x[a] * c) + fabs((double)x[b] * t)), -24) + stored(expected[a], w->type);
        bound[b] = ldexp(4.0 * (fabs((double)x[b] * c) + fabs((double)x[a] * t)), -24) + stored(expected[b], w->type);
    }
    check_close("rotary", got, expected, bound, n);
    free(expected);
    free(bound);
}

static void run(const world *w, size_t k)
{
    enum { SPARE = 2 };
    const shape *s = &shapes[k];
    size_t columns = (s->H + 2 * s->G) * s->D, n = s->rows * columns, half = s->width / 2;
    float *x = normals(n, 1, 1.0), *cosine = normals(POSITIONS * (half + 1), 2, 1.0),
          *sine = normals(POSITIONS * (half + 1), 3, 1.0);
    representable(x, n, w->type);
    int32_t *turns = (int32_t *)malloc((s->rows + SPARE) * 4), *positions = (int32_t *)malloc((s->rows + SPARE) * 4);
    for (size_t r = 0; r < s->rows + SPARE; r++) {
        turns[r] = r < s->rows ? (int32_t)((r * 17 + 39) % POSITIONS) : -1;
        positions[r] = k % 2 ? (int32_t)r : turns[r]; /* every other case has rows that are not its positions */
    }
    pl_view xv = numbers(w, s->rows, SPARE, columns, w->type, x);
    pl_view cv = guarded(w, POSITIONS, half, PL_F32, cosine), sv = guarded(w, POSITIONS, half, PL_F32, sine);
    pl_batch batch = {.counts = counts_of(w, s->rows), .positions = ints(w, s->rows + SPARE, positions)};
    if (k % 2) batch.turns = ints(w, s->rows + SPARE, turns);
    pl_rotary_args args = {&batch, s->H, s->G, s->D, s->width, s->interleaved, cv, sv, xv};
    RUN_OP(w, rotary, &args, 2 * s->rows * (s->H + s->G) * s->width * pl_dtype_bytes(w->type), 0);
    if (!w->timing) {
        float *got = fetch_numbers(w, pl_view_rows(xv, 0, s->rows));
        check(w, s, x, turns, cosine, sine, got);
        check_guards(w, xv);
        check_untouched(w, xv, s->rows);
        free(got);
    }
    RELEASE(w, &xv, &cv, &sv, &batch.counts, &batch.positions, &batch.turns);
    free(x);
    free(cosine);
    free(sine);
    free(turns);
    free(positions);
}

static const case_table table = {.op = "rotary", .n = SHAPES, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
