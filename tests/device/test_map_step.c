/* map_step: one step against double precision, and the same step behind another, so that gains and updates are used.
 *
 * A gradient is a float32 sum of a row's terms, each with eight roundings, less a force with three: its bound is that
 * share of the sizes of what is added. Where it is nearer to 0 than its bound, its sign, and so the gain, is either.
 * A step is off by its gradient's bound times rate and gain, and by its own roundings; the length of 5 makes no more of
 * it. */
#include "gradient.h"

typedef struct shape {
    size_t n, neighbours; /* neighbours: of a point, less where they come to be the point itself */
    double extent, exaggeration;
    case_use use;
} shape;

static const shape shapes[] = {
    {2, 1, 1.0, 1.0, EVERY},      {3, 2, 1e-4, 12.0, EVERY},     {31, 5, 10.0, 1.0, EVERY},
    {65, 16, 0.01, 12.0, EVERY},  {130, 40, 300.0, 4.0, EVERY},  {300, 17, 30.0, 1.0, EVERY},
    {3000, 90, 40.0, 1.0, LARGE}, {10000, 96, 80.0, 1.0, BENCH}, {70000, 96, 150.0, 1.0, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static case_use describe(size_t i, char text[128])
{
    const shape *s = &shapes[i];
    snprintf(text, 128, "%zu points, %zu neighbours, extent %g, exaggeration %g", s->n, s->neighbours, s->extent,
             s->exaggeration);
    return s->use;
}

typedef struct rows {
    int32_t *start, *column;
    float *value;
    size_t entries;
} rows;

/* Rows of different lengths, some empty, filled up with the point itself; the values of all add up to about 1. */
static rows rows_create(const shape *s)
{
    const size_t n = s->n, most = (s->neighbours + PL_MAP_STEP_ROW - 1) / PL_MAP_STEP_ROW * PL_MAP_STEP_ROW;
    rows r = {.start = calloc(n + 1, sizeof *r.start),
              .column = calloc(n * most, sizeof *r.column),
              .value = calloc(n * most, sizeof *r.value)};
    for (size_t i = 0; i < n; i++) {
        const size_t own = n < 4 || i % 11 ? s->neighbours - i % (s->neighbours > 3 ? 3 : 1) : 0;
        for (size_t k = 0; k < own; k++) {
            const size_t other = (i + 1 + (k * k + 3 * k) / 2 * 7) % n;
            r.column[r.entries + k] = (int32_t)other;
            r.value[r.entries + k] = other == i
                                         ? 0.0f
                                         : (float)((0.5 + pl_random_uniform(7, PL_RANDOM_TEST, 5, r.entries + k)) /
                                                   (double)(n * s->neighbours));
        }
        const size_t whole = (own + PL_MAP_STEP_ROW - 1) / PL_MAP_STEP_ROW * PL_MAP_STEP_ROW;
        for (size_t k = own; k < whole; k++) r.column[r.entries + k] = (int32_t)i;
        r.entries += whole;
        r.start[i + 1] = (int32_t)r.entries;
    }
    return r;
}

static void rows_free(rows *r)
{
    free(r->start);
    free(r->column);
    free(r->value);
}

/* What the map was. */
typedef struct place {
    float *y, *update, *gain, *force;
    double z;
} place;

/* g[2] and its bound[2] */
static void gradient_of(double g[2], double bound[2], const shape *s, const rows *r, const place *was, size_t i)
{
    const double terms = (double)(r->start[i + 1] - r->start[i]);
    for (size_t c = 0; c < 2; c++) {
        double pull = 0.0, size = 0.0;
        for (int32_t at = r->start[i]; at < r->start[i + 1]; at++) {
            const size_t j = (size_t)r->column[at];
            const double dx = (double)was->y[2 * i] - (double)was->y[2 * j],
                         dy = (double)was->y[2 * i + 1] - (double)was->y[2 * j + 1];
            const double term = (double)r->value[at] * (c ? dy : dx) / (1.0 + dx * dx + dy * dy);
            pull += term;
            size += fabs(term);
        }
        const double push = (double)was->force[2 * i + c] / was->z;
        g[c] = s->exaggeration * pull - push;
        bound[c] = ldexp(s->exaggeration * size * (10.0 + terms / 16.0) + 4.0 * fabs(push) + fabs(g[c]), -24);
    }
}

static int sign_of(double x)
{
    return (x > 0.0) - (x < 0.0);
}

/* The gain that belongs to g: where its sign is in doubt, that one of two that was taken. */
static double gain_of(double g, double bound, double update, double gain, double taken)
{
    const double same = gain * 0.8 + 0.01, other = gain + 0.2;
    if (fabs(g) <= bound) return fabs(taken - same) < fabs(taken - other) ? same : other;
    return sign_of(g) == sign_of(update) ? same : other;
}

static void check(const shape *s, const rows *r, const place *was, const place *now, const double mean[2])
{
    const size_t n = s->n;
    const double rate = (double)n / s->exaggeration;
    double *y = calloc(2 * n, sizeof *y), *update = calloc(2 * n, sizeof *update), *gain = calloc(2 * n, sizeof *gain);
    double *bound = calloc(2 * n, sizeof *bound), *gain_bound = calloc(2 * n, sizeof *gain_bound), sum[2] = {0};
    double off[2] = {0};
    for (size_t i = 0; i < n; i++) {
        double g[2], g_bound[2];
        gradient_of(g, g_bound, s, r, was, i);
        for (size_t c = 0; c < 2; c++) {
            const size_t at = 2 * i + c;
            const double before = (double)was->update[at];
            gain[at] = gain_of(g[c], g_bound[c], before, (double)was->gain[at], (double)now->gain[at]);
            gain_bound[at] = ldexp(gain[at] + 0.01, -23);
            update[at] = 0.8 * before - rate * gain[at] * g[c];
            bound[at] =
                rate * gain[at] * g_bound[c] + ldexp(4.0 * fabs(before) + 6.0 * rate * gain[at] * fabs(g[c]), -24);
        }
        const double length = hypot(update[2 * i], update[2 * i + 1]), both = bound[2 * i] + bound[2 * i + 1];
        for (size_t c = 0; c < 2; c++) {
            const size_t at = 2 * i + c;
            if (length > 5.0) update[at] *= 5.0 / length;
            if (length > 5.0) bound[at] = both * 5.0 / length;
            bound[at] += ldexp(8.0 * fabs(update[at]), -24);
            y[at] = (double)was->y[at] + update[at];
            sum[c] += y[at];
            off[c] += bound[at];
        }
    }
    check_close("update", now->update, update, bound, 2 * n);
    check_close("gain", now->gain, gain, gain_bound, 2 * n);
    for (size_t c = 0; c < 2; c++) {
        const double share = (off[c] + ldexp(fabs(sum[c]) + 1.0, -24)) / (double)n + ldexp(s->extent, -24);
        if (!(fabs(mean[c] - sum[c] / (double)n) <= share))
            fail_case("mean %zu is %.9g, expected %.9g", c, mean[c], sum[c] / (double)n);
        for (size_t i = c; i < 2 * n; i += 2) {
            bound[i] += share + ldexp(2.0 * fabs(y[i]) + fabs(mean[c]), -24);
            y[i] -= sum[c] / (double)n;
        }
    }
    check_close("y", now->y, y, bound, 2 * n);
    free(gain_bound);
    free(bound);
    free(gain);
    free(update);
    free(y);
}

static place fetch_place(const world *w, const pl_map_step_args *a)
{
    double *z = fetch(w, a->z);
    const place p = {fetch(w, a->y), fetch(w, a->update), fetch(w, a->gain), fetch(w, a->force), *z};
    free(z);
    return p;
}

static void place_free(place *p)
{
    free(p->y);
    free(p->update);
    free(p->gain);
    free(p->force);
}

static void take_step(const world *w, const shape *s, const rows *r, const pl_map_step_args *a)
{
    place was = fetch_place(w, a);
    must(pl_op_map_step(&w->processor, w->stream, a));
    place now = fetch_place(w, a);
    double *mean = fetch(w, a->mean);
    check(s, r, &was, &now, mean);
    same_bits("y", now.y, 2 * s->n * sizeof *now.y);
    same_bits("update", now.update, 2 * s->n * sizeof *now.update);
    same_bits("gain", now.gain, 2 * s->n * sizeof *now.gain);
    free(mean);
    place_free(&now);
    place_free(&was);
}

static void run(const world *w, size_t k)
{
    const shape *s = &shapes[k];
    const size_t n = s->n;
    char name[256];
    rows r = rows_create(s);
    float *y = normals(2 * n, 1, s->extent / 4.0), *force = normals(2 * n, 2, s->extent / 40.0);
    float *ones = (float *)malloc(2 * n * sizeof *ones), *zeros = (float *)calloc(2 * n, sizeof *zeros);
    const double z = (double)n * 3.0;
    for (size_t i = 0; i < 2 * n; i++) ones[i] = 1.0f;
    pl_map_step_args a = {.start = ints(w, n + 1, r.start),
                          .column = ints(w, r.entries, r.column),
                          .value = guarded(w, 1, r.entries, PL_F32, r.value),
                          .force = guarded(w, 1, 2 * n, PL_F32, force),
                          .z = guarded(w, 1, 1, PL_F64, &z),
                          .exaggeration = s->exaggeration,
                          .y = guarded(w, 1, 2 * n, PL_F32, y),
                          .update = guarded(w, 1, 2 * n, PL_F32, zeros),
                          .gain = guarded(w, 1, 2 * n, PL_F32, ones),
                          .mean = guarded(w, 1, 2, PL_F64, NULL),
                          .workspace = workspace_of(w, w->processor.ops->map_step_workspace_bytes(n))};
    if (w->timing) {
        RUN_OP(w, map_step, &a, 16 * r.entries + 56 * n, 0);
    } else {
        snprintf(name, sizeof name, "%s", current_case);
        take_step(w, s, &r, &a);
        snprintf(current_case, sizeof current_case, "%.200s, the next", name);
        take_step(w, s, &r, &a);
        snprintf(current_case, sizeof current_case, "%s", name);
        pl_view *written[] = {&a.y, &a.update, &a.gain, &a.mean, &a.workspace};
        for (size_t i = 0; i < sizeof written / sizeof *written; i++) check_guards(w, *written[i]);
    }
    RELEASE(w, &a.start, &a.column, &a.value, &a.force, &a.z, &a.y, &a.update, &a.gain, &a.mean, &a.workspace);
    free(zeros);
    free(ones);
    free(force);
    free(y);
    rows_free(&r);
}

static const case_table table = {.op = "map_step", .n = SHAPES, .f32_only = true, .describe = describe, .run = run};

/* One point that is not finite makes the mean so; on the CPU rows that are wrong are refused. */
static void test_refusals(void **state)
{
    (void)state;
    world w = world_open(1);
    w.compute = w.type = PL_F32;
    const int32_t start[3] = {0, 16, 16}, column[16] = {1};
    const float value[16] = {0.5f}, y[4] = {NAN, 0, 1, 1}, ones[4] = {1, 1, 1, 1}, zeros[4] = {0};
    const double z = 1.0;
    pl_map_step_args a = {.start = ints(&w, 3, start),
                          .column = ints(&w, 16, column),
                          .value = guarded(&w, 1, 16, PL_F32, value),
                          .force = guarded(&w, 1, 4, PL_F32, zeros),
                          .z = guarded(&w, 1, 1, PL_F64, &z),
                          .exaggeration = 1.0,
                          .y = guarded(&w, 1, 4, PL_F32, y),
                          .update = guarded(&w, 1, 4, PL_F32, zeros),
                          .gain = guarded(&w, 1, 4, PL_F32, ones),
                          .mean = guarded(&w, 1, 2, PL_F64, NULL),
                          .workspace = workspace_of(&w, w.processor.ops->map_step_workspace_bytes(2))};
    must(pl_op_map_step(&w.processor, w.stream, &a));
    double *mean = fetch(&w, a.mean);
    assert_true(isnan(mean[0]));
    free(mean);
    const int32_t outside[16] = {2}, ragged[3] = {0, 15, 16}, negative[16] = {-1};
    if (!w.cuda) {
        send(&w, a.column, outside);
        assert_int_equal(pl_op_map_step(&w.processor, w.stream, &a), PL_E_INTERNAL);
        send(&w, a.column, negative);
        assert_int_equal(pl_op_map_step(&w.processor, w.stream, &a), PL_E_INTERNAL);
        send(&w, a.column, column);
        send(&w, a.start, ragged);
        assert_int_equal(pl_op_map_step(&w.processor, w.stream, &a), PL_E_INTERNAL);
    }
    pl_view odd = a.y;
    odd.columns = 3;
    a.y = odd;
    assert_int_equal(pl_op_map_step(&w.processor, w.stream, &a), PL_E_INTERNAL);
    a.y.columns = 4;
    RELEASE(&w, &a.start, &a.column, &a.value, &a.force, &a.z, &a.y, &a.update, &a.gain, &a.mean, &a.workspace);
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), cmocka_unit_test(test_refusals), PORTABLE(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
