/* L2 logistic regression: the linear readout of states (scikit-learn's LogisticRegression, to its optimum).
 *
 *   minimise  C sum_i -ln p(y_i | x_i) + |W|^2 / 2,   p(. | x) = softmax(W x + b),
 *
 * the intercept b not penalised. With two classes W has one row, that of class 1 against class 0, as there. Newton's
 * method with conjugate gradients in double, on a device (op `logistic`): the coefficients are within 1e-8 of the
 * optimum's, relative to their norm, and have the same bits for any number of threads. */
#ifndef PLUMB_MEASURE_LOGISTIC_H
#define PLUMB_MEASURE_LOGISTIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/device.h"

/* Labelled rows; borrowed. */
typedef struct pl_labelled {
    size_t n, width, n_classes; /* n_classes >= 2 */
    const float *x;             /* [n, width] */
    const size_t *classes;      /* [n], each < n_classes */
} pl_labelled;

typedef struct pl_logistic {
    size_t n_classes, width;
    double strength;   /* C */
    double *coef;      /* [n_classes, width], of the features as they are given; two classes: row 0 is zero */
    double *intercept; /* [n_classes] */
} pl_logistic;

/* Fits with one strength. standardise: to mean 0 and SD 1 (n in the denominator) over these rows first; constant
 * features are only centred. It changes the optimum, not the meaning of coef. Errors, in a line: one class only, a
 * class without rows, fewer rows than classes, a value that is not finite. Free the result. */
pl_status pl_logistic_fit(pl_logistic *out, const pl_processor *processor, const pl_labelled *rows, bool standardise,
                          double strength);
void pl_logistic_free(pl_logistic *model); /* takes {0} */

/* log_probs[n, n_classes] of other rows x [n, width]; NaN where x is. */
void pl_logistic_predict(double *log_probs, const pl_logistic *model, const float *x, size_t n);

/* ---- the strength ---- */

/* fold[n]: rows of one cluster stay together, and each class is spread over the folds as evenly as clusters allow.
 * Clusters go in descending order of size, those of one size at random, each to the fold that is then the most even.
 * cluster[n]: any numbers, or NULL: each row its own. n_folds >= 2; the folds of fewer clusters than that stay empty.
 */
pl_status pl_folds(size_t *fold, const size_t *classes, size_t n_classes, const size_t *cluster, size_t n,
                   size_t n_folds, uint64_t seed);

/* loss[set, s]: mean -ln p of held-out rows for each strength, over folds: each fold is predicted by a model fitted
 * (and standardised) on the others. Rows of a class that the other folds lack are left out. `sets`: other features of
 * the same labelled rows. Fits of all sets and folds go to the device together, as many as half a GiB of features
 * holds; the bits are the same however many that are. An error when no row is left. */
pl_status pl_logistic_losses(double *loss, const pl_processor *processor, const pl_labelled *sets, size_t n_sets,
                             bool standardise, const double *strengths, size_t n_strengths, const size_t *fold,
                             size_t n_folds);

/* How a strength is chosen; a grid of one needs no folds where there is one set. */
typedef struct pl_logistic_grid {
    const double *strengths; /* [n_strengths], ascending, > 0 */
    size_t n_strengths;
    size_t n_folds;
    uint64_t seed;
} pl_logistic_grid;

/* Fits the set with the strength of least held-out loss: of equals the first set, then the weaker fit (smaller C).
 * losses [n_sets, n_strengths] is filled when not NULL (NaN where there is nothing to choose). */
pl_status pl_logistic_fit_best(pl_logistic *out, size_t *set, double *losses, const pl_processor *processor,
                               const pl_labelled *sets, size_t n_sets, const size_t *cluster, bool standardise,
                               const pl_logistic_grid *grid);

#endif
