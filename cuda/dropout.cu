/* y = x with the mask. A thread makes 16 bytes of a row; y may be x, as what a thread writes only it has read. */
#include "dropout.cuh"
#include "vector.cuh"

template <class T, bool packed>
static __global__ void drop_rows(const int32_t *__restrict__ count, int capacity, pl__mask_source dropout,
                                 const int32_t *__restrict__ positions, const T *x, size_t x_stride, T *y,
                                 size_t y_stride, size_t C)
{
    constexpr int COLUMNS = 16 / sizeof(T);
    const int row = pl__own_row();
    if (row >= pl__rows(count, capacity)) return;
    x += (size_t)row * x_stride;
    y += (size_t)row * y_stride;
    pl__mask mask{};
    int32_t example = 0, position = 0;
    if (dropout.key) {
        mask = pl__mask_read(dropout);
        example = dropout.examples[row];
        position = positions[row];
    }
    for (size_t piece = pl__first_piece(); piece * COLUMNS < C; piece += pl__piece_step()) {
        const size_t c = piece * COLUMNS;
        const int left = (int)min(C - c, (size_t)COLUMNS);
        float v[COLUMNS];
        pl__load<packed>(v, x + c, left);
        if (dropout.key) pl__mask_apply(mask, example, position, (uint32_t)c, v);
        pl__store<packed>(y + c, v, left);
    }
}

extern "C" pl_status pl__dropout(pl_stream *stream, const pl_dropout_args *args)
{
    const pl_view x = args->x, y = args->y;
    const size_t C = y.columns, rows = x.rows < y.rows ? x.rows : y.rows;
    if (!rows || !C) return PL_OK;
    const size_t n = 16 / pl_dtype_bytes(y.dtype);
    const pl__row_grid g = pl__cover_rows(rows, pl__ceil_div(C, n));
    const int32_t *positions = (const int32_t *)pl__at(args->batch->positions, 0);
    pl__with_type(y.dtype, [&](auto t) {
        pl__with_packed(pl__packs(x, C, n) && pl__packs(y, C, n), [&](auto flag) {
            using T = decltype(t);
            constexpr bool packed = decltype(flag)::value;
            CU_LAUNCH((drop_rows<T, packed>), g.grid, g.block, 0, stream->handle,
                      pl__count_at(args->batch->counts, PL_COUNT_TOKENS), (int)rows, pl__mask_source_of(&args->dropout),
                      positions, (const T *)pl__at(x, 0), x.stride, (T *)pl__at(y, 0), y.stride, C);
        });
    });
    PL_LAUNCHED(stream, "dropout");
    return PL_OK;
}
