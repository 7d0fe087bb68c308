/* y[slots[i]] = x[rows[i]], bit by bit. */
#include "cuda.h"
#include "vector.cuh"

/* Strides and width in words. */
template <class W>
static __global__ void gather_rows(const int32_t *__restrict__ count, int capacity, const int32_t *__restrict__ rows,
                                   const int32_t *__restrict__ slots, const W *__restrict__ x, size_t x_stride,
                                   W *__restrict__ y, size_t y_stride, size_t width)
{
    const int i = pl__own_row();
    if (i >= pl__rows(count, capacity)) return;
    x += (size_t)rows[i] * x_stride;
    y += (size_t)(slots ? slots[i] : i) * y_stride;
    for (size_t w = pl__first_piece(); w < width; w += pl__piece_step()) y[w] = x[w];
}

extern "C" pl_status pl__gather(pl_stream *stream, const pl_gather_args *args)
{
    const pl_view x = args->x, y = args->y;
    const size_t n = args->rows.columns, C = x.columns;
    if (!n || !C) return PL_OK;
    const size_t bytes = C * sizeof(float), word = pl__word_bytes(pl__row_bits(x) | pl__row_bits(y) | bytes);
    const pl__row_grid g = pl__cover_rows(n, bytes / word);
    pl__with_word(word, [&](auto w) {
        using W = decltype(w);
        CU_LAUNCH(gather_rows<W>, g.grid, g.block, 0, stream->handle, pl__count_at(args->counts, args->count), (int)n,
                  (const int32_t *)pl__at(args->rows, 0), (const int32_t *)pl__at(args->slots, 0),
                  (const W *)pl__at(x, 0), x.stride * sizeof(float) / word, (W *)pl__at(y, 0),
                  y.stride * sizeof(float) / word, bytes / word);
    });
    PL_LAUNCHED(stream, "gather");
    return PL_OK;
}
