/* Products a tile at a time: what the ops with a weight share. Each is a chain of fused multiply-adds over k in
 * ascending order for every element (product.h), so neither the form in which a weight is kept nor the tiles show in a
 * bit of the result. */
#ifndef PLUMB_DEVICE_CPU_GEMM_H
#define PLUMB_DEVICE_CPU_GEMM_H

#include "device/cpu/cpu.h"

/* ---- Tiles ---- */

/* A tile is up to PL__TILE_ROWS rows by PL__TILE_COLUMNS columns, or PL__TILE_TALL by PL__TILE_WIDE where both sides are
 * packed for a tile (half_product.h): with the rows it still fits the second cache. It lives on the stack of the thread
 * that makes it. */
enum {
    PL__TILE_ROWS = 256,
    PL__TILE_LEAST_ROWS = 48,
    PL__TILE_COLUMNS = 128,
    PL__TILE_TALL = 512,
    PL__TILE_WIDE = 384
};
static inline size_t pl__tile_width(const pl__half *half)
{
    return half ? PL__TILE_WIDE : PL__TILE_COLUMNS;
}
static inline size_t pl__tile_height(const pl__half *half)
{
    return half ? PL__TILE_TALL : PL__TILE_ROWS;
}

typedef struct pl__tile {
    size_t stride; /* from one row to the next: the width that gemm_tile has set */
    _Alignas(64) float z[PL__TILE_TALL * PL__TILE_WIDE];
} pl__tile;

/* The number of nearly equal row tiles: as few as keep the threads busy, since each reads its part of b once. */
static inline size_t pl__row_tiles(size_t rows, size_t column_tiles, int n_threads, const pl__half *half)
{
    const size_t most = pl__tile_height(half), items = (half ? 2 : 4) * (size_t)n_threads;
    size_t tiles = (rows + most - 1) / most;
    while (tiles && tiles * column_tiles < items && rows / (2 * tiles) >= PL__TILE_LEAST_ROWS)
        tiles *= 2;
    return tiles;
}

/* The right-hand side b [k, columns] of a product, as it lies in memory. */
typedef enum pl__lies {
    PL__IN_PANELS,  /* panel p at data + p * stride, element (k, lane) at k * PL__PANEL + lane; zero past the columns */
    PL__IN_ROWS,    /* (k, j) at k * stride + j */
    PL__IN_COLUMNS, /* (k, j) at j * stride + k */
    PL__ACROSS_PANELS /* panels of k: (k, j) at k / PL__PANEL * stride + j * PL__PANEL + k % PL__PANEL */
} pl__lies;

typedef struct pl__side {
    pl__lies lies;
    const float *data; /* panels of a weight with `half`: perhaps of bfloat16 (half_product.h), stride in elements */
    size_t stride, k, columns;
    const pl__half *half; /* who multiplies in bfloat16; NULL: float32 */
} pl__side;

/* b = W^T (forward): columns are outputs; b = W (backward): columns are inputs. */
static inline pl__side pl__forward_side(const pl_weight *w)
{
    if (w->master) return (pl__side){PL__IN_COLUMNS, w->master, w->master_stride, w->n_in, w->n_out, w->half};
    return (pl__side){PL__IN_PANELS, w->data, w->panel_stride, w->n_in, w->n_out, w->half};
}
static inline pl__side pl__backward_side(const pl_weight *w)
{
    if (w->master) return (pl__side){PL__IN_ROWS, w->master, w->master_stride, w->n_out, w->n_in, w->half};
    return (pl__side){PL__ACROSS_PANELS, w->data, w->panel_stride, w->n_out, w->n_in, w->half};
}

/* z[rows, columns] = x b for columns first_column .. first_column + n_columns, rounded up to whole panels.
 * first_column is a multiple of the panel, n_columns at most the tile's width, rows at most PL__TILE_ROWS. */
void PL__WIDE(gemm_tile)(pl__tile *tile, const float *x, size_t x_stride, size_t rows, const pl__side *b,
                         size_t first_column, size_t n_columns);

/* How a product of `rows` rows by a side is cut into work items. */
typedef struct pl__cut {
    size_t rows, columns, width, row_tiles, column_tiles;
} pl__cut;
typedef struct pl__part {
    size_t row, rows, column, columns;
} pl__part;
pl__cut PL__WIDE(cut)(size_t rows, const pl__side *b, int n_threads);
/* All row tiles of a column tile follow one another: that part of the weight is read from memory once. */
static inline pl__part pl__part_of(const pl__cut *c, size_t item)
{
    size_t tile = item % c->row_tiles, row = c->rows * tile / c->row_tiles;
    size_t column = item / c->row_tiles * c->width;
    return (pl__part){row, c->rows * (tile + 1) / c->row_tiles - row, column, pl__least(c->columns - column, c->width)};
}

/* The tile's numbers to their place in y, or added there. */
void PL__WIDE(put_tile)(const pl__tile *tile, const pl__part *p, pl_view y, bool accumulate);

/* ---- Gradients of weights ---- */

/* The gradient of a weight and its bias: dweight += z^T x, dbias += the sum of z's rows, rows in order. */
typedef struct pl__gradient {
    size_t rows, n_out, n_in;
    const float *z; /* [rows, out], rows z_stride apart */
    size_t z_stride;
    const float *x; /* [rows, in] in panels (pack_panels) */
    float *dweight; /* [out, in], rows dweight_stride apart; or NULL */
    size_t dweight_stride;
    float *dbias; /* [out], or NULL */
    const pl__half *half;
} pl__gradient;
enum { PL__GRADIENT_OUTS = 192 }; /* outputs of one work item at most */
/* Outputs of a work item such that there are some for each thread. */
static inline size_t pl__gradient_width(size_t n_out, int n_threads)
{
    size_t width = PL__GRADIENT_OUTS;
    while (width > 24 && (n_out + width - 1) / width < 4 * (size_t)n_threads) width /= 2;
    return width;
}
/* Outputs [first_out, first_out + n_out), all inputs. */
void PL__WIDE(gradient_tile)(const pl__gradient *g, size_t first_out, size_t n_out);

/* Floats that pack_panels may write, whatever the vector width: so many for each of so many columns. bfloat16 takes
 * half of a float for rows by 32, three parts of it one and a half. */
enum { PL__WIDEST_PANEL = 32, PL__LEAST_PANEL_ROWS = 16 };
static inline size_t pl__panel_rows(size_t rows, pl_dtype compute)
{
    if (compute == PL_BF16X3 && rows < SIZE_MAX / 2) return (rows + 31) / 32 * 48;
    return rows < PL__LEAST_PANEL_ROWS ? PL__LEAST_PANEL_ROWS : rows;
}
static inline size_t pl__panel_columns(size_t columns)
{
    return (columns + PL__WIDEST_PANEL - 1) / PL__WIDEST_PANEL * PL__WIDEST_PANEL;
}
void PL__WIDE(pack_panels)(float *to, const float *x, size_t x_stride, size_t rows, size_t columns, int n_threads,
                           const pl__half *half);

#endif
