/* The product kernel: blocks of a few rows and a few vectors of columns whose accumulators stay in registers. */
#include "device/cpu/product.h"

/* One block is compiled for each number of rows. The portable variant keeps loops instead: it has no registers to fill,
 * and its code would be large. */
#if defined(PL_CPU_AVX512) || defined(PL_CPU_AVX2)
#define BLOCK  PL__INLINE
#define UNROLL _Pragma("GCC unroll 32")
#else
#define BLOCK static __attribute__((noinline))
#define UNROLL
#endif

/* rows, panels, vecs: constants of the caller; all accumulators are registers. */
BLOCK void block(const pl__product *a, const int rows, const int panels, const int vecs)
{
    enum { MOST = PL__ROWS * PL__PANEL_VECS };
    pl__vec acc[MOST];
    const int columns = panels * vecs;
    const float *x = a->x, *b = a->b;
    const size_t x_stride = a->x_stride, row_floats = a->row_floats, panel_floats = a->panel_floats;
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int v = 0; v < columns; v++) {
            acc[r * columns + v] = a->fresh ? pl__zero() : pl__load(a->c + (size_t)r * a->c_stride + v * PL__LANES);
        }
    }
    for (size_t k = 0; k < a->k; k++, b += row_floats) {
        pl__vec bv[8];
        UNROLL
        for (int v = 0; v < columns; v++) {
            bv[v] = pl__load(b + (size_t)(v / vecs) * panel_floats + (size_t)(v % vecs) * PL__LANES);
        }
        UNROLL
        for (int r = 0; r < rows; r++) {
            pl__vec xv = pl__set(x[(size_t)r * x_stride + k]);
            UNROLL
            for (int v = 0; v < columns; v++) acc[r * columns + v] = pl__fma(xv, bv[v], acc[r * columns + v]);
        }
    }
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int v = 0; v < columns; v++) {
            pl__store(a->c + (size_t)r * a->c_stride + v * PL__LANES, acc[r * columns + v]);
        }
    }
}

/* One panel, 1 <= rows <= PL__ROWS. */
static void product_rows(const pl__product *a, size_t rows)
{
    switch (rows) {
    case 1:
        block(a, 1, 1, PL__PANEL_VECS);
        break;
    case 2:
        block(a, 2, 1, PL__PANEL_VECS);
        break;
    case 3:
        block(a, 3, 1, PL__PANEL_VECS);
        break;
    case 4:
        block(a, 4, 1, PL__PANEL_VECS);
        break;
    case 5:
        block(a, 5, 1, PL__PANEL_VECS);
        break;
    case 6:
        block(a, 6, 1, PL__PANEL_VECS);
        break;
#if !defined(PL_CPU_AVX2)
    case 7:
        block(a, 7, 1, PL__PANEL_VECS);
        break;
    case 8:
        block(a, 8, 1, PL__PANEL_VECS);
        break;
    case 9:
        block(a, 9, 1, PL__PANEL_VECS);
        break;
    case 10:
        block(a, 10, 1, PL__PANEL_VECS);
        break;
    case 11:
        block(a, 11, 1, PL__PANEL_VECS);
        break;
    case 12:
        block(a, 12, 1, PL__PANEL_VECS);
        break;
#endif
    }
}

/* Any number of rows: cut into blocks of nearly equal size, so that no block is too small to hide the latency. */
static void product_tall(const pl__product *a, size_t rows)
{
    pl__product part = *a;
    size_t blocks = (rows + PL__ROWS - 1) / PL__ROWS, done = 0;
    for (size_t i = 0; i < blocks; i++) {
        size_t n = (rows - done) / (blocks - i);
        part.x = a->x + done * a->x_stride;
        part.c = a->c + done * a->c_stride;
        product_rows(&part, n);
        done += n;
    }
}

/* Several panels side by side, any number of rows. For one, two or three rows 4, 3 or 2 panels run at once: a panel
 * alone would have too few chains to hide the latency of a fused multiply-add, and too few loads in flight. */
void PL__WIDE(product)(const pl__product *a, size_t rows, size_t n_panels)
{
    pl__product part = *a;
    size_t together = rows == 1 ? 4 : rows == 2 ? 3 : rows == 3 ? 2 : 1;
    for (size_t p = 0; p < n_panels;) {
        size_t n = n_panels - p >= together ? together : rows == 1 && n_panels - p >= 2 ? 2 : 1;
        part.b = a->b + p * a->panel_floats;
        part.c = a->c + p * PL__PANEL;
        if (n == 1)
            product_tall(&part, rows);
        else if (n == 4)
            block(&part, 1, 4, PL__PANEL_VECS);
        else if (n == 3)
            block(&part, 2, 3, PL__PANEL_VECS);
        else if (rows == 3)
            block(&part, 3, 2, PL__PANEL_VECS);
        else
            block(&part, 1, 2, PL__PANEL_VECS);
        p += n;
    }
}
