/* Affinities of t-SNE (van der Maaten & Hinton 2008): how much each point belongs to its neighbours in the data.
 *
 * p(j|i) = exp(-beta_i d_ij^2) / sum over i's neighbours, beta_i so that its entropy is ln(perplexity) to 1e-5 (here
 * 1e-10); p_ij = (p(j|i) + p(i|j)) / (2 n), which add up to 1. A point's neighbours are the 3 perplexity nearest, as in
 * openTSNE and in scikit-learn's Barnes-Hut form, or all others. Distances in double. */
#ifndef PLUMB_TSNE_AFFINITY_H
#define PLUMB_TSNE_AFFINITY_H

#include "tsne/neighbours.h"

/* Row i is column[start[i]..start[i + 1]), in ascending order, but for a pad: rows are whole multiples of 16, filled up
 * with the point itself and value 0. */
typedef struct pl_affinity {
    size_t n, n_values;
    size_t *start;   /* [n + 1] */
    int32_t *column; /* [n_values] */
    float *value;    /* [n_values] */
    double *beta;    /* [n] */
} pl_affinity;

/* near[n, k]: each point's neighbours; 1 < perplexity < k. Free the result. A point whose neighbours are all as far
 * from it belongs to them alike. */
pl_status pl_affinity_of(pl_affinity *out, const pl_points *points, const int32_t *near, size_t k, double perplexity);
void pl_affinity_free(pl_affinity *affinity); /* takes {0} */

#endif
