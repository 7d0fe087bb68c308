/* Of y = act(gate) * up: dgate = dy * up * act'(gate), dup = dy * act(gate), float32 inside, rounded once. A thread
 * makes 16 bytes of both halves of a row; dx may be x, as what a thread writes only it has read. */
#include "activation.cuh"
#include "cuda.h"
#include "vector.cuh"

template <class T, bool packed>
static __global__ void gate_rows_backward(const int32_t *__restrict__ count, int capacity, const T *x, size_t x_stride,
                                          const T *__restrict__ dy, size_t dy_stride, T *dx, size_t dx_stride, size_t F,
                                          pl_activation activation)
{
    constexpr int COLUMNS = 16 / sizeof(T);
    const int row = pl__own_row();
    if (row >= pl__rows(count, capacity)) return;
    x += (size_t)row * x_stride;
    dy += (size_t)row * dy_stride;
    dx += (size_t)row * dx_stride;
    for (size_t piece = pl__first_piece(); piece * COLUMNS < F; piece += pl__piece_step()) {
        const size_t c = piece * COLUMNS;
        const int left = (int)min(F - c, (size_t)COLUMNS);
        float gate[COLUMNS], up[COLUMNS], d[COLUMNS], slope[COLUMNS];
        pl__load<packed>(gate, x + c, left);
        pl__load<packed>(up, x + F + c, left);
        pl__load<packed>(d, dy + c, left);
        pl__activation_slope(slope, gate, activation);
        pl__activate(gate, activation);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            slope[i] = __fmul_rn(__fmul_rn(d[i], up[i]), slope[i]);
            gate[i] = __fmul_rn(d[i], gate[i]);
        }
        pl__store<packed>(dx + c, slope, left);
        pl__store<packed>(dx + F + c, gate, left);
    }
}

extern "C" pl_status pl__gate_backward(pl_stream *stream, const pl_gate_backward_args *args)
{
    const pl_view x = args->x, dy = args->dy, dx = args->dx;
    const size_t F = dy.columns, less = x.rows < dy.rows ? x.rows : dy.rows, rows = less < dx.rows ? less : dx.rows;
    if (!rows || !F) return PL_OK;
    const size_t n = 16 / pl_dtype_bytes(dx.dtype);
    const pl__row_grid g = pl__cover_rows(rows, pl__ceil_div(F, n));
    pl__with_type(dx.dtype, [&](auto t) {
        pl__with_packed(pl__packs(x, F, n) && pl__packs(dy, F, n) && pl__packs(dx, F, n), [&](auto flag) {
            using T = decltype(t);
            constexpr bool packed = decltype(flag)::value;
            CU_LAUNCH((gate_rows_backward<T, packed>), g.grid, g.block, 0, stream->handle,
                      pl__count_at(args->batch->counts, PL_COUNT_TOKENS), (int)rows, (const T *)pl__at(x, 0), x.stride,
                      (const T *)pl__at(dy, 0), dy.stride, (T *)pl__at(dx, 0), dx.stride, F, args->activation);
        });
    });
    PL_LAUNCHED(stream, "gate_backward");
    return PL_OK;
}
