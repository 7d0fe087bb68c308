/* Debiased CKA: golden vectors, the published demo, brute-force jackknife, invariances, offset, null SD, same bits. */
#include "statistics/golden.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "measure/cka.h"
#include "measure/gram.h"
#include "statistics/interval.h"

static float *normal(size_t n, size_t p, double offset, uint32_t stream)
{
    float *x = calloc(n * p, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n * p; i++) x[i] = (float)(offset + pl_random_normal(3, PL_RANDOM_TEST, stream, i));
    return x;
}

/* HSIC_1 as it is written, of zero-diagonal Gram matrices [n, n], without item `out` (n: of all). */
static double naive_hsic(const double *k, const double *l, size_t n, size_t out)
{
    double t = 0.0, s_k = 0.0, s_l = 0.0, d = 0.0, m = (double)n - (out < n);
    for (size_t i = 0; i < n; i++) {
        double r_k = 0.0, r_l = 0.0;
        for (size_t j = 0; j < n; j++) {
            if (i == out || j == out) continue;
            t += k[i * n + j] * l[i * n + j];
            r_k += k[i * n + j];
            r_l += l[i * n + j];
        }
        s_k += r_k;
        s_l += r_l;
        d += r_k * r_l;
    }
    return (t + s_k * s_l / ((m - 1.0) * (m - 2.0)) - 2.0 * d / (m - 2.0)) / (m * (m - 3.0));
}

static double naive_cka(const double *k, const double *l, size_t n, size_t out)
{
    return naive_hsic(k, l, n, out) / sqrt(naive_hsic(k, k, n, out) * naive_hsic(l, l, n, out));
}

static double cka_of(const float *x, const float *y, size_t n, size_t p)
{
    const float *states[] = {x, y};
    pl_cka c;
    assert_int_equal(pl_cka_of(&c, states, n, 2, p, NULL), PL_OK);
    double value = c.value[0];
    assert_true(c.mean == value || isnan(value));
    pl_cka_free(&c);
    return value;
}

/* Section F times 20: whole numbers, exact in float32; CKA does not see the scale. Y gets a column of zeros. */
static void test_section_f(void **state)
{
    (void)state;
    float x[F_ITEMS * F_X], y[F_ITEMS * F_Y], z[F_ITEMS * F_X] = {0};
    section_f(x, y);
    for (size_t i = 0; i < F_ITEMS; i++) {
        for (size_t d = 0; d < F_X; d++) x[i * F_X + d] = (float)round((double)x[i * F_X + d] * 20.0);
        for (size_t d = 0; d < F_Y; d++) z[i * F_X + d] = (float)round((double)y[i * F_Y + d] * 20.0);
    }
    const float *states[] = {x, z};
    pl_cka c;
    assert_int_equal(pl_cka_of(&c, states, F_ITEMS, 2, F_X, NULL), PL_OK);
    assert_close(c.value[0], 0.4212802375, 1e-9);
    assert_close(pl_jackknife(c.value[0], c.left_out, F_ITEMS).se, 0.2146323324, 1e-9);
    json_t *root = golden(), *expected = member(root, "cka_f");
    assert_close(c.value[0], number(member(expected, "value")), 1e-12);
    for (size_t i = 0; i < F_ITEMS; i++) {
        assert_close(c.left_out[i], element(member(expected, "left_out"), i), 1e-12);
        assert_true(c.mean_left_out[i] == c.left_out[i]);
    }
    json_decref(root);
    pl_cka_free(&c);
}

/* Reads n x p comma-separated numbers; 0 when the file is absent. */
static int read_csv(float *out, size_t n, size_t p, const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/reference/cka/%s", folder, name);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    for (size_t i = 0; i < n * p; i++) {
        double v = 0.0;
        assert_int_equal(fscanf(f, "%lf%*c", &v), 1);
        out[i] = (float)v;
    }
    fclose(f);
    return 1;
}

/* The demo notebook of google-research/representation_similarity: 100 x 10 normal X, Y = noise + X. */
static void test_published_demo(void **state)
{
    (void)state;
    float x[1000], y[1000];
    const char *data = getenv("PLUMB_DATA");
    if (!data) data = PLUMB_SOURCE_DIR "/../shared/data";
    if (!read_csv(x, 100, 10, data, "X.csv")) skip();
    assert_true(read_csv(y, 100, 10, data, "Y.csv"));
    char path[1024];
    snprintf(path, sizeof path, "%s/reference/cka/expected.json", data);
    json_t *root = NULL;
    assert_int_equal(pl_json_read(&root, path, 1 << 20), PL_OK);
    double expected = number(member(member(root, "recomputed_float64"), "linear_cka_debiased"));
    double published = number(member(member(root, "published"), "linear_cka_debiased"));
    assert_close(cka_of(x, y, 100, 10), expected, 1e-7); /* float32 inputs */
    assert_close(cka_of(x, y, 100, 10), published, 6e-6);
    json_decref(root);
}

