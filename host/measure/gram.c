/* The product X X^T of centred states, in double (gram.h): blocks of rows by tiles (tile.h), on or above the diagonal,
 * which are then mirrored. */
#include "measure/gram.h"

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
static void put_block(double *gram, size_t n, const double *panels, size_t width, pair_of_blocks at)
{
    size_t i = at.i * BLOCK, j = at.j * BLOCK;
    const pl__block to = {.out = gram + i * n + j,
                          .row_stride = n,
                          .column_stride = 1,
                          .rows = n - i < BLOCK ? n - i : BLOCK,
                          .columns = n - j < BLOCK ? n - j : BLOCK};
    pl__block_products(&to, panels + i * width, panels + j * width, width);
    for (size_t r = 0; r < to.rows && at.i == at.j; r++) gram[(i + r) * n + i + r] = 0.0;
    for (size_t r = 0; r < to.rows && at.i < at.j; r++)
        for (size_t c = 0; c < to.columns; c++) gram[(j + c) * n + i + r] = gram[(i + r) * n + j + c];
}

pl_status pl_gram(double *gram, const float *x, size_t n, size_t width)
{
    pl_status status = PL_OK;
    double *mean = NULL, *panels = NULL;
    pair_of_blocks *pairs = NULL;
    size_t blocks = (n + BLOCK - 1) / BLOCK, n_pairs = 0, doubles = 0;
    if (n == 0) return PL_OK;
    PL_TRY(pl_mul_size(&doubles, n + PL__TILE - 1, width, "centred states"));
    PL_GOTO(status, done, pl_new(&mean, width));
    PL_GOTO(status, done, pl_new(&pairs, blocks * (blocks + 1) / 2));
    PL_GOTO(status, done, pl__new_panels(&panels, doubles, "centred states"));
    pl__column_means(mean, x, n, width);
#pragma omp parallel for schedule(static) if (doubles >= PL__PARALLEL_MIN)
    for (size_t b = 0; b < blocks; b++) {
        const size_t at = b * BLOCK;
        pl__pack_rows(panels + at * width, x + at * width, mean, n - at < BLOCK ? n - at : BLOCK, width);
    }
    for (size_t i = 0; i < blocks; i++)
        for (size_t j = i; j < blocks; j++) pairs[n_pairs++] = (pair_of_blocks){i, j};
#pragma omp parallel for schedule(dynamic) if (n * doubles >= PL__PARALLEL_MIN)
    for (size_t k = 0; k < n_pairs; k++) put_block(gram, n, panels, width, pairs[k]);
done:
    free(panels);
    free(pairs);
    free(mean);
    return status;
}
