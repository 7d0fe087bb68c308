/* Nearest neighbours by Euclidean distance, exactly: what affinities and the quality of a map read.
 *
 * Squared distances are sums of squared differences in float32, in the order of the features; the nearer comes first,
 * of equals the one that stands first. The same bits for any number of threads. */
#ifndef PLUMB_TSNE_NEIGHBOURS_H
#define PLUMB_TSNE_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Points to search among; borrowed. */
typedef struct pl_points {
    const float *x; /* [n, width] */
    size_t n, width;
} pl_points;

/* near[n, k]: the k nearest other points of each point; 1 <= k < n. */
pl_status pl_neighbours(int32_t *near, const pl_points *points, size_t k);

/* Of other points, given as of[n, k] (indices), how near they are to each point: rank[n, k], 1 is the nearest other
 * point; points that are as far have the rank of the one that stands first. */
pl_status pl_neighbour_ranks(int32_t *rank, const pl_points *points, const int32_t *of, size_t k);

#endif
