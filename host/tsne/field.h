/* The repulsion that the points of a map put on each other, on a device: of point i
 *
 *   force_i = sum_j (y_i - y_j) / (1 + d_ij^2)^2,   and of all   Z = sum_{i != j} 1 / (1 + d_ij^2).
 *
 * Exactly, by op `repulsion`; or by interpolation, which costs as much for a map however many points it has: points are
 * charges on a grid, the sums a convolution by FFT (after Linderman et al. 2019, FIt-SNE), on the CPU always. Nodes at
 * most 0.4 apart, cubic interpolation: forces are within 4 % of the largest one's length, 2 % taken together
 * (tests/tsne/test_field.c); maps end at a divergence no worse for it. One forward transform of the charges and one
 * inverse of force_x + i force_y are enough, since Z is a sum over the spectrum (Parseval). The same bits for any
 * number of threads and any vector width. */
#ifndef PLUMB_TSNE_FIELD_H
#define PLUMB_TSNE_FIELD_H

#include <stddef.h>

#include "base/status.h"
#include "device/device.h"

typedef struct pl__grid pl__grid;

/* Made for maps of n points. */
typedef struct pl__field {
    const pl_processor *processor; /* borrowed, as the stream */
    pl_stream *stream;
    size_t n;
    pl_view force, z; /* [1, 2n] f32, [1, 1] f64: what the last sum gave */
    pl_view workspace;
    float *host; /* [2n] */
    pl__grid *grid;
} pl__field;

pl_status pl__field_create(pl__field *out, const pl_processor *processor, pl_stream *stream, size_t n);
void pl__field_free(pl__field *field); /* takes {0} */

/* y [1, 2n] f32: x and y of one point after another. */
pl_status pl__field_exact(pl__field *field, pl_view y);
/* PL_E_NOT_FINITE where the map has grown beyond the largest grid. */
pl_status pl__field_grid(pl__field *field, pl_view y);
/* Whichever is expected to take less time: a rule of n, of the map's extent and of the device. */
pl_status pl__field_of(pl__field *field, pl_view y);

#endif
