/* A field by interpolation on a grid, as grid.c makes it for field.c. */
#ifndef PLUMB_TSNE_FIELD_PARTS_H
#define PLUMB_TSNE_FIELD_PARTS_H

#include "tsne/field.h"

pl_status pl__grid_create(pl__grid **out, size_t n);
void pl__grid_free(pl__grid *grid); /* takes NULL */
/* The width of a grid for the map [n, 2], or 0: none is wide enough. */
size_t pl__grid_width(const float *y, size_t n);
/* force [n, 2] may be y. */
pl_status pl__grid_sum(pl__grid *grid, double *z, float *force, const float *y);

#endif
