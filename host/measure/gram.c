/* The products of centred states with themselves, in double (gram.h): blocks by tiles (tile.h), on or above the
 * diagonal, which are then mirrored. */
#include "measure/gram.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"
#include "measure/tile.h"
#include "statistics/parallel.h"

/* Rows of a block: that many columns of usual states stay in a core's cache while rows go by. */
enum { BLOCK = 192 };

typedef struct pair_of_blocks {
    size_t i, j;
} pair_of_blocks;

/* Rows i.. and columns j..: the block and, off the diagonal, its mirror image. */
static void put_block(double *gram, size_t n, const double *panels, size_t depth, pair_of_blocks at)
{
    size_t i = at.i * BLOCK, j = at.j * BLOCK;
    const pl__block to = {.out = gram + i * n + j,
                          .row_stride = n,
                          .column_stride = 1,
                          .rows = n - i < BLOCK ? n - i : BLOCK,
                          .columns = n - j < BLOCK ? n - j : BLOCK};
    pl__block_products(&to, panels + i * depth, panels + j * depth, depth);
    for (size_t r = 0; r < to.rows && at.i < at.j; r++)
        for (size_t c = 0; c < to.columns; c++) gram[(j + c) * n + i + r] = gram[(i + r) * n + j + c];
}

/* The columns at..at + n - 1 of x, as pl__pack_rows has rows: [ceil(n/8), rows, 8]. */
static void pack_columns(double *panels, const float *x, const double *mean, size_t rows, size_t width, size_t at,
                         size_t n)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < n; c++)
            panels[(c / PL__TILE * rows + i) * PL__TILE + c % PL__TILE] = (double)x[i * width + at + c] - mean[at + c];
}

pl_status pl_gram_whole(double *gram, double *mean, const float *x, size_t n, size_t width, pl_gram_of of)
{
    const bool rows = of == PL_GRAM_OF_ROWS;
    const size_t m = rows ? n : width, depth = rows ? width : n;
    pl_status status = PL_OK;
    double *panels = NULL;
    pair_of_blocks *pairs = NULL;
    size_t blocks = (m + BLOCK - 1) / BLOCK, n_pairs = 0, doubles = 0;
    if (n == 0) return PL_OK;
    PL_TRY(pl_mul_size(&doubles, m + PL__TILE - 1, depth, "centred states"));
    PL_GOTO(status, done, pl_new(&pairs, blocks * (blocks + 1) / 2));
    PL_GOTO(status, done, pl__new_panels(&panels, doubles, "centred states"));
    pl__column_means(mean, x, n, width);
#pragma omp parallel for schedule(static) if (doubles >= PL__PARALLEL_MIN)
    for (size_t b = 0; b < blocks; b++) {
        const size_t at = b * BLOCK, here = m - at < BLOCK ? m - at : BLOCK;
        if (rows)
            pl__pack_rows(panels + at * depth, x + at * width, mean, here, width);
        else
            pack_columns(panels + at * depth, x, mean, n, width, at, here);
    }
    for (size_t i = 0; i < blocks; i++)
        for (size_t j = i; j < blocks; j++) pairs[n_pairs++] = (pair_of_blocks){i, j};
#pragma omp parallel for schedule(dynamic) if (m * doubles >= PL__PARALLEL_MIN)
    for (size_t k = 0; k < n_pairs; k++) put_block(gram, m, panels, depth, pairs[k]);
done:
    free(panels);
    free(pairs);
    return status;
}

pl_status pl_gram(double *gram, const float *x, size_t n, size_t width)
{
    double *mean;
    PL_TRY(pl_new(&mean, width));
    pl_status status = pl_gram_whole(gram, mean, x, n, width, PL_GRAM_OF_ROWS);
    for (size_t i = 0; i < n && status == PL_OK; i++) gram[i * n + i] = 0.0;
    free(mean);
    return status;
}
