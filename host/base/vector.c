/* Eight lanes, in two registers of four (vector.h). Multiply, then add, never fused: the AVX2 clones and the plain ones
 * give the same bits. */
#include "base/vector.h"

#include <string.h>

enum { LANES = 4 };

typedef double v4 __attribute__((vector_size(32)));

typedef double at_any_place __attribute__((vector_size(32), aligned(8), may_alias));
#define FOUR(x) (*(const at_any_place *)(const void *)(x))

static inline __attribute__((always_inline)) double dot_body(const double *a, const double *b, size_t n)
{
    v4 even = {0}, odd = {0};
    double rest = 0.0;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        even += FOUR(a + i) * FOUR(b + i);
        odd += FOUR(a + i + LANES) * FOUR(b + i + LANES);
    }
    for (; i < n; i++) rest += a[i] * b[i];
    even += odd;
    return ((even[0] + even[1]) + (even[2] + even[3])) + rest;
}

static inline __attribute__((always_inline)) void dots_body(double *out, const double *z, size_t n, const double *v,
                                                            size_t rows, size_t width)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < rows; k++) out[i * rows + k] = dot_body(z + i * width, v + k * width, width);
}

static inline __attribute__((always_inline)) void add_rows_body(double *out, double factor, const double *values,
                                                                size_t rows, const double *z, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < rows; k++) {
            double scale = factor * values[i * rows + k], *sum = out + k * width;
            const double *row = z + i * width;
            const v4 wide = {scale, scale, scale, scale};
            size_t d = 0;
            for (; d + LANES <= width; d += LANES) {
                v4 next = FOUR(sum + d) + wide * FOUR(row + d);
                memcpy(sum + d, &next, sizeof next);
            }
            for (; d < width; d++) sum[d] += scale * row[d];
        }
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void dots_avx2(double *out, const double *z, size_t n, const double *v,
                                                      size_t rows, size_t width)
{
    dots_body(out, z, n, v, rows, width);
}

__attribute__((target("avx2"))) static void add_rows_avx2(double *out, double factor, const double *values, size_t rows,
                                                          const double *z, size_t n, size_t width)
{
    add_rows_body(out, factor, values, rows, z, n, width);
}
#endif

double pl__dot(const double *a, const double *b, size_t n)
{
    return dot_body(a, b, n);
}

void pl__dots(double *out, const double *z, size_t n, const double *v, size_t rows, size_t width)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        dots_avx2(out, z, n, v, rows, width);
        return;
    }
#endif
    dots_body(out, z, n, v, rows, width);
}

void pl__add_rows(double *out, double factor, const double *values, size_t rows, const double *z, size_t n,
                  size_t width)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        add_rows_avx2(out, factor, values, rows, z, n, width);
        return;
    }
#endif
    add_rows_body(out, factor, values, rows, z, n, width);
}
