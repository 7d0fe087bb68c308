/* Does a row of cuBLASLt's product depend on that row alone, on this device, with this version, for this shape, and has
 * a weight's gradient the same bits twice? It is not promised by anybody, so it is tried. */
#ifndef PLUMB_CUDA_PROBE_H
#define PLUMB_CUDA_PROBE_H

#include "cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Kernels (product.cu). Numbers that depend on their index, from `first` on, and the seed, uniform in [-scale, scale];
 * *found, on the device, becomes 1 when a and b differ in a bit, or somewhere by more than the tolerance or by a NaN.
 */
pl_status pl__probe_fill(pl_stream *stream, void *to, pl_dtype dtype, size_t first, size_t n, float scale,
                         unsigned seed);
pl_status pl__probe_bits(pl_stream *stream, const void *a, const void *b, size_t bytes, int *found);
pl_status pl__probe_values(pl_stream *stream, const void *a, const void *b, pl_dtype dtype, size_t n, float tolerance,
                           int *found);

#ifndef __cplusplus
#include "blas.h"

/* Plans every mode that the weight's shape has, of the forward or of the backward pass: the first of the library's
 * proposals that it does not refuse to run and whose rows have the same bits for several numbers of rows, at several
 * places (a weight's gradient: every time). Its values must be those of the own product. Where there is none the plan
 * says why. Fills and zeroes the weight; waits. free: whatever the bits, and the library chooses anew for every
 * product. */
pl_status pl__probe(pl__lt *lt, pl_weight *weight, bool free, bool backward, pl__blas_plan plans[PL__MODES]);
#endif

#ifdef __cplusplus
}
#endif
#endif
