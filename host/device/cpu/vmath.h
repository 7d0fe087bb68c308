/* exp, tanh, erf and log for loops over rows, with the same bits whatever the vector width.
 *
 * Each is a function of one number built from +, -, *, /, fmaf, comparisons and bit moves, without a branch, so that
 * the compiler vectorises a loop over it and lane and tail agree. NaN in gives NaN out. Largest errors against double
 * precision over every 997th float (test_vmath.c): exp 1.03 ulp (in units of 2^-149 where the result is subnormal),
 * tanh 1.5 ulp, erf 1.01 ulp; log works in double precision, 1e-15 relative or absolute.
 * The polynomials are least-maximum fits (Lawson's algorithm) rounded to float. */
#ifndef PLUMB_DEVICE_CPU_VMATH_H
#define PLUMB_DEVICE_CPU_VMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float pl__float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t pl__bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* e^x = 2^n e^r, n the whole number next to x / ln 2, |r| <= ln 2 / 2. */
static inline float pl__exp(float x)
{
    /* Outside this range the result is infinite or 0; comparisons with NaN leave x alone. */
    float c = x > 89.0f ? 89.0f : x;
    c = c < -104.0f ? -104.0f : c;
    const float shift = 0x1.8p23f; /* adding it rounds to a whole number in the low bits */
    float t = fmaf(c, 0x1.715476p0f, shift);
    float n = t - shift;
    float r = fmaf(n, -0x1.62e400p-1f, c); /* the high part of ln 2 has 13 zero bits: n * it is exact */
    r = fmaf(n, -0x1.7f7d1cp-20f, r);
    float p = 0.0013950724f;
    p = fmaf(p, r, 0.008369025f);
    p = fmaf(p, r, 0.041666202f);
    p = fmaf(p, r, 0.16666518f);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p * r, r, r) + 1.0f;
    /* Times 2^n in two steps: n reaches below the smallest exponent. */
    int32_t whole = (int32_t)(pl__bits_of(t) - pl__bits_of(shift));
    int32_t half = whole >> 1;
    float first = pl__float_of((uint32_t)(half + 127) << 23);
    float second = pl__float_of((uint32_t)(whole - half + 127) << 23);
    float y = p * first * second;
    return x != x ? x : y;
}

static inline float pl__copy_sign(float magnitude, float sign)
{
    return pl__float_of((pl__bits_of(magnitude) & 0x7fffffffu) | (pl__bits_of(sign) & 0x80000000u));
}

/* A polynomial near 0, (1 - e) / (1 + e) with e = exp(-2|x|) elsewhere. */
static inline float pl__tanh(float x)
{
    float a = pl__float_of(pl__bits_of(x) & 0x7fffffffu), s = x * x;
    float p = -0.005717037f;
    p = fmaf(p, s, 0.020650579f);
    p = fmaf(p, s, -0.053743497f);
    p = fmaf(p, s, 0.13331491f);
    p = fmaf(p, s, -0.33333284f);
    float near = fmaf(p * s, a, a);
    float e = pl__exp(-2.0f * a);
    float far = (1.0f - e) / (1.0f + e);
    float y = pl__copy_sign(a < 0.625f ? near : far, x);
    return x != x ? x : y;
}

/* A polynomial up to 1; beyond, 1 - exp(-t - t g(t)), where g is a fit to -log(erfc t) / t - 1 up to 4.1. */
static inline float pl__erf(float x)
{
    float a = pl__float_of(pl__bits_of(x) & 0x7fffffffu), s = x * x;
    float p = 7.889119e-05f;
    p = fmaf(p, s, -0.0008020841f);
    p = fmaf(p, s, 0.005189535f);
    p = fmaf(p, s, -0.026854444f);
    p = fmaf(p, s, 0.112836f);
    p = fmaf(p, s, -0.37612626f);
    p = fmaf(p, s, 0.12837917f);
    float near = fmaf(p, x, x);
    float t = a > 4.1f ? 4.1f : a;
    float g = 1.2579221e-05f;
    g = fmaf(g, t, -0.00033634025f);
    g = fmaf(g, t, 0.0036976954f);
    g = fmaf(g, t, -0.023879342f);
    g = fmaf(g, t, 0.10637361f);
    g = fmaf(g, t, 0.63506824f);
    g = fmaf(g, t, 0.12866904f);
    float far = pl__copy_sign(1.0f - pl__exp(-fmaf(g, t, t)), x);
    float y = a < 1.0f ? near : far;
    return x != x ? x : y;
}

/* Natural logarithm of a positive, finite, normal double: 2 atanh((m - 1) / (m + 1)) + e ln 2. Once a row, so plain. */
static inline double pl__log(double x)
{
    if (!(x > 0.0) || x - x != 0.0) return x == 0.0 ? -HUGE_VAL : x > 0.0 ? x : NAN;
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t e = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        e++;
    }
    double t = (m - 1.0) / (m + 1.0), s = t * t, sum = 0.0;
    for (int k = 23; k >= 1; k -= 2) sum = sum * s + 1.0 / k;
    return 2.0 * t * sum + (double)e * 0.69314718055994531;
}

#endif
