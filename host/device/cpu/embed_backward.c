/* dtable[token] += dx * scale, dposition_table[position + offset] += dx. A segment is the rows of one token or
 * position: one thread adds them to their row of the table in batch order, one addition after another, so that cutting
 * a batch into several changes no bit. */
#include "device/cpu/cpu.h"

/* One table: which row of it a row of the batch belongs to is ids[row] + offset. */
typedef struct table {
    pl_view dtable, ids, order, starts;
    size_t offset;
    float scale;
    bool has_padding; /* rows of this id are left out */
    int32_t padding;
} table;

/* Segments in order, each of rows of one id. */
static pl_status check_segments(const table *t, const char *what, size_t rows)
{
    const int32_t *order = pl__i32(t->order, 0), *starts = pl__i32(t->starts, 0), *ids = pl__i32(t->ids, 0);
    PL_TRY(pl__check_ids("embed_backward", what, t->ids, rows, t->dtable.rows - t->offset));
    PL_TRY(pl__check_ids("embed_backward", "order", t->order, rows, rows));
    int32_t next = 0;
    for (size_t i = 0; i < rows; i++) {
        int32_t first = starts[i], end = starts[i + 1];
        if (first != next || end < first || (size_t)end > rows)
            return pl_fail(PL_E_INTERNAL,
                           "embed_backward: segment %zu of %s is %d..%d, expected to start at %d and to "
                           "end within %zu rows",
                           i, what, (int)first, (int)end, (int)next, rows);
        for (int32_t j = first + 1; j < end; j++) {
            if (ids[order[j]] != ids[order[first]])
                return pl_fail(PL_E_INTERNAL, "embed_backward: segment %zu holds two different %s", i, what);
        }
        next = end;
    }
    if ((size_t)next == rows) return PL_OK;
    return pl_fail(PL_E_INTERNAL, "embed_backward: segments of %s hold %d of %zu rows", what, (int)next, rows);
}

static void add_segments(pl_stream *stream, const table *t, pl_view dx, size_t rows)
{
    size_t C = dx.columns;
    const int32_t *order = pl__i32(t->order, 0), *starts = pl__i32(t->starts, 0), *ids = pl__i32(t->ids, 0);
#pragma omp parallel for num_threads(pl__threads(stream, rows *C)) schedule(dynamic, 8)
    for (size_t i = 0; i < rows; i++) {
        if (starts[i] == starts[i + 1]) continue;
        if (t->has_padding && ids[order[starts[i]]] == t->padding) continue;
        float *to = pl__f32(t->dtable, (size_t)ids[order[starts[i]]] + t->offset);
        for (int32_t j = starts[i]; j < starts[i + 1]; j++) {
            const float *from = pl__f32(dx, (size_t)order[j]);
            for (size_t c = 0; c < C; c++) to[c] += from[c] * t->scale;
        }
    }
}

pl_status pl__embed_backward(pl_stream *stream, const pl_embed_backward_args *args)
{
    size_t rows;
    const pl_batch *batch = args->batch;
    PL_TRY(pl__read_count("embed_backward", &rows, batch->counts, PL_COUNT_TOKENS,
                          pl__least(args->dx.rows, batch->tokens.columns)));
    const table tokens = {args->dtable, batch->tokens,     args->order,  args->starts, 0,
                          args->scale,  args->has_padding, args->padding};
    const table positions = {args->dposition_table,
                             batch->positions,
                             args->position_order,
                             args->position_starts,
                             args->position_offset,
                             1.0f,
                             false,
                             0};
    PL_TRY(check_segments(&tokens, "tokens", rows));
    if (positions.dtable.buffer) PL_TRY(check_segments(&positions, "positions", rows));
    add_segments(stream, &tokens, args->dx, rows);
    if (positions.dtable.buffer) add_segments(stream, &positions, args->dx, rows);
    return PL_OK;
}
