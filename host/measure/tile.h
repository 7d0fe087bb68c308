/* Products of packed rows in double, a tile of 8 x 8 at a time.
 *
 * Rows are packed in panels of 8: panel[d][lane]. A tile's sums (4 x 8 at a time below AVX-512) stay in registers over
 * all of d, one lane an element, multiply then add (no fused form): so all processors give the same bits. */
#ifndef PLUMB_MEASURE_TILE_H
#define PLUMB_MEASURE_TILE_H

#include <stddef.h>

#include "base/status.h"

enum { PL__TILE = 8 };

/* tile[r * 8 + c] = sum_d a[d * 8 + r] b[d * 8 + c], d < depth in order; a, b: panels. */
typedef void (*pl__tile_function)(double *tile, const double *a, const double *b, size_t depth);
pl__tile_function pl__pick_tile(void); /* for this processor */

/* Room for panels: zeroed, aligned to a row of them. Free with free(). */
pl_status pl__new_panels(double **out, size_t doubles, const char *what);

#endif
