/* rotary_backward: the transpose of the rotation, in double precision; and what makes it the transpose, the op and its
 * backward op give <R x, dy> = <x, R^T dy>. Bound: three roundings, 4 2^-24 (|a| + |b|), and what
 * storing a result adds. */
#include "gradient.h"

enum { POSITIONS = 40 };

typedef struct shape {
    size_t rows, H, G, D, width;
    bool interleaved;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 1, 2, 2, false, EVERY},        {5, 4, 2, 64, 64, false, EVERY}, {7, 3, 1, 80, 20, false, EVERY},
    {6, 4, 4, 16, 8, true, EVERY},        {3, 2, 1, 10, 0, false, EVERY},  {0, 2, 1, 8, 8, false, EVERY},
    {66, 4, 2, 64, 64, true, EVERY},      {3, 1, 1, 33, 6, false, EVERY},  {3, 3, 1, 17, 14, true, EVERY},
    {1024, 12, 12, 64, 64, false, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static case_use describe(size_t i, char text[128])
{
    const shape *s = &shapes[i];
    snprintf(text, 128, "%zu rows, H %zu, G %zu, D %zu, width %zu%s", s->rows, s->H, s->G, s->D, s->width,
             s->interleaved ? " interleaved" : "");
    return s->use;
}

static void check(const world *w, const shape *s, const float *dy, const int32_t *positions, const float *cosine,
                  const float *sine, float *got)
{
    size_t columns = (s->H + 2 * s->G) * s->D, n = s->rows * columns, half = s->width / 2;
    double *expected = (double *)malloc((n + 1) * sizeof(double)), *bound = (double *)malloc((n + 1) * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        expected[i] = (double)dy[i];
        bound[i] = ldexp(fabs((double)dy[i]), -23);
    }
    for (size_t k = 0; half && k < s->rows * (s->H + s->G) * half; k++) {
        size_t r = k / ((s->H + s->G) * half), j = k % ((s->H + s->G) * half), at = j % half;
        size_t head = r * columns + j / half * s->D, table = (size_t)positions[r] * half + at;
        size_t a = head + (s->interleaved ? 2 * at : at), b = head + (s->interleaved ? 2 * at + 1 : at + half);
        double c = (double)cosine[table], t = (double)sine[table];
        expected[a] = (double)dy[a] * c + (double)dy[b] * t;
        expected[b] = (double)dy[b] * c - (double)dy[a] * t;
        bound[a] = ldexp(4.0 * (fabs((double)dy[a] * c) + fabs((double)dy[b] * t)), -24) + stored(expected[a], w->type);
        bound[b] = ldexp(4.0 * (fabs((double)dy[b] * c) + fabs((double)dy[a] * t)), -24) + stored(expected[b], w->type);
    }
    check_close("rotary_backward", got, expected, bound, n);
    free(expected);
    free(bound);
}

static double product(const float *x, const float *y, size_t n, double *size)
{
    double sum = 0;
    *size = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)y[i];
        *size += fabs((double)x[i] * (double)y[i]);
    }
    return sum;
}

static void run(const world *w, size_t k)
{
    enum { SPARE = 2 };
    const shape *s = &shapes[k];
    size_t columns = (s->H + 2 * s->G) * s->D, n = s->rows * columns, half = s->width / 2;
    float *x = normals(n, 1, 1.0), *dy = normals(n, 4, 1.0), *cosine = normals(POSITIONS * (half + 1), 2, 1.0),
          *sine = normals(POSITIONS * (half + 1), 3, 1.0);
    representable(x, n, w->type);
    representable(dy, n, w->type);
    int32_t *turns = (int32_t *)malloc((s->rows + SPARE) * 4), *positions = (int32_t *)malloc((s->rows + SPARE) * 4);
    for (size_t r = 0; r < s->rows + SPARE; r++) {
        turns[r] = r < s->rows ? (int32_t)((r * 17 + 39) % POSITIONS) : -1;
        positions[r] = k % 2 ? (int32_t)r : turns[r]; /* every other case has rows that are not its positions */
    }
    pl_view xv = numbers(w, s->rows, SPARE, columns, w->type, x),
            dyv = numbers(w, s->rows, SPARE, columns, w->type, dy);
    pl_view cv = guarded(w, POSITIONS, half, PL_F32, cosine), sv = guarded(w, POSITIONS, half, PL_F32, sine);
    pl_batch batch = {.counts = counts_of(w, s->rows), .positions = ints(w, s->rows + SPARE, positions)};
    if (k % 2) batch.turns = ints(w, s->rows + SPARE, turns);
    pl_rotary_args forward = {&batch, s->H, s->G, s->D, s->width, s->interleaved, cv, sv, xv};
    pl_rotary_backward_args args = forward;
    args.qkv = dyv;
    must(pl_op_rotary(&w->processor, w->stream, &forward));
    RUN_OP(w, rotary_backward, &args, 2 * s->rows * (s->H + s->G) * s->width * pl_dtype_bytes(w->type), 0);
    if (!w->timing) {
        double size, other;
        float *turned = fetch_numbers(w, pl_view_rows(xv, 0, s->rows)),
              *got = fetch_numbers(w, pl_view_rows(dyv, 0, s->rows));
        check(w, s, dy, turns, cosine, sine, got);
        const double forth = product(turned, dy, n, &size), back = product(x, got, n, &other);
        const double unit =
            ldexp(8.0, -24) + (pl_dtype_bytes(w->type) == 2 ? ldexp(1.0, -fraction_bits(w->type)) : 0.0);
        assert_true(fabs(forth - back) <= unit * (size + other));
        same_bits("dqkv", got, n * sizeof *got);
        check_guards(w, dyv);
        check_untouched(w, dyv, s->rows);
        free(turned);
        free(got);
    }
    RELEASE(w, &xv, &dyv, &cv, &sv, &batch.counts, &batch.positions, &batch.turns);
    free(x);
    free(dy);
    free(cosine);
    free(sine);
    free(turns);
    free(positions);
}

static const case_table table = {.op = "rotary_backward", .n = SHAPES, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