/* Every pair and the mean over pairs, with each item really left out. */
static void test_jackknife_brute_force(void **state)
{
    (void)state;
    enum { N = 9, T = 4, P = 5 };
    float *x[T];
    for (uint32_t k = 0; k < T; k++) {
        x[k] = normal(N, P, 4.0, k);
        for (size_t i = 0; i < N * P && k > 0; i++) x[k][i] += 0.8f * x[0][i];
    }
    pl_cka all;
    assert_int_equal(pl_cka_of(&all, (const float *const *)x, N, T, P, NULL), PL_OK);
    assert_int_equal(all.n_pairs, 6);
    for (size_t i = 0; i < N; i++) {
        float kept[T][(N - 1) * P];
        const float *states[T];
        for (size_t k = 0; k < T; k++) {
            memcpy(kept[k], x[k], i * P * sizeof(float));
            memcpy(kept[k] + i * P, x[k] + (i + 1) * P, (N - 1 - i) * P * sizeof(float));
            states[k] = kept[k];
        }
        pl_cka without;
        assert_int_equal(pl_cka_of(&without, states, N - 1, T, P, NULL), PL_OK);
        for (size_t p = 0; p < all.n_pairs; p++) assert_close(all.left_out[p * N + i], without.value[p], 1e-12);
        assert_close(all.mean_left_out[i], without.mean, 1e-12);
        pl_cka_free(&without);
    }
    assert_close(all.value[pl_cka_pair(&all, 1, 3)], cka_of(x[1], x[3], N, P), 1e-14);
    assert_close(all.value[pl_cka_pair(&all, 2, 3)], cka_of(x[2], x[3], N, P), 1e-14);
    pl_cka_free(&all);
    for (size_t k = 0; k < T; k++) free(x[k]);
}

/* HSIC_1 from raw products in long double, a reference without centring and without our code. */
static long double hsic_reference(const double *k, const double *l, size_t n)
{
    long double t = 0, sk = 0, sl = 0, d = 0, m = (long double)n;
    for (size_t i = 0; i < n; i++) {
        long double rk = 0, rl = 0;
        for (size_t j = 0; j < n; j++) {
            if (i == j) continue;
            t += (long double)k[i * n + j] * l[i * n + j];
            rk += k[i * n + j];
            rl += l[i * n + j];
        }
        sk += rk;
        sl += rl;
        d += rk * rl;
    }
    return (t + sk * sl / ((m - 1) * (m - 2)) - 2 * d / (m - 2)) / (m * (m - 3));
}

/* A common offset 100 times the signal, as in GPT-2: nothing may change beyond float32's rounding of the inputs. */
static void test_common_offset(void **state)
{
    (void)state;
    enum { N = 60, P = 32 };
    float *x = normal(N, P, 0.0, 1), *y = normal(N, P, 0.0, 2), *xo = calloc(N * P, sizeof *xo),
          *yo = calloc(N * P, sizeof *yo);
    double *k = calloc(N * N, sizeof *k), *l = calloc(N * N, sizeof *l);
    for (size_t i = 0; i < N * P; i++) {
        y[i] += x[i];
        /* Whole multiples of 2^-10 near 128: adding the offset rounds nothing. */
        x[i] = (float)(round((double)x[i] * 1024.0) / 1024.0);
        y[i] = (float)(round((double)y[i] * 1024.0) / 1024.0);
        xo[i] = x[i] + 512.0f;
        yo[i] = y[i] - 768.0f;
    }
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            for (size_t d = 0; d < P; d++) {
                k[i * N + j] += (double)x[i * P + d] * (double)x[j * P + d];
                l[i * N + j] += (double)y[i * P + d] * (double)y[j * P + d];
            }
    double expected = (double)(hsic_reference(k, l, N) / sqrtl(hsic_reference(k, k, N) * hsic_reference(l, l, N)));
    assert_close(cka_of(x, y, N, P), expected, 1e-12);
    assert_close(cka_of(xo, yo, N, P), expected, 1e-11);
    free(x);
    free(y);
    free(xo);
    free(yo);
    free(k);
    free(l);
}

