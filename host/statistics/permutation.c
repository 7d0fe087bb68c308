#include "statistics/permutation.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "statistics/interval.h"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

pl_status pl_null_of(pl_null *out, const double *values, size_t n, double observed)
{
    double *sorted = NULL, mean = pl_mean(values, n), squares = 0.0;
    size_t reached = 0;
    *out = (pl_null){NAN, NAN, NAN, NAN};
    if (n < 2) return PL_OK;
    PL_TRY(pl_new(&sorted, n));
    for (size_t i = 0; i < n; i++) {
        sorted[i] = values[i];
        squares += (values[i] - mean) * (values[i] - mean);
        /* The slack lets values that are equal but for rounding count as reached. */
        reached += values[i] >= observed - 1e-12 ? 1 : 0;
    }
    qsort(sorted, n, sizeof *sorted, by_value);
    *out = (pl_null){
        .mean = mean,
        .sd = sqrt(squares / ((double)n - 1.0)),
        .quantile95 = sorted[(size_t)ceil(0.95 * (double)n) - 1],
        .p = (1.0 + (double)reached) / (1.0 + (double)n),
    };
    free(sorted);
    return PL_OK;
}
