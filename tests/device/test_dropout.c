/* dropout: bit for bit what ops.h says, with Random123's own Philox (a 16-bit type's one rounding beside it); a row's
 * mask does not depend on where the row stands; the share that is dropped is the probability; the backward pass is the
 * same call. */
#include "gradient.h"

typedef struct shape {
    size_t rows, C;
    float probability;
    pl_dropout_site site;
    bool in_place;
    case_use use;
} shape;

static const shape shapes[] = {
    {1, 1, 0.5f, PL_DROPOUT_EMBED, false, EVERY},   {7, 33, 0.1f, PL_DROPOUT_OUT, true, EVERY},
    {70, 300, 0.1f, PL_DROPOUT_DOWN, true, EVERY},  {3, 64, 0.0f, PL_DROPOUT_OUT, false, EVERY},
    {0, 5, 0.1f, PL_DROPOUT_OUT, false, EVERY},     {5, 65, 0.999f, PL_DROPOUT_EMBED, false, EVERY},
    {1024, 768, 0.1f, PL_DROPOUT_OUT, true, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static shape shape_of(size_t i)
{
    if (i < SHAPES) return shapes[i];
    i -= SHAPES;
    return (shape){1 + i % 3, edge_sizes[i], 0.25f, (pl_dropout_site)(i % 4), i % 2, EVERY};
}

static case_use describe(size_t i, char text[128])
{
    shape s = shape_of(i);
    snprintf(text, 128, "[%zu, %zu] with %g at site %d%s", s.rows, s.C, (double)s.probability, (int)s.site,
             s.in_place ? " in place" : "");
    return s.use;
}

static void run(const world *w, size_t k)
{
    enum { SPARE = 2 };
    shape s = shape_of(k);
    const size_t n = s.rows * s.C;
    float *x = normals(n, 1, 1.0);
    representable(x, n, w->type);
    int32_t *examples = (int32_t *)malloc((s.rows + SPARE) * 4), *positions = (int32_t *)malloc((s.rows + SPARE) * 4);
    for (size_t r = 0; r < s.rows + SPARE; r++) {
        examples[r] = (int32_t)(r / 3 * 101);
        positions[r] = (int32_t)(r % 3 * 7);
    }
    pl_view xv = numbers(w, s.rows, SPARE, s.C, w->type, x), other = guarded(w, s.rows + SPARE, s.C, w->type, NULL);
    pl_view yv = s.in_place ? xv : other;
    pl_batch batch = {.counts = counts_of(w, s.rows), .positions = ints(w, s.rows + SPARE, positions)};
    pl_dropout d = dropout_create(w, s.probability, 11, s.site, s.rows + SPARE, examples);
    pl_dropout_args args = {&batch, d, xv, yv};
    RUN_OP(w, dropout, &args, 2 * n * pl_dtype_bytes(w->type), 0);
    if (!w->timing) {
        size_t dropped = 0;
        float *got = fetch_numbers(w, pl_view_rows(yv, 0, s.rows));
        for (size_t i = 0; i < n; i++) {
            const float factor = (float)mask_factor(&d, examples[i / s.C], positions[i / s.C], (uint32_t)(i % s.C));
            const float expected = factor == 0.0f ? 0.0f : x[i] * factor;
            dropped += factor == 0.0f;
            if (expected == 0.0f || pl_dtype_bytes(w->type) != 2
                    ? memcmp(&expected, &got[i], sizeof expected) != 0
                    : !(fabs((double)got[i] - (double)expected) <= stored((double)expected, w->type)))
                fail_case("element %zu is %g, not %g", i, (double)got[i], (double)expected);
        }
        const double mean = (double)n * (double)s.probability, deviation = sqrt(mean * (1.0 - (double)s.probability));
        assert_true(fabs((double)dropped - mean) <= 5.0 * deviation);
        check_guards(w, yv);
        check_untouched(w, yv, s.rows);
        free(got);
    }
    RELEASE(w, &xv, &other, &batch.counts, &batch.positions);
    dropout_free(w, &d);
    free(x);
    free(examples);
    free(positions);
}

static const case_table table = {.op = "dropout", .n = SHAPES + EDGES, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), PORTABLE(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
