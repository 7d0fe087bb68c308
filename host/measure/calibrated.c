#include "measure/calibrated.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "statistics/interval.h"

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

pl_status pl_calibrated_of(pl_calibrated *out, double observed, const double *permuted, size_t n)
{
    double *all, squares = 0.0, reach = 1.0;
    *out = (pl_calibrated){observed, NAN, NAN, NAN, NAN, NAN};
    if (!isfinite(observed) || n < 2) return PL_OK;
    PL_TRY(pl_new(&all, n + 1));
    out->null_mean = pl_mean(permuted, n);
    for (size_t k = 0; k < n; k++) {
        all[k] = permuted[k];
        reach += permuted[k] >= observed;
        squares += (permuted[k] - out->null_mean) * (permuted[k] - out->null_mean);
    }
    all[n] = observed;
    qsort(all, n + 1, sizeof *all, by_size);
    out->tau = all[(size_t)ceil(0.95 * (double)(n + 1)) - 1];
    out->score = fmin(1.0, fmax(0.0, (observed - out->tau) / fmax(1.0 - out->tau, 1e-12)));
    out->p = reach / (double)(n + 1);
    out->null_sd = sqrt(squares / ((double)n - 1.0));
    free(all);
    return PL_OK;
}

pl_status pl_calibrated_orders(size_t *orders, size_t n_orders, size_t n, const size_t *classes)
{
    size_t *members, *shuffled;
    PL_TRY(pl_new(&members, 2 * n));
    shuffled = members + n;
    for (size_t done = 0, class = 0; done < n; class ++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i++)
            if (!classes || classes[i] == class) members[m++] = i;
        for (size_t k = 0; k < n_orders; k++) {
            pl_random_permutation(shuffled, m, 1 + class, PL_RANDOM_PERMUTE, (uint32_t)k);
            for (size_t i = 0; i < m; i++) orders[k * n + members[i]] = members[shuffled[i]];
        }
        done += m;
    }
    free(members);
    return PL_OK;
}

double pl_grid_value(const double *grid, size_t n_x, size_t n_y, pl_grid_part part)
{
    double sum = 0.0, n = 0.0, largest = NAN;
    for (size_t a = 0; a < n_x; a++)
        for (size_t b = part == PL_GRID_ABOVE ? a + 1 : 0; b < n_y; b++) {
            double value = grid[a * n_y + b];
            if (isnan(value) && part != PL_GRID_ABOVE) continue;
            sum += value;
            n++;
            largest = fmax(largest, value); /* of a number and NaN the number */
        }
    if (part == PL_GRID_LARGEST) return largest;
    return n > 0.0 ? sum / n : NAN;
}
