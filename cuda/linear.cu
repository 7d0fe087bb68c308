/* y = act(x W^T + bias), or y += x W^T + bias: a product with its epilogue (product.h), and the epilogue alone for the
 * products that cannot do it while they store. Then a 16-bit result is rounded twice, as the product and as y.
 *
 * In training `pre` is the product with its bias, rounded, and y = act(pre). With dropout the product is plumb's own.
 */
#include "product.h"

#include "activation.cuh"
#include "kernel.cuh"
#include "vector.cuh"

enum { COLUMNS = 4 };

template <class Y, bool packed>
static __global__ void finish_rows(Y *y, size_t y_stride, const Y *z, size_t z_stride, int capacity, size_t columns,
                                   const int32_t *__restrict__ count, pl__epilogue epilogue)
{
    const int row = pl__own_row();
    if (row >= (count ? pl__rows(count, capacity) : capacity)) return;
    Y *to = y + (size_t)row * y_stride;
    const Y *from = z + (size_t)row * z_stride;
    for (size_t piece = pl__first_piece(); piece * COLUMNS < columns; piece += pl__piece_step()) {
        const size_t c = piece * COLUMNS;
        const int left = (int)min(columns - c, (size_t)COLUMNS);
        float v[COLUMNS], bias[COLUMNS] = {};
        pl__load<packed>(v, from + c, left);
        if (epilogue.bias) pl__load<false>(bias, epilogue.bias + c, left);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) v[i] = __fadd_rn(v[i], bias[i]);
        pl__activate(v, epilogue.activation);
        pl__store<packed>(to + c, v, left);
    }
}

extern "C" pl_status pl__epilogue_run(pl_stream *stream, pl_view z, pl_view y, size_t rows, size_t n_out,
                                      const int32_t *count, const pl__epilogue *epilogue)
{
    if (!rows) return PL_OK;
    const pl__row_grid g = pl__cover_rows(rows, pl__ceil_div(n_out, COLUMNS));
    pl__with_type(y.dtype, [&](auto type) {
        typedef decltype(type) Y;
        pl__with_packed(pl__packs(y, n_out, COLUMNS) && pl__packs(z, n_out, COLUMNS), [&](auto packed) {
            auto kernel = finish_rows<Y, decltype(packed)::value>;
            CU_LAUNCH(kernel, g.grid, g.block, 0, stream->handle, (Y *)pl__at(y, 0), y.stride, (const Y *)pl__at(z, 0),
                      z.stride, (int)rows, n_out, count, *epilogue);
        });
    });
    PL_LAUNCHED(stream, "linear");
    return PL_OK;
}

extern "C" pl_status pl__linear(pl_stream *stream, const pl_linear_args *args)
{
    const size_t rows = args->x.rows < args->y.rows ? args->x.rows : args->y.rows;
    const int32_t *count = pl__count_at(args->counts, args->count);
    const pl__epilogue epilogue = {(const float *)pl__at(args->bias, 0), args->activation, args->accumulate};
    if (!args->pre.buffer && args->dropout.probability == 0.0f)
        return pl__product_run(stream, args->weight, args->x, args->y, rows, count, &epilogue);
    if (args->accumulate) return pl__gemm_masked(stream, args, rows);
    const pl__epilogue before = {epilogue.bias, PL_ACT_NONE, false}, after = {NULL, args->activation, false};
    PL_TRY(pl__product_run(stream, args->weight, args->x, args->pre, rows, count, &before));
    return pl__epilogue_run(stream, args->pre, args->y, rows, args->weight->n_out, count, &after);
}
