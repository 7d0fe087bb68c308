/* Rows past the count become zero, for products over whole capacities. */
#include "cuda.h"
#include "vector.cuh"

/* Stride and width in words. */
template <class W>
static __global__ void zero_rows(const int32_t *__restrict__ count, int capacity, W *__restrict__ x, size_t stride,
                                 size_t width)
{
    const int row = pl__own_row();
    if (row >= capacity || row < *count) return;
    x += (size_t)row * stride;
    for (size_t w = pl__first_piece(); w < width; w += pl__piece_step()) x[w] = W{};
}

extern "C" pl_status pl__zero_tail(pl_stream *stream, const pl_zero_tail_args *args)
{
    const pl_view x = args->x;
    const size_t size = pl_dtype_bytes(x.dtype), bytes = x.columns * size;
    if (!x.rows || !bytes) return PL_OK;
    const size_t word = pl__word_bytes(pl__row_bits(x) | bytes);
    const pl__row_grid g = pl__cover_rows(x.rows, bytes / word);
    pl__with_word(word, [&](auto w) {
        using W = decltype(w);
        CU_LAUNCH(zero_rows<W>, g.grid, g.block, 0, stream->handle, pl__count_at(args->counts, args->count),
                  (int)x.rows, (W *)pl__at(x, 0), x.stride * size / word, bytes / word);
    });
    PL_LAUNCHED(stream, "zero_tail");
    return PL_OK;
}
