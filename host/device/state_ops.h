/* Ops of the device contract (ops.h) that measure hidden states. */
#ifndef PLUMB_DEVICE_STATE_OPS_H
#define PLUMB_DEVICE_STATE_OPS_H

#include "device/types.h"

/* L2 logistic regressions in double, each for several strengths C: the theta [K, width] that minimises
 *
 *   C sum_i -ln p(label_i | z_i) + |theta without its last column|^2 / 2,   p(. | z) = softmax(theta z)
 *
 * The last feature is the constant 1 of the intercept. K is the number of classes; 1 for two of them: theta is class
 * 1's against class 0's. Newton's method with conjugate gradients (Nash & Sofer, "Linear and Nonlinear Programming",
 * 1996): a problem's strengths one after another, each from the optimum of the one before, the first from zero. Its
 * bits depend on the problem alone. Bounded: what does not get there is said in `distance`. */
typedef struct pl_logistic_args {
    pl_view problems;  /* [n, PL_LOGISTIC_FACTS] i32 (logistic.h) */
    pl_view strengths; /* [1, S] f64, > 0, ascending */
    pl_view z;         /* [1, elements] f64: of a problem [rows, width] */
    pl_view labels;    /* [1, elements] i32: of a problem [rows], each below its classes */
    pl_view theta;     /* [1, elements] f64: of a problem [S, K, width], written */
    pl_view distance;  /* [n, S] f64, written: about how far theta is from the optimum, relative to its norm: at most
                        * PL_LOGISTIC_ACCEPTABLE (logistic.h), or the solver did not get there; NaN: and behind it */
    size_t most_rows, most_width, most_classes; /* of any problem */
    pl_view workspace;                          /* bytes: logistic_workspace_bytes */
} pl_logistic_args;

/* Products of centred rows in double, what similarities of states are made of: in each of S sets
 *
 *   products[i, j] = sum_d (x[i, d] - mean[d]) (y[j, d] - mean[d])
 *
 * or, of the columns of one x: sum_d (x[d, i] - mean[i]) (x[d, j] - mean[j]). Each is one chain of fused multiply-adds
 * in ascending order of d from 0: the same bits on every device, and whichever of two rows comes first. x and y may be
 * one view. */
typedef struct pl_pairwise_args {
    pl_view x;         /* [S n, width] f32, set by set; of columns [width, n], S = 1 */
    pl_view y;         /* [S m, width] f32; of columns x */
    pl_view mean;      /* [S, width] f64; of columns [1, n] */
    pl_view products;  /* [S n, m] f64, written */
    pl_view workspace; /* bytes: pairwise_workspace_bytes */
    bool columns;
} pl_pairwise_args;

#endif
