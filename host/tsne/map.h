/* A map of states and what stands beside it: principal components, t-SNE at exaggeration 1 and 4 from one start, the
 * quality of each, a reliability for each point, and how much other seeds change.
 *
 * Defaults and reasons: stability.md C. Distances between clusters and sizes of clusters in a t-SNE map mean nothing.
 */
#ifndef PLUMB_TSNE_MAP_H
#define PLUMB_TSNE_MAP_H

#include "tsne/quality.h"
#include "tsne/reliability.h"
#include "tsne/tsne.h"

enum { PL_MAP_LEAST = 100, PL_MAP_PERPLEXITY = 30, PL_MAP_DIMS = 50, PL_MAP_SEEDS = 5 };
#define PL_MAP_EXAGGERATED 4.0

typedef struct pl_map_settings {
    const pl_processor *processor; /* where the maps are optimised; all else is the CPU's */
    double perplexity;
    size_t dims;    /* of the principal components that the map is made of */
    size_t seeds;   /* runs at exaggeration 1; the first has no noise in its start. 1: no band */
    size_t threads; /* 0: all that this process may use */
    /* A map [n, 2] to start from in place of the first two components, or NULL; it is scaled. */
    const float *start;
    pl_tsne_step *step; /* called after each iteration of pl_map_iterations; may be NULL */
    void *context;
} pl_map_settings;

typedef struct pl_chart {
    float *at; /* [n, 2] */
    double kl; /* divergence at exaggeration 1 */
    pl_quality quality;
} pl_chart;

typedef struct pl_state_map {
    size_t n, dims, n_seeds;
    double perplexity;
    char device[32];             /* its class (ops.h); "": there is no map */
    float *pca;                  /* [n, 2]; 0 where there is no second component */
    double explained[2];         /* share of the variance */
    bool has_map;                /* false: fewer than PL_MAP_LEAST points; nothing below is there */
    pl_chart plain, exaggerated; /* exaggeration 1 and 4 */
    pl_reliability reliability;  /* of plain */
    pl_chart *seeds;             /* [n_seeds], the first is plain without its own coordinates (at NULL) */
    double disparity;            /* mean over pairs of seeds (pl_map_disparity); NaN: one seed */
} pl_state_map;

/* x [n, width], finite. PL_E_INPUT: all rows the same, or n - 1 < 3 perplexity with n >= PL_MAP_LEAST; fewer rows give
 * principal components alone. Free the result. */
pl_status pl_state_map_of(pl_state_map *out, const float *x, size_t n, size_t width, const pl_map_settings *settings);
void pl_state_map_free(pl_state_map *map); /* takes {0} */

/* Iterations that this takes, and seconds, from the time of a few on this machine for a map of n points. */
size_t pl_map_iterations(size_t seeds);
pl_status pl_map_seconds(double *seconds, size_t n, const pl_map_settings *settings);

#endif
