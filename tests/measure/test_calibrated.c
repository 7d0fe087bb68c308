/* Calibrated similarity: the package's scores, thresholds and p for the same permutations (it keeps float32: 1e-6), of
 * one pair, of the mean over pairs of conditions, and of the mean and the largest over pairs of layers; more layers
 * than a panel or a word holds; permutations within classes; what cannot be calibrated. */
#include "statistics/golden.h"

#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "measure/calibrated.h"
#include "measure/cka.h"
#include "measure/similarity.h"

static const struct {
    pl_similarity similarity;
    const char *name;
} KINDS[] = {{PL_SIMILAR_CKA, "cka"}, {PL_SIMILAR_MKNN, "mknn"}, {PL_SIMILAR_PROCRUSTES, "procrustes"}};
enum { N_KINDS = sizeof KINDS / sizeof *KINDS };

static size_t count(const json_t *object, const char *key)
{
    return (size_t)number(member(object, key));
}

static float *floats(const json_t *values)
{
    float *out;
    OK(pl_new(&out, json_array_size(values)));
    for (size_t i = 0; i < json_array_size(values); i++) out[i] = (float)element(values, i);
    return out;
}

static size_t *places(const json_t *values)
{
    size_t *out;
    OK(pl_new(&out, json_array_size(values)));
    for (size_t i = 0; i < json_array_size(values); i++) out[i] = (size_t)element(values, i);
    return out;
}

static void fill_side(pl_side *side, pl_similarity similarity, const float *states, size_t n, size_t m, size_t width)
{
    OK(pl_side_open(side, similarity, n, m, NULL));
    for (size_t k = 0; k < m; k++) OK(pl_side_add(side, states + k * n * width, width));
}

/* The part of each grid, calibrated. */
static pl_calibrated calibrated(const double *grids, size_t n_x, size_t n_y, size_t n_orders, pl_grid_part part)
{
    pl_calibrated out;
    double *series;
    OK(pl_new(&series, n_orders + 1));
    for (size_t k = 0; k <= n_orders; k++) series[k] = pl_grid_value(grids + k * n_x * n_y, n_x, n_y, part);
    OK(pl_calibrated_of(&out, series[0], series + 1, n_orders));
    free(series);
    return out;
}

/* The package's answer: score, p, tau. */
static void check(pl_calibrated ours, const json_t *theirs)
{
    assert_close(ours.score, element(theirs, 0), 1e-6);
    assert_close(ours.p, element(theirs, 1), 1e-6);
    assert_close(ours.tau, element(theirs, 2), 1e-6);
}

/* Conditions against one another. */
static pl_calibrated conditions(pl_similarity similarity, const float *x, size_t n, size_t t, size_t width,
                                const size_t *orders, size_t n_orders)
{
    pl_side side;
    double *grids;
    fill_side(&side, similarity, x, n, t, width);
    OK(pl_new(&grids, (1 + n_orders) * t * t));
    OK(pl_similar_grids(grids, &side, &side, orders, n_orders));
    pl_calibrated out = calibrated(grids, t, t, n_orders, PL_GRID_ABOVE);
    free(grids);
    pl_side_free(&side);
    return out;
}

static void check_conditions(const json_t *c)
{
    size_t n = count(c, "n"), t = count(c, "t"), width = count(c, "width");
    size_t n_orders = json_array_size(member(c, "orders")) / n, *orders = places(member(c, "orders"));
    float *x = floats(member(c, "x"));
    const float *states[] = {x, x + n * width, x + (t - 1) * n * width};
    pl_cka plain;
    for (size_t k = 0; k < N_KINDS; k++)
        check(conditions(KINDS[k].similarity, x, n, t, width, orders, n_orders), member(c, KINDS[k].name));
    OK(pl_cka_of(&plain, states, n, t, width, NULL));
    assert_close(conditions(PL_SIMILAR_CKA, x, n, t, width, orders, n_orders).observed, plain.mean, 1e-12);
    pl_cka_free(&plain);
    /* The same states everywhere: 1, and nothing permuted reaches it. Constant conditions are similar to none. */
    for (size_t k = 1; k < t; k++) memcpy(x + k * n * width, x, n * width * sizeof *x);
    for (size_t k = 0; k < N_KINDS; k++) {
        pl_calibrated same = conditions(KINDS[k].similarity, x, n, t, width, orders, n_orders);
        assert_close(same.score, 1.0, 1e-12);
        assert_close(same.p, 1.0 / (double)(n_orders + 1), 1e-12);
    }
    for (size_t i = 0; i < n * width; i++) x[i] = 2.5f;
    for (size_t k = 0; k < N_KINDS; k++) {
        pl_calibrated none = conditions(KINDS[k].similarity, x, n, t, width, orders, n_orders);
        assert_true(isnan(none.observed) && isnan(none.score) && isnan(none.p));
    }
    free(x);
    free(orders);
}

