/* sum = lanes[0] + lanes[1] + ..., from left to right, each element by one thread. */
#include <string.h>

#include "device/cpu/cpu.h"

pl_status pl__reduce_lanes(pl_stream *stream, const pl_reduce_lanes_args *args)
{
    enum { BLOCK = 4096 }; /* the sum of so many elements stays in the first cache */
    const size_t n = args->sum.columns, n_lanes = args->lanes.rows;
#pragma omp parallel for num_threads(pl__threads(stream, n *n_lanes)) schedule(static)
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t width = n - first < BLOCK ? n - first : BLOCK;
        float *sum = pl__f32(args->sum, 0) + first;
        if (!args->accumulate && n_lanes) memmove(sum, pl__f32(args->lanes, 0) + first, width * sizeof *sum);
        for (size_t lane = args->accumulate ? 0 : 1; lane < n_lanes; lane++) {
            const float *part = pl__f32(args->lanes, lane) + first;
            for (size_t i = 0; i < width; i++) sum[i] += part[i];
        }
    }
    return PL_OK;
}
