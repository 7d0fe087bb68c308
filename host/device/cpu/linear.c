/* y = act(x W^T + bias), or y += x W^T + bias. Tiles of the result are work items; a tile's bias, activation, mask and
 * place in the residual stream are done while it is in the cache. */
#include <string.h>

#include "device/cpu/activation.h"
#include "device/cpu/dropout.h"
#include "device/cpu/gemm.h"

static void finish(const pl_linear_args *a, const pl__mask *mask, pl__tile *tile, const pl__part *p)
{
    const float *bias = a->bias.buffer ? pl__f32(a->bias, 0) + p->column : NULL;
    const size_t columns = p->columns;
    for (size_t r = 0; r < p->rows; r++) {
        const size_t row = p->row + r;
        float *z = tile->z + r * tile->stride, *y = pl__f32(a->y, row) + p->column;
        if (bias) {
            for (size_t i = 0; i < columns; i++) z[i] += bias[i];
        }
        if (a->pre.buffer) memcpy(pl__f32(a->pre, row) + p->column, z, columns * sizeof *z);
        pl__activate(z, columns, a->activation);
        if (mask->examples) pl__mask_apply(mask, row, pl__i32(a->positions, 0)[row], p->column, z, columns);
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
    const pl__side b = pl__forward_side(args->weight);
    const pl__mask mask = pl__mask_of(&args->dropout);
    int n_threads = stream->device->n_threads;
    const pl__cut cut = PL__WIDE(cut)(rows, &b, n_threads);
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (size_t item = 0; item < cut.row_tiles * cut.column_tiles; item++) {
        const pl__part p = pl__part_of(&cut, item);
        pl__tile tile;
        PL__WIDE(gemm_tile)(&tile, pl__f32(args->x, p.row), args->x.stride, p.rows, &b, p.column, p.columns);
        finish(args, &mask, &tile, &p);
    }
    return PL_OK;
}
