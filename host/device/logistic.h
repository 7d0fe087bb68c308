/* Problems of op `logistic` (pl_logistic_args in ops.h), and when one is solved, on every device. */
#ifndef PLUMB_DEVICE_LOGISTIC_H
#define PLUMB_DEVICE_LOGISTIC_H

#include <stddef.h>
#include <stdint.h>

/* A problem of `logistic`: its numbers of rows, features and classes, and its first element in z, labels and theta. */
enum {
    PL_LOGISTIC_ROWS,
    PL_LOGISTIC_WIDTH,
    PL_LOGISTIC_CLASSES,
    PL_LOGISTIC_Z,
    PL_LOGISTIC_LABELS,
    PL_LOGISTIC_THETA,
    PL_LOGISTIC_FACTS
};

/* Of a problem: Newton's steps; of a step: turns of conjugate gradients, halvings of the step. */
enum { PL_LOGISTIC_STEPS = 200, PL_LOGISTIC_TURNS = 2000, PL_LOGISTIC_HALVINGS = 50 };

/* |step| / |theta|: what is next to nothing, and what may stay where double allows no less. */
#define PL_LOGISTIC_TOLERANCE  1e-13
#define PL_LOGISTIC_ACCEPTABLE 1e-8

/* Rows of theta. */
static inline size_t pl_logistic_outputs(size_t n_classes)
{
    return n_classes == 2 ? 1 : n_classes;
}

/* Doubles that the solver of a problem works in: seven like theta, three of [rows, outputs]. SIZE_MAX: too many. */
static inline size_t pl_logistic_doubles(size_t n_rows, size_t width, size_t n_classes)
{
    const size_t outputs = pl_logistic_outputs(n_classes);
    size_t a, b, sum;
    if (__builtin_mul_overflow(7 * width, outputs, &a) || __builtin_mul_overflow(3 * n_rows, outputs, &b) ||
        __builtin_add_overflow(a, b, &sum))
        return SIZE_MAX;
    return sum;
}

#endif
