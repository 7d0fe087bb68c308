/* t-SNE in two dimensions (van der Maaten & Hinton 2008) as openTSNE runs it: gradient
 *
 *   g_i = exaggeration sum_j p_ij (y_i - y_j) / (1 + d_ij^2) - sum_j (y_i - y_j) / (1 + d_ij^2)^2 / Z
 *
 * (a quarter of the derivative of the Kullback-Leibler divergence), learning rate n / exaggeration, momentum .8, gains
 * (+.2, times .8, at least .01), steps of at most 5, centred after each. First 250 iterations at exaggeration 12, then
 * 750 at the map's own. On a device, by ops `repulsion` (or field.h's grid) and `map_step`; the same bits twice, on the
 * CPU for any number of threads and any vector width. Between devices bits differ: a step by less than 1e-5 of the
 * largest gradient (tests/device/test_map_step.c), and as roundings grow, a map ends as another seed's does. */
#ifndef PLUMB_TSNE_TSNE_H
#define PLUMB_TSNE_TSNE_H

#include "device/device.h"
#include "tsne/affinity.h"

enum { PL_TSNE_EARLY = 250, PL_TSNE_MAIN = 750 }; /* iterations */
#define PL_TSNE_EARLY_EXAGGERATION 12.0

typedef struct pl_tsne pl_tsne;

/* start [n, 2]. Processor and affinities are borrowed. */
pl_status pl_tsne_create(pl_tsne **out, const pl_processor *processor, const pl_affinity *affinity, const float *start);
/* Another one that goes on from here. */
pl_status pl_tsne_copy(pl_tsne **out, const pl_tsne *of);
void pl_tsne_free(pl_tsne *tsne); /* takes NULL */

/* Called after each iteration; a device may be up to 50 behind. */
typedef void pl_tsne_step(void *context);
/* PL_E_NOT_FINITE when the map is no longer finite. step may be NULL. */
pl_status pl_tsne_optimise(pl_tsne *tsne, double exaggeration, size_t iterations, pl_tsne_step *step, void *context);
pl_status pl_tsne_layout(float *out, const pl_tsne *tsne); /* [n, 2] */

/* Of any map [n, 2], with every pair: the divergence sum p_ij ln(p_ij / q_ij), and the gradient [n, 2] (as above, at
 * exaggeration 1) where it is not NULL. */
pl_status pl_tsne_divergence(double *divergence, float *gradient, const pl_processor *processor,
                             const pl_affinity *affinity, const float *map);

/* The first two components, scaled so that the first has SD 1e-4; a second one that is not there is 0. scores
 * [n, dims]. jitter: SD of the noise added, relative to that; 0: none, and seed is not used. */
void pl_tsne_start(float *start, const float *scores, size_t n, size_t dims, double jitter, uint64_t seed); /* [n, 2] */

#endif
