/* gather: rows are copied bit by bit, NaN and -0 included; rows that no slot names stay as they are. */
#include "cases.h"

typedef struct shape {
    size_t n, N, C;
    bool with_slots;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 1, false, EVERY},    {7, 20, 33, true, EVERY},     {16, 5, 768, true, EVERY},
    {16, 40, 5, false, EVERY},  {0, 3, 8, true, EVERY},       {65, 70, 9, true, EVERY},
    {3, 4, 5000, false, EVERY}, {300, 200, 300, true, LARGE}, {8192, 8192, 4096, true, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){1 + i % 5, 11, edge_sizes[i], i % 2, EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "%zu of [%zu, %zu]%s", s.n, s.N, s.C, s.with_slots ? " to slots" : "");
    return s.use;
}

static void check(const world *w, const shape *s, pl_view y, const float *x, const int32_t *rows, const int32_t *slots)
{
    float *got = (float *)fetch(w, y);
    for (size_t i = 0; i < s->n; i++) {
        assert_memory_equal(got + (size_t)slots[i] * s->C, x + (size_t)rows[i] * s->C, s->C * sizeof(float));
    }
    for (size_t slot = 0; slot < y.rows; slot++) { /* slots that were not named: the first, or those past the count */
        bool named = s->with_slots ? slot >= 1 && slot <= s->n : slot < s->n;
        for (size_t c = 0; c < s->C && !named; c++) {
            if (!isnan(got[slot * s->C + c])) fail_case("slot %zu was not named and is written", slot);
        }
    }
    check_guards(w, y);
    free(got);
}

static void run(const world *w, size_t k)
{
    enum { SPARE = 2 };
    shape s = shape_of(k);
    float *x = normals(s.N * s.C, 1, 1.0);
    x[0] = NAN;
    x[s.N * s.C - 1] = -0.0f;
    int32_t *rows = (int32_t *)malloc((s.n + SPARE) * 4), *slots = (int32_t *)malloc((s.n + SPARE) * 4);
    for (size_t i = 0; i < s.n + SPARE; i++) {
        rows[i] = i >= s.n ? -1 : i == 0 ? 0 : (int32_t)(s.N - 1 - (i * 3) % s.N);
        slots[i] = i >= s.n ? -1 : s.with_slots ? (int32_t)(s.n - i) : (int32_t)i;
    }
    pl_view xv = guarded(w, s.N, s.C, PL_F32, x), yv = guarded(w, s.n + SPARE, s.C, PL_F32, NULL), none = {0};
    pl_view counts = counts_of(w, s.n), rv = ints(w, s.n + SPARE, rows), sv = ints(w, s.n + SPARE, slots);
    pl_gather_args args = {counts, PL_COUNT_ROWS, rv, s.with_slots ? sv : none, xv, yv};
    RUN_OP(w, gather, &args, 8 * s.n * s.C, 0);
    if (!w->timing) check(w, &s, yv, x, rows, slots);
    if (!w->timing && !w->cuda && s.n) {
        rows[0] = (int32_t)s.N;
        send(w, rv, rows);
        assert_int_equal(pl_op_gather(&w->processor, w->stream, &args), PL_E_INTERNAL);
    }
    RELEASE(w, &xv, &yv, &counts, &rv, &sv);
    free(x);
    free(rows);
    free(slots);
}

static const case_table table = {
    .op = "gather", .n = SHAPES + EDGES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
