/* Sixteen floats side by side, and functions that exist once for each width of the CPU's vectors with the same bits:
 * lanes know +, -, *, / and comparisons only, never a fused form, and are added up in one fixed order. */
#ifndef PLUMB_TSNE_LANES_H
#define PLUMB_TSNE_LANES_H

#include <stdint.h>
#include <string.h>

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

/* PL__CLONES(name, (int a), (a)) makes `name` of the always inlined `name_body`. */
#define PL__INLINED static inline __attribute__((always_inline))
#if defined(__x86_64__)
#define PL__CLONES(name, parameters, arguments)                                                                        \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw"))) static void name##_avx512 parameters                 \
    {                                                                                                                  \
        name##_body arguments;                                                                                         \
    }                                                                                                                  \
    __attribute__((target("avx2"))) static void name##_avx2 parameters                                                 \
    {                                                                                                                  \
        name##_body arguments;                                                                                         \
    }                                                                                                                  \
    static void name parameters                                                                                        \
    {                                                                                                                  \
        if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&                                \
            __builtin_cpu_supports("avx512bw"))                                                                        \
            name##_avx512 arguments;                                                                                   \
        else if (__builtin_cpu_supports("avx2"))                                                                       \
            name##_avx2 arguments;                                                                                     \
        else                                                                                                           \
            name##_body arguments;                                                                                     \
    }
#else
#define PL__CLONES(name, parameters, arguments)                                                                        \
    static void name parameters                                                                                        \
    {                                                                                                                  \
        name##_body arguments;                                                                                         \
    }
#endif

#endif
