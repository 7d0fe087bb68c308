/* Neighbours against brute force; affinities against the shared reference, scikit-learn and openTSNE; duplicates. */
#include "tsne/states.h"

#include "base/lanes.h"
#include "tsne/affinity.h"

static float squared(const float *x, size_t width, size_t i, size_t j)
{
    float sum = 0.0f;
    for (size_t d = 0; d < width; d++) {
        const float apart = x[j * width + d] - x[i * width + d];
        sum += apart * apart;
    }
    return sum;
}

/* Small whole numbers: many points are as far as others, and some are the same. */
static void test_neighbours(void **state)
{
    (void)state;
    enum { N = 83, W = 3, K = 17 };
    float x[N * W];
    int32_t near[N * K], rank[N * K];
    for (size_t i = 0; i < N * W; i++) x[i] = (float)pl_random_below(1, PL_RANDOM_TEST, 3, i, 5);
    const pl_points points = {x, N, W};
    OK(pl_neighbours(near, &points, K));
    OK(pl_neighbour_ranks(rank, &points, near, K));
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < K; k++) {
            const size_t j = (size_t)near[i * K + k];
            size_t before = 0, nearer = 0;
            for (size_t other = 0; other < N; other++) {
                if (other == i) continue;
                const float a = squared(x, W, i, other), b = squared(x, W, i, j);
                nearer += a < b;
                before += a < b || (a == b && other < j);
            }
            assert_true(j != i);
            assert_int_equal(before, k);
            assert_int_equal(rank[i * K + k], nearer + 1);
        }
    }
}

static void all_others(int32_t *near, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k + 1 < n; k++) near[i * (n - 1) + k] = (int32_t)(k + (k >= i));
}

static double entry(const pl_affinity *p, size_t i, size_t j)
{
    for (size_t at = p->start[i]; at < p->start[i + 1]; at++)
        if ((size_t)p->column[at] == j && p->value[at] > 0.0f) return (double)p->value[at];
    return 0.0;
}

/* The reference has entropies to 1e-13; float32 holds 6e-8 of a value. */
static void test_reference(void **state)
{
    (void)state;
    enum { N = 60, W = 64 };
    double *x = reference("X_60x64.csv", N * W), *expected = reference("P_joint_60x60.csv", N * N);
    if (!x) skip();
    float states[N * W];
    int32_t near[N * (N - 1)];
    for (size_t i = 0; i < N * W; i++) states[i] = (float)x[i];
    all_others(near, N);
    pl_affinity p;
    const pl_points points = {states, N, W};
    OK(pl_affinity_of(&p, &points, near, N - 1, 10.0));
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            assert_true(fabs(entry(&p, i, j) - expected[i * N + j]) <= 1e-7 * expected[i * N + j]);
    pl_affinity_free(&p);
    free(expected);
    free(x);
}

/* scikit-learn's entropies are within 1e-5, its distances float32: 2e-4 of a value was seen. openTSNE's entropies are
 * within 1e-8. */
static void test_libraries(void **state)
{
    (void)state;
    json_t *root = golden(), *g = member(root, "map");
    const size_t n = (size_t)number(member(g, "n")), width = (size_t)number(member(g, "width"));
    const double perplexity = number(member(g, "perplexity"));
    float *x = floats(member(g, "x"));
    const pl_points points = {x, n, width};
    for (int exact = 0; exact < 2; exact++) {
        const size_t k = exact ? n - 1 : (size_t)(3.0 * perplexity);
        const json_t *expected = member(g, exact ? "p_exact" : "p_near");
        int32_t *near = room(n * k, sizeof *near);
        pl_affinity p;
        OK(pl_neighbours(near, &points, k));
        OK(pl_affinity_of(&p, &points, near, k, perplexity));
        double sum = 0.0;
        for (size_t at = 0; at < p.n_values; at++) sum += (double)p.value[at];
        assert_close(sum, 1.0, 1e-6);
        for (size_t i = 0; i < json_array_size(expected); i++) {
            const json_t *pairs = member(g, "pairs");
            const double found = entry(&p, (size_t)element(pairs, 2 * i), (size_t)element(pairs, 2 * i + 1));
            assert_true(fabs(found - element(expected, i)) <= (exact ? 1e-3 : 1e-6) * element(expected, i) + 1e-12);
        }
        pl_affinity_free(&p);
        free(near);
    }
    free(x);
    json_decref(root);
}

/* The entropy of each row's conditional distribution is that of the perplexity, and rows are whole lanes. */
static void test_entropy(void **state)
{
    (void)state;
    enum { N = 200, W = 5, K = 60 };
    float *x = planted(N, W, 3, 4.0, 2);
    int32_t near[N * K];
    const pl_points points = {x, N, W};
    pl_affinity p;
    OK(pl_neighbours(near, &points, K));
    OK(pl_affinity_of(&p, &points, near, K, 20.0));
    for (size_t i = 0; i < N; i++) {
        double sum = 0.0, entropy = 0.0, weight[K];
        for (size_t k = 0; k < K; k++) {
            double d = 0.0;
            for (size_t c = 0; c < W; c++)
                d += pow((double)x[i * W + c] - (double)x[(size_t)near[i * K + k] * W + c], 2);
            sum += weight[k] = exp(-p.beta[i] * d);
        }
        for (size_t k = 0; k < K; k++) entropy -= weight[k] / sum * log(weight[k] / sum);
        assert_close(entropy, log(20.0), 1e-9);
        assert_int_equal(p.start[i] % PL__LANES, 0);
    }
    pl_affinity_free(&p);
    free(x);
}

/* Forty times the same point among others: more of the nearest than the perplexity, so that no beta reaches it; they
 * share alike. */
static void test_duplicates(void **state)
{
    (void)state;
    enum { N = 100, W = 2, K = 30 };
    float *x = planted(N, W, 2, 4.0, 3);
    int32_t near[N * K];
    for (size_t i = 0; i < 40; i++) memcpy(x + i * W, x, W * sizeof *x);
    const pl_points points = {x, N, W};
    pl_affinity p;
    OK(pl_neighbours(near, &points, K));
    OK(pl_affinity_of(&p, &points, near, K, 10.0));
    for (size_t at = 0; at < p.n_values; at++) assert_true(isfinite(p.value[at]) && p.value[at] >= 0.0f);
    assert_true(fabs(entry(&p, 0, 1) - 1.0 / (K * N)) < 1e-6);
    pl_affinity_free(&p);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_neighbours), cmocka_unit_test(test_reference),
                                       cmocka_unit_test(test_libraries), cmocka_unit_test(test_entropy),
                                       cmocka_unit_test(test_duplicates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
