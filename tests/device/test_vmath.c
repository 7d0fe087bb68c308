/* exp, tanh, erf and log against libm in double precision, in units of the float's last bit; the largest errors stated
 * in vmath.h. A wrong coefficient's last digit shows: a planted error of 3 units does. */
#include "device/cpu/vmath.h"
#include "world.h"

/* |got - expected| in units of the last bit of expected; subnormal results count in 2^-149. */
static double ulps(float got, double expected)
{
    if (isnan(expected)) return isnan(got) ? 0.0 : INFINITY;
    if (fabs(expected) >= 0x1.ffffffp127)
        return isinf(got) ? 0.0 : fabs(expected) < 0x1.000001p128 && !isnan(got) ? 0.0 : INFINITY;
    int e;
    (void)frexp(expected, &e);
    double unit = ldexp(1.0, (e < -125 ? -125 : e) - 24);
    return fabs((double)got - expected) / unit;
}

/* Over every 2^k-th float of both signs. */
static double largest(float (*f)(float), double (*exact)(double), uint32_t step)
{
    double most = 0.0;
    for (uint64_t bits = 0; bits < 0x7f800000u; bits += step) {
        for (uint32_t sign = 0; sign < 2; sign++) {
            float x = pl__float_of((uint32_t)bits | sign << 31);
            double e = ulps(f(x), exact((double)x));
            if (!(e <= most)) most = e;
        }
    }
    return most;
}

static float off(float x) /* planted: 3 units wrong */
{
    return pl__float_of(pl__bits_of(pl__exp(x)) + 3);
}

static void test_accuracy(void **state)
{
    (void)state;
    uint32_t step = SMALL ? 9973 : 997;
    double e = largest(pl__exp, exp, step), t = largest(pl__tanh, tanh, step), r = largest(pl__erf, erf, step);
    print_message("largest errors: exp %.3f, tanh %.3f, erf %.3f ulp\n", e, t, r);
    assert_true(e <= 1.5);
    assert_true(t <= 2.0);
    assert_true(r <= 2.0);
    assert_true(largest(off, exp, step * 16) > 1.5);
}

static void test_ends(void **state)
{
    (void)state;
    assert_true(pl__exp(INFINITY) == INFINITY && pl__exp(-INFINITY) == 0.0f && pl__exp(0.0f) == 1.0f);
    assert_true(pl__exp(-0.0f) == 1.0f && pl__exp(1e38f) == INFINITY && pl__exp(-1e38f) == 0.0f);
    assert_true(pl__tanh(INFINITY) == 1.0f && pl__tanh(-INFINITY) == -1.0f && signbit(pl__tanh(-0.0f)));
    assert_true(pl__erf(INFINITY) == 1.0f && pl__erf(-INFINITY) == -1.0f && signbit(pl__erf(-0.0f)));
    assert_true(isnan(pl__exp(NAN)) && isnan(pl__tanh(NAN)) && isnan(pl__erf(NAN)) && isnan(pl__log(NAN)));
    assert_true(pl__log(0.0) == -INFINITY && isnan(pl__log(-1.0)) && pl__log(INFINITY) == INFINITY);
}

static void test_log(void **state)
{
    (void)state;
    for (size_t i = 0; i < 200000; i++) {
        double x = exp(40.0 * (pl_random_uniform(1, PL_RANDOM_TEST, 0, i) - 0.5)), expected = log(x);
        assert_true(fabs(pl__log(x) - expected) <= 1e-15 * (1.0 + fabs(expected)));
    }
    assert_true(pl__log(1.0) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
