/* The norm of each head's D features, in place, before the rotary step (Qwen3, Gemma3, Phi): a warp a head. */
#include "cuda.h"
#include "norm.cuh"

enum { WARPS = 8 };

/* x: the first head of row 0; own: from one head's weights to the next one's */
template <int keep, bool packed, class T>
static __global__ void __launch_bounds__(PL__WARP *WARPS)
    norm_heads(const int32_t *__restrict__ count, int capacity, int n_heads, T *x, size_t stride, size_t own,
               pl__norm_of of)
{
    const size_t item = (size_t)blockIdx.x * WARPS + threadIdx.x / PL__WARP;
    const size_t row = item / (size_t)n_heads, head = item % (size_t)n_heads;
    if (row >= (size_t)pl__rows(count, capacity)) return;
    x += row * stride + head * (size_t)of.n;
    if (of.weight) of.weight += head * own;
    pl__norm_row<keep, packed>(x, x, of, pl__warp_group{});
}

extern "C" pl_status pl__head_norm(pl_stream *stream, const pl_head_norm_args *args)
{
    pl_view x = args->x;
    const size_t D = args->head_width, rows = x.rows;
    if (!rows || !args->n_heads || !D) return PL_OK;
    x.offset += args->first_column;
    const pl__norm_of of = {
        args->kind, args->eps, (const float *)pl__at(args->weight, 0), (const float *)pl__at(args->bias, 0), (int)D,
        false,      1.0f};
    const size_t own = args->weight.rows > 1 ? args->weight.stride : 0;
    const bool packs = pl__packs(x, D, PL__NORM_OWN) && pl__packs(args->weight, D, PL__NORM_OWN) &&
                       pl__packs(args->bias, D, PL__NORM_OWN);
    const dim3 grid((unsigned)pl__ceil_div(rows * args->n_heads, WARPS)), block(PL__WARP * WARPS);
    const int32_t *count = pl__count_at(args->batch->counts, PL_COUNT_TOKENS);
    pl__with_type(x.dtype, [&](auto t) {
        using T = decltype(t);
        T *at = (T *)pl__at(x, 0);
        const int n_heads = (int)args->n_heads, capacity = (int)rows;
        if (packs && D <= 128)
            CU_LAUNCH((norm_heads<1, true, T>), grid, block, 0, stream->handle, count, capacity, n_heads, at, x.stride,
                      own, of);
        else if (packs && D <= 256)
            CU_LAUNCH((norm_heads<2, true, T>), grid, block, 0, stream->handle, count, capacity, n_heads, at, x.stride,
                      own, of);
        else
            CU_LAUNCH((norm_heads<0, false, T>), grid, block, 0, stream->handle, count, capacity, n_heads, at, x.stride,
                      own, of);
    });
    PL_LAUNCHED(stream, "head_norm");
    return PL_OK;
}
