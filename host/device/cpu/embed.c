/* x = table[token] * scale + position_table[position + offset]. Tables may be in a 16-bit type. */
#include "device/cpu/cpu.h"
#include "device/cpu/half.h"

pl_status pl__embed(pl_stream *stream, const pl_embed_args *args)
{
    size_t rows, C = args->x.columns;
    const pl_batch *batch = args->batch;
    PL_TRY(
        pl__read_count("embed", &rows, batch->counts, PL_COUNT_TOKENS, pl__least(args->x.rows, batch->tokens.columns)));
    PL_TRY(pl__check_ids("embed", "tokens", batch->tokens, rows, args->table.rows));
    if (args->position_table.buffer) {
        PL_TRY(pl__check_ids("embed", "positions", batch->positions, rows,
                             args->position_table.rows - args->position_offset));
    }
    const int32_t *tokens = pl__i32(args->batch->tokens, 0);
    const int32_t *positions = args->position_table.buffer ? pl__i32(args->batch->positions, 0) : NULL;
#pragma omp parallel for num_threads(pl__threads(stream, rows *C)) schedule(static)
    for (size_t r = 0; r < rows; r++) {
        float *x = pl__f32(args->x, r);
        pl__to_f32(x, pl__at(args->table, (size_t)tokens[r]), C, args->table.dtype);
        for (size_t i = 0; i < C; i++) x[i] *= args->scale;
        if (!positions) continue;
        const void *row = pl__at(args->position_table, (size_t)positions[r] + args->position_offset);
        for (size_t i = 0; i < C; i += 256) {
            float p[256];
            size_t n = C - i < 256 ? C - i : 256;
            pl__to_f32(p, (const char *)row + i * pl_dtype_bytes(args->position_table.dtype), n,
                       args->position_table.dtype);
            for (size_t j = 0; j < n; j++) x[i + j] += p[j];
        }
    }
    return PL_OK;
}
