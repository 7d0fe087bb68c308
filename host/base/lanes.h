/* Sixteen floats side by side: lanes know +, -, *, / and comparisons only, never a fused form, and are added up in one
 * fixed order. */
#ifndef PLUMB_BASE_LANES_H
#define PLUMB_BASE_LANES_H

#include <stdint.h>
#include <string.h>

#include "base/clones.h"

enum { PL__LANES = 16 };

typedef float pl__lanes __attribute__((vector_size(64)));
typedef int32_t pl__lane_marks __attribute__((vector_size(64))); /* -1 or 0 a lane */
typedef float pl__lanes_anywhere __attribute__((vector_size(64), aligned(4), may_alias));

/* Lanes at any address of floats. */
#define PL__AT(p)   (*(pl__lanes_anywhere *)(void *)(p))
#define PL__FROM(p) (*(const pl__lanes_anywhere *)(const void *)(p))

/* The smallest multiple of sixteen that is at least n. */
static inline size_t pl__whole_lanes(size_t n)
{
    return (n + PL__LANES - 1) / PL__LANES * PL__LANES;
}

static inline float pl__lane_sum(const float *lanes) /* [16] */
{
    float sum[8];
    for (int i = 0; i < 8; i++) sum[i] = lanes[i] + lanes[i + 8];
    for (int i = 0; i < 4; i++) sum[i] += sum[i + 4];
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

#endif