/* X -> cX and X -> XQ (a permutation and a plane rotation by 3-4-5) leave CKA alone. */
static void test_invariances(void **state)
{
    (void)state;
    enum { N = 40, P = 6 };
    float *x = normal(N, P, 1.0, 1), *y = normal(N, P, 1.0, 2), q[N * P];
    for (size_t i = 0; i < N * P; i++) y[i] = (float)(0.5 * (double)y[i] + (double)x[i]);
    for (size_t i = 0; i < N; i++) {
        const float *row = x + i * P;
        const double turned[P] = {0.6 * (double)row[5] - 0.8 * (double)row[2],
                                  0.8 * (double)row[5] + 0.6 * (double)row[2],
                                  (double)row[0],
                                  (double)row[4],
                                  (double)row[1],
                                  (double)row[3]};
        for (size_t d = 0; d < P; d++) q[i * P + d] = (float)(8.0 * turned[d] + 3.0);
    }
    assert_close(cka_of(q, y, N, P), cka_of(x, y, N, P), 1e-6); /* float32 rounding of q */
    free(x);
    free(y);
}

/* Equal inputs: exactly 1, with standard error exactly 0, also in a mean over pairs. */
static void test_identical(void **state)
{
    (void)state;
    for (size_t n = 5; n < 40; n += 7) {
        float *x = normal(n, 13, 100.0, (uint32_t)n), *copy = normal(n, 13, 100.0, (uint32_t)n);
        const float *states[] = {x, copy, x};
        pl_cka c;
        assert_int_equal(pl_cka_of(&c, states, n, 3, 13, NULL), PL_OK);
        for (size_t p = 0; p < 3; p++) assert_true(c.value[p] == 1.0);
        assert_true(c.mean == 1.0 && pl_jackknife(c.mean, c.mean_left_out, n).se == 0.0);
        pl_cka_free(&c);
        free(x);
        free(copy);
    }
}

/* Unrelated states, many more dimensions than items: 0 in expectation, where the biased form would give about .9. */
static void test_unrelated(void **state)
{
    (void)state;
    enum { N = 30, P = 300, R = 40 };
    double values[R];
    for (uint32_t r = 0; r < R; r++) {
        float *x = normal(N, P, 5.0, 100 + 2 * r), *y = normal(N, P, 5.0, 101 + 2 * r);
        values[r] = cka_of(x, y, N, P);
        free(x);
        free(y);
    }
    double se = standard_error(values, R);
    assert_true(fabs(pl_mean(values, R)) < 3.0 * se);
    assert_true(se < 0.02);
}

/* All 720 permutations of 6 items: mean exactly 0 and the closed-form SD, whatever the data. */
static void test_null_sd(void **state)
{
    (void)state;
    enum { N = 6, P = 3 };
    float *x = normal(N, P, 2.0, 1), *y = normal(N, P, 2.0, 2), z[N * P];
    size_t order[N] = {0, 1, 2, 3, 4, 5}, turn[N] = {0}, count = 0;
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < N * P; i++) y[i] += x[i];
    for (size_t at = 0; at <= N;) { /* Heap's method */
        if (at == 0) {
            for (size_t i = 0; i < N; i++) memcpy(z + i * P, y + order[i] * P, P * sizeof *z);
            double value = cka_of(x, z, N, P);
            sum += value;
            squares += value * value;
            count++;
            at = 1;
        } else if (at < N && turn[at] < at) {
            size_t other = at % 2 ? turn[at] : 0, swapped = order[other];
            order[other] = order[at];
            order[at] = swapped;
            turn[at]++;
            at = 0;
        } else {
            if (at < N) turn[at] = 0;
            at++;
        }
    }
    assert_int_equal(count, 720);
    assert_close(sum / 720.0, 0.0, 1e-12);
    assert_close(sqrt(squares / 720.0), pl_cka_null_sd(N), 1e-12);
    free(x);
    free(y);
}

static void test_degenerate(void **state)
{
    (void)state;
    float flat[20], *x = normal(5, 4, 0.0, 1);
    for (size_t i = 0; i < 20; i++) flat[i] = 0.1f;
    assert_true(isnan(cka_of(flat, x, 5, 4)));
    assert_true(isnan(cka_of(flat, flat, 5, 4)));
    const float *states[] = {x, x};
    pl_cka c;
    assert_int_equal(pl_cka_of(&c, states, 3, 2, 4, NULL), PL_E_INPUT);
    assert_int_equal(pl_cka_of(&c, states, 4, 2, 4, NULL), PL_OK); /* a value, but too few items for a jackknife */
    assert_true(c.value[0] == 1.0 && isnan(pl_jackknife(c.value[0], c.left_out, 4).se));
    pl_cka_free(&c);
    free(x);
}

