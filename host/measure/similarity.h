/* Similarities of the states of the same items, made ready to be asked for under many permutations of the items.
 *
 * A side holds one table a condition (a layer, a template, an arm) and not its states, which may be read one after
 * another. All pairs of two sides are asked for at once, and no permutation takes a product of states: debiased CKA
 * (cka.h) is a sum over the Gram matrices' elements, mutual neighbours a count over the neighbours' table, and both are
 * gathered; Procrustes takes products of scores of principal components, whose rows are gathered. */
#ifndef PLUMB_MEASURE_SIMILARITY_H
#define PLUMB_MEASURE_SIMILARITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "device/device.h"

enum { PL_MUTUAL_NEIGHBOURS = 10, PL_PROCRUSTES_COMPONENTS = 64 };

typedef enum pl_similarity {
    PL_SIMILAR_CKA, /* debiased linear CKA (cka.h) */
    /* Mutual nearest neighbours: the share of an item's k nearest (cosine of centred states, ties by place) that are
     * among its k nearest under the other condition; k is PL_MUTUAL_NEIGHBOURS, at most n - 1. */
    PL_SIMILAR_MKNN,
    /* Orthogonal Procrustes similarity |X' Y|_*, the nuclear norm: X and Y are the scores of the first r principal
     * components of centred states (pca.h), each [n, r] divided by its Frobenius norm after that. 1 where they are
     * equal but for rotation, reflection and scale; 2 - 2 |X' Y|_* is the square of what is left of their distance
     * (Schonemann 1966; Gower & Dijksterhuis 2004). r is n/10, at least 1 and at most PL_PROCRUSTES_COMPONENTS: with
     * more, unrelated states are similar by chance. */
    PL_SIMILAR_PROCRUSTES,
    PL_SIMILARITIES
} pl_similarity;

typedef struct pl_side {
    pl_similarity similarity;
    size_t n, m, capacity;  /* items, conditions that were added, conditions that there is room for */
    const pl_processor *on; /* where products are made; NULL: the CPU. Borrowed */
    bool *varies;           /* [capacity]: false where states have no variance; nothing is similar to them */
    /* CKA: Gram matrices with rows that sum to 0 and norm 1, [capacity/8, n, n, 8], condition c in lane c % 8. */
    double *grams;
    /* Neighbours: those of each item, nearest first, [capacity, n, k]; and the conditions that have j among i's, a bit
     * each, [n, n, words]. */
    size_t k, words;
    uint32_t *neighbours;
    uint64_t *near;
    /* Procrustes: scores with Frobenius norm 1, packed in panels of 8 components, [capacity, ceil(r/8), n, 8]. */
    size_t components; /* r */
    double *scores;
} pl_side;

/* Room for `capacity` conditions of n >= 4 items. Bytes: pl_side_bytes. Free the side. */
pl_status pl_side_open(pl_side *out, pl_similarity similarity, size_t n, size_t capacity, const pl_processor *on);
size_t pl_side_bytes(pl_similarity similarity, size_t n, size_t capacity);
pl_status pl_side_add(pl_side *side, const float *states, size_t width); /* [n, width], finite */
void pl_side_free(pl_side *side);                                        /* takes {0} */

/* grids[0][a][b]: the similarity of x's condition a and y's b, [x->m, y->m]; grids[1 + k]: the same where item i of y
 * is the one that stood at orders[k * n + i]. NaN where one of them does not vary. x and y may be one: pairs are then
 * of a condition with a later one, a < b, and all else is NaN. The same bits for any number of threads. */
pl_status pl_similar_grids(double *grids, const pl_side *x, const pl_side *y, const size_t *orders, size_t n_orders);

#endif
