/* Wobble, shift and ICC: golden vectors, brute-force jackknives, planted components, invariances, exact zeros. */
#include "statistics/golden.h"

#include <omp.h>
#include <string.h>

#include "base/random.h"
#include "statistics/interval.h"
#include "statistics/variance_components.h"

/* Float32 inputs, double arithmetic: what is left is rounding of sums. */
static const double CLOSE = 1e-9;

static double pick(const pl_variance_components *v, const char *name)
{
    return !strcmp(name, "wobble") ? v->wobble : !strcmp(name, "shift") ? v->shift : v->icc;
}

/* Compares the sums with the generator's brute force. */
static void check(const json_t *expected, const pl_variance_sums *s, double tolerance)
{
    pl_variance_components v = pl_variance_of(s);
    const double ms[] = {v.ms_item, v.ms_template, v.ms_residual}, s2[] = {v.item, v.template_main, v.residual};
    for (size_t c = 0; c < 3; c++) {
        assert_close(ms[c], element(member(expected, "ms"), c), tolerance);
        assert_close(s2[c], element(member(expected, "s2"), c), tolerance);
    }
    const char *const names[] = {"wobble", "shift", "icc"};
    for (size_t c = 0; c < 3; c++) {
        char key[64];
        double left[64];
        assert_close(pick(&v, names[c]), number(member(expected, names[c])), tolerance);
        snprintf(key, sizeof key, "%s_without_item", names[c]);
        for (size_t i = 0; i < s->n; i++) {
            pl_variance_components w = pl_variance_without_item(s, i);
            left[i] = pick(&w, names[c]);
            assert_close(left[i], element(member(expected, key), i), tolerance);
        }
        snprintf(key, sizeof key, "%s_se", names[c]);
        assert_close(pl_jackknife(0.0, left, s->n).se, number(member(expected, key)), tolerance);
        snprintf(key, sizeof key, "%s_without_template", names[c]);
        for (size_t k = 0; k < s->t; k++) {
            pl_variance_components w = pl_variance_without_template(s, k);
            left[k] = pick(&w, names[c]);
            assert_close(left[k], element(member(expected, key), k), tolerance);
        }
        snprintf(key, sizeof key, "%s_template_se", names[c]);
        assert_close(pl_jackknife(0.0, left, s->t).se, number(member(expected, key)), tolerance);
    }
}

/* Section F: H_0 = X[:, :3], H_1 = Y, H_2 = (H_0 + H_1)/2 + (1, -2, 0.5). */
static void section_f_templates(float h[3][F_ITEMS * 3])
{
    float x[F_ITEMS * F_X];
    const double offset[3] = {1.0, -2.0, 0.5};
    section_f(x, h[1]);
    for (size_t i = 0; i < F_ITEMS; i++) {
        for (size_t d = 0; d < 3; d++) {
            h[0][i * 3 + d] = x[i * F_X + d];
            h[2][i * 3 + d] = (float)(((double)h[0][i * 3 + d] + (double)h[1][i * 3 + d]) / 2.0 + offset[d]);
        }
    }
}

/* Times 40 the design is whole numbers (it is made of quarters and fifths, and halves of those), exact in float32: so
 * the digits of section F are met to 1e-9 and not to float32's rounding. */
static void test_section_f(void **state)
{
    (void)state;
    float h[3][F_ITEMS * 3];
    section_f_templates(h);
    for (size_t k = 0; k < 3; k++)
        for (size_t v = 0; v < F_ITEMS * 3; v++) h[k][v] = (float)(round((double)h[k][v] * 40.0));
    const float *states[] = {h[0], h[1], h[2]};
    pl_variance_sums s;
    assert_int_equal(pl_variance_sums_of(&s, states, F_ITEMS, 3, 3, NULL), PL_OK);
    pl_variance_components v = pl_variance_of(&s);
    assert_close(v.ms_item / 1600.0, 665.8790767045, CLOSE);
    assert_close(v.ms_template / 1600.0, 52.1565104167, CLOSE);
    assert_close(v.ms_residual / 1600.0, 56.6312831439, CLOSE);
    assert_close(v.item / 1600.0, 203.0825978535, CLOSE);
    assert_close(v.template_main / 1600.0, -0.3728977273, CLOSE);
    assert_close(v.wobble, 0.2180525851, CLOSE);
    assert_close(v.shift, -0.0014378666, CLOSE);
    assert_close(v.icc, 0.7830717509, CLOSE);
    pl_variance_sums_free(&s);
}

