/* The vocabulary head on gathered rows: log-probabilities of targets, arg max, and logits where they are asked for.
 *
 * Rows are taken in chunks: product into a [chunk, V] float32 workspace, then one block a row reduces its logits, then
 * targets whose row is in the chunk are read off. A row's tree is fixed by V alone (thread t takes the elements t,
 * t + THREADS, t + 2 THREADS and on in order, threads merge as a binary tree), so its bits do not depend on the chunk.
 * Sums are pairs of floats: a sum and what its additions lost, so that log p of a sure token keeps its digits as well.
 */
#include <float.h>

#include "cuda.h"
#include "kernel.cuh"

enum { THREADS = 512, MIN_CHUNK = 16, MAX_CHUNK = 1024, CHUNK_LOGITS = 20 << 20, NO_ID = 0x7fffffff };

/* What a row comes to: sum of e^(z - max) over V, arg max. */
struct row_result {
    double sum;
    float max;
    int32_t id;
};

/* Part of a row. The sum is high + low. */
struct row_part {
    float max, high, low;
    int id;
};

/* Rows of a chunk: a power of two, so many that their logits take about 64 MiB (80 at most). */
static size_t chunk_rows(size_t n_rows, size_t n_vocabulary)
{
    size_t rows = MAX_CHUNK;
    while (rows > MIN_CHUNK && rows * n_vocabulary > CHUNK_LOGITS) rows /= 2;
    return n_rows < rows ? n_rows : rows;
}

/* Floats from a row of logits to the next: rows begin at 16 bytes. */
static size_t logit_stride(size_t n_vocabulary)
{
    return (n_vocabulary + 3) / 4 * 4;
}

extern "C" size_t pl__score_workspace_bytes(size_t n_rows, size_t n_vocabulary)
{
    const size_t rows = chunk_rows(n_rows, n_vocabulary);
    return rows * (logit_stride(n_vocabulary) * sizeof(float) + sizeof(row_result));
}

/* The sum in units of e^-max for a maximum that grows to `max`; nothing seen yet (max -inf) counts as units of 1. */
__device__ __forceinline__ float unit_of(float max)
{
    return max == -INFINITY ? 0.0f : max;
}

/* high + low += x, exactly but for the last bits of low (two-sum). The intrinsics are never contracted into fused
 * multiply-adds, which would break it. */
__device__ __forceinline__ void add(row_part &a, float x)
{
    const float sum = __fadd_rn(a.high, x), part = __fsub_rn(sum, a.high);
    a.low = __fadd_rn(a.low, __fadd_rn(__fsub_rn(a.high, __fsub_rn(sum, part)), __fsub_rn(x, part)));
    a.high = sum;
}

__device__ __forceinline__ void rescale(row_part &a, float max)
{
    const float scale = expf(__fsub_rn(a.max, unit_of(max)));
    a.high = __fmul_rn(a.high, scale);
    a.low = __fmul_rn(a.low, scale);
    a.max = max;
}

/* a and b become one; the lowest id among equal maxima. Symmetric but for the order of the sum: a's first. */
__device__ __forceinline__ row_part merge(row_part a, row_part b)
{
    if (b.max > a.max || (b.max == a.max && b.id < a.id)) a.id = b.id;
    const float max = fmaxf(a.max, b.max);
    if (a.max != max) rescale(a, max);
    if (b.max != max) rescale(b, max);
    add(a, b.high);
    a.low = __fadd_rn(a.low, b.low);
    return a;
}

__device__ __forceinline__ row_part part_of_lane(row_part a, int distance)
{
    row_part b;
    b.max = __shfl_down_sync(0xffffffffu, a.max, distance);
    b.high = __shfl_down_sync(0xffffffffu, a.high, distance);
    b.low = __shfl_down_sync(0xffffffffu, a.low, distance);
    b.id = __shfl_down_sync(0xffffffffu, a.id, distance);
    return b;
}

/* Lane 0 gets all of the warp. */
__device__ __forceinline__ row_part merge_warp(row_part a)
{
    for (int distance = PL__WARP / 2; distance; distance /= 2) a = merge(a, part_of_lane(a, distance));
    return a;
}

/* Bias and softcap, each rounded: the logit that is kept is the one that is summed. */
__device__ __forceinline__ float finish(float z, const float *bias, float softcap, int v)
{
    if (bias) z = __fadd_rn(z, bias[v]);
    if (softcap > 0.0f) z = __fmul_rn(softcap, tanhf(z / softcap));
    return z;
}

/* One block a row of the chunk. z: [rows, V] products, finished in place when there is a bias or a softcap; rows are
 * first, first + 1, ... of R. */
