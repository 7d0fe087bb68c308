/* What each similarity does for similarity.c. */
#ifndef PLUMB_MEASURE_SIMILARITY_PARTS_H
#define PLUMB_MEASURE_SIMILARITY_PARTS_H

#include "measure/similarity.h"

typedef struct pl__similar_kind {
    size_t (*bytes)(size_t n, size_t capacity); /* of a side; SIZE_MAX: more than there can be */
    pl_status (*open)(pl_side *side);
    pl_status (*add)(pl_side *side, const float *states, size_t width); /* as condition side->m */
    size_t (*work_size)(const pl_side *x, const pl_side *y); /* doubles, or their size, that a thread needs */
    /* One grid; work is aligned as panels are (tile.h). Where x is y, elements on and below the diagonal may be left.
     */
    void (*grid)(double *grid, const pl_side *x, const pl_side *y, const size_t *order, void *work);
} pl__similar_kind;

extern const pl__similar_kind pl__similar_cka, pl__similar_mknn, pl__similar_procrustes;

#endif
