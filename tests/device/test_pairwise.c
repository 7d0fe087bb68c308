/* pairwise: exact, one chain of fused multiply-adds over the features a product, on every device; in another order
 * these numbers give other bits. Rows, or columns, with themselves are symmetric to the bit. */
#include "gradient.h"

typedef struct shape {
    size_t n, m, width, n_sets; /* m 0: the rows with themselves; n_sets 0: columns with themselves */
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 1, 1, EVERY},      {9, 5, 3, 1, EVERY},       {65, 70, 33, 1, EVERY},     {130, 64, 16, 1, EVERY},
    {70, 0, 48, 1, EVERY},    {200, 0, 17, 1, EVERY},    {40, 40, 12, 1, EVERY},     {193, 390, 9, 1, EVERY},
    {7, 5, 3, 4, EVERY},      {66, 13, 17, 3, EVERY},    {195, 0, 5, 2, EVERY},      {70, 0, 48, 0, EVERY},
    {3, 0, 1, 0, EVERY},      {197, 0, 19, 0, EVERY},    {400, 0, 100, 1, LARGE},    {200, 210, 33, 5, LARGE},
    {4000, 0, 768, 1, BENCH}, {800, 800, 768, 1, BENCH}, {256, 256, 768, 13, BENCH}, {768, 0, 4000, 0, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){edge_sizes[i], i % 3 ? edge_sizes[EDGES - 1 - i] : 0, 1 + i, i % 3 ? 1 + i % 2 : i % 2, EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "%zu x %zu %s of %zu%s, %zu sets", s.n, s.m ? s.m : s.n, s.n_sets ? "rows" : "columns", s.width,
             s.m ? "" : ", the same", s.n_sets ? s.n_sets : 1);
    return s.use;
}

/* Numbers of one set: feature d of row (or column) i is x[i * row + d * feature], its mean mean[i * of_row + d]. */
typedef struct one_set {
    const float *x, *y;
    const double *mean;
    size_t row, feature, width;
    bool of_columns;
} one_set;

static double product_of(const one_set *a, size_t i, size_t j, bool backwards)
{
    double sum = 0.0;
    for (size_t k = 0; k < a->width; k++) {
        const size_t d = backwards ? a->width - 1 - k : k;
        sum = fma((double)a->x[i * a->row + d * a->feature] - a->mean[a->of_columns ? i : d],
                  (double)a->y[j * a->row + d * a->feature] - a->mean[a->of_columns ? j : d], sum);
    }
    return sum;
}

static void check(const shape *s, const one_set *a, const double *got)
{
    size_t m = s->m ? s->m : s->n, other_order = 0;
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < m; j++) {
            const double expected = product_of(a, i, j, false);
            if (got[i * m + j] != expected)
                fail_case("product (%zu, %zu) is %.17g, expected %.17g", i, j, got[i * m + j], expected);
            other_order += product_of(a, i, j, true) != expected;
        }
    if (s->width > 8 && s->n * m > 100) assert_true(other_order > 0);
    for (size_t i = 0; i < s->n && !s->m; i++)
        for (size_t j = 0; j < i; j++) assert_true(got[i * m + j] == got[j * m + i]);
}

static void run(const world *w, size_t k)
{
    const shape s = shape_of(k);
    const bool columns = s.n_sets == 0;
    const size_t m = s.m ? s.m : s.n, n_sets = columns ? 1 : s.n_sets, means = columns ? s.n : s.width;
    float *x = normals(n_sets * s.n * s.width, 1, 1.0), *y = s.m ? normals(n_sets * m * s.width, 2, 1.0) : x;
    double *mean = malloc(n_sets * means * sizeof *mean);
    assert_non_null(mean);
    for (size_t d = 0; d < n_sets * means; d++) mean[d] = 3.0 + 0.1 * (double)d;
    pl_pairwise_args a = {.x = columns ? guarded(w, s.width, s.n, PL_F32, x)
                                       : guarded(w, n_sets * s.n, s.width, PL_F32, x),
                          .mean = guarded(w, n_sets, means, PL_F64, mean),
                          .products = guarded(w, n_sets * s.n, m, PL_F64, NULL),
                          .columns = columns};
    a.y = s.m ? guarded(w, n_sets * m, s.width, PL_F32, y) : a.x;
    a.workspace = workspace_of(w, w->processor.ops->pairwise_workspace_bytes(n_sets, s.n, m, s.width));
    RUN_OP(w, pairwise, &a, n_sets * (4 * (s.n + m) * s.width + 8 * s.n * m), 2 * n_sets * s.n * m * s.width);
    if (!w->timing) {
        double *got = (double *)fetch(w, a.products);
        for (size_t set = 0; set < n_sets; set++) {
            const one_set own = {x + set * s.n * s.width,
                                 y + set * m * s.width,
                                 mean + set * means,
                                 columns ? 1 : s.width,
                                 columns ? s.n : 1,
                                 s.width,
                                 columns};
            check(&s, &own, got + set * s.n * m);
        }
        free(got);
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
