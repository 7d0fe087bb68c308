/* The blocked product X X^T of centred states, in double (gram.h), by tiles of packed rows (tile.h). Only tiles on or
 * above the diagonal are computed and then mirrored. */
#include "measure/gram.h"

#include <stdlib.h>

#include "base/memory.h"
#include "measure/tile.h"
#include "statistics/parallel.h"

enum { PANEL = PL__TILE };

/* panels[(i / 8) * width * 8 + d * 8 + i % 8] = x[i][d] - mean[d]; rows past n stay 0. */
static void pack_centred(double *panels, const double *mean, const float *x, size_t n, size_t width)
{
#pragma omp parallel for schedule(static) if (n * width >= PL__PARALLEL_MIN)
    for (size_t block = 0; block < (n + PANEL - 1) / PANEL; block++) {
        double *panel = panels + block * width * PANEL;
        for (size_t lane = 0; lane < PANEL && block * PANEL + lane < n; lane++) {
            const float *row = x + (block * PANEL + lane) * width;
            for (size_t d = 0; d < width; d++) panel[d * PANEL + lane] = (double)row[d] - mean[d];
        }
    }
}

/* As first value + mean difference: a constant column is centred to exact zeros. */
static void column_means(double *mean, const float *x, size_t n, size_t width)
{
    for (size_t i = 1; i < n; i++)
        for (size_t d = 0; d < width; d++) mean[d] += (double)x[i * width + d] - (double)x[d];
    for (size_t d = 0; d < width; d++) mean[d] = (double)x[d] + mean[d] / (double)n;
}

/* Puts a tile at rows i.., columns j.. and mirrors it. */
static void put_tile(double *gram, size_t n, const double *tile, size_t i, size_t j)
{
    for (size_t r = 0; r < PANEL && i + r < n; r++) {
        for (size_t c = 0; c < PANEL && j + c < n; c++) {
            double value = i + r == j + c ? 0.0 : tile[r * PANEL + c];
            gram[(i + r) * n + j + c] = value;
            gram[(j + c) * n + i + r] = value;
        }
    }
}

pl_status pl_gram(double *gram, const float *x, size_t n, size_t width)
{
    pl_status status = PL_OK;
    double *mean = NULL, *panels = NULL;
    size_t blocks = n / PANEL + (n % PANEL != 0), row_doubles = 0, doubles = 0;
    if (n == 0) return PL_OK;
    PL_TRY(pl_mul_size(&row_doubles, width, PANEL, "panel of states"));
    PL_TRY(pl_mul_size(&doubles, blocks, row_doubles, "centred states"));
    PL_GOTO(status, done, pl_new(&mean, width));
    PL_GOTO(status, done, pl__new_panels(&panels, doubles, "centred states"));
    column_means(mean, x, n, width);
    pack_centred(panels, mean, x, n, width);
    const pl__tile_function tile_of = pl__pick_tile();
    /* Row blocks get shorter downwards: dynamic order balances them, and no element's sum depends on who computes it.
     * A mirrored tile lands in another block's rows, but never where that block writes (it starts at its diagonal). */
#pragma omp parallel for schedule(dynamic) if (n * doubles >= PL__PARALLEL_MIN)
    for (size_t i = 0; i < blocks; i++) {
        for (size_t j = i; j < blocks; j++) {
            double tile[PANEL * PANEL];
            tile_of(tile, panels + i * row_doubles, panels + j * row_doubles, width);
            put_tile(gram, n, tile, i * PANEL, j * PANEL);
        }
    }
done:
    free(panels);
    free(mean);
    return status;
}
