/* reduce_lanes: exact, lanes are added from left to right. In another order these numbers give other bits. */
#include "gradient.h"

typedef struct shape {
    size_t lanes, n;
    bool accumulate;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, false, EVERY},     {1, 33, true, EVERY},   {2, 4096, false, EVERY},    {3, 4097, true, EVERY},
    {4, 20001, false, EVERY}, {8, 9000, true, EVERY}, {4, 1 << 22, false, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){1 + i % 5, edge_sizes[i], i % 2, EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "%zu lanes of %zu%s", s.lanes, s.n, s.accumulate ? " more" : "");
    return s.use;
}

static void run(const world *w, size_t k)
{
    shape s = shape_of(k);
    float *lanes = normals(s.lanes * s.n, 1, 1.0), *sum = normals(s.n, 2, 1.0);
    pl_view lv = guarded(w, s.lanes, s.n, PL_F32, lanes), sv = guarded(w, 1, s.n, PL_F32, s.accumulate ? sum : NULL);
    pl_reduce_lanes_args args = {s.accumulate, lv, sv};
    RUN_OP(w, reduce_lanes, &args, 4 * (s.lanes + 1) * s.n, 0);
    if (!w->timing) {
        size_t other_order = 0;
        for (size_t i = 0; i < s.n; i++) {
            float back = s.accumulate ? sum[i] : 0.0f;
            for (size_t lane = s.lanes; lane-- > 0;) back += lanes[lane * s.n + i];
            if (!s.accumulate) sum[i] = lanes[i];
            for (size_t lane = s.accumulate ? 0 : 1; lane < s.lanes; lane++) sum[i] += lanes[lane * s.n + i];
            other_order += back != sum[i];
        }
        if (s.lanes > 2 && s.n > 100) assert_true(other_order > 0);
        float *got = (float *)fetch(w, sv);
        assert_memory_equal(got, sum, s.n * sizeof *got);
        check_guards(w, sv);
        free(got);
    }
    RELEASE(w, &lv, &sv);
    free(lanes);
    free(sum);
}

static const case_table table = {
    .op = "reduce_lanes", .n = SHAPES + EDGES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
