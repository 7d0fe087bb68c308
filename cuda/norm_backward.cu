/* The gradients of layer norm and RMS norm in two launches.
 *
 * A group of GROUP_ROWS rows is one block's: it adds its rows' dx and, in registers, sums dy z and dy over its rows for
 * dweight and dbias. Up to 1,024 columns a row is one warp's, and the sums of the block's warps are added in order;
 * beyond that all threads share a row. The groups' sums go to the workspace [groups, 2, C], and a second kernel adds
 * them (partial.cuh). Groups are cut at fixed rows, so the order of every sum depends on the count alone.
 *
 * An element moves 4 bytes of x, 8 of dx, 2 or 4 of dy and 1 of the groups' sums, and takes twelve operations in double
 * precision, conversions included: memory bounds it where these run at half the float32 rate, and both take about as
 * long where they run at a 64th. */
#include "cuda.h"
#include "norm.cuh"
#include "partial.cuh"

enum { WARPS = 8, GROUP_ROWS = 16, MOST_BY_WARPS = 1024, MOST_BY_256 = 8192 };

typedef struct rows_of {
    const int32_t *count;
    int capacity;
    const float *x;
    float *dx;
    size_t x_stride, dy_stride, dx_stride;
    float *partial; /* [groups, 2, C], or NULL: no gradients of parameters */
    pl__norm_of of;
} rows_of;

/* dx += d for the elements i.. of a row. */
template <bool packed> static __device__ __forceinline__ void add_to(float *dx, const float (&d)[PL__NORM_OWN], int m)
{
    float sum[PL__NORM_OWN];
    pl__load<packed>(sum, dx, m);
#pragma unroll
    for (int j = 0; j < PL__NORM_OWN; j++) sum[j] = __fadd_rn(sum[j], d[j]);
    pl__store<packed>(dx, sum, m);
}

template <int keep, bool packed, class D>
static __global__ void __launch_bounds__(PL__WARP *WARPS) norm_backward_by_warps(rows_of r, const D *__restrict__ dy)
{
    constexpr int OWN = PL__NORM_OWN;
    __shared__ float total[2][MOST_BY_WARPS];
    const int warp = (int)threadIdx.x / PL__WARP, n = r.of.n, rows = pl__rows(r.count, r.capacity);
    const int first = (int)blockIdx.x * GROUP_ROWS, end = min(first + GROUP_ROWS, rows);
    const pl__warp_group group;
    if (first >= rows) return;
    float weight[keep][OWN] = {}, bias[keep][OWN] = {};
#pragma unroll 1
    for (int row = first + warp; row < end; row += WARPS) {
        float *dx = r.dx + (size_t)row * r.dx_stride;
        pl__norm_row_backward<keep, packed>(r.x + (size_t)row * r.x_stride, dy + (size_t)row * r.dy_stride, r.of, group,
                                            [&](int k, int i, int m, float(&g)[OWN], float(&z)[OWN], float(&d)[OWN]) {
                                                add_to<packed>(dx + i, d, m);
#pragma unroll
                                                for (int j = 0; j < OWN; j++) {
                                                    weight[k][j] = fmaf(g[j], z[j], weight[k][j]);
                                                    bias[k][j] += g[j];
                                                }
                                            });
    }
    if (!r.partial) return;
#pragma unroll 1
    for (int w = 0; w < WARPS; w++) {
        if (w == warp) {
            pl__norm_each<keep>(group.member(), group.size(), n, [&](int k, int i) {
#pragma unroll
                for (int j = 0; j < OWN; j++) { /* MOST_BY_WARPS is a multiple of OWN */
                    total[0][i + j] = (w ? total[0][i + j] : 0.0f) + weight[k][j];
                    total[1][i + j] = (w ? total[1][i + j] : 0.0f) + bias[k][j];
                }
            });
        }
        __syncthreads(); /* warp w has added its sums */
    }
    float *to = r.partial + (size_t)blockIdx.x * 2 * (size_t)n;
    for (int c = (int)threadIdx.x; c < n; c += (int)blockDim.x) {
        to[c] = total[0][c];
        to[n + c] = total[1][c];
    }
}

/* The element i of the block's sums is one thread's: in a register with `keep`, else in the workspace. The second bound
 * keeps ptxas from spilling for the sake of more blocks. */
template <int keep, bool packed, int threads, class D>
static __global__ void __launch_bounds__(threads, 1) norm_backward_by_blocks(rows_of r, const D *__restrict__ dy)
{
    constexpr int OWN = PL__NORM_OWN;
    __shared__ double scratch[PL__WARP];
    const int n = r.of.n, rows = pl__rows(r.count, r.capacity);
    const int first = (int)blockIdx.x * GROUP_ROWS, end = min(first + GROUP_ROWS, rows);
    const pl__block_group group{scratch};
    if (first >= rows) return;
    float *to = r.partial ? r.partial + (size_t)blockIdx.x * 2 * (size_t)n : nullptr;
    float weight[keep ? keep : 1][OWN] = {}, bias[keep ? keep : 1][OWN] = {};
#pragma unroll 1
    for (int row = first; row < end; row++) {
        float *dx = r.dx + (size_t)row * r.dx_stride;
        pl__norm_row_backward<keep, packed>(r.x + (size_t)row * r.x_stride, dy + (size_t)row * r.dy_stride, r.of, group,
                                            [&](int k, int i, int m, float(&g)[OWN], float(&z)[OWN], float(&d)[OWN]) {
                                                add_to<packed>(dx + i, d, m);
                                                if constexpr (keep == 0) {
                                                    if (!to) return;
                                                    for (int j = 0; j < m; j++) {
                                                        to[i + j] = fmaf(g[j], z[j], row > first ? to[i + j] : 0.0f);
                                                        to[n + i + j] = (row > first ? to[n + i + j] : 0.0f) + g[j];
                                                    }
                                                } else {
#pragma unroll
                                                    for (int j = 0; j < OWN; j++) {
                                                        weight[k][j] = fmaf(g[j], z[j], weight[k][j]);
                                                        bias[k][j] += g[j];
                                                    }
                                                }
                                            });
    }
    if constexpr (keep > 0) {
        if (!to) return;
        pl__norm_each<keep>(group.member(), group.size(), n, [&](int k, int i) {
            pl__store<packed>(to + i, weight[k], n - i);
            pl__store<packed>(to + n + i, bias[k], n - i);
        });
    }
}

