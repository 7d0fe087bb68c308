/* Principal components of states: where a map begins, and the panel beside it.
 *
 * Features are centred, not scaled. A component's sign is the one in which its largest loading (the first of several)
 * is positive. In double, from the smaller of the two Gram matrices; the same bits for any number of threads and any
 * device (`on`, as pl_gram takes it). */
#ifndef PLUMB_MEASURE_PCA_H
#define PLUMB_MEASURE_PCA_H

#include <stddef.h>

#include "base/status.h"
#include "device/device.h"

typedef struct pl_pca {
    size_t n, dims;   /* dims: at most what was asked for, and no component without variance */
    float *scores;    /* [n, dims] */
    double *variance; /* [dims], descending; n - 1 in the denominator */
    double total;     /* variance of all features */
} pl_pca;

/* x [n, width], finite; n >= 2. PL_E_INPUT when all rows are the same. Free the result. */
pl_status pl_pca_of(pl_pca *out, const float *x, size_t n, size_t width, size_t most_dims, const pl_processor *on);
void pl_pca_free(pl_pca *pca); /* takes {0} */

#endif
