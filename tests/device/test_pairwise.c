/* pairwise: exact, one chain of fused multiply-adds over the features a product, on every device; in another order
 * these numbers give other bits. Rows with themselves are symmetric to the bit. */
#include "gradient.h"

typedef struct shape {
    size_t n, m, width; /* m 0: the rows with themselves */
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 1, EVERY},     {9, 5, 3, EVERY},      {65, 70, 33, EVERY},    {130, 64, 16, EVERY},
    {70, 0, 48, EVERY},   {200, 0, 17, EVERY},   {40, 40, 12, EVERY},    {193, 390, 9, EVERY},
    {400, 0, 100, LARGE}, {4000, 0, 768, BENCH}, {800, 800, 768, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){edge_sizes[i], i % 3 ? edge_sizes[EDGES - 1 - i] : 0, 1 + i, EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "%zu x %zu rows of %zu%s", s.n, s.m ? s.m : s.n, s.width, s.m ? "" : ", the same");
    return s.use;
}

static double product_of(const float *a, const float *b, const double *mean, size_t width, bool backwards)
{
    double sum = 0.0;
    for (size_t k = 0; k < width; k++) {
        const size_t d = backwards ? width - 1 - k : k;
        sum = fma((double)a[d] - mean[d], (double)b[d] - mean[d], sum);
    }
    return sum;
}

static void check(const world *w, const shape *s, const float *x, const float *y, const double *mean, pl_view products)
{
    size_t m = s->m ? s->m : s->n, other_order = 0;
    double *got = (double *)fetch(w, products);
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < m; j++) {
            const double expected = product_of(x + i * s->width, y + j * s->width, mean, s->width, false);
            if (got[i * m + j] != expected)
                fail_case("product (%zu, %zu) is %.17g, expected %.17g", i, j, got[i * m + j], expected);
            other_order += product_of(x + i * s->width, y + j * s->width, mean, s->width, true) != expected;
        }
    if (s->width > 8 && s->n * m > 100) assert_true(other_order > 0);
    for (size_t i = 0; i < s->n && !s->m; i++)
        for (size_t j = 0; j < i; j++) assert_true(got[i * m + j] == got[j * m + i]);
    free(got);
}

static void run(const world *w, size_t k)
{
    const shape s = shape_of(k);
    const size_t m = s.m ? s.m : s.n;
    float *x = normals(s.n * s.width, 1, 1.0), *y = s.m ? normals(m * s.width, 2, 1.0) : x;
    double *mean = malloc(s.width * sizeof *mean);
    assert_non_null(mean);
    for (size_t d = 0; d < s.width; d++) mean[d] = 3.0 + 0.1 * (double)d;
    pl_pairwise_args a = {.x = guarded(w, s.n, s.width, PL_F32, x),
                          .mean = guarded(w, 1, s.width, PL_F64, mean),
                          .products = guarded(w, s.n, m, PL_F64, NULL)};
    a.y = s.m ? guarded(w, m, s.width, PL_F32, y) : a.x;
    a.workspace = workspace_of(w, w->processor.ops->pairwise_workspace_bytes(s.n, m, s.width));
    RUN_OP(w, pairwise, &a, 4 * (s.n + m) * s.width + 8 * s.n * m, 2 * s.n * m * s.width);
    if (!w->timing) {
        check(w, &s, x, y, mean, a.products);
        check_guards(w, a.products);
        check_guards(w, a.workspace);
    }
    if (s.m) RELEASE(w, &a.y);
    RELEASE(w, &a.x, &a.mean, &a.products, &a.workspace);
    if (s.m) free(y);
    free(mean);
    free(x);
}

static const case_table table = {
    .op = "pairwise", .n = SHAPES + EDGES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
