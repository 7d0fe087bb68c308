/* What `score` and `score_backward` share: a row of logits becomes its maximum and the sum of e^(z - maximum).
 *
 * A row's tree is fixed by V alone (thread t takes the elements t, t + THREADS, t + 2 THREADS and on in order, threads
 * merge as a binary tree), so its bits do not depend on the chunk. Sums are pairs of floats: a sum and what its
 * additions lost, so that log p of a sure token keeps its digits as well. */
#ifndef PLUMB_CUDA_SCORE_CUH
#define PLUMB_CUDA_SCORE_CUH

#include <float.h>

#include "cuda.h"

#include "kernel.cuh"

enum { THREADS = 512, MIN_CHUNK = 16, NO_ID = 0x7fffffff };

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

/* Rows of a chunk: a power of two from MIN_CHUNK to `most`, so many that they have about `logits` logits. */
static inline size_t chunk_rows(size_t n_rows, size_t n_vocabulary, size_t most, size_t logits)
{
    size_t rows = most;
    while (rows > MIN_CHUNK && rows * n_vocabulary > logits) rows /= 2;
    return n_rows < rows ? n_rows : rows;
}

/* Floats from a row of logits to the next: rows begin at 16 bytes. */
static inline size_t logit_stride(size_t n_vocabulary)
{
    return (n_vocabulary + 3) / 4 * 4;
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

/* A row of V products by a block of THREADS threads: finished in place when there is a bias or a softcap, kept in
 * `logits` unless that is NULL. Thread 0 gets all of it. Everything in z is seen by all threads then. */
__device__ __forceinline__ row_part reduce_row(float *z, int V, const float *__restrict__ bias, float softcap,
                                               float *logits)
{
    __shared__ row_part parts[THREADS / PL__WARP];
    const int t = (int)threadIdx.x;
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
    if (t >= PL__WARP) return part;
    const row_part none = {-INFINITY, 0.0f, 0.0f, NO_ID};
    return merge_warp(t < THREADS / PL__WARP ? parts[t] : none);
}

/* log p of a logit, rounded once. */
__device__ __forceinline__ float log_probability_of(float z, float max, double sum)
{
    return (float)((double)z - (double)max - log(sum));
}

#endif