static void test_brute_force(void **state)
{
    (void)state;
    json_t *root = golden(), *planted = member(root, "planted");
    enum { N = 30, T = 9, P = 5 };
    static float h[T][N * P];
    const float *states[T];
    for (size_t k = 0; k < T; k++) {
        for (size_t i = 0; i < N; i++)
            for (size_t d = 0; d < P; d++)
                h[k][i * P + d] = (float)element(member(planted, "values"), (i * T + k) * P + d);
        states[k] = h[k];
    }
    pl_variance_sums s;
    assert_int_equal(pl_variance_sums_of(&s, states, N, T, P, NULL), PL_OK);
    check(planted, &s, CLOSE);
    pl_variance_sums_free(&s);
    json_decref(root);
}

/* Normal states with known components on a large common offset. Not static data: sizes differ per test. */
static float **plant(size_t n, size_t t, size_t p, double item, double main, double rest, double offset, uint64_t seed)
{
    float **h = calloc(t, sizeof *h);
    assert_non_null(h);
    for (size_t k = 0; k < t; k++) {
        h[k] = calloc(n * p, sizeof **h);
        assert_non_null(h[k]);
        for (size_t i = 0; i < n; i++) {
            for (size_t d = 0; d < p; d++) {
                double a = pl_random_normal(seed, PL_RANDOM_TEST, 0, i * p + d);
                double b = pl_random_normal(seed, PL_RANDOM_TEST, 1, k * p + d);
                double e = pl_random_normal(seed, PL_RANDOM_TEST, 2, (i * t + k) * p + d);
                h[k][i * p + d] = (float)(offset + item * a + main * b + rest * e);
            }
        }
    }
    return h;
}

static void unplant(float **h, size_t t)
{
    for (size_t k = 0; k < t; k++) free(h[k]);
    free(h);
}

static pl_variance_components components_of(float **h, size_t n, size_t t, size_t p)
{
    pl_variance_sums s;
    assert_int_equal(pl_variance_sums_of(&s, (const float *const *)h, n, t, p, NULL), PL_OK);
    pl_variance_components v = pl_variance_of(&s);
    pl_variance_sums_free(&s);
    return v;
}

/* Unbiased: 400 x 8 x 64 normal values give each trace within a few percent. */
static void test_planted_components(void **state)
{
    (void)state;
    enum { N = 400, T = 8, P = 64 };
    float **h = plant(N, T, P, 2.0, 0.5, 1.0, 300.0, 7);
    pl_variance_components v = components_of(h, N, T, P);
    assert_close(v.item / P, 4.0, 0.05);
    assert_close(v.template_main / P, 0.25, 0.15);
    assert_close(v.residual / P, 1.0, 0.02);
    assert_close(v.wobble, 0.2, 0.02);
    unplant(h, T);
    h = plant(N, T, P, 0.0, 0.0, 1.0, 300.0, 8); /* nothing but noise: wobble 1, shift 0 */
    v = components_of(h, N, T, P);
    assert_close(v.wobble, 1.0, 0.02);
    assert_close(v.shift, 0.0, 0.02);
    unplant(h, T);
}

/* Width 1: wobble = 1 - ICC(3,1) = 1 - (MS_I - MS_R)/(MS_I + (T-1) MS_R). */
static void test_icc_31(void **state)
{
    (void)state;
    float **h = plant(50, 6, 1, 1.0, 1.0, 0.8, -3.0, 9);
    pl_variance_components v = components_of(h, 50, 6, 1);
    assert_close(v.wobble, 1.0 - (v.ms_item - v.ms_residual) / (v.ms_item + 5.0 * v.ms_residual), 1e-12);
    unplant(h, 6);
}

/* Equal templates: exactly 0, for every T (7 x 0.1f / 7 is not 0.1f in binary). */
static void test_identical_templates(void **state)
{
    (void)state;
    for (size_t t = 2; t <= 16; t++) {
        float **h = plant(20, 1, 9, 1.0, 0.0, 1.0, 17.3, t), *same[16];
        for (size_t k = 0; k < t; k++) same[k] = h[0];
        pl_variance_sums s;
        assert_int_equal(pl_variance_sums_of(&s, (const float *const *)same, 20, t, 9, NULL), PL_OK);
        pl_variance_components v = pl_variance_of(&s);
        assert_true(v.wobble == 0.0 && v.shift == 0.0 && v.icc == 1.0);
        for (size_t i = 0; i < 20; i++) assert_true(pl_variance_without_item(&s, i).wobble == 0.0);
        pl_variance_sums_free(&s);
        unplant(h, 1);
    }
}

