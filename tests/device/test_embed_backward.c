/* embed_backward: exact, since its sums are defined one addition after another in batch order; two micro-batches give
 * the bits of one. */
#include "gradient.h"

enum { V = 37, P = 50, OFFSET = 2 };

typedef struct shape {
    size_t rows, C;
    bool positions;
    float scale;
    int tokens; /* distinct ones */
    case_use use;
    bool padded; /* the last token is padding */
} shape;

static const shape shapes[] = {
    {1, 1, true, 1.0f, 1, EVERY, false},    {9, 768, true, 1.0f, 4, EVERY, false},
    {70, 257, true, 3.0f, V, EVERY, false}, {60, 300, false, 8.0f, 1, EVERY, false},
    {0, 8, true, 1.0f, 1, EVERY, false},    {65, 24, true, 0.5f, 5, EVERY, false},
    {65, 24, true, 0.5f, 5, EVERY, true},   {9, 768, false, 1.0f, 1, EVERY, true},
    {8192, 768, true, 1, V, BENCH, false},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){1 + i % 7, edge_sizes[i], i % 2, i % 4 ? 1.0f : 3.0f, 3, EVERY, false};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] of %d tokens * %g%s%s", s.rows, s.C, s.tokens, (double)s.scale,
             s.positions ? " and positions" : "", s.padded ? ", one of them padding" : "");
    return s.use;
}

/* The rows of each id, ids ascending. */
static void sort_rows(const int32_t *ids, size_t n, int32_t *order, int32_t *starts)
{
    size_t at = 0, segment = 0;
    starts[0] = 0;
    for (int32_t id = 0; id < V + P; id++) {
        const size_t before = at;
        for (size_t r = 0; r < n; r++) {
            if (ids[r] == id) order[at++] = (int32_t)r;
        }
        if (at > before) starts[++segment] = (int32_t)at;
    }
    while (segment < n) starts[++segment] = (int32_t)at;
}

/* Rows [from, to) of the batch are added to both tables. */
static void add_rows(const world *w, const shape *s, const float *dx, const int32_t *tokens, const int32_t *positions,
                     size_t from, size_t to, pl_view table, pl_view position_table)
{
    enum { SPARE = 2 };
    const size_t n = to - from;
    int32_t *order = (int32_t *)malloc((n + 1) * 4), *starts = (int32_t *)malloc((n + 1) * 4);
    pl_batch batch = {.counts = counts_of(w, n)};
    pl_view none = {0}, dxv = guarded_rows(w, n, SPARE, s->C, PL_F32, dx + from * s->C), views[4];
    batch.tokens = guarded(w, 1, n + SPARE, PL_I32, NULL);
    batch.positions = guarded(w, 1, n + SPARE, PL_I32, NULL);
    send(w, pl_view_columns(batch.tokens, 0, n), tokens + from);
    send(w, pl_view_columns(batch.positions, 0, n), positions + from);
    for (int i = 0; i < 2; i++) {
        sort_rows((i ? positions : tokens) + from, n, order, starts);
        views[2 * i] = guarded(w, 1, n + SPARE, PL_I32, NULL);
        views[2 * i + 1] = guarded(w, 1, n + SPARE + 1, PL_I32, NULL);
        send(w, pl_view_columns(views[2 * i], 0, n), order);
        send(w, pl_view_columns(views[2 * i + 1], 0, n + 1), starts);
    }
    pl_embed_backward_args args = {.batch = &batch,
                                   .scale = s->scale,
                                   .position_offset = OFFSET,
                                   .has_padding = s->padded,
                                   .padding = V - 1,
                                   .dx = dxv,
                                   .dtable = table,
                                   .dposition_table = s->positions ? position_table : none,
                                   .order = views[0],
                                   .starts = views[1],
                                   .position_order = views[2],
                                   .position_starts = views[3]};
    RUN_OP(w, embed_backward, &args, 12 * n * s->C, 0);
    if (n > 1 && !w->cuda && !w->timing) { /* segments that lose a row */
        starts[0] = 1;
        send(w, pl_view_columns(views[1], 0, 1), starts);
        assert_int_equal(pl_op_embed_backward(&w->processor, w->stream, &args), PL_E_INTERNAL);
    }
    RELEASE(w, &batch.counts, &batch.tokens, &batch.positions, &dxv, &views[0], &views[1], &views[2], &views[3]);
    free(order);
    free(starts);
}

static void run(const world *w, size_t k)
{
    shape s = shape_of(k);
    float *dx = normals(s.rows * s.C, 1, 1.0), *table = normals(V * s.C, 2, 1.0),
          *other = normals((P + OFFSET) * s.C, 3, 1.0);
    int32_t *tokens = (int32_t *)malloc((s.rows + 1) * 4), *positions = (int32_t *)malloc((s.rows + 1) * 4);
    for (size_t r = 0; r < s.rows; r++) {
        tokens[r] = (int32_t)(r * 31 % (size_t)s.tokens) + V - s.tokens;
        positions[r] = (int32_t)(r % 23 + (r % 2 ? P - 23 : 0));
    }
    pl_view tv = guarded(w, V, s.C, PL_F32, table), pv = guarded(w, P + OFFSET, s.C, PL_F32, other);
    const size_t middle = k % 2 ? s.rows / 3 : 0;
    if (middle) add_rows(w, &s, dx, tokens, positions, 0, middle, tv, pv);
    add_rows(w, &s, dx, tokens, positions, middle, s.rows, tv, pv);
    for (size_t i = 0; i < s.rows * s.C && !w->timing; i++) {
        const size_t r = i / s.C, c = i % s.C;
        if (!s.padded || tokens[r] != V - 1) table[(size_t)tokens[r] * s.C + c] += dx[i] * s.scale;
        if (s.positions) other[((size_t)positions[r] + OFFSET) * s.C + c] += dx[i];
    }
    if (!w->timing) {
        float *got = (float *)fetch(w, tv), *got_other = (float *)fetch(w, pv);
        assert_memory_equal(got, table, V * s.C * sizeof *got);
        assert_memory_equal(got_other, other, (P + OFFSET) * s.C * sizeof *got);
        check_guards(w, tv);
        check_guards(w, pv);
        free(got);
        free(got_other);
    }
    RELEASE(w, &tv, &pv);
    free(dx);
    free(table);
    free(other);
    free(tokens);
    free(positions);
}

static const case_table table_of_cases = {
    .op = "embed_backward", .n = SHAPES + EDGES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table_of_cases)};
    return CASES_MAIN(argc, argv, &table_of_cases, tests);
}
