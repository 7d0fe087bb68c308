/* ALiBi in double precision, as both attention ops have it. */
#ifndef PLUMB_TESTS_DEVICE_ALIBI_H
#define PLUMB_TESTS_DEVICE_ALIBI_H

#include <math.h>
#include <stddef.h>

typedef enum alibi_kind { ALIBI_NONE, ALIBI_PLAIN, ALIBI_ROUNDED } alibi_kind;

/* To the eight bits of a bfloat16, ties to even. */
static inline double eight_bits(double x)
{
    int exponent;
    const double part = frexp(x, &exponent);
    return ldexp(nearbyint(ldexp(part, 8)), exponent - 8);
}

/* Rounded slopes are of bfloat16 already, and here no powers of two. */
static inline void round_slopes(float *slopes, size_t n, alibi_kind kind)
{
    for (size_t i = 0; i < n && kind == ALIBI_ROUNDED; i++) slopes[i] = (float)eight_bits(1.4 * (double)slopes[i]);
}

static inline double alibi_of(alibi_kind kind, float slope, float scale, size_t key, size_t query)
{
    if (kind == ALIBI_NONE) return 0;
    if (kind == ALIBI_PLAIN) return (double)slope * ((double)key - (double)query);
    return (double)scale * (eight_bits((double)slope * eight_bits((double)key)) -
                            eight_bits((double)slope * eight_bits((double)query)));
}

#endif
