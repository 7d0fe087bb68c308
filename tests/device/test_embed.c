/* embed: table types, scale, position table with offset. Bound: one rounding a step, 2 2^-24 of the parts. */
#include "cases.h"

enum { V = 37, P = 50, OFFSET = 2 };

typedef struct shape {
    size_t rows, C;
    pl_dtype table, position_table;
    bool positions;
    float scale;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, PL_F32, PL_F32, true, 1.0f, EVERY},     {9, 768, PL_F32, PL_F32, true, 1.0f, EVERY},
    {13, 257, PL_BF16, PL_F32, true, 1.0f, EVERY}, {20, 65, PL_BF16, PL_F32, false, 8.0f, EVERY},
    {5, 300, PL_F16, PL_F16, true, 1.0f, EVERY},   {70, 24, PL_BF16, PL_BF16, true, 2.0f, EVERY},
    {0, 8, PL_F32, PL_F32, false, 1.0f, EVERY},    {3, 1030, PL_F16, PL_F32, false, 5.5f, EVERY},
    {8192, 768, PL_F32, PL_F32, true, 1, BENCH},   {8192, 4096, PL_BF16, PL_F32, false, 1, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    const pl_dtype types[] = {PL_F32, PL_BF16, PL_F16};
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){1 + i % 5, edge_sizes[i], types[i % 3], types[i / 3 % 3], i % 2, i % 4 ? 1.0f : 3.0f, EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] %s * %g%s%s", s.rows, s.C, pl_dtype_name(s.table), (double)s.scale,
             s.positions ? " + positions " : "", s.positions ? pl_dtype_name(s.position_table) : "");
    return s.use;
}

static void check(const world *w, const shape *s, const pl_embed_args *args, const float *table,
                  const float *position_table, const int32_t *tokens, const int32_t *positions)
{
    size_t n = s->rows * s->C;
    double *expected = (double *)malloc((n + 1) * sizeof(double)), *bound = (double *)malloc((n + 1) * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        size_t r = i / s->C, c = i % s->C;
        double x = (double)table[(size_t)tokens[r] * s->C + c] * (double)s->scale, p = 0;
        if (s->positions) p = (double)position_table[((size_t)positions[r] + OFFSET) * s->C + c];
        expected[i] = x + p;
        bound[i] = ldexp(2.0 * (fabs(x) + fabs(p)) + 1e-6, -24);
    }
    float *got = fetch_numbers(w, pl_view_rows(args->x, 0, s->rows));
    check_close("embed", got, expected, bound, n);
    check_guards(w, args->x);
    check_untouched(w, args->x, s->rows);
    free(got);
    free(expected);
    free(bound);
}

static void run(const world *w, size_t k)
{
    enum { SPARE = 2 };
    shape s = shape_of(k);
    float *table = normals(V * s.C, 1, 1.0), *position_table = normals(P * s.C, 2, 0.1);
    representable(table, V * s.C, s.table);
    representable(position_table, P * s.C, s.position_table);
    int32_t *tokens = (int32_t *)malloc((s.rows + SPARE) * 4), *positions = (int32_t *)malloc((s.rows + SPARE) * 4);
    for (size_t r = 0; r < s.rows + SPARE; r++) { /* ids that do not exist past the count */
        tokens[r] = r >= s.rows ? -1 : r == 0 ? V - 1 : (int32_t)(r * 5 % V);
        positions[r] = r >= s.rows ? -1 : r == 0 ? P - OFFSET - 1 : (int32_t)(r % (P - OFFSET));
    }
    pl_view tv = numbers(w, V, 0, s.C, s.table, table), none = {0};
    pl_view pv = numbers(w, P, 0, s.C, s.position_table, position_table);
    pl_view xv = guarded(w, s.rows + SPARE, s.C, PL_F32, NULL);
    pl_batch batch = {.counts = counts_of(w, s.rows),
                      .tokens = ints(w, s.rows + SPARE, tokens),
                      .positions = ints(w, s.rows + SPARE, positions)};
    pl_embed_args args = {&batch, tv, s.positions ? pv : none, OFFSET, s.scale, xv};
    RUN_OP(w, embed, &args, s.rows * s.C * (4 + pl_dtype_bytes(s.table)), 0);
    if (!w->timing) check(w, &s, &args, table, position_table, tokens, positions);
    if (!w->timing && !w->cuda && s.rows) { /* an id past the table is an error, not a read outside */
        tokens[s.rows - 1] = V;
        send(w, batch.tokens, tokens);
        assert_int_equal(pl_op_embed(&w->processor, w->stream, &args), PL_E_INTERNAL);
        assert_non_null(strstr(pl_error_text(), "embed: tokens"));
    }
    RELEASE(w, &tv, &pv, &xv, &batch.counts, &batch.tokens, &batch.positions);
    free(table);
    free(position_table);
    free(tokens);
    free(positions);
}

static const case_table table_of_cases = {
    .op = "embed", .n = SHAPES + EDGES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table_of_cases)};
    return CASES_MAIN(argc, argv, &table_of_cases, tests);
}
