/* Similarities of the states of the same items, made ready to be asked for under many permutations of the items.
 *
 * A side holds one table a condition (a layer, a template, an arm) and not its states, which may be read one after
 * another. All pairs of two sides are asked for at once, and no permutation takes a product: debiased CKA (cka.h) is a
 * sum over the Gram matrices' elements, mutual neighbours a count over the neighbours' table, and both are gathered. */
#ifndef PLUMB_MEASURE_SIMILARITY_H
#define PLUMB_MEASURE_SIMILARITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PL_MUTUAL_NEIGHBOURS = 10 };

typedef enum pl_similarity {
    PL_SIMILAR_CKA, /* debiased linear CKA (cka.h) */
    /* Mutual nearest neighbours: the share of an item's k nearest (cosine of centred states, ties by place) that are
     * among its k nearest under the other condition; k is PL_MUTUAL_NEIGHBOURS, at most n - 1. */
    PL_SIMILAR_MKNN
} pl_similarity;

typedef struct pl_side {
    pl_similarity similarity;
    size_t n, m, capacity; /* items, conditions that were added, conditions that there is room for */
    bool *varies;          /* [capacity]: false where states have no variance; nothing is similar to them */
    /* CKA: Gram matrices with rows that sum to 0 and norm 1, [capacity/8, n, n, 8], condition c in lane c % 8. */
    double *grams;
    /* Neighbours: those of each item, nearest first, [capacity, n, k]; and the conditions that have j among i's, a bit
     * each, [n, n, words]. */
    size_t k, words;
    uint32_t *neighbours;
    uint64_t *near;
} pl_side;

/* Room for `capacity` conditions of n >= 4 items. Bytes: pl_side_bytes. Free the side. */
pl_status pl_side_open(pl_side *out, pl_similarity similarity, size_t n, size_t capacity);
size_t pl_side_bytes(pl_similarity similarity, size_t n, size_t capacity);
pl_status pl_side_add(pl_side *side, const float *states, size_t width); /* [n, width], finite */
void pl_side_free(pl_side *side);                                        /* takes {0} */

/* grids[0][a][b]: the similarity of x's condition a and y's b, [x->m, y->m]; grids[1 + k]: the same where item i of y
 * is the one that stood at orders[k * n + i]. NaN where one of them does not vary. x and y may be one. The same bits
 * for any number of threads. */
pl_status pl_similar_grids(double *grids, const pl_side *x, const pl_side *y, const size_t *orders, size_t n_orders);

#endif
