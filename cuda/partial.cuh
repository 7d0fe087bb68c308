/* The second half of a parameter's gradient that is a sum over rows: the sums of groups of rows, which a first kernel
 * left in the workspace, are added to it. Groups are cut at fixed rows and added in a fixed tree: thread y of a column
 * adds groups y, y + 32, ..., then the 32 threads' sums are halved. */
#ifndef PLUMB_CUDA_PARTIAL_CUH
#define PLUMB_CUDA_PARTIAL_CUH

#include "kernel.cuh"

enum { PL__PARTIAL_ACROSS = 32, PL__PARTIAL_DOWN = 32 };

/* partial [groups, parts, n], groups of `group_rows` rows; part blockIdx.y is added to to[blockIdx.y] [n] where that is
 * not NULL. Grid: [n / PL__PARTIAL_ACROSS rounded up, parts], block: [PL__PARTIAL_ACROSS, PL__PARTIAL_DOWN]. */
typedef struct pl__partials {
    const float *partial;
    int group_rows, n;
    float *to[2];
} pl__partials;

static __global__ void __launch_bounds__(PL__PARTIAL_ACROSS *PL__PARTIAL_DOWN)
    add_partials(const int32_t *__restrict__ count, int capacity, pl__partials p)
{
    __shared__ float sums[PL__PARTIAL_DOWN][PL__PARTIAL_ACROSS + 1];
    const int x = (int)threadIdx.x, y = (int)threadIdx.y, c = (int)blockIdx.x * PL__PARTIAL_ACROSS + x;
    const int n_groups = (pl__rows(count, capacity) + p.group_rows - 1) / p.group_rows;
    float *to = blockIdx.y ? p.to[1] : p.to[0];
    if (!to) return;
    float sum = 0.0f;
    if (c < p.n) {
        const float *from = p.partial + (size_t)blockIdx.y * (size_t)p.n + (size_t)c;
#pragma unroll 4
        for (int g = y; g < n_groups; g += PL__PARTIAL_DOWN) sum += from[(size_t)g * gridDim.y * (size_t)p.n];
    }
    sums[y][x] = sum;
    __syncthreads();
#pragma unroll 1
    for (int half = PL__PARTIAL_DOWN / 2; half; half /= 2) {
        if (y < half) sums[y][x] += sums[y + half][x];
        __syncthreads(); /* all have added */
    }
    if (y == 0 && c < p.n && n_groups > 0) to[c] += sums[0][x];
}

#endif
