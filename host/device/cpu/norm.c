/* Layer norm and RMS norm of rows. Sums run in double precision over 16 lanes (element i in lane i % 16) and a fixed
 * tree, so they depend on nothing but the row. */
#include "device/cpu/norm.h"

#include "device/cpu/cpu.h"

pl_status pl__norm(pl_stream *stream, const pl_norm_args *args)
{
    size_t rows, C = args->x.columns;
    PL_TRY(pl__read_count("norm", &rows, args->counts, args->count, pl__least(args->x.rows, args->y.rows)));
    const float *weight = args->weight.buffer ? pl__f32(args->weight, 0) : NULL;
    const float *bias = args->bias.buffer ? pl__f32(args->bias, 0) : NULL;
#pragma omp parallel for num_threads(pl__threads(stream, rows *C)) schedule(static)
    for (size_t r = 0; r < rows; r++) {
        pl__norm_row(pl__f32(args->y, r), pl__f32(args->x, r), C, args->kind, args->eps, weight, bias,
                     pl__gain(args->gain), args->accumulate);
    }
    return PL_OK;
}
