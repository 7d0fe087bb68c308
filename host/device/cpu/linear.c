/* y = act(x W^T + bias), or y += x W^T + bias. Tiles of the result are work items; a tile's bias, activation and place
 * in the residual stream are done while it is in the cache. */
#include "device/cpu/activation.h"
#include "device/cpu/gemm.h"

static void finish(const pl_linear_args *a, pl__tile *tile, size_t row, size_t rows, size_t column, size_t columns)
{
    const float *bias = a->bias.buffer ? pl__f32(a->bias, 0) + column : NULL;
    for (size_t r = 0; r < rows; r++) {
        float *z = tile->z + r * PL__TILE_COLUMNS, *y = pl__f32(a->y, row + r) + column;
        if (bias) {
            for (size_t i = 0; i < columns; i++) z[i] += bias[i];
        }
        pl__activate(z, columns, a->activation);
        if (a->accumulate) {
            for (size_t i = 0; i < columns; i++) y[i] += z[i];
        } else {
            for (size_t i = 0; i < columns; i++) y[i] = z[i];
        }
    }
}

pl_status PL__WIDE(linear)(pl_stream *stream, const pl_linear_args *args)
{
    size_t rows;
    PL_TRY(pl__read_count("linear", &rows, args->counts, args->count, pl__least(args->x.rows, args->y.rows)));
    const pl_weight *weight = args->weight;
    int n_threads = stream->device->n_threads;
    size_t row_tiles = pl__row_tiles(rows), width = PL__TILE_COLUMNS;
    /* Narrower tiles when there are too few to keep all threads busy. */
    while (width > weight->panel && row_tiles * ((weight->n_out + width - 1) / width) < 3 * (size_t)n_threads)
        width /= 2;
    size_t column_tiles = (weight->n_out + width - 1) / width;
    /* All row tiles of a column tile follow one another: that part of the weight is read from memory once. */
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (size_t item = 0; item < row_tiles * column_tiles; item++) {
        size_t row = rows * (item % row_tiles) / row_tiles, end = rows * (item % row_tiles + 1) / row_tiles;
        size_t column = item / row_tiles * width;
        size_t columns = weight->n_out - column < width ? weight->n_out - column : width;
        pl__tile tile;
        PL__WIDE(gemm_tile)(&tile, pl__f32(args->x, row), args->x.stride, end - row, weight, column, columns);
        finish(args, &tile, row, end - row, column, columns);
    }
    return PL_OK;
}
