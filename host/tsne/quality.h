/* How much of the data's neighbourhoods and distances a map keeps. A map is a picture and no statistic: these numbers
 * stand beside it (stability.md C).
 *
 * knn_recall: share of a point's 10 nearest in the data that are among its 10 nearest in the map (Kobak & Berens 2019);
 * by chance 10 / (n - 1). trustworthiness (Venna & Kaski 2001): 1 - 2 / (n k (2n - 3k - 1)) times the sum over each
 * point's k = 12 nearest in the map of max(0, rank in the data - k); continuity: the same with data and map exchanged.
 * spearman: rank correlation of the distances of 1,000 random pairs of points in the data and in the map. */
#ifndef PLUMB_TSNE_QUALITY_H
#define PLUMB_TSNE_QUALITY_H

#include "tsne/neighbours.h"

enum { PL_QUALITY_RECALL = 10, PL_QUALITY_RANKS = 12, PL_QUALITY_PAIRS = 1000, PL_QUALITY_LEAST = 25 };

typedef struct pl_quality {
    double knn_recall, trustworthiness, continuity, spearman;
} pl_quality;

/* near[n, k], k >= 12: neighbours in the data; map [n, 2], map_near[n, 12] its neighbours. n >= 25. */
pl_status pl_quality_of(pl_quality *out, const pl_points *points, const int32_t *near, size_t k, const float *map,
                        const int32_t *map_near);

/* How far two maps of the same points differ when each is centred, of size 1, and turned or mirrored to fit the other:
 * the Procrustes disparity, from 0 (the same shape) to 1. a, b [n, 2] */
double pl_map_disparity(const float *a, const float *b, size_t n);

#endif