template <class D, int keep, bool packed>
static void by_warps(pl_stream *stream, const rows_of &r, size_t groups, const void *dy)
{
    CU_LAUNCH((norm_backward_by_warps<keep, packed, D>), dim3((unsigned)groups), dim3(PL__WARP * WARPS), 0,
              stream->handle, r, (const D *)dy);
}
template <class D, int keep, bool packed, int threads>
static void by_blocks(pl_stream *stream, const rows_of &r, size_t groups, const void *dy)
{
    CU_LAUNCH((norm_backward_by_blocks<keep, packed, threads, D>), dim3((unsigned)groups), dim3(threads), 0,
              stream->handle, r, (const D *)dy);
}

/* Threads of a row are those of `norm`: 32 up to 1,024 columns, 256 up to 8,192, 1,024 beyond. */
template <class D> static void launch_packed(pl_stream *stream, const rows_of &r, size_t groups, const void *dy)
{
    const int n = r.of.n;
    if (n <= 256)
        by_warps<D, 2, true>(stream, r, groups, dy);
    else if (n <= 512)
        by_warps<D, 4, true>(stream, r, groups, dy);
    else if (n <= 768)
        by_warps<D, 6, true>(stream, r, groups, dy);
    else if (n <= MOST_BY_WARPS)
        by_warps<D, 8, true>(stream, r, groups, dy);
    else if (n <= 2048)
        by_blocks<D, 2, true, 256>(stream, r, groups, dy);
    else if (n <= 4096)
        by_blocks<D, 4, true, 256>(stream, r, groups, dy);
    else if (n <= MOST_BY_256)
        by_blocks<D, 0, true, 256>(stream, r, groups, dy);
    else
        by_blocks<D, 0, true, 1024>(stream, r, groups, dy);
}
template <class D> static void launch_plain(pl_stream *stream, const rows_of &r, size_t groups, const void *dy)
{
    if (r.of.n <= MOST_BY_WARPS)
        by_warps<D, MOST_BY_WARPS / (PL__WARP * PL__NORM_OWN), false>(stream, r, groups, dy);
    else if (r.of.n <= MOST_BY_256)
        by_blocks<D, 0, false, 256>(stream, r, groups, dy);
    else
        by_blocks<D, 0, false, 1024>(stream, r, groups, dy);
}

extern "C" size_t pl__norm_backward_workspace_bytes(size_t n_rows, size_t C)
{
    return pl__ceil_div(n_rows, GROUP_ROWS) * 2 * C * sizeof(float);
}

extern "C" pl_status pl__norm_backward(pl_stream *stream, const pl_norm_backward_args *args)
{
    const pl_view x = args->x, dy = args->dy, dx = args->dx;
    const size_t C = x.columns, less = x.rows < dx.rows ? x.rows : dx.rows, rows = less < dy.rows ? less : dy.rows;
    if (!rows || !C) return PL_OK;
    const size_t groups = pl__ceil_div(rows, GROUP_ROWS), n = PL__NORM_OWN;
    float *dweight = (float *)pl__at(args->dweight, 0), *dbias = (float *)pl__at(args->dbias, 0);
    const bool sums = dweight || dbias;
    const rows_of r = {
        pl__count_at(args->counts, args->count),
        (int)rows,
        (const float *)pl__at(x, 0),
        (float *)pl__at(dx, 0),
        x.stride,
        dy.stride,
        dx.stride,
        sums ? (float *)pl__at(args->workspace, 0) : NULL,
        {args->kind, args->eps, (const float *)pl__at(args->weight, 0), NULL, (int)C, false, pl__gain(args->gain)}};
    const bool packs =
        pl__packs(x, C, n) && pl__packs(dy, C, n) && pl__packs(dx, C, n) && pl__packs(args->weight, C, n);
    pl__with_type(dy.dtype, [&](auto t) {
        if (packs)
            launch_packed<decltype(t)>(stream, r, groups, pl__at(dy, 0));
        else
            launch_plain<decltype(t)>(stream, r, groups, pl__at(dy, 0));
    });
    PL_LAUNCHED(stream, "norm_backward");
    if (!sums) return PL_OK;
    const pl__partials p = {r.partial, GROUP_ROWS, (int)C, {dweight, dbias}};
    CU_LAUNCH(add_partials, dim3((unsigned)pl__ceil_div(C, PL__PARTIAL_ACROSS), 2),
              dim3(PL__PARTIAL_ACROSS, PL__PARTIAL_DOWN), 0, stream->handle, r.count, (int)rows, p);
    PL_LAUNCHED(stream, "norm_backward: sums");
    return PL_OK;
}
