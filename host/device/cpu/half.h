/* Between float32 and the 16-bit types, element by element, by bits: the same on every CPU. Source data may stand at
 * any address (a mapped file). */
#ifndef PLUMB_DEVICE_CPU_HALF_H
#define PLUMB_DEVICE_CPU_HALF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "device/cpu/vmath.h"
#include "device/types.h"

static inline float pl__from_bf16(uint16_t h)
{
    return pl__float_of((uint32_t)h << 16);
}

/* Exponent and mantissa move up as they are, then times 2^112 sets the bias right, subnormals included. */
static inline float pl__from_f16(uint16_t h)
{
    float magnitude = pl__float_of((uint32_t)(h & 0x7fffu) << 13) * 0x1p112f;
    uint32_t bits = pl__bits_of(magnitude);
    bits |= magnitude >= 65536.0f ? 0x7f800000u : 0u; /* infinity and NaN */
    return pl__float_of(bits | (uint32_t)(h & 0x8000u) << 16);
}

/* Round to nearest, ties to even; NaN stays NaN. */
static inline uint16_t pl__to_bf16(float x)
{
    uint32_t bits = pl__bits_of(x);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return (uint16_t)(x != x ? (bits >> 16) | 0x40u : rounded);
}

/* The same for float16. Below 2^-14 the addition of 0.5 does the rounding: its last bit is 2^-24. */
static inline uint16_t pl__to_f16(float x)
{
    uint32_t bits = pl__bits_of(x), sign = (bits >> 16) & 0x8000u, a = bits & 0x7fffffffu;
    uint32_t normal = (a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13;
    uint32_t small = pl__bits_of(pl__float_of(a) + 0.5f) - 0x3f000000u;
    uint32_t h = a < 0x38800000u ? small : normal;
    h = a >= 0x477ff000u ? 0x7c00u : h; /* 65520 and more round to infinity */
    h = a > 0x7f800000u ? 0x7e00u : h;
    return (uint16_t)(h | sign);
}

/* n elements of a float type, at any address, as float32. */
static inline void pl__to_f32(float *y, const void *x, size_t n, pl_dtype dtype)
{
    const unsigned char *from = (const unsigned char *)x;
    if (dtype == PL_F32) {
        memcpy(y, x, n * sizeof *y);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, from + 2 * i, 2);
        y[i] = dtype == PL_BF16 ? pl__from_bf16(h) : pl__from_f16(h);
    }
}

#endif
