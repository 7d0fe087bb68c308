/* The products of centred states with themselves, in double (gram.h): of rows on a device, of columns by tiles
 * (base/tile.h), on or above the diagonal, which are then mirrored. */
#include "measure/gram.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/tile.h"
#include "device/device.h"
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

/* Of rows, on a device (op `pairwise`). */
static pl_status products_of_rows(double *gram, const double *mean, const float *x, size_t n, size_t width,
                                  const pl_processor *on)
{
    pl_stream *stream = NULL;
    pl_pairwise_args a = {0};
    pl_status status;
    PL_GOTO(status, done, on->ops->stream_create(on->device, &stream));
    PL_GOTO(status, done, pl_view_create(on, &a.x, n, width, PL_F32));
    PL_GOTO(status, done, pl_view_create(on, &a.mean, 1, width, PL_F64));
    PL_GOTO(status, done, pl_view_create(on, &a.products, n, n, PL_F64));
    PL_GOTO(status, done, pl_view_create(on, &a.workspace, 1, on->ops->pairwise_workspace_bytes(n, n, width), PL_U8));
    PL_GOTO(status, done, pl_upload(on, stream, a.x, x));
    PL_GOTO(status, done, pl_upload(on, stream, a.mean, mean));
    a.y = a.x;
    PL_GOTO(status, done, pl_op_pairwise(on, stream, &a));
    PL_GOTO(status, done, pl_download(on, stream, gram, a.products));
    status = on->ops->stream_wait(stream);
done:;
    pl_view *views[] = {&a.x, &a.mean, &a.products, &a.workspace};
    if (status != PL_OK && stream) (void)on->ops->stream_wait(stream);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) pl_view_free(on, views[i]);
    if (stream) on->ops->stream_free(stream);
    return status;
}

static pl_status products_of_rows_on(double *gram, const double *mean, const float *x, size_t n, size_t width,
                                     const pl_processor *on)
{
    pl_processor cpu;
    if (on) return products_of_rows(gram, mean, x, n, width, on);
    PL_TRY(pl_processor_open(&cpu, "cpu", 0));
    pl_status status = products_of_rows(gram, mean, x, n, width, &cpu);
    pl_processor_close(&cpu);
    return status;
}

/* Of columns, here. */
static pl_status products_of_columns(double *gram, const double *mean, const float *x, size_t n, size_t width)
{
    pl_status status = PL_OK;
    double *panels = NULL;
    pair_of_blocks *pairs = NULL;
    size_t blocks = (width + BLOCK - 1) / BLOCK, n_pairs = 0, doubles = 0;
    PL_TRY(pl_mul_size(&doubles, width + PL__TILE - 1, n, "centred states"));
    PL_GOTO(status, done, pl_new(&pairs, blocks * (blocks + 1) / 2));
    PL_GOTO(status, done, pl__new_panels(&panels, doubles, "centred states"));
#pragma omp parallel for schedule(static) if (doubles >= PL__PARALLEL_MIN)
    for (size_t b = 0; b < blocks; b++) {
        const size_t at = b * BLOCK, here = width - at < BLOCK ? width - at : BLOCK;
        pack_columns(panels + at * n, x, mean, n, width, at, here);
    }
    for (size_t i = 0; i < blocks; i++)
        for (size_t j = i; j < blocks; j++) pairs[n_pairs++] = (pair_of_blocks){i, j};
#pragma omp parallel for schedule(dynamic) if (width * doubles >= PL__PARALLEL_MIN)
    for (size_t k = 0; k < n_pairs; k++) put_block(gram, width, panels, n, pairs[k]);
done:
    free(panels);
    free(pairs);
    return status;
}

pl_status pl_gram_whole(double *gram, double *mean, const float *x, size_t n, size_t width, pl_gram_of of,
                        const pl_processor *on)
{
    if (n == 0) return PL_OK;
    pl__column_means(mean, x, n, width);
    return of == PL_GRAM_OF_ROWS ? products_of_rows_on(gram, mean, x, n, width, on)
                                 : products_of_columns(gram, mean, x, n, width);
}

pl_status pl_gram(double *gram, const float *x, size_t n, size_t width, const pl_processor *on)
{
    double *mean;
    PL_TRY(pl_new(&mean, width));
    pl_status status = pl_gram_whole(gram, mean, x, n, width, PL_GRAM_OF_ROWS, on);
    for (size_t i = 0; i < n && status == PL_OK; i++) gram[i * n + i] = 0.0;
    free(mean);
    return status;
}