static __global__ void __launch_bounds__(THREADS)
    reduce_rows(const int32_t *__restrict__ count, int capacity, int first, float *z, size_t z_stride, int V,
                const float *__restrict__ bias, float softcap, float *logits, size_t logits_stride, int32_t *greedy,
                row_result *results)
{
    __shared__ row_part parts[THREADS / PL__WARP];
    const int row = first + (int)blockIdx.x, t = (int)threadIdx.x;
    if (row >= pl__rows(count, capacity)) return;
    z += (size_t)blockIdx.x * z_stride;
    logits = logits ? logits + (size_t)row * logits_stride : NULL;
    const bool changed = bias || softcap > 0.0f;
    row_part part = {-INFINITY, 0.0f, 0.0f, NO_ID};
    for (int base = t; base < V; base += 4 * THREADS) {
        float four[4];
#pragma unroll
        for (int i = 0; i < 4; i++) four[i] = base + i * THREADS < V ? z[base + i * THREADS] : -INFINITY;
        float max = part.max;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int v = base + i * THREADS;
            if (v >= V) continue;
            if (changed) z[v] = four[i] = finish(four[i], bias, softcap, v);
            if (logits) logits[v] = four[i];
            if (four[i] > max) {
                max = four[i];
                part.id = v;
            }
        }
        if (max > part.max) rescale(part, max);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (base + i * THREADS < V) add(part, expf(__fsub_rn(four[i], unit_of(max))));
        }
    }
    part = merge_warp(part);
    if (t % PL__WARP == 0) parts[t / PL__WARP] = part;
    __syncthreads();
    if (t >= PL__WARP) return;
    const row_part none = {-INFINITY, 0.0f, 0.0f, NO_ID};
    part = merge_warp(t < THREADS / PL__WARP ? parts[t] : none);
    if (t) return;
    const double sum = (double)part.high + (double)part.low;
    if (!isfinite(part.max) || isnan(sum)) part.id = -1;
    const row_result result = {sum, part.max, part.id};
    results[blockIdx.x] = result;
    if (greedy) greedy[row] = part.id;
}

/* A thread a target; those whose row is in the chunk are written. */
static __global__ void read_targets(const int32_t *__restrict__ count, int capacity, int first, int n_rows,
                                    const float *__restrict__ z, size_t z_stride, int V,
                                    const row_result *__restrict__ results, const int32_t *__restrict__ target_rows,
                                    const int32_t *__restrict__ target_tokens, float *log_probability,
                                    int32_t *target_greedy)
{
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= pl__rows(count, capacity)) return;
    const int row = target_rows[i] - first, token = target_tokens[i];
    if (row < 0 || row >= n_rows || token < 0 || token >= V) return;
    const row_result r = results[row];
    log_probability[i] = (float)((double)z[(size_t)row * z_stride + (size_t)token] - (double)r.max - log(r.sum));
    if (target_greedy) target_greedy[i] = r.id == token;
}

/* n_rows, n_targets: capacities. */
extern "C" pl_status pl__score(pl_stream *stream, const pl_score_args *args)
{
    const size_t n_rows = args->x.rows, n_targets = args->target_rows.columns;
    const size_t V = args->weight->n_out, chunk = chunk_rows(n_rows, V), stride = logit_stride(V);
    const int32_t *row_count = pl__count_at(args->counts, PL_COUNT_ROWS);
    const int32_t *target_count = pl__count_at(args->counts, PL_COUNT_TARGETS);
    float *z = (float *)pl__at(args->workspace, 0);
    row_result *results = (row_result *)(z + chunk * stride);
    for (size_t first = 0; first < n_rows; first += chunk) {
        const size_t n = n_rows - first < chunk ? n_rows - first : chunk;
        pl_view x = args->x, product = {};
        x.offset += first * x.stride;
        x.rows = n;
        product.buffer = args->workspace.buffer;
        product.offset = args->workspace.offset / sizeof(float);
        product.rows = n;
        product.columns = V;
        product.stride = stride;
        product.dtype = PL_F32;
        PL_TRY(pl__matmul(stream, args->weight, x, product, n, false));
        CU_LAUNCH(reduce_rows, (unsigned)n, THREADS, 0, stream->handle, row_count, (int)n_rows, (int)first, z, stride,
                  (int)V, (const float *)pl__at(args->bias, 0), args->softcap, (float *)pl__at(args->logits, 0),
                  args->logits.stride, (int32_t *)pl__at(args->greedy, 0), results);
        PL_LAUNCHED(stream, "score");
        if (!n_targets) continue;
        CU_LAUNCH(read_targets, (unsigned)((n_targets + 255) / 256), 256, 0, stream->handle, target_count,
                  (int)n_targets, (int)first, (int)n, z, stride, (int)V, results,
                  (const int32_t *)pl__at(args->target_rows, 0), (const int32_t *)pl__at(args->target_tokens, 0),
                  (float *)pl__at(args->log_probability, 0), (int32_t *)pl__at(args->target_greedy, 0));
        PL_LAUNCHED(stream, "score");
    }
    return PL_OK;
}
