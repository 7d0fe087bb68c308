/* to = from: rows of the same shape and type, in the widest words that both allow. */
#include "cuda.h"
#include "vector.cuh"

/* Strides and width in words. */
template <class W>
static __global__ void copy_rows(size_t rows, const W *__restrict__ from, size_t from_stride, W *__restrict__ to,
                                 size_t to_stride, size_t width)
{
    const size_t row = (size_t)blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    from += row * from_stride;
    to += row * to_stride;
    for (size_t w = pl__first_piece(); w < width; w += pl__piece_step()) to[w] = from[w];
}

extern "C" pl_status pl__copy(pl_stream *stream, const pl_copy_args *args)
{
    const pl_view from = args->from, to = args->to;
    if (!to.rows || !to.columns) return PL_OK;
    const size_t size = pl_dtype_bytes(to.dtype), bytes = to.columns * size;
    const size_t word = pl__word_bytes(pl__row_bits(from) | pl__row_bits(to) | bytes);
    const pl__row_grid g = pl__cover_rows(to.rows, bytes / word);
    pl__with_word(word, [&](auto w) {
        using W = decltype(w);
        CU_LAUNCH(copy_rows<W>, g.grid, g.block, 0, stream->handle, to.rows, (const W *)pl__at(from, 0),
                  from.stride * size / word, (W *)pl__at(to, 0), to.stride * size / word, bytes / word);
    });
    PL_LAUNCHED(stream, "copy");
    return PL_OK;
}
