/* Products with a packed weight, a tile at a time: the part that `linear` and `score` share. */
#ifndef PLUMB_DEVICE_CPU_GEMM_H
#define PLUMB_DEVICE_CPU_GEMM_H

#include "device/cpu/cpu.h"

/* A tile is up to PL__TILE_ROWS rows by PL__TILE_COLUMNS columns; it lives on the stack of the thread that makes it. */
enum { PL__TILE_ROWS = 96, PL__TILE_COLUMNS = 128 };

typedef struct pl__tile {
    _Alignas(64) float z[PL__TILE_ROWS * PL__TILE_COLUMNS]; /* rows PL__TILE_COLUMNS apart */
} pl__tile;

/* The number of nearly equal row tiles: one while that is possible, so that weights are read once; else such that a
 * tile's rows stay in the second cache. */
static inline size_t pl__row_tiles(size_t rows)
{
    return rows <= PL__TILE_ROWS ? rows != 0 : (rows + PL__TILE_ROWS / 2 - 1) / (PL__TILE_ROWS / 2);
}

/* z[rows, columns] = x W^T for columns first_column .. first_column + n_columns, rounded up to whole panels.
 * first_column is a multiple of the panel, n_columns at most PL__TILE_COLUMNS, rows at most PL__TILE_ROWS. */
void PL__WIDE(gemm_tile)(pl__tile *tile, const float *x, size_t x_stride, size_t rows, const pl_weight *weight,
                         size_t first_column, size_t n_columns);

#endif
