/* The norm of each head's D features, in place, before the rotary step (Qwen3, Gemma3, Phi). */
#include "device/cpu/cpu.h"
#include "device/cpu/norm.h"

pl_status pl__head_norm(pl_stream *stream, const pl_head_norm_args *args)
{
    size_t rows, D = args->head_width;
    PL_TRY(pl__read_count("head_norm", &rows, args->batch->counts, PL_COUNT_TOKENS, args->x.rows));
    const float *weight = args->weight.buffer ? pl__f32(args->weight, 0) : NULL;
    const float *bias = args->bias.buffer ? pl__f32(args->bias, 0) : NULL;
    const size_t own = args->weight.rows > 1 ? args->weight.stride : 0; /* from one head's weights to the next one's */
#pragma omp parallel for num_threads(pl__threads(stream, rows * args->n_heads * D)) schedule(static)
    for (size_t r = 0; r < rows; r++) {
        float *x = pl__f32(args->x, r) + args->first_column;
        for (size_t h = 0; h < args->n_heads; h++) {
            pl__norm_row(x + h * D, x + h * D, D, args->kind, args->eps, weight ? weight + h * own : NULL, bias, 1.0f,
                         0);
        }
    }
    return PL_OK;
}
