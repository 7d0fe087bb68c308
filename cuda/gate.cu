/* y = act(x[:, :F]) * x[:, F:], the gated feed-forward of Llama-like models: float32 inside, rounded once. A thread
 * makes 16 bytes of a row; y may be the first half of x, as what a thread writes only it has read. */
#include "activation.cuh"
#include "cuda.h"
#include "vector.cuh"

template <class T, bool packed>
static __global__ void gate_rows(const int32_t *__restrict__ count, int capacity, const T *x, size_t x_stride, T *y,
                                 size_t y_stride, size_t F, pl_activation activation)
{
    constexpr int COLUMNS = 16 / sizeof(T);
    const int row = pl__own_row();
    if (row >= pl__rows(count, capacity)) return;
    x += (size_t)row * x_stride;
    y += (size_t)row * y_stride;
    for (size_t piece = pl__first_piece(); piece * COLUMNS < F; piece += pl__piece_step()) {
        const size_t c = piece * COLUMNS;
        const int left = (int)min(F - c, (size_t)COLUMNS);
        float gate[COLUMNS], up[COLUMNS];
        pl__load<packed>(gate, x + c, left);
        pl__load<packed>(up, x + F + c, left);
        pl__activate(gate, activation);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) gate[i] = __fmul_rn(gate[i], up[i]);
        pl__store<packed>(y + c, gate, left);
    }
}

extern "C" pl_status pl__gate(pl_stream *stream, const pl_gate_args *args)
{
    const pl_view x = args->x, y = args->y;
    const size_t F = y.columns, rows = x.rows < y.rows ? x.rows : y.rows;
    if (!rows || !F) return PL_OK;
    const size_t n = 16 / pl_dtype_bytes(y.dtype);
    const pl__row_grid g = pl__cover_rows(rows, pl__ceil_div(F, n));
    pl__with_type(y.dtype, [&](auto t) {
        pl__with_packed(pl__packs(x, F, n) && pl__packs(y, F, n), [&](auto flag) {
            using T = decltype(t);
            constexpr bool packed = decltype(flag)::value;
            CU_LAUNCH((gate_rows<T, packed>), g.grid, g.block, 0, stream->handle,
                      pl__count_at(args->batch->counts, PL_COUNT_TOKENS), (int)rows, (const T *)pl__at(x, 0), x.stride,
                      (T *)pl__at(y, 0), y.stride, F, args->activation);
        });
    });
    PL_LAUNCHED(stream, "gate");
    return PL_OK;
}
