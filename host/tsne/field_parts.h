/* What the two ways to sum a field share (field.h). */
#ifndef PLUMB_TSNE_FIELD_PARTS_H
#define PLUMB_TSNE_FIELD_PARTS_H

#include "tsne/field.h"

typedef struct pl__grid pl__grid;

struct pl__field {
    size_t n, stride;
    float *slots; /* [PL__FIELD_SLOTS, 2, stride] */
    double *z;    /* [PL__FIELD_SLOTS] */
    pl__grid *grid;
};

/* Shares of the pairs that are summed apart and then added in order; at most so many threads help. */
enum { PL__FIELD_SLOTS = 32 };

pl_status pl__grid_create(pl__grid **out, size_t n);
void pl__grid_free(pl__grid *grid); /* takes NULL */
/* The width of a grid for the map, or 0: none is wide enough. */
size_t pl__grid_width(const pl__layout *y);
pl_status pl__grid_sum(pl__grid *grid, double *z, pl__layout *force, const pl__layout *y);

#endif
