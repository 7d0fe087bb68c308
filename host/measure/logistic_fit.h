/* The steps of a fit, which the choice of the strength shares with it: one set of features serves a whole grid. */
#ifndef PLUMB_MEASURE_LOGISTIC_FIT_H
#define PLUMB_MEASURE_LOGISTIC_FIT_H

#include "measure/logistic.h"

/* Rows as the solver sees them, and the way back. */
typedef struct pl__logistic_features {
    size_t n, width;   /* of the states */
    size_t z_width;    /* with the constant 1 */
    double *z;         /* [n, z_width] */
    double *basis;     /* [z_width - 1, width]: what z's features are made of; NULL: the states' own */
    double *mean, *sd; /* [width] */
} pl__logistic_features;

pl_status pl__logistic_features_of(pl__logistic_features *out, const pl_labelled *rows, bool standardise);
void pl__logistic_features_free(pl__logistic_features *features); /* takes {0} */

/* The model of the solver's theta. */
pl_status pl__logistic_model(pl_logistic *out, const double *theta, const pl__logistic_features *features,
                             size_t n_classes, double strength);

/* Finite values, and rows of every class. */
pl_status pl__logistic_check(const pl_labelled *rows);

#endif
