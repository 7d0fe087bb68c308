/* y = x with the mask, row by row. */
#include "device/cpu/dropout.h"

#include <string.h>

pl_status PL__WIDE(dropout)(pl_stream *stream, const pl_dropout_args *args)
{
    size_t rows, C = args->y.columns;
    PL_TRY(
        pl__read_count("dropout", &rows, args->batch->counts, PL_COUNT_TOKENS, pl__least(args->x.rows, args->y.rows)));
    const pl__mask mask = pl__mask_of(&args->dropout);
    const int32_t *positions = pl__i32(args->batch->positions, 0);
#pragma omp parallel for num_threads(pl__threads(stream, 4 * rows * C)) schedule(static)
    for (size_t r = 0; r < rows; r++) {
        float *y = pl__f32(args->y, r);
        memmove(y, pl__f32(args->x, r), C * sizeof *y);
        if (mask.examples) pl__mask_apply(&mask, r, positions[r], 0, y, C);
    }
    return PL_OK;
}
