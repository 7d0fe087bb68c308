/* Products of rows with rows, or of columns with columns: a block makes 64 x 64 elements, a thread 4 x 4 of them, each
 * one chain of fused multiply-adds over k in ascending order. Tiles of 16 k go through shared memory, laid out [k,
 * vector] in both forms, so that the two differ in how they read global memory alone. */
#include "cuda.h"
#include "kernel.cuh"

enum { TILE = 64, DEPTH = 16, SIDE = 4, THREADS = (TILE / SIDE) * (TILE / SIDE), ROW = TILE + 4 };

/* Vectors first.. and places k.. of v into part[k][vector]; what is not there is zero and adds nothing that is kept. */
template <bool COLUMNS>
static __device__ __forceinline__ void bring(float (*part)[ROW], const float *__restrict__ v, size_t stride, int first,
                                             int n, int k, int K)
{
    for (int e = (int)threadIdx.x; e < TILE * DEPTH; e += THREADS) {
        /* Neighbouring threads read neighbouring addresses. */
        const int i = COLUMNS ? e % TILE : e / DEPTH, d = COLUMNS ? e / TILE : e % DEPTH;
        const bool there = first + i < n && k + d < K;
        const size_t at =
            COLUMNS ? (size_t)(k + d) * stride + (size_t)(first + i) : (size_t)(first + i) * stride + (size_t)(k + d);
        part[d][i] = there ? v[at] : 0.0f;
    }
}

template <bool COLUMNS>
static __global__ void __launch_bounds__(THREADS, 4)
    multiply_pairs(const float *__restrict__ a, size_t a_stride, const float *__restrict__ b, size_t b_stride,
                   float *__restrict__ y, size_t y_stride, int n, int m, int K)
{
    __shared__ __align__(16) float part_a[DEPTH][ROW], part_b[DEPTH][ROW];
    const int column = (int)threadIdx.x % (TILE / SIDE) * SIDE, row = (int)threadIdx.x / (TILE / SIDE) * SIDE;
    const int first_column = (int)blockIdx.x * TILE;
    for (int first_row = (int)blockIdx.y * TILE; first_row < n; first_row += (int)gridDim.y * TILE) {
        float sum[SIDE][SIDE] = {};
        for (int k = 0; k < K; k += DEPTH) {
            bring<COLUMNS>(part_a, a, a_stride, first_row, n, k, K);
            bring<COLUMNS>(part_b, b, b_stride, first_column, m, k, K);
            __syncthreads();
            const int depth = K - k < DEPTH ? K - k : (int)DEPTH; /* a chain ends at K: 0 * inf of a tail is NaN */
            for (int d = 0; d < depth; d++) {
                const float4 x = *reinterpret_cast<const float4 *>(&part_a[d][row]);
                const float4 z = *reinterpret_cast<const float4 *>(&part_b[d][column]);
                const float xs[SIDE] = {x.x, x.y, x.z, x.w}, zs[SIDE] = {z.x, z.y, z.z, z.w};
#pragma unroll
                for (int i = 0; i < SIDE; i++) {
#pragma unroll
                    for (int j = 0; j < SIDE; j++) sum[i][j] = fmaf(xs[i], zs[j], sum[i][j]);
                }
            }
            __syncthreads(); /* the tiles are read */
        }
        for (int i = 0; i < SIDE; i++) {
            for (int j = 0; j < SIDE; j++) {
                if (first_row + row + i < n && first_column + column + j < m)
                    y[(size_t)(first_row + row + i) * y_stride + (size_t)(first_column + column + j)] = sum[i][j];
            }
        }
    }
}

extern "C" pl_status pl__pairwise(pl_stream *stream, const pl_pairwise_args *args)
{
    pl_device *device = stream->device;
    const pl_view a = args->a, b = args->b, y = args->y;
    const size_t n = y.rows, m = y.columns, K = args->columns ? a.rows : a.columns;
    PL_TRY(pl__check_view(device, "pairwise", "a", a, args->columns ? K : n, args->columns ? n : K, PL_F32));
    PL_TRY(pl__check_view(device, "pairwise", "b", b, args->columns ? K : m, args->columns ? m : K, PL_F32));
    PL_TRY(pl__check_view(device, "pairwise", "y", y, n, m, PL_F32));
    if (!n || !m) return PL_OK;
    const size_t row_tiles = (n + TILE - 1) / TILE, most = 65535;
    const dim3 grid((unsigned)((m + TILE - 1) / TILE), (unsigned)(row_tiles < most ? row_tiles : most));
    auto kernel = args->columns ? multiply_pairs<true> : multiply_pairs<false>;
    CU_LAUNCH(kernel, grid, (unsigned)THREADS, 0, stream->handle, (const float *)pl__at(a, 0), a.stride,
              (const float *)pl__at(b, 0), b.stride, (float *)pl__at(y, 0), y.stride, (int)n, (int)m, (int)K);
    PL_LAUNCHED(stream, "pairwise");
    return PL_OK;
}
