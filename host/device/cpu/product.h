/* The inner product kernel: c[rows, columns] (+)= x[rows, k] b[k, columns], for a few rows and a few vectors of columns
 * whose accumulators stay in registers.
 *
 * Promise 1 rests on this file: every element of c is one chain of fused multiply-adds over k in ascending order,
 * c = fma(x[k], b[k], c), from 0 or from what c holds. Cutting k, rows or columns anywhere leaves the chain as it is, so
 * its bits depend on its row of x and its column of b alone. */
#ifndef PLUMB_DEVICE_CPU_PRODUCT_H
#define PLUMB_DEVICE_CPU_PRODUCT_H

#include <stdbool.h>

#include "device/cpu/vector.h"

/* What one call multiplies. Panels of b stand panel_floats apart; a row of a panel is row_floats long. */
typedef struct pl__product {
    const float *x; /* [rows, k], rows x_stride apart */
    size_t x_stride;
    const float *b;
    size_t row_floats, panel_floats;
    size_t k;
    float *c; /* rows c_stride apart; panels side by side */
    size_t c_stride;
    bool fresh; /* c starts at 0 */
} pl__product;

/* rows, panels, vecs: constants of the caller; all accumulators are registers. */
PL__INLINE void pl__product_block(const pl__product *a, const int rows, const int panels, const int vecs)
{
    enum { MOST = PL__ROWS * PL__PANEL_VECS };
    pl__vec acc[MOST];
    const int columns = panels * vecs;
    const float *x = a->x, *b = a->b;
    const size_t x_stride = a->x_stride, row_floats = a->row_floats, panel_floats = a->panel_floats;
#pragma GCC unroll 32
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 32
        for (int v = 0; v < columns; v++) {
            acc[r * columns + v] = a->fresh ? pl__zero() : pl__load(a->c + (size_t)r * a->c_stride + v * PL__LANES);
        }
    }
    for (size_t k = 0; k < a->k; k++, b += row_floats) {
        pl__vec bv[8];
#pragma GCC unroll 32
        for (int v = 0; v < columns; v++) {
            bv[v] = pl__load(b + (size_t)(v / vecs) * panel_floats + (size_t)(v % vecs) * PL__LANES);
        }
#pragma GCC unroll 32
        for (int r = 0; r < rows; r++) {
            pl__vec xv = pl__set(x[(size_t)r * x_stride + k]);
#pragma GCC unroll 32
            for (int v = 0; v < columns; v++) acc[r * columns + v] = pl__fma(xv, bv[v], acc[r * columns + v]);
        }
    }
#pragma GCC unroll 32
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 32
        for (int v = 0; v < columns; v++) {
            pl__store(a->c + (size_t)r * a->c_stride + v * PL__LANES, acc[r * columns + v]);
        }
    }
}

/* One panel, 1 <= rows <= PL__ROWS. */
static inline void pl__product_rows(const pl__product *a, size_t rows)
{
    switch (rows) {
#define X(n)                                                                                                           \
    case n: pl__product_block(a, n, 1, PL__PANEL_VECS); break;
        X(1) X(2) X(3) X(4) X(5) X(6)
#if !defined(PL_CPU_AVX2)
        X(7) X(8) X(9) X(10) X(11) X(12)
#endif
#undef X
    }
}

/* Any number of rows: cut into blocks of nearly equal size, so that no block is too small to hide the latency. */
static inline void pl__product_tall(const pl__product *a, size_t rows)
{
    pl__product block = *a;
    size_t blocks = (rows + PL__ROWS - 1) / PL__ROWS, done = 0;
    for (size_t i = 0; i < blocks; i++) {
        size_t n = (rows - done) / (blocks - i);
        block.x = a->x + done * a->x_stride;
        block.c = a->c + done * a->c_stride;
        pl__product_rows(&block, n);
        done += n;
    }
}

/* Several panels side by side, any number of rows. For one, two or three rows 4, 3 or 2 panels run at once: a panel
 * alone would have too few chains to hide the latency of a fused multiply-add, and too few loads in flight. */
static inline void pl__product_panels(const pl__product *a, size_t rows, size_t n_panels)
{
    pl__product part = *a;
    size_t together = rows == 1 ? 4 : rows == 2 ? 3 : rows == 3 ? 2 : 1;
    for (size_t p = 0; p < n_panels;) {
        size_t n = n_panels - p >= together ? together : rows == 1 && n_panels - p >= 2 ? 2 : 1;
        part.b = a->b + p * a->panel_floats;
        part.c = a->c + p * PL__PANEL;
        if (n == 1) pl__product_tall(&part, rows);
        else if (n == 4) pl__product_block(&part, 1, 4, PL__PANEL_VECS);
        else if (n == 3) pl__product_block(&part, 2, 3, PL__PANEL_VECS);
        else if (rows == 3) pl__product_block(&part, 3, 2, PL__PANEL_VECS);
        else pl__product_block(&part, 1, 2, PL__PANEL_VECS);
        p += n;
    }
}

#endif
