/* Debiased CKA of all pairs under a permutation: a product of Gram matrices, 8 conditions x 8 conditions at a time
 * (similarity.h). */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/tile.h"
#include "measure/gram.h"
#include "measure/similarity_parts.h"

static size_t blocks_of(size_t conditions)
{
    return (conditions + PL__TILE - 1) / PL__TILE;
}

static size_t doubles(size_t n, size_t capacity)
{
    return pl_size_product(pl_size_product(n, n), blocks_of(capacity) * PL__TILE);
}

static size_t bytes(size_t n, size_t capacity)
{
    return pl_size_product(doubles(n, capacity), sizeof(double));
}

static pl_status open(pl_side *side)
{
    return pl__new_panels(&side->grams, doubles(side->n, side->capacity), "Gram matrices");
}

/* A Gram matrix with zero diagonal, to one whose rows sum to 0: HSIC_1 of two is then their elements' product. */
static void centre(double *gram, double *row, size_t n)
{
    double m = (double)n, all = 0.0;
    for (size_t i = 0; i < n; i++) {
        row[i] = 0.0;
        for (size_t j = 0; j < n; j++) row[i] += gram[i * n + j];
        all += row[i];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            gram[i * n + j] =
                i == j ? 0.0 : gram[i * n + j] - (row[i] + row[j]) / (m - 2.0) + all / ((m - 1.0) * (m - 2.0));
}

static pl_status add(pl_side *side, const float *states, size_t width)
{
    size_t n = side->n, square = n * n;
    double *gram, *row, squares = 0.0;
    double *lane = side->grams + side->m / PL__TILE * square * PL__TILE + side->m % PL__TILE;
    PL_TRY(pl_new(&gram, square + n));
    row = gram + square;
    pl_status status = pl_gram(gram, states, n, width, side->on);
    if (status == PL_OK) {
        centre(gram, row, n);
        for (size_t i = 0; i < square; i++) squares += gram[i] * gram[i];
        side->varies[side->m] = squares > 0.0;
        for (size_t i = 0; i < square && squares > 0.0; i++) lane[i * PL__TILE] = gram[i] / sqrt(squares);
    }
    free(gram);
    return status;
}

/* One permuted row of y's matrices: [blocks of y, n, 8]. */
static size_t work_size(const pl_side *x, const pl_side *y)
{
    (void)x;
    return blocks_of(y->m) * y->n * PL__TILE;
}

/* The first `depth` elements of row order[i], in the permuted order. */
static void gather(double *to, const double *row, const size_t *order, size_t depth)
{
    for (size_t j = 0; j < depth; j++)
        for (size_t lane = 0; lane < PL__TILE; lane++) to[j * PL__TILE + lane] = row[order[j] * PL__TILE + lane];
}

static void add_tile(double *grid, const double *tile, size_t a, size_t b, size_t n_x, size_t n_y)
{
    for (size_t r = 0; r < PL__TILE && a + r < n_x; r++)
        for (size_t c = 0; c < PL__TILE && b + c < n_y; c++)
            grid[(a + r) * n_y + b + c] += 2.0 * tile[r * PL__TILE + c];
}

/* Of the symmetric matrices the part below the diagonal, twice. */
static void add_row(double *grid, const pl_side *x, const pl_side *y, size_t i, const double *rows,
                    pl__tiles_function tiles_of)
{
    enum { SQUARE = PL__TILE * PL__TILE };
    size_t n = x->n, stride = n * PL__TILE;
    double tiles[PL__TILES_MAX * SQUARE];
    for (size_t p = 0; p < blocks_of(x->m); p++)
        for (size_t q = 0; q < blocks_of(y->m); q += PL__TILES_MAX) {
            size_t left = blocks_of(y->m) - q, some = left < PL__TILES_MAX ? left : PL__TILES_MAX;
            tiles_of(tiles, x->grams + (p * n + i) * stride, rows + q * stride, some, stride, i);
            for (size_t k = 0; k < some; k++)
                add_tile(grid, tiles + k * SQUARE, p * PL__TILE, (q + k) * PL__TILE, x->m, y->m);
        }
}

static void grid_of(double *grid, const pl_side *x, const pl_side *y, const size_t *order, void *work)
{
    size_t n = x->n;
    double *rows = work;
    const pl__tiles_function tiles_of = pl__pick_tiles();
    for (size_t i = 0; i < x->m * y->m; i++) grid[i] = 0.0;
    for (size_t i = 1; i < n; i++) {
        for (size_t q = 0; q < blocks_of(y->m); q++)
            gather(rows + q * n * PL__TILE, y->grams + (q * n + order[i]) * n * PL__TILE, order, i);
        add_row(grid, x, y, i, rows, tiles_of);
    }
}

const pl__similar_kind pl__similar_cka = {bytes, open, add, work_size, grid_of};
