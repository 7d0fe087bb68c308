/* head_norm_backward: dy becomes dx in place in the heads' columns alone; dweight and dbias, which stand behind one
 * another here, are added to. Bounds and what two
 * micro-batches give as in test_norm_backward, and what storing dx adds. */
#include "gradient.h"

typedef struct shape {
    size_t rows, H, D, first, after; /* columns before and after the heads */
    pl_norm_kind kind;
    case_use use;
    bool own, bias; /* own: each head has its own weights */
} shape;

static const shape shapes[] = {
    {1, 1, 1, 0, 0, PL_NORM_RMS, EVERY, false, false},
    {5, 3, 64, 10, 7, PL_NORM_RMS, EVERY, false, false},
    {70, 4, 80, 0, 320, PL_NORM_RMS, EVERY, false, false},
    {7, 2, 33, 66, 0, PL_NORM_RMS_PLUS_ONE, EVERY, false, false},
    {0, 2, 16, 0, 0, PL_NORM_RMS, EVERY, false, false},
    {9, 2, 17, 5, 5, PL_NORM_LAYER, EVERY, false, false},
    {3, 1, 256, 1, 1, PL_NORM_RMS, EVERY, false, false},
    {19, 1, 1500, 4, 8, PL_NORM_RMS, EVERY, false, false},
    {9, 2, 2048, 0, 4, PL_NORM_LAYER, EVERY, false, false},
    {11, 3, 64, 8, 4, PL_NORM_LAYER, EVERY, true, false},
    {13, 2, 17, 3, 1, PL_NORM_LAYER, EVERY, true, true},
    {10, 4, 32, 0, 8, PL_NORM_LAYER, EVERY, false, true},
    {1024, 16, 128, 0, 2048, PL_NORM_RMS, BENCH, false, false},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static case_use describe(size_t i, char text[128])
{
    const shape *s = &shapes[i];
    snprintf(text, 128, "%zu rows, H %zu, D %zu from column %zu, kind %d", s->rows, s->H, s->D, s->first, (int)s->kind);
    return s->use;
}

/* One head of one row in double precision: x, weight; dy from outside. */
typedef struct head {
    const shape *s;
    double *x, *weight;
    const float *dy;
} head;

static double factor(const head *p, size_t i)
{
    return (p->s->kind == PL_NORM_RMS_PLUS_ONE ? 1.0 : 0.0) + p->weight[i];
}

static void moments(const head *p, double *mean, double *scale)
{
    long double sum = 0, square = 0;
    for (size_t i = 0; i < p->s->D && p->s->kind == PL_NORM_LAYER; i++) sum += (long double)p->x[i];
    sum /= (long double)p->s->D;
    for (size_t i = 0; i < p->s->D; i++) square += ((long double)p->x[i] - sum) * ((long double)p->x[i] - sum);
    *mean = (double)sum;
    *scale = (double)(1.0L / sqrtl(square / (long double)p->s->D + (long double)1e-6f));
}

static double loss(void *context)
{
    const head *p = (const head *)context;
    double mean, scale, sum = 0;
    moments(p, &mean, &scale);
    for (size_t i = 0; i < p->s->D; i++) sum += (double)p->dy[i] * factor(p, i) * (p->x[i] - mean) * scale;
    return sum;
}

/* dx of one head and what it adds to dweight, with bounds. */
static void solve(const head *p, pl_dtype type, double *dx, double *bound, double *dweight, double *dweight_bound)
{
    const size_t D = p->s->D;
    double mean, scale, level = 0, slant = 0;
    moments(p, &mean, &scale);
    for (size_t i = 0; i < D; i++) {
        level += (double)p->dy[i] * factor(p, i);
        slant += (double)p->dy[i] * factor(p, i) * (p->x[i] - mean) * scale;
    }
    level = p->s->kind == PL_NORM_LAYER ? level / (double)D : 0;
    slant /= (double)D;
    for (size_t i = 0; i < D; i++) {
        const double g = (double)p->dy[i] * factor(p, i), z = (p->x[i] - mean) * scale;
        dx[i] = scale * (g - level - z * slant);
        bound[i] = ldexp(8.0 * scale * (fabs(g) + fabs(level) + fabs(z * slant)) + 1e-9, -24) + stored(dx[i], type);
        dweight[i] += (double)p->dy[i] * z;
        dweight_bound[i] += fabs((double)p->dy[i] * z);
    }
}

/* Weights of one head or of each, then a bias. */
static size_t parameters_of(const shape *s)
{
    return ((s->own ? s->H : 1) + 1) * s->D;
}

static void check(const world *w, const shape *s, const float *x, const float *weight, const float *dy,
                  const float *before, float *got, float *got_weight)
{
    const size_t columns = s->first + s->H * s->D + s->after, n = s->rows * columns, D = s->D;
    const size_t all = parameters_of(s);
    double *dx = (double *)malloc((n + 1) * sizeof *dx), *bound = (double *)malloc((n + 1) * sizeof *bound);
    double *sum = (double *)malloc(all * sizeof *sum), *size = (double *)malloc(all * sizeof *size);
    head p = {s, (double *)malloc(D * sizeof(double)), (double *)malloc(D * sizeof(double)), NULL};
    for (size_t i = 0; i < n; i++) dx[i] = (double)dy[i], bound[i] = 1e-30 + ldexp(fabs(dx[i]), -24);
    for (size_t i = 0; i < all; i++) {
        sum[i] = (double)before[i];
        size[i] = fabs(sum[i]);
    }
    for (size_t k = 0; k < s->rows * s->H; k++) {
        const size_t at = k / s->H * columns + s->first + k % s->H * D;
        const size_t of = s->own ? k % s->H * D : 0; /* its weights */
        for (size_t i = 0; i < D; i++) {
            p.x[i] = (double)x[at + i];
            p.weight[i] = (double)weight[of + i];
            if (!s->bias) continue;
            sum[all - D + i] += (double)dy[at + i];
            size[all - D + i] += fabs((double)dy[at + i]);
        }
        p.dy = dy + at;
        solve(&p, w->type, dx + at, bound + at, sum + of, size + of);
        if (k < 2) check_slope("dx", loss, &p, &p.x[D / 2], dx[at + D / 2]);
    }
    for (size_t i = 0; i < all; i++) size[i] = ldexp(((double)(s->rows * s->H) + 4.0) * size[i] + 1e-9, -24);
    check_close("dx", got, dx, bound, n);
    check_close("dweight and dbias", got_weight, sum, size, all);
    for (size_t i = 0; i < n; i++) { /* other columns are as they were */
        const size_t c = i % columns;
        if (c < s->first || c >= s->first + s->H * D) assert_memory_equal(&got[i], &dy[i], sizeof *got);
    }
    free(dx);
    free(bound);
    free(sum);
    free(size);
    free(p.x);
    free(p.weight);
}

/* Rows [from, to) as one micro-batch: their dy and dweight are changed. */
static void run_rows(const world *w, const shape *s, const float *x, const float *weight, size_t from, size_t to,
                     float *dy, float *dweight)
{
    enum { SPARE = 2 };
    const size_t columns = s->first + s->H * s->D + s->after, rows = to - from;
    pl_batch batch = {.counts = counts_of(w, rows)};
    pl_view xv = numbers(w, rows, SPARE, columns, w->type, x + from * columns);
    pl_view dyv = numbers(w, rows, SPARE, columns, w->type, dy + from * columns);
    const size_t n_weights = s->own ? s->H : 1;
    pl_view wv = guarded(w, n_weights, s->D, PL_F32, weight), dwv = guarded(w, n_weights, s->D, PL_F32, dweight);
    pl_view dbv = guarded(w, 1, s->D, PL_F32, dweight + n_weights * s->D), none = {0};
    pl_view workspace = workspace_of(w, w->processor.ops->head_norm_backward_workspace_bytes(rows + SPARE, s->H, s->D));
    pl_head_norm_backward_args args = {.batch = &batch,
                                       .kind = s->kind,
                                       .eps = 1e-6f,
                                       .n_heads = s->H,
                                       .head_width = s->D,
                                       .first_column = s->first,
                                       .weight = wv,
                                       .x = xv,
                                       .dy = dyv,
                                       .dweight = dwv,
                                       .dbias = s->bias ? dbv : none,
                                       .workspace = workspace};
    RUN_OP(w, head_norm_backward, &args, 3 * rows * s->H * s->D * pl_dtype_bytes(w->type), 0);
    float *got = fetch_numbers(w, pl_view_rows(dyv, 0, rows)), *got_weight = fetch_numbers(w, dwv);
    float *got_bias = fetch_numbers(w, dbv);
    memcpy(dy + from * columns, got, rows * columns * sizeof *got);
    memcpy(dweight, got_weight, n_weights * s->D * sizeof *got);
    memcpy(dweight + n_weights * s->D, got_bias, s->D * sizeof *got);
    check_guards(w, dyv);
    check_guards(w, dwv);
    check_guards(w, dbv);
    check_guards(w, workspace);
    check_untouched(w, dyv, rows);
    RELEASE(w, &batch.counts, &xv, &dyv, &wv, &dwv, &dbv, &workspace);
    free(got);
    free(got_weight);
    free(got_bias);
}

static void run(const world *w, size_t k)
{
    const shape *s = &shapes[k];
    const size_t n = s->rows * (s->first + s->H * s->D + s->after), all = parameters_of(s);
    float *x = normals(n, 1, 1.0), *weight = normals(all, 2, 1.0), *dy = normals(n, 3, 1.0);
    float *before = normals(all, 4, 1.0), *once = normals(n, 3, 1.0), *once_weight = normals(all, 4, 1.0);
    representable(x, n, w->type);
    representable(dy, n, w->type);
    representable(once, n, w->type);
    run_rows(w, s, x, weight, 0, s->rows, once, once_weight);
    if (!w->timing) {
        float *twice = normals(n, 3, 1.0), *twice_weight = normals(all, 4, 1.0);
        representable(twice, n, w->type);
        check(w, s, x, weight, dy, before, once, once_weight);
        same_bits("dx", once, n * sizeof *once);
        same_bits("dweight and dbias", once_weight, all * sizeof *once);
        run_rows(w, s, x, weight, 0, s->rows / 3, twice, twice_weight);
        run_rows(w, s, x, weight, s->rows / 3, s->rows, twice, twice_weight);
        assert_memory_equal(once, twice, n * sizeof *once);
        if (w->cuda)
            check(w, s, x, weight, dy, before, twice, twice_weight);
        else
            assert_memory_equal(once_weight, twice_weight, all * sizeof *once);
        free(twice);
        free(twice_weight);
    }
    free(x);
    free(weight);
    free(dy);
    free(before);
    free(once);
    free(once_weight);
}

static const case_table table = {.op = "head_norm_backward", .n = SHAPES, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), PORTABLE(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