static void test_same_bits_for_any_threads(void **state)
{
    (void)state;
    enum { N = 700, T = 4, P = 37 }; /* enough for several threads (analysis/parallel.h) */
    float *x[T];
    for (uint32_t k = 0; k < T; k++) x[k] = normal(N, P, 9.0, k);
    pl_cka one, more;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    assert_int_equal(pl_cka_of(&one, (const float *const *)x, N, T, P, NULL), PL_OK);
    for (int t = 2; t <= 5; t++) {
        omp_set_num_threads(t);
        assert_int_equal(pl_cka_of(&more, (const float *const *)x, N, T, P, NULL), PL_OK);
        assert_memory_equal(one.value, more.value, one.n_pairs * sizeof(double));
        assert_memory_equal(one.left_out, more.left_out, one.n_pairs * N * sizeof(double));
        assert_memory_equal(one.mean_left_out, more.mean_left_out, N * sizeof(double));
        pl_cka_free(&more);
    }
    omp_set_num_threads(threads);
    pl_cka_free(&one);
    for (size_t k = 0; k < T; k++) free(x[k]);
}

/* Every element of the blocked product is the plain sum over d in order, for sizes around the panel of 8. */
static void test_gram_elements(void **state)
{
    (void)state;
    for (size_t n = 1; n < 20; n++) {
        float *x = normal(n, 5, 0.0, (uint32_t)n);
        double *gram = calloc(n * n, sizeof *gram), mean[5];
        assert_int_equal(pl_gram(gram, x, n, 5, NULL), PL_OK);
        for (size_t d = 0; d < 5; d++) {
            double sum = 0.0;
            for (size_t i = 0; i < n; i++) sum += (double)x[i * 5 + d];
            mean[d] = sum / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) {
                double sum = 0.0;
                for (size_t d = 0; d < 5; d++)
                    sum += ((double)x[i * 5 + d] - mean[d]) * ((double)x[j * 5 + d] - mean[d]);
                assert_close(gram[i * n + j], i == j ? 0.0 : sum, 1e-13);
                assert_true(gram[i * n + j] == gram[j * n + i]);
            }
        }
        free(gram);
        free(x);
    }
}

/* Participation ratios: what is written, with and without an item (states centred anew); one dimension: 1. */
static void test_dimensions(void **state)
{
    (void)state;
    enum { N = 30, WIDTH = 4 };
    float *x = normal(N, WIDTH, 1.0, 20), *y = normal(N, WIDTH, 0.0, 21);
    double gram[N * N], left[2];
    const float *states[] = {x, y};
    pl_cka c;
    for (size_t i = 0; i < N; i++) {
        x[i * WIDTH] *= 3.0f;
        for (size_t d = 1; d < WIDTH; d++) y[i * WIDTH + d] = 0.5f;
    }
    assert_int_equal(pl_cka_of(&c, states, N, 2, WIDTH, NULL), PL_OK);
    for (size_t k = 0; k < 2; k++)
        for (size_t out = 0; out < 2; out++) { /* 1: without the last item */
            size_t n = N - out;
            double squares = 0.0;
            assert_int_equal(pl_gram(gram, states[k], n, WIDTH, NULL), PL_OK);
            for (size_t d = 0; d < WIDTH; d++) {
                double mean = 0.0;
                for (size_t i = 0; i < n; i++) mean += (double)states[k][i * WIDTH + d] / (double)n;
                for (size_t i = 0; i < n; i++) squares += pow((double)states[k][i * WIDTH + d] - mean, 2);
            }
            double ratio = pow(squares / ((double)n - 1.0), 2) / naive_hsic(gram, gram, n, n);
            if (out)
                left[k] = ratio;
            else
                assert_close(c.dimensions[k], ratio, 1e-10);
        }
    assert_close(c.dimensions_left_out[N - 1], 0.5 * (left[0] + left[1]), 1e-10);
    assert_true(c.dimensions[0] > 1.2 && c.dimensions[0] < 2.5 && fabs(c.dimensions[1] - 1.0) < 0.3);
    pl_cka_free(&c);
    free(y);
    free(x);
}

/* More items than a block of Gram matrices has, and more conditions than a panel: each pair is what it is alone, to the
 * bit, and what whole Gram matrices say. */
