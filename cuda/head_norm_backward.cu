/* The gradient of the norm of each head's features in two launches; dy becomes the gradient of x in place. Up to
 * MOST_BY_WARPS features a head of a row is a warp's, GROUP_ROWS rows are a block's; its warps sum dy z and dy over
 * their heads in registers, then over the warps in order. Wider ones (norms over all heads together) are a block's, one
 * after another, and sum in the workspace. The groups' sums go to the workspace [groups, 2, D] and are added by a
 * second kernel (partial.cuh). Where each head has weights of its own, heads are gone through one by one. */
#include "cuda.h"
#include "norm.cuh"
#include "partial.cuh"

enum { WARPS = 8, GROUP_ROWS = 8, MOST_BY_WARPS = 1024, WIDE_THREADS = 256 };

typedef struct heads_of {
    const int32_t *count;
    int capacity, n_heads;
    size_t x_stride, dy_stride;
    float *partial; /* [groups, 2, D], or NULL: no gradients of parameters */
    pl__norm_of of;
} heads_of;

/* x, dy: the first head of row 0. */
template <int keep, bool packed, class T>
static __global__ void __launch_bounds__(PL__WARP *WARPS)
    head_norm_backward_by_warps(heads_of h, const T *__restrict__ x, T *dy)
{
    constexpr int OWN = PL__NORM_OWN;
    __shared__ float total[2][keep * OWN * PL__WARP];
    const int warp = (int)threadIdx.x / PL__WARP, n = h.of.n, rows = pl__rows(h.count, h.capacity);
    const int first = (int)blockIdx.x * GROUP_ROWS, items = min(GROUP_ROWS, rows - first) * h.n_heads;
    const pl__warp_group group;
    if (first >= rows) return;
    float weight[keep][OWN] = {}, bias[keep][OWN] = {};
#pragma unroll 1
    for (int item = warp; item < items; item += WARPS) {
        const int in_group = item / h.n_heads;
        const size_t row = (size_t)(first + in_group), head = (size_t)(item - in_group * h.n_heads);
        T *d_head = dy + row * h.dy_stride + head * (size_t)n;
        pl__norm_row_backward<keep, packed>(x + row * h.x_stride + head * (size_t)n, (const T *)d_head, h.of, group,
                                            [&](int k, int i, int m, float(&g)[OWN], float(&z)[OWN], float(&d)[OWN]) {
                                                pl__store<packed>(d_head + i, d, m);
#pragma unroll
                                                for (int j = 0; j < OWN; j++) {
                                                    weight[k][j] = fmaf(g[j], z[j], weight[k][j]);
                                                    bias[k][j] += g[j];
                                                }
                                            });
    }
    if (!h.partial) return;
#pragma unroll 1
    for (int w = 0; w < WARPS; w++) {
        if (w == warp) {
            pl__norm_each<keep>(group.member(), group.size(), n, [&](int k, int i) {
#pragma unroll
                for (int j = 0; j < OWN; j++) {
                    total[0][i + j] = (w ? total[0][i + j] : 0.0f) + weight[k][j];
                    total[1][i + j] = (w ? total[1][i + j] : 0.0f) + bias[k][j];
                }
            });
        }
        __syncthreads(); /* warp w has added its sums */
    }
    float *to = h.partial + (size_t)blockIdx.x * 2 * (size_t)n;
    for (int c = (int)threadIdx.x; c < n; c += (int)blockDim.x) {
        to[c] = total[0][c];
        to[n + c] = total[1][c];
    }
}

/* The element i of the block's sums is one thread's, in the workspace. */
template <class T>
static __global__ void __launch_bounds__(WIDE_THREADS)
    head_norm_backward_by_blocks(heads_of h, const T *__restrict__ x, T *dy)
{
    constexpr int OWN = PL__NORM_OWN;
    __shared__ double scratch[PL__WARP];
    const int n = h.of.n, rows = pl__rows(h.count, h.capacity);
    const int first = (int)blockIdx.x * GROUP_ROWS, items = min(GROUP_ROWS, rows - first) * h.n_heads;
    const pl__block_group group{scratch};
    if (first >= rows) return;
    float *to = h.partial ? h.partial + (size_t)blockIdx.x * 2 * (size_t)n : nullptr;
#pragma unroll 1
    for (int item = 0; item < items; item++) {
        const int in_group = item / h.n_heads;
        const size_t row = (size_t)(first + in_group), head = (size_t)(item - in_group * h.n_heads);
        T *d_head = dy + row * h.dy_stride + head * (size_t)n;
        pl__norm_row_backward<0, false>(x + row * h.x_stride + head * (size_t)n, (const T *)d_head, h.of, group,
                                        [&](int, int i, int m, float(&g)[OWN], float(&z)[OWN], float(&d)[OWN]) {
                                            pl__store<false>(d_head + i, d, m);
                                            if (!to) return;
                                            for (int j = 0; j < m; j++) {
                                                to[i + j] = fmaf(g[j], z[j], item ? to[i + j] : 0.0f);
                                                to[n + i + j] = (item ? to[n + i + j] : 0.0f) + g[j];
                                            }
                                        });
    }
}

