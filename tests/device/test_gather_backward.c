/* gather_backward: exact, one addition an element; rows that are not named stay as they are. */
#include "gradient.h"

typedef struct shape {
    size_t n, N, C;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 1, EVERY}, {7, 20, 33, EVERY}, {0, 3, 8, EVERY}, {65, 70, 300, EVERY}, {8192, 8192, 768, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){1 + i % 5, 11, edge_sizes[i], EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "%zu to [%zu, %zu]", s.n, s.N, s.C);
    return s.use;
}

static void run(const world *w, size_t k)
{
    enum { SPARE = 2 };
    shape s = shape_of(k);
    float *dy = normals(s.n * s.C, 1, 1.0), *dx = normals(s.N * s.C, 2, 1.0);
    int32_t *rows = (int32_t *)malloc((s.n + SPARE) * 4);
    for (size_t i = 0; i < s.n + SPARE; i++) rows[i] = i < s.n ? (int32_t)(s.N - 1 - i) : -1;
    pl_view dyv = guarded_rows(w, s.n, SPARE, s.C, PL_F32, dy), dxv = guarded(w, s.N, s.C, PL_F32, dx);
    pl_view counts = counts_of(w, s.n), rv = ints(w, s.n + SPARE, rows);
    pl_gather_backward_args args = {counts, PL_COUNT_ROWS, rv, dyv, dxv};
    RUN_OP(w, gather_backward, &args, 12 * s.n * s.C, 0);
    if (!w->timing) {
        for (size_t i = 0; i < s.n * s.C; i++) dx[(size_t)rows[i / s.C] * s.C + i % s.C] += dy[i];
        float *got = (float *)fetch(w, dxv);
        assert_memory_equal(got, dx, s.N * s.C * sizeof *got);
        check_guards(w, dxv);
        free(got);
        if (s.n && !w->cuda) {
            rows[0] = (int32_t)s.N;
            send(w, rv, rows);
            assert_int_equal(pl_op_gather_backward(&w->processor, w->stream, &args), PL_E_INTERNAL);
        }
    }
    RELEASE(w, &dyv, &dxv, &counts, &rv);
    free(dy);
    free(dx);
    free(rows);
}

static const case_table table = {
    .op = "gather_backward", .n = SHAPES + EDGES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