static void test_blocks(void **state)
{
    (void)state;
    enum { N = 397, T = 9, WIDTH = 5, OUT = 390 };
    float *x[T];
    const float *states[T];
    double *k = calloc(N * N, sizeof *k), *l = calloc(N * N, sizeof *l);
    pl_cka all, one;
    assert_true(k && l);
    for (size_t c = 0; c < T; c++) states[c] = x[c] = normal(N, WIDTH, 2.0, (uint32_t)c / 2);
    assert_int_equal(pl_cka_of(&all, states, N, T, WIDTH, NULL), PL_OK);
    for (size_t a = 0; a < T; a += 4)
        for (size_t b = a + 1; b < T; b += 3) {
            const float *pair[] = {states[a], states[b]};
            size_t at = pl_cka_pair(&all, a, b);
            assert_int_equal(pl_cka_of(&one, pair, N, 2, WIDTH, NULL), PL_OK);
            assert_true(one.value[0] == all.value[at]);
            assert_memory_equal(one.left_out, all.left_out + at * N, N * sizeof *one.left_out);
            pl_cka_free(&one);
        }
    assert_true(all.value[pl_cka_pair(&all, 2, 3)] == 1.0); /* the same states */
    assert_int_equal(pl_gram(k, states[0], N, WIDTH, NULL), PL_OK);
    assert_int_equal(pl_gram(l, states[7], N, WIDTH, NULL), PL_OK);
    size_t at = pl_cka_pair(&all, 0, 7);
    assert_close(all.value[at], naive_cka(k, l, N, N), 1e-12);
    assert_close(all.left_out[at * N + OUT], naive_cka(k, l, N, OUT), 1e-12);
    assert_close(all.left_out[at * N], naive_cka(k, l, N, 0), 1e-12);
    pl_cka_free(&all);
    for (size_t c = 0; c < T; c++) free(x[c]);
    free(l);
    free(k);
}

/* Rows that come block by block, into room that is not theirs for long. */
typedef struct reader {
    float *const *x;
    size_t width, most, n_calls, fails; /* most: rows of a call; fails: the call that does, from 1; 0: none */
} reader;

static pl_status read_rows(const void *context, const float **out, float *room, size_t condition, size_t first,
                           size_t n)
{
    reader *r = *(reader *const *)context;
    if (++r->n_calls == r->fails) return pl_fail(PL_E_IO, "a torn cable");
    r->most = n > r->most ? n : r->most;
    memcpy(room, r->x[condition] + first * r->width, n * r->width * sizeof *room);
    *out = room;
    return PL_OK;
}

/* The bits of matrices in memory, from few rows at a time; what a reader says is passed on. */
static void test_rows(void **state)
{
    (void)state;
    enum { N = 900, T = 3, P = 19 };
    float *x[T];
    for (uint32_t k = 0; k < T; k++) x[k] = normal(N, P, 5.0, k);
    reader r = {.x = x, .width = P}, *context = &r;
    const pl_states from = {.context = &context, .rows = read_rows};
    pl_cka whole, read;
    assert_int_equal(pl_cka_of(&whole, (const float *const *)x, N, T, P, NULL), PL_OK);
    assert_int_equal(pl_cka_of_rows(&read, &from, N, T, P, NULL), PL_OK);
    assert_true(r.most <= 384 && r.n_calls > 0);
    assert_memory_equal(whole.value, read.value, whole.n_pairs * sizeof(double));
    assert_memory_equal(whole.left_out, read.left_out, whole.n_pairs * N * sizeof(double));
    assert_memory_equal(whole.dimensions_left_out, read.dimensions_left_out, N * sizeof(double));
    pl_cka_free(&read);
    const size_t all = r.n_calls;
    for (size_t fails = 1; fails <= all; fails += 7) {
        r.n_calls = 0;
        r.fails = fails;
        REFUSED(pl_cka_of_rows(&read, &from, N, T, P, NULL), PL_E_IO, "a torn cable");
    }
    pl_cka_free(&whole);
    for (size_t k = 0; k < T; k++) free(x[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_section_f),
        cmocka_unit_test(test_published_demo),
        cmocka_unit_test(test_jackknife_brute_force),
        cmocka_unit_test(test_common_offset),
        cmocka_unit_test(test_invariances),
        cmocka_unit_test(test_identical),
        cmocka_unit_test(test_unrelated),
        cmocka_unit_test(test_null_sd),
        cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_same_bits_for_any_threads),
        cmocka_unit_test(test_gram_elements),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
