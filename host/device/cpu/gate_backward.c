/* Of y = act(gate) * up: dgate = dy * up * act'(gate), dup = dy * act(gate). Rows are work items. */
#include "device/cpu/activation.h"
#include "device/cpu/cpu.h"

pl_status PL__WIDE(gate_backward)(pl_stream *stream, const pl_gate_backward_args *args)
{
    size_t rows, F = args->dy.columns;
    PL_TRY(pl__read_count("gate_backward", &rows, args->batch->counts, PL_COUNT_TOKENS,
                          pl__least(pl__least(args->x.rows, args->dy.rows), args->dx.rows)));
#pragma omp parallel for num_threads(pl__threads(stream, 4 * rows * F)) schedule(static)
    for (size_t r = 0; r < rows; r++) {
        const float *x = pl__f32(args->x, r), *dy = pl__f32(args->dy, r);
        float *dx = pl__f32(args->dx, r);
        /* In pieces that fit small buffers, because dx may be x. */
        for (size_t i = 0; i < F; i += 256) {
            float value[256], slope[256];
            size_t n = F - i < 256 ? F - i : 256;
            for (size_t j = 0; j < n; j++) value[j] = x[i + j];
            pl__activation_slope(slope, value, n, args->activation);
            pl__activate(value, n, args->activation);
            for (size_t j = 0; j < n; j++) {
                float up = x[F + i + j], d = dy[i + j];
                dx[i + j] = d * up * slope[j];
                dx[F + i + j] = d * value[j];
            }
        }
    }
    return PL_OK;
}