static void check_layers(const json_t *c)
{
    size_t n = count(c, "n"), n_x = count(c, "n_x"), n_y = count(c, "n_y"), width = count(c, "width"), last;
    size_t n_orders = json_array_size(member(c, "orders")) / n, *orders = places(member(c, "orders"));
    float *x = floats(member(c, "x")), *y = floats(member(c, "y"));
    last = n_x * n_y - 1;
    for (size_t k = 0; k < N_KINDS; k++) {
        static const char *const parts[] = {"mean", "max", "last"};
        pl_side a, b;
        double *grids, *pair;
        fill_side(&a, KINDS[k].similarity, x, n, n_x, width);
        fill_side(&b, KINDS[k].similarity, y, n, n_y, width);
        OK(pl_new(&grids, (1 + n_orders) * n_x * n_y));
        OK(pl_new(&pair, 1 + n_orders));
        OK(pl_similar_grids(grids, &a, &b, orders, n_orders));
        for (size_t o = 0; o <= n_orders; o++) pair[o] = grids[o * n_x * n_y + last];
        const pl_calibrated ours[] = {calibrated(grids, n_x, n_y, n_orders, PL_GRID_MEAN),
                                      calibrated(grids, n_x, n_y, n_orders, PL_GRID_LARGEST),
                                      calibrated(pair, 1, 1, n_orders, PL_GRID_MEAN)};
        for (size_t p = 0; p < 3; p++) {
            char name[16];
            snprintf(name, sizeof name, "%s_%s", KINDS[k].name, parts[p]);
            check(ours[p], member(c, name));
        }
        free(pair);
        free(grids);
        pl_side_free(&a);
        pl_side_free(&b);
    }
    free(y);
    free(x);
    free(orders);
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root = NULL, *c;
    size_t i;
    OK(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/measure/calibrated.json", 1 << 20));
    json_array_foreach(member(root, "cases"), i, c) check_conditions(c);
    json_array_foreach(member(root, "layers"), i, c) check_layers(c);
    json_decref(root);
}

/* 70 conditions fill nine panels and two words: each pair is what it is alone, on one thread and on several; constant
 * conditions are NaN in their pairs and in no others. */
static void test_many(void **state)
{
    (void)state;
    enum { N = 20, M = 70, WIDTH = 3, ORDERS = 3, CONSTANT = 66 };
    float *x;
    size_t orders[ORDERS * N];
    OK(pl_new(&x, M * N * WIDTH));
    for (size_t i = 0; i < M * N * WIDTH; i++)
        x[i] = i / (N * WIDTH) == CONSTANT ? 1.5f : (float)pl_random_normal(5, PL_RANDOM_TEST, 0, i);
    OK(pl_calibrated_orders(orders, ORDERS, N, NULL));
    for (size_t k = 0; k < N_KINDS; k++) {
        pl_side all;
        double *grids, *again;
        fill_side(&all, KINDS[k].similarity, x, N, M, WIDTH);
        OK(pl_new(&grids, (1 + ORDERS) * M * M));
        OK(pl_new(&again, (1 + ORDERS) * M * M));
        omp_set_num_threads(1);
        OK(pl_similar_grids(grids, &all, &all, orders, ORDERS));
        omp_set_num_threads(3);
        OK(pl_similar_grids(again, &all, &all, orders, ORDERS));
        assert_memory_equal(grids, again, (1 + ORDERS) * M * M * sizeof *grids);
        for (size_t pair = 0; pair < 4; pair++) {
            static const size_t pairs[4][2] = {{0, 69}, {1, 69}, {64, 65}, {7, 8}};
            pl_side a, b;
            double alone[1 + ORDERS];
            fill_side(&a, KINDS[k].similarity, x + pairs[pair][0] * N * WIDTH, N, 1, WIDTH);
            fill_side(&b, KINDS[k].similarity, x + pairs[pair][1] * N * WIDTH, N, 1, WIDTH);
            OK(pl_similar_grids(alone, &a, &b, orders, ORDERS));
            for (size_t o = 0; o <= ORDERS; o++)
                assert_true(alone[o] == grids[(o * M + pairs[pair][0]) * M + pairs[pair][1]]);
            pl_side_free(&a);
            pl_side_free(&b);
        }
        double largest = 0.0;
        for (size_t a = 0; a < M; a++)
            for (size_t b = 0; b < M; b++) {
                assert_true(isnan(grids[a * M + b]) == (b <= a || a == CONSTANT || b == CONSTANT));
                largest = fmax(largest, grids[a * M + b]);
            }
        assert_true(pl_grid_value(grids, M, M, PL_GRID_LARGEST) == largest &&
                    isnan(pl_grid_value(grids, M, M, PL_GRID_ABOVE)));
        free(again);
        free(grids);
        pl_side_free(&all);
    }
    free(x);
}

/* Within classes every item stays with its own, and permutations are some. */
static void test_orders(void **state)
{
    (void)state;
    enum { N = 12, ORDERS = 50 };
    const size_t classes[N] = {0, 2, 2, 0, 2, 0, 0, 2, 2, 2, 0, 3};
    size_t orders[ORDERS * N], moved = 0;
    OK(pl_calibrated_orders(orders, ORDERS, N, classes));
    for (size_t k = 0; k < ORDERS; k++) {
        bool there[N] = {false};
        for (size_t i = 0; i < N; i++) {
            const size_t to = orders[k * N + i];
            assert_true(to < N && !there[to] && classes[to] == classes[i]);
            there[to] = true;
            moved += to != i;
        }
    }
    assert_true(moved > ORDERS * N / 2);
    OK(pl_calibrated_orders(orders, ORDERS, N, NULL));
    for (size_t k = 0, crossed = 0; k < ORDERS && crossed == 0; k++) {
        for (size_t i = 0; i < N; i++) crossed += classes[orders[k * N + i]] != classes[i];
        assert_true(crossed > 0);
    }
}

/* The order statistic by hand: ten values, tau the 10th of 10 at .95. */
static void test_score(void **state)
{
    (void)state;
    const double permuted[] = {0.1, 0.3, 0.2, 0.0, 0.4, 0.25, 0.15, 0.05, 0.35};
    pl_calibrated c;
    OK(pl_calibrated_of(&c, 0.5, permuted, 9));
    assert_true(c.tau == 0.5 && c.score == 0.0 && fabs(c.p - 0.1) < 1e-15); /* too few permutations to say more */
    OK(pl_calibrated_of(&c, 0.25, permuted, 9));
    assert_true(c.tau == 0.4 && c.score == 0.0 && fabs(c.p - 0.5) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_orders), cmocka_unit_test(test_score)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
