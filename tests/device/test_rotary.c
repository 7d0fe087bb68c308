/* rotary: both pairings, part of the head's width, values left alone. Bound: three roundings, 4 2^-24 (|a| + |b|). */
#include "world.h"

typedef struct shape {
    size_t rows, H, G, D, width;
    bool interleaved;
} shape;

static const shape shapes[] = {
    {1, 1, 1, 2, 2, false}, {5, 4, 2, 64, 64, false}, {7, 3, 1, 80, 20, false},
    {6, 4, 4, 16, 8, true}, {3, 2, 1, 10, 0, false},
};

static void test_values(void **state)
{
    (void)state;
    enum { POSITIONS = 40 };
    world w = world_open(2);
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        const shape *s = &shapes[k];
        size_t columns = (s->H + 2 * s->G) * s->D, n = s->rows * columns, half = s->width / 2;
        float *x = normals(n, 1, 1.0), *cosine = normals(POSITIONS * (half + 1), 2, 1.0),
              *sine = normals(POSITIONS * (half + 1), 3, 1.0);
        double *expected = (double *)malloc(n * sizeof(double)), *bound = (double *)malloc(n * sizeof(double));
        int32_t positions[16];
        for (size_t r = 0; r < s->rows; r++) positions[r] = (int32_t)((r * 17 + 39) % POSITIONS);
        for (size_t i = 0; i < n; i++) {
            expected[i] = (double)x[i];
            bound[i] = ldexp(fabs((double)x[i]), -23);
        }
        for (size_t r = 0; r < s->rows; r++) {
            for (size_t j = 0; j < (s->H + s->G) * half; j++) {
                size_t head = r * columns + j / half * s->D, at = j % half;
                size_t a = head + (s->interleaved ? 2 * at : at), b = head + (s->interleaved ? 2 * at + 1 : at + half);
                double c = (double)cosine[(size_t)positions[r] * half + at],
                       t = (double)sine[(size_t)positions[r] * half + at];
                expected[a] = (double)x[a] * c - (double)x[b] * t;
                expected[b] = (double)x[b] * c + (double)x[a] * t;
                bound[a] = ldexp(4.0 * (fabs((double)x[a] * c) + fabs((double)x[b] * t)), -24);
                bound[b] = ldexp(4.0 * (fabs((double)x[b] * c) + fabs((double)x[a] * t)), -24);
            }
        }
        pl_view xv = guarded(&w, s->rows, columns, PL_F32, x);
        pl_view cv = guarded(&w, POSITIONS, half, PL_F32, cosine), sv = guarded(&w, POSITIONS, half, PL_F32, sine);
        pl_batch batch = {.counts = counts_of(&w, s->rows), .positions = ints(&w, s->rows, positions)};
        pl_rotary_args args = {&batch, s->H, s->G, s->D, s->width, s->interleaved, cv, sv, xv};
        must(w.gear.ops->rotary(w.stream, &args));
        float *got = fetch(&w, xv);
        check_close("rotary", got, expected, bound, n);
        for (size_t i = 0; i < n; i++) {
            if (i % columns >= (s->H + s->G) * s->D) assert_memory_equal(&got[i], &x[i], 4);
        }
        check_guards(&w, xv);
        free(got);
        pl_view *views[] = {&xv, &cv, &sv, &batch.counts, &batch.positions};
        for (size_t i = 0; i < sizeof views / sizeof *views; i++) release(&w, views[i]);
        free(x);
        free(cosine);
        free(sine);
        free(expected);
        free(bound);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
