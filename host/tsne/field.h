/* The repulsion that the points of a map put on each other: of point i
 *
 *   force_i = sum_j (y_i - y_j) / (1 + d_ij^2)^2,   and of all   Z = sum_{i != j} 1 / (1 + d_ij^2).
 *
 * Exactly, every pair once; or by interpolation, which costs as much for a map however many points it has: points are
 * charges on a grid, the sums a convolution by FFT (after Linderman et al. 2019, FIt-SNE). Nodes at most 0.4 apart,
 * cubic interpolation: forces are within 4 % of the largest one's length, 2 % taken together (tests/tsne/test_field.c);
 * maps end at a divergence no worse for it. One forward transform of the charges and one inverse of force_x + i force_y
 * are enough, since Z is a sum over the spectrum (Parseval). The same bits for any number of threads and any vector
 * width. */
#ifndef PLUMB_TSNE_FIELD_H
#define PLUMB_TSNE_FIELD_H

#include <stddef.h>

#include "base/status.h"

/* A map's points, and as many places for something of each: x, y [stride], from n on filled with what is far from
 * everything (pl__layout_pad), so that whole lanes may be read. */
typedef struct pl__layout {
    size_t n, stride;
    float *x, *y;
} pl__layout;

pl_status pl__layout_create(pl__layout *out, size_t n);
pl_status pl__layout_copy(pl__layout *out, const pl__layout *of);
void pl__layout_pad(pl__layout *layout);
void pl__layout_free(pl__layout *layout); /* takes {0} */

typedef struct pl__field pl__field; /* what the sums need of memory; made for maps of n points */

pl_status pl__field_create(pl__field **out, size_t n);
void pl__field_free(pl__field *field); /* takes NULL */

/* force [stride], as the layout; *z. */
void pl__field_exact(pl__field *field, double *z, pl__layout *force, const pl__layout *y);
/* PL_E_NOT_FINITE where the map has grown beyond the largest grid; otherwise memory is all that can fail. */
pl_status pl__field_grid(pl__field *field, double *z, pl__layout *force, const pl__layout *y);
/* Whichever is expected to take less time: a rule of n and of the map's extent. */
pl_status pl__field_of(pl__field *field, double *z, pl__layout *force, const pl__layout *y);

#endif
