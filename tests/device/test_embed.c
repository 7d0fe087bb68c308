/* embed: table types, scale, position table with offset. Bound: one rounding a step, 2 2^-24 of the parts. */
#include "world.h"

static void check_shape(const world *w, size_t rows, size_t C, pl_dtype dtype, bool with_positions, float scale)
{
    enum { V = 37, P = 50, OFFSET = 2 };
    float *table = normals(V * C, 1, 1.0), *position_table = normals(P * C, 2, 0.1);
    uint16_t *half = (uint16_t *)malloc(V * C * sizeof *half);
    for (size_t i = 0; i < V * C; i++) { /* bfloat16: the upper half of a float32 */
        uint32_t bits;
        memcpy(&bits, &table[i], 4);
        half[i] = (uint16_t)(bits >> 16);
        bits &= 0xffff0000u;
        if (dtype == PL_BF16) memcpy(&table[i], &bits, 4);
    }
    int32_t tokens[20], positions[20];
    double *expected = (double *)malloc(rows * C * sizeof(double)),
           *bound = (double *)malloc(rows * C * sizeof(double));
    for (size_t r = 0; r < rows; r++) {
        tokens[r] = r == 0 ? V - 1 : (int32_t)(r * 5 % V);
        positions[r] = r == 0 ? P - OFFSET - 1 : (int32_t)r;
        for (size_t c = 0; c < C; c++) {
            double x = (double)table[(size_t)tokens[r] * C + c] * (double)scale, p = 0;
            if (with_positions) p = (double)position_table[((size_t)positions[r] + OFFSET) * C + c];
            expected[r * C + c] = x + p;
            bound[r * C + c] = ldexp(2.0 * (fabs(x) + fabs(p)) + 1e-6, -24);
        }
    }
    pl_view tv = guarded(w, V, C, dtype, dtype == PL_BF16 ? (void *)half : (void *)table), none = {0};
    pl_view pv = guarded(w, P, C, PL_F32, position_table), xv = guarded(w, rows, C, PL_F32, NULL);
    pl_batch batch = {
        .counts = counts_of(w, rows), .tokens = ints(w, rows, tokens), .positions = ints(w, rows, positions)};
    pl_embed_args args = {&batch, tv, with_positions ? pv : none, OFFSET, scale, xv};
    must(w->gear.ops->embed(w->stream, &args));
    float *got = fetch(w, xv);
    check_close("embed", got, expected, bound, rows * C);
    check_guards(w, xv);
    free(got);
    tokens[rows - 1] = V; /* an id past the table is an error, not a read outside */
    must(w->gear.ops->upload(w->stream, batch.tokens, tokens));
    assert_int_equal(w->gear.ops->embed(w->stream, &args), PL_E_INTERNAL);
    assert_non_null(strstr(pl_error_text(), "embed: tokens"));
    pl_view *views[] = {&tv, &pv, &xv, &batch.counts, &batch.tokens, &batch.positions};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) release(w, views[i]);
    free(table);
    free(position_table);
    free(half);
    free(expected);
    free(bound);
}

static void test_values(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        world w = world_open(threads);
        check_shape(&w, 1, 1, PL_F32, true, 1.0f);
        check_shape(&w, 9, 768, PL_F32, true, 1.0f);
        check_shape(&w, 13, 257, PL_BF16, true, 1.0f);
        check_shape(&w, 20, 65, PL_BF16, false, 8.0f);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
