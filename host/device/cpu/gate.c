/* y = act(x[:, :F]) * x[:, F:], the gated feed-forward of Llama-like models. Rows are work items. */
#include "device/cpu/activation.h"
#include "device/cpu/cpu.h"

pl_status PL__WIDE(gate)(pl_stream *stream, const pl_gate_args *args)
{
    size_t rows, F = args->y.columns;
    PL_TRY(pl__read_count("gate", &rows, args->batch->counts, PL_COUNT_TOKENS, pl__least(args->x.rows, args->y.rows)));
#pragma omp parallel for num_threads(pl__threads(stream, 4 * rows * F)) schedule(static)
    for (size_t r = 0; r < rows; r++) {
        const float *x = pl__f32(args->x, r);
        float *y = pl__f32(args->y, r);
        /* In pieces that fit a small buffer, because y may be the first half of x. */
        for (size_t i = 0; i < F; i += 256) {
            float g[256];
            size_t n = F - i < 256 ? F - i : 256;
            for (size_t j = 0; j < n; j++) g[j] = x[i + j];
            pl__activate(g, n, args->activation);
            for (size_t j = 0; j < n; j++) y[i + j] = g[j] * x[F + i + j];
        }
    }
    return PL_OK;
}
