/* dtable[token] += dx * scale, dposition_table[position + offset] += dx, both in one launch. A segment is the rows of
 * one token or position: the threads of its columns add them in batch order, one addition after another with all
 * roundings, so that cutting a batch into several changes no bit. Rows are asked for eight at a time: a frequent
 * token's segment is long. */
#include "cuda.h"
#include "vector.cuh"

enum { COLUMNS = 4, AHEAD = 8 };

/* One table: which row of it a row of the batch belongs to is ids[row]. */
typedef struct table {
    float *dtable; /* of id 0 */
    size_t stride;
    const int32_t *ids, *order, *starts;
    float scale;
    bool has_padding; /* rows of this id are left out */
    int32_t padding;
} table;

template <bool packed>
static __global__ void __launch_bounds__(256)
    add_segments(const int32_t *__restrict__ count, int capacity, table tokens, table positions,
                 const float *__restrict__ dx, size_t dx_stride, size_t C)
{
    /* Field by field: a reference to one of two arguments would copy both to local memory. */
    const bool second = blockIdx.z != 0;
    const table t = {second ? positions.dtable : tokens.dtable,
                     second ? positions.stride : tokens.stride,
                     second ? positions.ids : tokens.ids,
                     second ? positions.order : tokens.order,
                     second ? positions.starts : tokens.starts,
                     second ? positions.scale : tokens.scale,
                     second ? positions.has_padding : tokens.has_padding,
                     second ? positions.padding : tokens.padding};
    const int segment = pl__own_row();
    if (segment >= pl__rows(count, capacity)) return;
    const int first = t.starts[segment], end = t.starts[segment + 1];
    if (first == end) return;
    const int32_t id = t.ids[t.order[first]];
    if (t.has_padding && id == t.padding) return;
    float *to = t.dtable + (size_t)id * t.stride;
    for (size_t piece = pl__first_piece(); piece * COLUMNS < C; piece += pl__piece_step()) {
        const size_t c = piece * COLUMNS;
        const int left = (int)min(C - c, (size_t)COLUMNS);
        float sum[COLUMNS], from[AHEAD][COLUMNS];
        pl__load<packed>(sum, to + c, left);
        const auto add = [&](const float(&row)[COLUMNS]) {
#pragma unroll
            for (int i = 0; i < COLUMNS; i++) sum[i] = __fadd_rn(sum[i], __fmul_rn(row[i], t.scale));
        };
        int j = first;
        for (; j + AHEAD <= end; j += AHEAD) {
#pragma unroll
            for (int a = 0; a < AHEAD; a++)
                pl__load<packed>(from[a], dx + (size_t)t.order[j + a] * dx_stride + c, left);
#pragma unroll
            for (int a = 0; a < AHEAD; a++) add(from[a]);
        }
        for (; j < end; j++) {
            pl__load<packed>(from[0], dx + (size_t)t.order[j] * dx_stride + c, left);
            add(from[0]);
        }
        pl__store<packed>(to + c, sum, left);
    }
}

extern "C" pl_status pl__embed_backward(pl_stream *stream, const pl_embed_backward_args *args)
{
    const pl_batch *batch = args->batch;
    const pl_view dx = args->dx, dtable = args->dtable, places = args->dposition_table;
    const size_t C = dx.columns, rows = dx.rows < batch->tokens.columns ? dx.rows : batch->tokens.columns;
    if (!rows || !C) return PL_OK;
    const table tokens = {(float *)pl__at(dtable, 0),
                          dtable.stride,
                          (const int32_t *)pl__at(batch->tokens, 0),
                          (const int32_t *)pl__at(args->order, 0),
                          (const int32_t *)pl__at(args->starts, 0),
                          args->scale,
                          args->has_padding,
                          args->padding};
    const table positions = {(float *)pl__at(places, args->position_offset),
                             places.stride,
                             (const int32_t *)pl__at(batch->positions, 0),
                             (const int32_t *)pl__at(args->position_order, 0),
                             (const int32_t *)pl__at(args->position_starts, 0),
                             1.0f,
                             false,
                             0};
    const bool packs =
        pl__packs(dx, C, COLUMNS) && pl__packs(dtable, C, COLUMNS) && (!places.buffer || pl__packs(places, C, COLUMNS));
    pl__row_grid g = pl__cover_rows(rows, pl__ceil_div(C, COLUMNS));
    g.grid.z = places.buffer ? 2 : 1;
    pl__with_packed(packs, [&](auto flag) {
        constexpr bool packed = decltype(flag)::value;
        CU_LAUNCH(add_segments<packed>, g.grid, g.block, 0, stream->handle,
                  pl__count_at(batch->counts, PL_COUNT_TOKENS), (int)rows, tokens, positions,
                  (const float *)pl__at(dx, 0), dx.stride, C);
    });
    PL_LAUNCHED(stream, "embed_backward");
    return PL_OK;
}