static void test_degenerate(void **state)
{
    (void)state;
    float flat[6] = {5.0f, 5.0f, 5.0f, 5.0f, 5.0f, 5.0f}, other[6] = {7.0f, 7.0f, 7.0f, 7.0f, 7.0f, 7.0f};
    const float *same[] = {flat, flat}, *shifted[] = {flat, other};
    pl_variance_sums s;
    assert_int_equal(pl_variance_sums_of(&s, same, 3, 2, 2, NULL), PL_OK);
    pl_variance_components v = pl_variance_of(&s);
    assert_true(isnan(v.wobble) && isnan(v.shift) && isnan(v.icc));
    pl_variance_sums_free(&s);
    assert_int_equal(pl_variance_sums_of(&s, shifted, 3, 2, 2, NULL), PL_OK);
    v = pl_variance_of(&s);
    assert_true(isnan(v.wobble) && v.shift == 1.0 && v.icc == 0.0);
    pl_variance_sums_free(&s);
    assert_int_equal(pl_variance_sums_of(&s, same, 1, 2, 2, NULL), PL_E_INPUT);
    assert_int_equal(pl_variance_sums_of(&s, same, 3, 1, 2, NULL), PL_E_INPUT);
}

/* Weights: a dimension scaled by 1000 counts no more than before; a dead dimension counts nothing. */
static void test_pooled_weights(void **state)
{
    (void)state;
    enum { N = 30, T = 3, P = 4 };
    float **h = plant(N, T, P, 1.0, 0.3, 0.7, 0.0, 11), **g = plant(N, T, P, 1.0, 0.3, 0.7, 0.0, 11);
    double w[P], scaled[P];
    for (size_t k = 0; k < T; k++)
        for (size_t i = 0; i < N; i++) {
            h[k][i * P + 3] = g[k][i * P + 3] = 0.3f;
            g[k][i * P + 1] *= 1024.0f;
        }
    assert_int_equal(pl_pooled_weights(w, (const float *const *)h, N, T, P), PL_OK);
    assert_int_equal(pl_pooled_weights(scaled, (const float *const *)g, N, T, P), PL_OK);
    assert_true(w[3] == 0.0 && scaled[3] == 0.0);
    double squares = 0.0;
    for (size_t k = 0; k < T; k++) {
        double mean = 0.0;
        for (size_t i = 0; i < N; i++) mean += (double)h[k][i * P] / N;
        for (size_t i = 0; i < N; i++) squares += ((double)h[k][i * P] - mean) * ((double)h[k][i * P] - mean);
    }
    assert_close(w[0], T * (N - 1.0) / squares, 1e-12);
    pl_variance_sums a, b;
    assert_int_equal(pl_variance_sums_of(&a, (const float *const *)h, N, T, P, w), PL_OK);
    assert_int_equal(pl_variance_sums_of(&b, (const float *const *)g, N, T, P, scaled), PL_OK);
    assert_close(pl_variance_of(&a).wobble, pl_variance_of(&b).wobble, 1e-12);
    assert_close(pl_variance_of(&a).shift, pl_variance_of(&b).shift, 1e-12);
    pl_variance_sums_free(&a);
    pl_variance_sums_free(&b);
    unplant(h, T);
    unplant(g, T);
}

static void test_same_bits_for_any_threads(void **state)
{
    (void)state;
    enum { N = 1000, T = 8, P = 600 }; /* enough for several threads (analysis/parallel.h) */
    float *h[T];
    for (size_t k = 0; k < T; k++) {
        h[k] = calloc(N * P, sizeof *h[k]);
        assert_non_null(h[k]);
        for (size_t v = 0; v < N * P; v++) h[k][v] = (float)((v * 7919 + k * 104729) % 1009) * 0.37f;
    }
    pl_variance_sums one, more;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    assert_int_equal(pl_variance_sums_of(&one, (const float *const *)h, N, T, P, NULL), PL_OK);
    omp_set_num_threads(3);
    assert_int_equal(pl_variance_sums_of(&more, (const float *const *)h, N, T, P, NULL), PL_OK);
    omp_set_num_threads(threads);
    assert_memory_equal(one.of_item, more.of_item, N * sizeof(double));
    assert_memory_equal(one.of_cross, more.of_cross, N * sizeof(double));
    assert_memory_equal(one.template_of_residual, more.template_of_residual, T * sizeof(double));
    assert_true(one.item == more.item && one.residual == more.residual && one.template_main == more.template_main);
    pl_variance_sums_free(&one);
    pl_variance_sums_free(&more);
    for (size_t k = 0; k < T; k++) free(h[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_section_f),           cmocka_unit_test(test_brute_force),
        cmocka_unit_test(test_planted_components),  cmocka_unit_test(test_icc_31),
        cmocka_unit_test(test_identical_templates), cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_pooled_weights),      cmocka_unit_test(test_same_bits_for_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
