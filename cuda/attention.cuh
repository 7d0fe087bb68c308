/* What the two attention kernels share: their arguments, the queries of a block, the keys a query sees.
 *
 * A block takes one run (rows of one path, positions going up by 1), one key/value head and a tile of queries: query
 * r * group + h is row r of the run, head h of the `group` query heads that share the key/value head. Tiles that the
 * run does not fill leave at once; a short run fills few warps and the others only help to bring pages. */
#ifndef PLUMB_CUDA_ATTENTION_CUH
#define PLUMB_CUDA_ATTENTION_CUH

#include <limits.h>

#include "alibi.cuh"
#include "cuda.h"
#include "dropout.cuh"
#include "kernel.cuh"
#include "ptx.cuh"

struct attention_params {
    const int32_t *n_runs;
    int run_capacity;
    const int32_t *runs, *positions, *paths, *table;
    size_t run_stride, table_stride;
    const void *kv;       /* the layer's first page */
    size_t page_elements; /* from a page to the next */
    const void *q;
    void *y;
    size_t q_stride, y_stride;
    float *lse; /* or NULL */
    size_t lse_stride;
    const float *alibi;        /* or NULL */
    float alibi_scale;         /* 0: slopes times distances; else as pl_attention_args has it */
    int n_heads, group, width; /* H, H / G, D */
    int window;                /* INT_MAX: all keys */
    float scale, softcap;
    float log_scale;      /* from a score to units of log 2, after softcap and ALiBi where there are any */
    bool by_words;        /* D and the rows of q and y are even: two elements of 16 bits move at once */
    pl__mask_source mask; /* of the kernels that drop */
};

/* The part of a run that a block works on: queries first .. first + n, pages first_page .. first_page + n_pages. */
struct attention_part {
    int row, position; /* of the run's first row */
    int first, n;      /* queries */
    int first_page, n_pages;
    int lowest, highest; /* positions of the first and last query's row */
    const int32_t *table;
};

/* False: nothing to do. Runs of the end come first: they have the most keys, so a grid does not end on them. */
__device__ __forceinline__ bool find_part(attention_part &part, const attention_params &p, int tile, int tile_queries)
{
    int run = (int)(gridDim.x - 1 - blockIdx.x);
    if (run >= pl__rows(p.n_runs, p.run_capacity)) return false;
    const int32_t *at = p.runs + (size_t)run * p.run_stride;
    int n = at[1] * p.group;
    part.row = at[0];
    part.first = tile * tile_queries;
    if (part.first >= n) return false;
    part.n = n - part.first < tile_queries ? n - part.first : tile_queries;
    part.position = p.positions[part.row];
    part.lowest = part.position + part.first / p.group;
    part.highest = part.position + (part.first + part.n - 1) / p.group;
    part.first_page = p.window <= part.lowest ? (part.lowest - p.window + 1) / PL_PAGE : 0;
    part.n_pages = part.highest / PL_PAGE + 1 - part.first_page;
    part.table = p.table + (size_t)p.paths[part.row] * p.table_stride + part.first_page;
    return true;
}

/* Key `key` is seen from `position`. */
__device__ __forceinline__ bool seen(int key, int position, int window)
{
    return key <= position && position - key < window;
}

/* Every key of the page at `start` is seen from all positions lowest .. highest, and some key from one of them. */
__device__ __forceinline__ bool all_seen(int start, int lowest, int highest, int window)
{
    return start + PL_PAGE - 1 <= lowest && highest - start < window;
}
__device__ __forceinline__ bool any_seen(int start, int lowest, int highest, int window)
{
    return start <= highest && lowest - (start + PL_PAGE - 1) < window;
}

/* Softcap and ALiBi on a scaled score. */
__device__ __forceinline__ float bend(float s, const attention_params &p, float slope, int key, int position)
{
    if (p.softcap > 0.0f) s = p.softcap * tanhf(s / p.softcap);
    return pl__add_alibi(s, slope, p.alibi_scale, key, position);
}

/* Four lanes, STEP apart, hold four words each; word k of lane l changes places with word l of lane k. */
template <int STEP> __device__ __forceinline__ uint4 transpose_words(uint4 w)
{
    const bool odd = threadIdx.x & STEP, high = threadIdx.x & 2 * STEP;
    const uint32_t a = __shfl_xor_sync(0xffffffffu, odd ? w.x : w.y, STEP);
    const uint32_t b = __shfl_xor_sync(0xffffffffu, odd ? w.z : w.w, STEP);
    w = odd ? make_uint4(a, w.y, b, w.w) : make_uint4(w.x, a, w.z, b);
    const uint32_t c = __shfl_xor_sync(0xffffffffu, high ? w.x : w.z, 2 * STEP);
    const uint32_t d = __shfl_xor_sync(0xffffffffu, high ? w.y : w.w, 2 * STEP);
    return high ? make_uint4(c, d, w.z, w.w) : make_uint4(w.x, w.y, c, d);
}

/* Attention's mask is drawn for four keys of a query at once: key / 4 and the query's head. */
__device__ __forceinline__ uint32_t quad_of(uint32_t head, int key)
{
    return (head << 20 | (uint32_t)key) / 4;
}

/* What is subtracted from scores whose maximum is `max`: a query that has seen no finite score keeps weights of 0. */
__device__ __forceinline__ float shift_of(float max)
{
    return max == -INFINITY ? 0.0f : max;
}

#endif
