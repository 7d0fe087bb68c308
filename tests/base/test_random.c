/* Random numbers: Philox 4x32-10 against the known answers published with Random123 (kat_vectors), the numbers made
 * from them against the same formulas in Python, and permutations that are permutations, each as likely as the others.
 */
#include "tests.h"

#include <math.h>
#include <stdbool.h>

#include "base/random.h"

/* counter = (index low, index high, stream, purpose), key = seed; the four words of each answer are in the comment. */
static const struct {
    uint64_t seed, index;
    uint32_t stream, purpose, first;
    uint32_t below_1000, below_max; /* (word 0, 1, 2 as one number) * bound >> 96 */
    double uniform, normal;
} ANSWERS[] = {
    /* 6627e8d5 e169c58d bc57ac4c 9b00dbd8 */
    {0, 0, 0, 0, 0x6627e8d5, 399, 1713891541, 0.39904647084896455, 0.9911376799303855},
    /* 408f276d 41c83b0e a20bc7c6 6d5451fd */
    {UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX, 0x408f276d, 252, 1083123565, 0.25218435685545243,
     -0.07258079133347102},
    /* d16cfe09 94fdcceb 5001e420 24126ea1 */
    {0x299f31d0a4093822, 0x85a308d3243f6a88, 0x13198a2e, 0x03707344, 0xd16cfe09, 818, 3513581064, 0.8180693410295057,
     -0.5514679005084956},
};

static void test_known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ANSWERS / sizeof *ANSWERS; i++) {
        uint64_t seed = ANSWERS[i].seed, index = ANSWERS[i].index;
        uint32_t stream = ANSWERS[i].stream;
        pl_purpose purpose = (pl_purpose)ANSWERS[i].purpose;
        assert_int_equal(pl_random_u32(seed, purpose, stream, index), ANSWERS[i].first);
        assert_int_equal(pl_random_below(seed, purpose, stream, index, 1), 0);
        assert_int_equal(pl_random_below(seed, purpose, stream, index, 1000), ANSWERS[i].below_1000);
        assert_int_equal(pl_random_below(seed, purpose, stream, index, UINT32_MAX), ANSWERS[i].below_max);
        assert_true(pl_random_uniform(seed, purpose, stream, index) == ANSWERS[i].uniform);
        /* log, sqrt and cos may differ from Python's libm in the last places. */
        assert_true(fabs(pl_random_normal(seed, purpose, stream, index) - ANSWERS[i].normal) < 1e-14);
    }
}

static void test_every_input_matters(void **state)
{
    (void)state;
    uint32_t base = pl_random_u32(1, PL_RANDOM_DRAW, 2, 3);
    assert_int_equal(pl_random_u32(1, PL_RANDOM_DRAW, 2, 3), base);
    assert_int_not_equal(pl_random_u32(2, PL_RANDOM_DRAW, 2, 3), base);
    assert_int_not_equal(pl_random_u32(1ull << 40, PL_RANDOM_DRAW, 2, 3), base);
    assert_int_not_equal(pl_random_u32(1, PL_RANDOM_ORDER, 2, 3), base);
    assert_int_not_equal(pl_random_u32(1, PL_RANDOM_DRAW, 3, 3), base);
    assert_int_not_equal(pl_random_u32(1, PL_RANDOM_DRAW, 2, 4), base);
    assert_int_not_equal(pl_random_u32(1, PL_RANDOM_DRAW, 2, 3 + (1ull << 32)), base);
}

/* Mean, variance and range of 100,000 numbers; the bounds are five standard errors, fixed seeds make it exact. */
static void test_moments(void **state)
{
    (void)state;
    enum { N = 100000 };
    double u = 0, uu = 0, z = 0, zz = 0;
    for (uint64_t i = 0; i < N; i++) {
        double x = pl_random_uniform(7, PL_RANDOM_TEST, 0, i), y = pl_random_normal(7, PL_RANDOM_TEST, 1, i);
        assert_true(x > 0 && x < 1);
        u += x / N;
        uu += x * x / N;
        z += y / N;
        zz += y * y / N;
    }
    assert_true(fabs(u - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(uu - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    assert_true(fabs(z) < 5 * sqrt(1.0 / N));
    assert_true(fabs(zz - 1) < 5 * sqrt(2.0 / N));
}

static void test_permutations(void **state)
{
    (void)state;
    size_t out[1000], again[1000];
    bool seen[1000] = {false};
    pl_random_permutation(out, 1000, 5, PL_RANDOM_TEST, 0);
    pl_random_permutation(again, 1000, 5, PL_RANDOM_TEST, 0);
    assert_memory_equal(out, again, sizeof out);
    size_t fixed = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_true(out[i] < 1000 && !seen[out[i]]);
        seen[out[i]] = true;
        fixed += out[i] == i;
    }
    assert_true(fixed < 10); /* one is expected */
    pl_random_permutation(again, 1000, 5, PL_RANDOM_TEST, 1);
    assert_memory_not_equal(out, again, sizeof out);
    pl_random_permutation(out, 0, 5, PL_RANDOM_TEST, 0);
    pl_random_permutation(out, 1, 5, PL_RANDOM_TEST, 0);
    assert_int_equal(out[0], 0);

    /* The 24 orders of four, over 24,000 streams: chi-square with 23 degrees of freedom, 99.99 % at 58. */
    size_t counts[256] = {0}, n_orders = 0;
    double chi = 0;
    for (uint32_t s = 0; s < 24000; s++) {
        pl_random_permutation(out, 4, 11, PL_RANDOM_TEST, s);
        counts[out[0] << 6 | out[1] << 4 | out[2] << 2 | out[3]]++;
    }
    for (size_t i = 0; i < 256; i++) {
        if (counts[i] == 0) continue;
        n_orders++;
        chi += ((double)counts[i] - 1000) * ((double)counts[i] - 1000) / 1000;
    }
    assert_int_equal(n_orders, 24);
    assert_true(chi < 58);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_every_input_matters),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_permutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
