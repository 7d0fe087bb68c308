/* Products of centred rows or columns in double: a block has 64 x 64 of them, a thread 16, each one chain over the
 * features. */
#include "cuda.h"
#include "kernel.cuh"
#include "vector.cuh"

enum { TILE = 64, EDGE = 16, EACH = TILE / EDGE, DEPTH = 16 };

struct matrix {
    const float *x; /* of each set [rows, width]; of columns [width, rows] */
    size_t stride;
    int rows;
};

/* DEPTH features of TILE rows, less their means; rows and features past the end are 0. Neighbouring threads read
 * neighbouring numbers. */
template <bool COLUMNS>
static __device__ __forceinline__ void stage(double (*to)[TILE + 1], matrix m, const double *mean, int first, int from,
                                             int width)
{
    for (int at = (int)threadIdx.x; at < TILE * DEPTH; at += EDGE * EDGE) {
        const int row = COLUMNS ? at % TILE : at / DEPTH, d = COLUMNS ? at / TILE : at % DEPTH;
        const bool there = first + row < m.rows && from + d < width;
        const size_t place =
            COLUMNS ? (size_t)(from + d) * m.stride + first + row : (size_t)(first + row) * m.stride + from + d;
        to[d][row] = there ? (double)m.x[place] - mean[COLUMNS ? first + row : from + d] : 0.0;
    }
}

template <bool COLUMNS>
static __global__ void __launch_bounds__(EDGE *EDGE)
    multiply(matrix a, matrix b, const double *mean, size_t mean_stride, int width, double *products, size_t stride)
{
    __shared__ double left[DEPTH][TILE + 1], right[DEPTH][TILE + 1];
    const int i = (int)blockIdx.y * TILE, j = (int)blockIdx.x * TILE, row = (int)threadIdx.x / EDGE,
              column = (int)threadIdx.x % EDGE;
    const size_t set = blockIdx.z;
    double sum[EACH][EACH] = {};
    a.x += set * (size_t)a.rows * a.stride;
    b.x += set * (size_t)b.rows * b.stride;
    mean += set * mean_stride;
    products += set * (size_t)a.rows * stride;
    for (int from = 0; from < width; from += DEPTH) {
        __syncthreads(); /* the features before have been read */
        stage<COLUMNS>(left, a, mean, i, from, width);
        stage<COLUMNS>(right, b, mean, j, from, width);
        __syncthreads(); /* these are there */
        for (int d = 0; d < min(DEPTH, width - from); d++)
#pragma unroll
            for (int r = 0; r < EACH; r++)
#pragma unroll
                for (int c = 0; c < EACH; c++)
                    sum[r][c] = fma(left[d][row + r * EDGE], right[d][column + c * EDGE], sum[r][c]);
    }
    for (int r = 0; r < EACH; r++)
        for (int c = 0; c < EACH; c++) {
            const int at = i + row + r * EDGE, other = j + column + c * EDGE;
            if (at < a.rows && other < b.rows) products[(size_t)at * stride + other] = sum[r][c];
        }
}

extern "C" size_t pl__pairwise_workspace_bytes(size_t n_sets, size_t n_rows, size_t n_columns, size_t width)
{
    (void)n_sets;
    (void)n_rows;
    (void)n_columns;
    (void)width;
    return 0;
}

extern "C" pl_status pl__pairwise(pl_stream *stream, const pl_pairwise_args *args)
{
    const pl_view x = args->x, y = args->y, mean = args->mean, products = args->products;
    const size_t n_sets = mean.rows, m = products.columns; /* the views of x and y may have more */
    if (!n_sets || !products.rows || !m) return PL_OK;
    const size_t n = products.rows / n_sets;
    const matrix a = {(const float *)pl__at(x, 0), x.stride, (int)n},
                 b = {(const float *)pl__at(y, 0), y.stride, (int)m};
    const double *means = (const double *)pl__at(mean, 0);
    double *out = (double *)pl__at(products, 0);
    const dim3 grid((unsigned)pl__ceil_div(m, TILE), (unsigned)pl__ceil_div(n, TILE), (unsigned)n_sets);
    const dim3 block(EDGE * EDGE);
    if (args->columns)
        CU_LAUNCH(multiply<true>, grid, block, 0, stream->handle, a, b, means, mean.stride, (int)x.rows, out,
                  products.stride);
    else
        CU_LAUNCH(multiply<false>, grid, block, 0, stream->handle, a, b, means, mean.stride, (int)mean.columns, out,
                  products.stride);
    PL_LAUNCHED(stream, "pairwise");
    return PL_OK;
}
