/* Similarities have the same bits wherever their products are made: on the device that the environment names, and on
 * the CPU. */
#include "tests.h"

#include "base/random.h"
#include "device/chosen.h"
#include "measure/cka.h"
#include "measure/gram.h"
#include "measure/pca.h"
#include "measure/similarity.h"

enum { N = 45, WIDTH = 70, CONDITIONS = 3 };

static pl_processor processor;
static float states[CONDITIONS][N * WIDTH];

static void test_products(void **state)
{
    static double here[N * N], there[N * N];
    (void)state;
    for (size_t c = 0; c < CONDITIONS; c++) {
        OK(pl_gram(here, states[c], N, WIDTH, NULL));
        OK(pl_gram(there, states[c], N, WIDTH, &processor));
        assert_memory_equal(here, there, sizeof here);
        assert_true(here[1] != 0.0);
    }
}

/* From products of rows, and of columns where these are fewer. */
static void test_components(void **state)
{
    static const size_t widths[] = {WIDTH, N / 2};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pl_pca here, there;
        OK(pl_pca_of(&here, states[0], N, widths[i], 5, NULL));
        OK(pl_pca_of(&there, states[0], N, widths[i], 5, &processor));
        assert_int_equal(here.dims, 5);
        assert_memory_equal(here.scores, there.scores, N * here.dims * sizeof *here.scores);
        pl_pca_free(&here);
        pl_pca_free(&there);
    }
}

/* Of more items than a block of them has, and not a multiple of it. */
static void test_cka(void **state)
{
    enum { ITEMS = CONDITIONS * N * WIDTH / 12, T = 3, FEW = 4 };
    const float *all = &states[0][0];
    const float *of[T] = {all, all + ITEMS * FEW, all + 2 * ITEMS * FEW};
    pl_cka here, there;
    (void)state;
    assert_true(ITEMS > 2 * 256);
    OK(pl_cka_of(&here, of, ITEMS, T, FEW, NULL));
    OK(pl_cka_of(&there, of, ITEMS, T, FEW, &processor));
    assert_memory_equal(here.value, there.value, here.n_pairs * sizeof *here.value);
    assert_memory_equal(here.left_out, there.left_out, here.n_pairs * ITEMS * sizeof *here.left_out);
    pl_cka_free(&here);
    pl_cka_free(&there);
}

static void fill(pl_side *side, pl_similarity kind, const pl_processor *on)
{
    OK(pl_side_open(side, kind, N, CONDITIONS, on));
    for (size_t c = 0; c < CONDITIONS; c++) OK(pl_side_add(side, states[c], WIDTH));
}

static void test_grids(void **state)
{
    (void)state;
    for (int kind = 0; kind < PL_SIMILARITIES; kind++) {
        size_t order[N];
        double here[2 * CONDITIONS * CONDITIONS], there[2 * CONDITIONS * CONDITIONS];
        pl_side a, b;
        pl_random_permutation(order, N, 1, PL_RANDOM_TEST, 0);
        fill(&a, (pl_similarity)kind, NULL);
        fill(&b, (pl_similarity)kind, &processor);
        OK(pl_similar_grids(here, &a, &a, order, 1));
        OK(pl_similar_grids(there, &b, &b, order, 1));
        assert_memory_equal(here, there, sizeof here);
        pl_side_free(&a);
        pl_side_free(&b);
    }
}

int main(void)
{
    const int missing = device_missing();
    if (missing) return missing;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_components),
                                       cmocka_unit_test(test_cka), cmocka_unit_test(test_grids)};
    for (uint32_t c = 0; c < CONDITIONS; c++) /* half of what they are is the same */
        for (size_t i = 0; i < N * WIDTH; i++)
            states[c][i] =
                (float)(pl_random_normal(7, PL_RANDOM_TEST, 1, i) + pl_random_normal(7, PL_RANDOM_TEST, c + 2, i));
    OK(pl_processor_open(&processor, chosen_device(), 0));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pl_processor_close(&processor);
    return failed;
}
