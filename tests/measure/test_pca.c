/* Principal components: numpy's, on both sides of the Gram matrix; signs; what has no variance; same bits. */
#include "measure/states.h"

#include <omp.h>

#include "measure/eigen.h"
#include "measure/pca.h"

static void test_numpy(void **state)
{
    (void)state;
    json_t *root = NULL;
    OK(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/measure/pca.json", 1 << 20));
    const json_t *cases = member(root, "cases");
    for (size_t c = 0; c < json_array_size(cases); c++) {
        const json_t *g = json_array_get(cases, c);
        const size_t n = (size_t)number(member(g, "n")), width = (size_t)number(member(g, "width"));
        float *x = floats(member(g, "x"));
        pl_pca p;
        OK(pl_pca_of(&p, x, n, width, 5, NULL));
        assert_int_equal(p.dims, 5);
        assert_close(p.total, number(member(g, "total")), 1e-12);
        for (size_t k = 0; k < 5; k++) assert_close(p.variance[k], element(member(g, "variance"), k), 1e-12);
        /* float32 scores */
        for (size_t i = 0; i < 5 * n; i++) assert_close(p.scores[i], element(member(g, "scores"), i), 1e-6);
        pl_pca_free(&p);
        free(x);
    }
    json_decref(root);
}

/* A component less when a feature repeats another, or is constant. */
static void test_rank(void **state)
{
    (void)state;
    float *x = planted(60, 4, 2, 3.0, 0);
    for (size_t i = 0; i < 60; i++) {
        x[4 * i + 2] = 7.0f;
        x[4 * i + 3] = 2.0f * x[4 * i] + 1.0f;
    }
    pl_pca p;
    OK(pl_pca_of(&p, x, 60, 4, 50, NULL));
    assert_int_equal(p.dims, 2);
    pl_pca_free(&p);
    for (size_t i = 0; i < 240; i++) x[i] = 3.25f;
    REFUSED(pl_pca_of(&p, x, 60, 4, 50, NULL), PL_E_INPUT, "all 60 rows have the same values");
    free(x);
}

/* Four dimensions in float32's rounding, among many rows: what is left of the Gram matrix is rounding of the products.
 */
static void test_little_rank(void **state)
{
    (void)state;
    enum { N = 256, WIDTH = 768 };
    float *x = room(N * WIDTH, sizeof *x);
    for (size_t i = 0; i < N * WIDTH; i++) x[i] = sinf((float)i) + (float)(i / WIDTH % 7) * (float)(i % 3);
    pl_pca p;
    OK(pl_pca_of(&p, x, N, WIDTH, 25, NULL));
    assert_true(p.dims >= 3 && p.dims <= 25 && p.variance[3] < 1e-9 * p.variance[0]);
    for (size_t k = 0; k < 3; k++) {
        double squares = 0.0;
        for (size_t i = 0; i < N; i++) squares += pow(p.scores[i * p.dims + k], 2) / (N - 1.0);
        assert_close(squares, p.variance[k], 1e-6);
    }
    pl_pca_free(&p);
    free(x);
}

/* Equal eigenvalues, and a matrix that falls apart: the vectors are orthonormal and belong to their values. */
static void test_equal_eigenvalues(void **state)
{
    (void)state;
    enum { N = 8 };
    double a[N * N] = {0}, kept[N * N], values[N], vectors[N * N];
    const double diagonal[N] = {5, 1, 5, 0, 2, 5, 0, 1};
    for (size_t i = 0; i < N; i++) a[i * N + i] = diagonal[i];
    a[1 * N + 4] = a[4 * N + 1] = 0.5;
    memcpy(kept, a, sizeof a);
    OK(pl__largest_eigen(values, vectors, N, a, N));
    for (size_t k = 0; k < 3; k++) assert_close(values[k], 5.0, 1e-14);
    for (size_t k = 0; k < N; k++) {
        for (size_t q = 0; q < N; q++) {
            double dot = 0.0;
            for (size_t i = 0; i < N; i++) dot += vectors[k * N + i] * vectors[q * N + i];
            assert_close(dot, k == q ? 1.0 : 0.0, 1e-12);
        }
        for (size_t i = 0; i < N; i++) {
            double product = 0.0;
            for (size_t j = 0; j < N; j++) product += kept[i * N + j] * vectors[k * N + j];
            assert_close(product, values[k] * vectors[k * N + i], 1e-12);
        }
    }
}

static void test_same_bits(void **state)
{
    (void)state;
    for (size_t width = 40; width <= 400; width += 360) {
        float *x = planted(300, width, 5, 2.0, 1);
        pl_pca one, three;
        const int before = omp_get_max_threads();
        omp_set_num_threads(1);
        OK(pl_pca_of(&one, x, 300, width, 20, NULL));
        omp_set_num_threads(3);
        OK(pl_pca_of(&three, x, 300, width, 20, NULL));
        omp_set_num_threads(before);
        assert_memory_equal(one.scores, three.scores, 300 * 20 * sizeof *one.scores);
        pl_pca_free(&one);
        pl_pca_free(&three);
        free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numpy), cmocka_unit_test(test_rank),
                                       cmocka_unit_test(test_little_rank), cmocka_unit_test(test_equal_eigenvalues),
                                       cmocka_unit_test(test_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
