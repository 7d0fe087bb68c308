/* Similarities have the same bits wherever their products are made: on the device that the environment names, and on
 * the CPU. */
#include "tests.h"

#include "base/random.h"
#include "device/chosen.h"
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

static void test_components(void **state)
{
    pl_pca here, there;
    (void)state;
    OK(pl_pca_of(&here, states[0], N, WIDTH, 5, NULL));
    OK(pl_pca_of(&there, states[0], N, WIDTH, 5, &processor));
    assert_int_equal(here.dims, 5);
    assert_memory_equal(here.scores, there.scores, N * here.dims * sizeof *here.scores);
    pl_pca_free(&here);
    pl_pca_free(&there);
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
                                       cmocka_unit_test(test_grids)};
    for (uint32_t c = 0; c < CONDITIONS; c++) /* half of what they are is the same */
        for (size_t i = 0; i < N * WIDTH; i++)
            states[c][i] =
                (float)(pl_random_normal(7, PL_RANDOM_TEST, 1, i) + pl_random_normal(7, PL_RANDOM_TEST, c + 2, i));
    OK(pl_processor_open(&processor, chosen_device(), 0));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pl_processor_close(&processor);
    return failed;
}
