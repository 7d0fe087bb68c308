/* The gradient of the norm of each head's features in two launches; dy becomes the gradient of x in place. A head of a
 * row is a warp's, GROUP_ROWS rows are a block's; its warps sum dy z over their heads in registers, then over the warps
 * in order. The groups' sums go to the workspace [groups, D] and are added by a second kernel (partial.cuh). */
#include "cuda.h"
#include "norm.cuh"
#include "partial.cuh"

enum { WARPS = 8, GROUP_ROWS = 8, MOST_FEATURES = 1024 };

typedef struct heads_of {
    const int32_t *count;
    int capacity, n_heads;
    size_t x_stride, dy_stride;
    float *partial; /* [groups, D], or NULL: no gradient of the weight */
    pl__norm_of of;
} heads_of;

/* x, dy: the first head of row 0. */
template <int keep, bool packed, class T>
static __global__ void __launch_bounds__(PL__WARP *WARPS) head_norm_backward(heads_of h, const T *__restrict__ x, T *dy)
{
    constexpr int OWN = PL__NORM_OWN;
    __shared__ float total[keep * OWN * PL__WARP];
    const int warp = (int)threadIdx.x / PL__WARP, n = h.of.n, rows = pl__rows(h.count, h.capacity);
    const int first = (int)blockIdx.x * GROUP_ROWS, items = min(GROUP_ROWS, rows - first) * h.n_heads;
    const pl__warp_group group;
    if (first >= rows) return;
    float weight[keep][OWN] = {};
#pragma unroll 1
    for (int item = warp; item < items; item += WARPS) {
        const int in_group = item / h.n_heads;
        const size_t row = (size_t)(first + in_group), head = (size_t)(item - in_group * h.n_heads);
        T *d_head = dy + row * h.dy_stride + head * (size_t)n;
        pl__norm_row_backward<keep, packed>(x + row * h.x_stride + head * (size_t)n, (const T *)d_head, h.of, group,
                                            [&](int k, int i, int m, float(&g)[OWN], float(&z)[OWN], float(&d)[OWN]) {
                                                pl__store<packed>(d_head + i, d, m);
#pragma unroll
                                                for (int j = 0; j < OWN; j++)
                                                    weight[k][j] = fmaf(g[j], z[j], weight[k][j]);
                                            });
    }
    if (!h.partial) return;
#pragma unroll 1
    for (int w = 0; w < WARPS; w++) {
        if (w == warp) {
            pl__norm_each<keep>(group.member(), group.size(), n, [&](int k, int i) {
#pragma unroll
                for (int j = 0; j < OWN; j++) total[i + j] = (w ? total[i + j] : 0.0f) + weight[k][j];
            });
        }
        __syncthreads(); /* warp w has added its sums */
    }
    float *to = h.partial + (size_t)blockIdx.x * (size_t)n;
    for (int c = (int)threadIdx.x; c < n; c += (int)blockDim.x) to[c] = total[c];
}

template <class T, int keep, bool packed>
static void launch(pl_stream *stream, const heads_of &h, size_t groups, pl_view x, pl_view dy)
{
    CU_LAUNCH((head_norm_backward<keep, packed, T>), dim3((unsigned)groups), dim3(PL__WARP * WARPS), 0, stream->handle,
              h, (const T *)pl__at(x, 0), (T *)pl__at(dy, 0));
}

extern "C" size_t pl__head_norm_backward_workspace_bytes(size_t n_rows, size_t n_heads, size_t D)
{
    (void)n_heads;
    return pl__ceil_div(n_rows, GROUP_ROWS) * D * sizeof(float);
}

extern "C" pl_status pl__head_norm_backward(pl_stream *stream, const pl_head_norm_backward_args *args)
{
    pl_view x = args->x, dy = args->dy;
    const size_t D = args->head_width, rows = x.rows < dy.rows ? x.rows : dy.rows, n = PL__NORM_OWN;
    if (!rows || !args->n_heads || !D) return PL_OK;
    if (D > MOST_FEATURES)
        return stream->device->host->fail(PL_E_UNSUPPORTED, "head_norm_backward: heads of %zu features, at most %d", D,
                                          (int)MOST_FEATURES);
    x.offset += args->first_column;
    dy.offset += args->first_column;
    const size_t groups = pl__ceil_div(rows, GROUP_ROWS);
    float *dweight = (float *)pl__at(args->dweight, 0);
    const heads_of h = {pl__count_at(args->batch->counts, PL_COUNT_TOKENS),
                        (int)rows,
                        (int)args->n_heads,
                        x.stride,
                        dy.stride,
                        dweight ? (float *)pl__at(args->workspace, 0) : NULL,
                        {args->kind, args->eps, (const float *)pl__at(args->weight, 0), NULL, (int)D, false}};
    const bool packs = pl__packs(x, D, n) && pl__packs(dy, D, n) && pl__packs(args->weight, D, n);
    pl__with_type(x.dtype, [&](auto t) {
        using T = decltype(t);
        if (packs && D <= 128)
            launch<T, 1, true>(stream, h, groups, x, dy);
        else if (packs && D <= 256)
            launch<T, 2, true>(stream, h, groups, x, dy);
        else
            launch<T, MOST_FEATURES / (PL__WARP * PL__NORM_OWN), false>(stream, h, groups, x, dy);
    });
    PL_LAUNCHED(stream, "head_norm_backward");
    if (!dweight) return PL_OK;
    const pl__partials p = {h.partial, GROUP_ROWS, (int)D, {dweight, NULL}};
    CU_LAUNCH(add_partials, dim3((unsigned)pl__ceil_div(D, PL__PARTIAL_ACROSS), 1),
              dim3(PL__PARTIAL_ACROSS, PL__PARTIAL_DOWN), 0, stream->handle, h.count, (int)rows, p);
    PL_LAUNCHED(stream, "head_norm_backward: sums");
    return PL_OK;
}
