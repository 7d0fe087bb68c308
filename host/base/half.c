/* Conversions between float32 and the half types (half.h), on the bits and free of branches.
 *
 * The loops run over blocks of a fixed length, because that is what compilers vectorise at -O2; the last block goes
 * through a padded copy. Rounding of subnormals leans on the floating-point unit's own round-to-nearest-even, the
 * default mode, which nothing in this program changes. */
#include "base/half.h"

#include <string.h>

enum { LANES = 64 };

static inline uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* All ones where the condition holds. */
static inline uint32_t mask(int condition)
{
    return 0U - (uint32_t)condition;
}

static inline uint32_t pick(uint32_t m, uint32_t yes, uint32_t no)
{
    return (m & yes) | (~m & no);
}

enum {
    F32_INFINITY = 0x7f800000,
    F16_SMALLEST_NORMAL = 0x38800000, /* 2^-14 as float32 */
    F16_OVERFLOW = 0x477ff000,        /* 65520: the first float32 that would round to infinity */
    BF16_OVERFLOW = 0x7f7f8000
};

static uint32_t f16_block(uint16_t *out, const float *in) /* [LANES] each */
{
    uint32_t n_over = 0;
    for (int i = 0; i < LANES; i++) {
        uint32_t bits = bits_of(in[i]), u = bits & 0x7fffffff, sign = (bits >> 16) & 0x8000;
        /* Exponent from bias 127 to 15; the carry of the rounding may run into it, as it should. */
        uint32_t normal = (u - ((127U - 15U) << 23) + 0xfff + ((u >> 13) & 1)) >> 13;
        /* 0.5 has an ulp of 2^-24, the smallest float16: adding it rounds to that grid. */
        uint32_t small = bits_of(float_of(u & mask(u < F16_SMALLEST_NORMAL)) + 0.5f) - bits_of(0.5f);
        uint32_t nan = mask(u > F32_INFINITY), over = mask(u >= F16_OVERFLOW) & ~nan;
        uint32_t h = pick(mask(u < F16_SMALLEST_NORMAL), small, normal);
        h = pick(over, 0x7bff, h);
        h = pick(nan, 0x7e00 | ((u >> 13) & 0x3ff), h);
        out[i] = (uint16_t)(h | sign);
        n_over += over & 1;
    }
    return n_over;
}

static uint32_t bf16_block(uint16_t *out, const float *in) /* [LANES] each */
{
    uint32_t n_over = 0;
    for (int i = 0; i < LANES; i++) {
        uint32_t bits = bits_of(in[i]), u = bits & 0x7fffffff, sign = (bits >> 16) & 0x8000;
        uint32_t nan = mask(u > F32_INFINITY), over = mask(u >= BF16_OVERFLOW) & ~nan;
        uint32_t h = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
        h = pick(over, 0x7f7f, h);
        h = pick(nan, 0x7fc0 | (u >> 16), h);
        out[i] = (uint16_t)(h | sign);
        n_over += over & 1;
    }
    return n_over;
}

typedef uint32_t narrow_block(uint16_t *out, const float *in);

static inline size_t narrow(narrow_block *block, uint16_t *out, const float *in, size_t n)
{
    size_t n_over = 0, i = 0;
    for (; n - i >= LANES; i += LANES) n_over += block(out + i, in + i);
    if (i < n) {
        float rest[LANES] = {0};
        uint16_t halves[LANES];
        memcpy(rest, in + i, (n - i) * sizeof *rest);
        n_over += block(halves, rest);
        memcpy(out + i, halves, (n - i) * sizeof *halves);
    }
    return n_over;
}

size_t pl_f16_from_f32(uint16_t *out, const float *in, size_t n)
{
    return narrow(f16_block, out, in, n);
}

size_t pl_bf16_from_f32(uint16_t *out, const float *in, size_t n)
{
    return narrow(bf16_block, out, in, n);
}

/* Infinity is one above the largest finite value in both types. */
static inline size_t clamp(uint16_t *halves, size_t n, uint16_t infinity)
{
    size_t n_over = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t over = (halves[i] & 0x7fff) == infinity;
        halves[i] = (uint16_t)(halves[i] - over);
        n_over += over;
    }
    return n_over;
}

size_t pl_f16_clamp(uint16_t *halves, size_t n)
{
    return clamp(halves, n, 0x7c00);
}

size_t pl_bf16_clamp(uint16_t *halves, size_t n)
{
    return clamp(halves, n, 0x7f80);
}

static inline size_t count_nan(const uint16_t *halves, size_t n, uint16_t infinity)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += (halves[i] & 0x7fffu) > infinity;
    return count;
}

size_t pl_f16_count_nan(const uint16_t *halves, size_t n)
{
    return count_nan(halves, n, 0x7c00);
}

size_t pl_bf16_count_nan(const uint16_t *halves, size_t n)
{
    return count_nan(halves, n, 0x7f80);
}

/* By bits: loops that the compiler makes wide. */
static inline size_t count_from(const float *values, size_t n, uint32_t least)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        count += (bits & 0x7fffffffu) >= least;
    }
    return count;
}

size_t pl_f32_count_nan(const float *values, size_t n)
{
    return count_from(values, n, 0x7f800001u);
}

size_t pl_f32_count_not_finite(const float *values, size_t n)
{
    return count_from(values, n, 0x7f800000u);
}

static inline float f32_of_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, u = (uint32_t)(h & 0x7fff) << 13, exponent = u & 0x0f800000;
    uint32_t normal = u + ((127U - 15U) << 23);
    uint32_t large = u + ((255U - 31U) << 23); /* infinity and NaN */
    /* A subnormal is m * 2^-24: put m under the exponent of 2^-14, then take 2^-14 away. */
    uint32_t small = bits_of(float_of(u + ((127U - 14U) << 23)) - float_of((127U - 14U) << 23));
    uint32_t bits = pick(mask(exponent == 0), small, pick(mask(exponent == 0x0f800000), large, normal));
    return float_of(bits | sign);
}

void pl_f32_from_f16(float *out, const uint16_t *in, size_t n)
{
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        for (size_t k = 0; k < LANES; k++) out[i + k] = f32_of_f16(in[i + k]);
    for (; i < n; i++) out[i] = f32_of_f16(in[i]);
}

void pl_f32_from_bf16(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = float_of((uint32_t)in[i] << 16);
}
