/* Several estimates from the same items, templates and draws, as along the layers of a model: p-values of "all are 0"
 * that allow for their number and their dependence (Westfall and Young 1993, step-down max T).
 *
 * Each estimate has the crossed variance V_c + V_t + V_s (crossed.h) and T = value / se. When all are 0, T* takes their
 * place: levels of a factor are multiplied with normal numbers, the same for all estimates, so that these keep their
 * correlation; each V_f is multiplied with the factor's chi^2/df. For one estimate T* is Student's t (of one factor),
 * so p is that of its interval, up to the replicates' chance. With three draws the error over a curve of 12 to 24 layers
 * is .064 to .068 where .05 is said (simulated): crossed.h's caution with few levels is in the interval alone. */
#ifndef PLUMB_STATISTICS_MAX_T_H
#define PLUMB_STATISTICS_MAX_T_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PL_MAX_T_FACTORS = 3, PL_MAX_T_REPLICATES = 1000 };

typedef struct pl_max_t {
    size_t n;                               /* estimates */
    const double *t;                        /* [n] T; NaN: not tested */
    size_t levels[PL_MAX_T_FACTORS];        /* 0: the factor is no sample */
    const double *values[PL_MAX_T_FACTORS]; /* [n, levels] whose mean, plus a constant, is the estimate */
} pl_max_t;

/* p[n], each at least 1/(replicates + 1); NaN where t is. The same bits for the same seed. */
pl_status pl_max_t_p(double *p, const pl_max_t *of, uint64_t seed);

#endif
