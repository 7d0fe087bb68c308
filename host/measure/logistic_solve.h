/* Logistic regressions on a device, all problems at once (pl_logistic_args has the objective and the algorithm). */
#ifndef PLUMB_MEASURE_LOGISTIC_SOLVE_H
#define PLUMB_MEASURE_LOGISTIC_SOLVE_H

#include "device/device.h"

typedef struct pl__logistic_problem {
    size_t n, width, n_classes;
    const double *z;       /* [n, width]; the last feature is the constant 1 of the intercept: not penalised */
    const size_t *classes; /* [n], each < n_classes; every class has rows */
    double *theta;         /* [strengths, outputs, width], written: one output for two classes (of class 1), else one a
                            * class */
} pl__logistic_problem;

/* The optima for each of the strengths, ascending, to 1e-8 of their norm or better: the same bits whatever problems
 * stand together. PL_E_NOT_FINITE when one does not get there. */
pl_status pl__logistic_solve(const pl__logistic_problem *problems, size_t n, const pl_processor *processor,
                             const double *strengths, size_t n_strengths);

#endif
