/* Newton's method for L2 logistic regression over dense features in double (logistic.h has the objective). */
#ifndef PLUMB_MEASURE_LOGISTIC_NEWTON_H
#define PLUMB_MEASURE_LOGISTIC_NEWTON_H

#include <stddef.h>

#include "base/status.h"

typedef struct pl__logistic_problem {
    size_t n, width, n_classes;
    const double *z;       /* [n, width]; the last feature is the constant 1 of the intercept: not penalised */
    const size_t *classes; /* [n], each < n_classes; every class has rows */
} pl__logistic_problem;

/* Rows of theta: one for two classes (of class 1), else one a class. */
size_t pl__logistic_rows(size_t n_classes);

/* theta [rows, width]: where to start, and the optimum, to 1e-8 of its norm or better. PL_E_NOT_FINITE when it does not
 * get there. */
pl_status pl__logistic_solve(double *theta, const pl__logistic_problem *problem, double strength);

#endif
