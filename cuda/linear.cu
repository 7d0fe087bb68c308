/* y = act(x W^T + bias), or y += x W^T + bias: a product with its epilogue (product.h), and the epilogue alone for the
 * products that cannot do it while they store. Then a 16-bit result is rounded twice, as the product and as y. */
#include "product.h"

#include "activation.cuh"
#include "kernel.cuh"
#include "vector.cuh"

enum { COLUMNS = 4 };

template <class Y, bool packed>
static __global__ void finish_rows(Y *__restrict__ y, size_t stride, int capacity, size_t columns,
                                   const int32_t *__restrict__ count, pl__epilogue epilogue)
{
    const int row = pl__own_row();
    if (row >= (count ? pl__rows(count, capacity) : capacity)) return;
    Y *to = y + (size_t)row * stride;
    for (size_t piece = pl__first_piece(); piece * COLUMNS < columns; piece += pl__piece_step()) {
        const size_t c = piece * COLUMNS;
        const int left = (int)min(columns - c, (size_t)COLUMNS);
        float v[COLUMNS], bias[COLUMNS] = {};
        pl__load<packed>(v, to + c, left);
        if (epilogue.bias) pl__load<false>(bias, epilogue.bias + c, left);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) v[i] = __fadd_rn(v[i], bias[i]);
        pl__activate(v, epilogue.activation);
        pl__store<packed>(to + c, v, left);
    }
}

extern "C" pl_status pl__epilogue_run(pl_stream *stream, pl_view y, size_t rows, size_t n_out, const int32_t *count,
                                      const pl__epilogue *epilogue)
{
    if (!rows) return PL_OK;
    const pl__row_grid g = pl__cover_rows(rows, pl__ceil_div(n_out, COLUMNS));
    pl__with_type(y.dtype, [&](auto type) {
        typedef decltype(type) Y;
        pl__with_packed(pl__packs(y, n_out, COLUMNS), [&](auto packed) {
            auto kernel = finish_rows<Y, decltype(packed)::value>;
            CU_LAUNCH(kernel, g.grid, g.block, 0, stream->handle, (Y *)pl__at(y, 0), y.stride, (int)rows, n_out, count,
                      *epilogue);
        });
    });
    PL_LAUNCHED(stream, "linear");
    return PL_OK;
}

extern "C" pl_status pl__linear(pl_stream *stream, const pl_linear_args *args)
{
    const size_t rows = args->x.rows < args->y.rows ? args->x.rows : args->y.rows;
    if (args->pre.buffer || args->dropout.probability > 0.0f)
        return stream->device->host->fail(PL_E_UNSUPPORTED, "linear: this device does not train yet: use device cpu");
    const pl__epilogue epilogue = {(const float *)pl__at(args->bias, 0), args->activation, args->accumulate};
    return pl__product_run(stream, args->weight, args->x, args->y, rows, pl__count_at(args->counts, args->count),
                           &epilogue);
}
