/* Rotary positions: the first `width` features of each query and key head turn by the angles of the token's row of the
 * tables. */
#include "device/cpu/rotary.h"

static void rotate_halves(float *x, const float *cosine, const float *sine, size_t half, float turn)
{
    for (size_t j = 0; j < half; j++) {
        float a = x[j], b = x[j + half], s = sine[j] * turn;
        x[j] = a * cosine[j] - b * s;
        x[j + half] = b * cosine[j] + a * s;
    }
}

static void rotate_pairs(float *x, const float *cosine, const float *sine, size_t half, float turn)
{
    for (size_t j = 0; j < half; j++) {
        float a = x[2 * j], b = x[2 * j + 1], s = sine[j] * turn;
        x[2 * j] = a * cosine[j] - b * s;
        x[2 * j + 1] = b * cosine[j] + a * s;
    }
}

pl_status pl__rotate(const char *op, pl_stream *stream, const pl_rotary_args *args, float turn)
{
    size_t rows, D = args->head_width, half = args->width / 2;
    PL_TRY(pl__read_count(op, &rows, args->batch->counts, PL_COUNT_TOKENS,
                          pl__least(args->qkv.rows, args->batch->positions.columns)));
    const pl_view turns = args->batch->turns.buffer ? args->batch->turns : args->batch->positions;
    PL_TRY(pl__check_ids(op, "positions", turns, rows, pl__least(args->cosine.rows, args->sine.rows)));
    const int32_t *at = pl__i32(turns, 0);
#pragma omp parallel for num_threads(pl__threads(stream, rows * args->qkv.columns)) schedule(static)
    for (size_t r = 0; r < rows; r++) {
        const float *cosine = pl__f32(args->cosine, (size_t)at[r]);
        const float *sine = pl__f32(args->sine, (size_t)at[r]);
        float *x = pl__f32(args->qkv, r);
        for (size_t h = 0; h < args->n_heads + args->n_kv_heads; h++) {
            if (args->interleaved)
                rotate_pairs(x + h * D, cosine, sine, half, turn);
            else
                rotate_halves(x + h * D, cosine, sine, half, turn);
        }
    }
    return PL_OK;
}

pl_status pl__rotary(pl_stream *stream, const pl_rotary_args *args)
{
    return pl__rotate("rotary", stream, args, 1.0f);
}
