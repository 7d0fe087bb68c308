/* Arguments of the ops of maps (ops.h; t-SNE: van der Maaten & Hinton 2008), apart from the others for the size of that
 * file. */
#ifndef PLUMB_DEVICE_MAP_OPS_H
#define PLUMB_DEVICE_MAP_OPS_H

#include "device/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the n points of a map put on each other, of all pairs:
 *
 *   force_i = sum_j (y_i - y_j) q_ij^2,   z = sum_{i != j} q_ij,   q_ij = 1 / (1 + |y_i - y_j|^2)
 *
 * Products and sums of a share of the pairs in float32, shares of z in double; the same bits twice. */
typedef struct pl_repulsion_args {
    pl_view y;         /* [1, 2n] f32: x and y of one point after another */
    pl_view force;     /* [1, 2n] f32, written */
    pl_view z;         /* [1, 1] f64, written */
    pl_view workspace; /* bytes: repulsion_workspace_bytes */
} pl_repulsion_args;

/* A step of a map down its gradient, as openTSNE makes it: with force and z as `repulsion` gives them
 *
 *   g_i = exaggeration sum_j p_ij (y_i - y_j) q_ij - force_i / z
 *
 * a coordinate's gain is multiplied by .8 (and .01 added) where g and its update have one sign, otherwise raised by .2;
 * update = .8 update - n / exaggeration * gain * g, a point's at most 5 long; y += update, then less its mean. What is
 * not finite spreads: the mean tells. */
typedef struct pl_map_step_args {
    /* p of point i is value[start[i]..start[i + 1]), so many that they are a multiple of PL_MAP_STEP_ROW: a pad is the
     * point itself, with value 0. */
    pl_view start;  /* [1, n + 1] i32 */
    pl_view column; /* [1, entries] i32: the other point */
    pl_view value;  /* [1, entries] f32 */
    pl_view force, z;
    double exaggeration;
    pl_view y, update, gain; /* [1, 2n] f32, as in `repulsion`; changed in place */
    pl_view mean;            /* [1, 2] f64, written: what was taken off */
    pl_view workspace;       /* bytes: map_step_workspace_bytes */
} pl_map_step_args;
enum { PL_MAP_STEP_ROW = 16, PL_MAP_POINTS_MOST = 1 << 29 };

#ifdef __cplusplus
}
#endif
#endif
