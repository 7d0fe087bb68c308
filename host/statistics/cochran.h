/* Cochran's Q (1950): whether right answers are equally many under all templates, each item its own control.
 *
 *   Q = (t - 1) (t sum_k C_k^2 - N^2) / (t N - sum_i R_i^2),
 * C_k right answers under template k, R_i of item i, N in all; chi-square with t - 1 degrees of freedom when templates
 * are equal, and items many and independent. */
#ifndef PLUMB_STATISTICS_COCHRAN_H
#define PLUMB_STATISTICS_COCHRAN_H

#include <stddef.h>
#include <stdint.h>

typedef struct pl_cochran {
    double q, df, p; /* NaN: no item is right under some templates and wrong under others */
} pl_cochran;

/* correct[i * stride + templates[k]], 0 or 1, of n items and t templates, t >= 2. */
pl_cochran pl_cochran_q(const uint8_t *correct, size_t n, size_t stride, const size_t *templates, size_t t);

#endif
