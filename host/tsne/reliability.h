/* Which points of a map can be trusted, one score a point, from two questions:
 *
 * Are its neighbours its own? agreement: the share of its 10 nearest in the map that are among its 10 nearest in the
 * data. When the map's points are permuted, the number that agree is hypergeometric: its mean share is 10 / (n - 1),
 * and agreement_p is the chance of as many or more.
 *
 * Does it stand where it belongs? All other points are held and the point alone is moved to the least loss (the
 * leave-one-out map of Liu, Ma & Zhong, Nature Communications 2025), from where it stands and from among its
 * neighbours: displacement is how far the better place is, in units of the distance to its 10th neighbour in the map
 * (of the median such distance where that is larger). A large one is a point that the map could as well, or better,
 * have put elsewhere.
 *
 *   reliability = max(0, (agreement - mean) / (1 - mean)) / (1 + displacement), from 0 to 1;
 *
 * a point is not to be trusted where agreement_p > .05 or displacement > 1. */
#ifndef PLUMB_TSNE_RELIABILITY_H
#define PLUMB_TSNE_RELIABILITY_H

#include <stdbool.h>

#include "tsne/affinity.h"

enum { PL_RELIABILITY_NEIGHBOURS = 10 };

typedef struct pl_reliability {
    size_t n, n_doubtful;                          /* n_doubtful: not to be trusted */
    float *score;                                  /* [n] */
    float *agreement, *agreement_p, *displacement; /* [n] */
    bool *doubtful;                                /* [n] */
} pl_reliability;

/* near [n, k], k >= 10: neighbours in the data; map [n, 2]; map_near[n, map_k], map_k >= 10; the map is at exaggeration
 * 1. Free the result. */
pl_status pl_reliability_of(pl_reliability *out, const pl_affinity *affinity, const int32_t *near, size_t k,
                            const float *map, const int32_t *map_near, size_t map_k);
void pl_reliability_free(pl_reliability *reliability); /* takes {0} */

/* P(as many or more of `drawn` are marked), of n things of which `marked` are. */
double pl_hypergeometric_tail(size_t at_least, size_t n, size_t marked, size_t drawn);

#endif