template <class T, int keep, bool packed>
static void by_warps(pl_stream *stream, const heads_of &h, size_t groups, pl_view x, pl_view dy)
{
    CU_LAUNCH((head_norm_backward_by_warps<keep, packed, T>), dim3((unsigned)groups), dim3(PL__WARP * WARPS), 0,
              stream->handle, h, (const T *)pl__at(x, 0), (T *)pl__at(dy, 0));
}
template <class T> static void by_blocks(pl_stream *stream, const heads_of &h, size_t groups, pl_view x, pl_view dy)
{
    CU_LAUNCH((head_norm_backward_by_blocks<T>), dim3((unsigned)groups), dim3(WIDE_THREADS), 0, stream->handle, h,
              (const T *)pl__at(x, 0), (T *)pl__at(dy, 0));
}

extern "C" size_t pl__head_norm_backward_workspace_bytes(size_t n_rows, size_t n_heads, size_t D)
{
    (void)n_heads;
    return pl__ceil_div(n_rows, GROUP_ROWS) * 2 * D * sizeof(float);
}

/* Heads that share their weight; x and dy begin with the first. */
static pl_status run_heads(pl_stream *stream, const pl_head_norm_backward_args *args, size_t n_heads, pl_view x,
                           pl_view dy, pl_view weight, pl_view dweights)
{
    const size_t D = args->head_width, rows = x.rows < dy.rows ? x.rows : dy.rows, n = PL__NORM_OWN;
    const size_t groups = pl__ceil_div(rows, GROUP_ROWS);
    float *dweight = (float *)pl__at(dweights, 0), *dbias = (float *)pl__at(args->dbias, 0);
    const bool sums = dweight || dbias;
    const heads_of h = {pl__count_at(args->batch->counts, PL_COUNT_TOKENS),
                        (int)rows,
                        (int)n_heads,
                        x.stride,
                        dy.stride,
                        sums ? (float *)pl__at(args->workspace, 0) : NULL,
                        {args->kind, args->eps, (const float *)pl__at(weight, 0), NULL, (int)D, false, 1.0f}};
    const bool packs = pl__packs(x, D, n) && pl__packs(dy, D, n) && pl__packs(weight, D, n);
    pl__with_type(x.dtype, [&](auto t) {
        using T = decltype(t);
        if (packs && D <= 128)
            by_warps<T, 1, true>(stream, h, groups, x, dy);
        else if (packs && D <= 256)
            by_warps<T, 2, true>(stream, h, groups, x, dy);
        else if (D <= MOST_BY_WARPS)
            by_warps<T, MOST_BY_WARPS / (PL__WARP * PL__NORM_OWN), false>(stream, h, groups, x, dy);
        else
            by_blocks<T>(stream, h, groups, x, dy);
    });
    PL_LAUNCHED(stream, "head_norm_backward");
    if (!sums) return PL_OK;
    const pl__partials p = {h.partial, GROUP_ROWS, (int)D, {dweight, dbias}};
    CU_LAUNCH(add_partials, dim3((unsigned)pl__ceil_div(D, PL__PARTIAL_ACROSS), 2),
              dim3(PL__PARTIAL_ACROSS, PL__PARTIAL_DOWN), 0, stream->handle, h.count, (int)rows, p);
    PL_LAUNCHED(stream, "head_norm_backward: sums");
    return PL_OK;
}

extern "C" pl_status pl__head_norm_backward(pl_stream *stream, const pl_head_norm_backward_args *args)
{
    pl_view x = args->x, dy = args->dy, weight = args->weight, dweight = args->dweight;
    if (!x.rows || !dy.rows || !args->n_heads || !args->head_width) return PL_OK;
    x.offset += args->first_column;
    dy.offset += args->first_column;
    if (weight.rows <= 1) return run_heads(stream, args, args->n_heads, x, dy, weight, dweight);
    for (size_t head = 0; head < args->n_heads; head++) {
        PL_TRY(run_heads(stream, args, 1, x, dy, weight, dweight));
        x.offset += args->head_width;
        dy.offset += args->head_width;
        weight.offset += weight.stride;
        dweight.offset += dweight.stride;
    }
    return PL_OK;
}
