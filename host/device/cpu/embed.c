/* x = table[token] * scale + position_table[position + offset]. Tables may be in a 16-bit type. */
#include "device/cpu/cpu.h"
#include "device/cpu/half.h"

static pl_status check(const pl_embed_args *a, size_t *rows)
{
    if (!a->batch) return pl_fail(PL_E_INTERNAL, "embed: no batch is given");
    PL_TRY(pl__check_count("embed", rows, a->batch->counts, PL_COUNT_TOKENS, a->x.rows));
    PL_TRY(pl__check_view("embed", "x", a->x, *rows, a->x.columns, PL_F32));
    PL_TRY(pl__check_ids("embed", "tokens", a->batch->tokens, *rows, a->table.rows));
    if (a->table.dtype != PL_BF16 && a->table.dtype != PL_F16) {
        PL_TRY(pl__check_view("embed", "table", a->table, a->table.rows, a->x.columns, PL_F32));
    } else {
        PL_TRY(pl__check_view("embed", "table", a->table, a->table.rows, a->x.columns, a->table.dtype));
    }
    if (!a->position_table.buffer) return PL_OK;
    pl_dtype dtype = a->position_table.dtype;
    if (dtype != PL_BF16 && dtype != PL_F16) dtype = PL_F32;
    PL_TRY(pl__check_view("embed", "position_table", a->position_table, a->position_table.rows, a->x.columns, dtype));
    if (a->position_offset > a->position_table.rows) {
        return pl_fail(PL_E_INTERNAL, "embed: position_offset %zu is past the table's %zu rows", a->position_offset,
                       a->position_table.rows);
    }
    return pl__check_ids("embed", "positions", a->batch->positions, *rows, a->position_table.rows - a->position_offset);
}

pl_status pl__embed(pl_stream *stream, const pl_embed_args *args)
{
    size_t rows, C = args->x.columns;
    PL_TRY(check(args, &rows));
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
