/* x = table[token] * scale + position_table[position + offset], in float32 with both roundings: the CPU's bits. A
 * thread makes four columns. */
#include "cuda.h"
#include "vector.cuh"

enum { COLUMNS = 4 };

template <class T, class P, bool packed>
static __global__ void embed_rows(const int32_t *__restrict__ count, int capacity, const int32_t *__restrict__ tokens,
                                  const int32_t *__restrict__ positions, const T *__restrict__ table,
                                  size_t table_stride, const P *__restrict__ position_table, size_t position_stride,
                                  float scale, float *__restrict__ x, size_t x_stride, size_t columns)
{
    const int row = pl__own_row();
    if (row >= pl__rows(count, capacity)) return;
    const T *from = table + (size_t)tokens[row] * table_stride;
    const P *place = position_table ? position_table + (size_t)positions[row] * position_stride : nullptr;
    float *to = x + (size_t)row * x_stride;
    for (size_t piece = pl__first_piece(); piece * COLUMNS < columns; piece += pl__piece_step()) {
        const size_t c = piece * COLUMNS;
        const int left = (int)min(columns - c, (size_t)COLUMNS);
        float v[COLUMNS], p[COLUMNS];
        pl__load<packed>(v, from + c, left);
        if (place) pl__load<packed>(p, place + c, left);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            v[i] = __fmul_rn(v[i], scale);
            if (place) v[i] = __fadd_rn(v[i], p[i]);
        }
        pl__store<packed>(to + c, v, left);
    }
}

extern "C" pl_status pl__embed(pl_stream *stream, const pl_embed_args *args)
{
    const pl_view x = args->x, table = args->table, place = args->position_table;
    const size_t C = x.columns, rows = x.rows < args->batch->tokens.columns ? x.rows : args->batch->tokens.columns;
    if (!rows || !C) return PL_OK;
    const bool packs =
        pl__packs(x, C, COLUMNS) && pl__packs(table, C, COLUMNS) && (!place.buffer || pl__packs(place, C, COLUMNS));
    const pl__row_grid g = pl__cover_rows(rows, pl__ceil_div(C, COLUMNS));
    const int32_t *tokens = (const int32_t *)pl__at(args->batch->tokens, 0);
    const int32_t *positions = place.buffer ? (const int32_t *)pl__at(args->batch->positions, 0) : NULL;
    pl__with_type(table.dtype, [&](auto t) {
        pl__with_type(place.buffer ? place.dtype : PL_F32, [&](auto p) {
            pl__with_packed(packs, [&](auto flag) {
                using T = decltype(t);
                using P = decltype(p);
                constexpr bool packed = decltype(flag)::value;
                CU_LAUNCH((embed_rows<T, P, packed>), g.grid, g.block, 0, stream->handle,
                          pl__count_at(args->batch->counts, PL_COUNT_TOKENS), (int)rows, tokens, positions,
                          (const T *)pl__at(table, 0), table.stride, (const P *)pl__at(place, args->position_offset),
                          place.stride, args->scale, (float *)pl__at(x, 0), x.stride, C);
            });
        });
    });
    PL_LAUNCHED(stream, "embed");
    return PL_OK;
}
