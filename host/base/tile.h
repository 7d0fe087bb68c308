/* Products of packed rows in double.
 *
 * Rows are packed in panels of 8: panel[d][lane]. Sums stay in registers over all of d, one lane an element, in fused
 * multiply-adds in ascending order: so all processors, and any number of threads, give the same bits. */
#ifndef PLUMB_BASE_TILE_H
#define PLUMB_BASE_TILE_H

#include <stddef.h>

#include "base/status.h"

enum { PL__TILE = 8, PL__TILES_MAX = 3 };

/* tiles[k][r][c] = sum_d a[d][r] b_k[d][c], d < depth; a and b_k = b + k * stride are panels, k < n <= PL__TILES_MAX.
 */
typedef void (*pl__tiles_function)(double *tiles, const double *a, const double *b, size_t n, size_t stride,
                                   size_t depth);
typedef enum pl__tile_width { PL__TILE_PLAIN, PL__TILE_AVX2, PL__TILE_AVX512 } pl__tile_width;
pl__tiles_function pl__tiles_of(pl__tile_width width); /* NULL: not on this processor */
pl__tiles_function pl__pick_tiles(void);               /* the widest */

/* Room for panels: zeroed, aligned to a row of them. Free with free(). */
pl_status pl__new_panels(double **out, size_t doubles, const char *what);
/* n rows less the mean, [ceil(n/8), width, 8]; rows past n are 0. x [n, width], rows `stride` apart, mean [width]. */
void pl__pack_rows(double *panels, const float *x, size_t stride, const double *mean, size_t n, size_t width);
/* As first value + mean difference: a constant column is centred to exact zeros. mean [width] */
void pl__column_means(double *mean, const float *x, size_t n, size_t width);

/* Where the products of rows and columns go: element (i, j) to out[i * row_stride + j * column_stride]. */
typedef struct pl__block {
    double *out;
    size_t row_stride, column_stride, rows, columns;
} pl__block;
/* All products of packed rows a and b, of this depth (their width). */
void pl__block_products(const pl__block *to, const double *a, const double *b, size_t depth);

#endif
