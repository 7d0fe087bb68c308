/* What the kernels of attention_backward share: their arguments, the list of tiles, rowsum(dy y).
 *
 * Two passes, as flash-attention 2 has it (Dao 2023) but without atomics: dq by tiles of queries, which walk their keys
 * ascending; dk and dv by tiles of keys, which walk the query heads of their group and their queries ascending. With S
 * = scale q k^T (softcap, ALiBi), P = exp(S - lse) and M the dropout mask: dv = (P M)^T dy; dP = M (dy v^T); dS = P (dP
 * - rowsum(dy y)), times softcap's slope; dq = scale dS k; dk = scale dS^T q. A row's sums do not depend on the tile
 * that it is in: keys or queries that it does not see add zeros.
 *
 * Sequences are known on the device alone, so a block finds its tile in a list that a block of the first kernel makes:
 * n rows are at most n / tile_rows + sequences tiles. */
#ifndef PLUMB_CUDA_ATTENTION_BACKWARD_CUH
#define PLUMB_CUDA_ATTENTION_BACKWARD_CUH

#include "attention.cuh"
#include "vector.cuh"

/* Some rows of one sequence, in the order of rows. */
struct backward_tile {
    int first, n; /* the sequence: its first row in the batch, its rows */
    int start;    /* the tile's first row in the sequence */
    int unused;
};

struct backward_params {
    int *n_tiles; /* in the workspace */
    backward_tile *tiles;
    float *inner; /* [N, H]: rowsum(dy y) */
    const int32_t *n_rows, *n_sequences, *sequences;
    int row_capacity, sequence_capacity, tile_rows;
    size_t sequence_stride;
    const void *qkv, *y, *dy;
    void *dqkv;
    size_t qkv_stride, y_stride, dy_stride, dqkv_stride;
    const float *lse;
    size_t lse_stride;
    const float *alibi;                    /* or NULL */
    float alibi_scale;                     /* as pl_attention_args has it */
    int n_heads, n_kv_heads, group, width; /* H, G, H / G, D */
    int window;                            /* INT_MAX: all keys */
    float scale, softcap;
    float log_scale; /* from a score to units of log 2, after softcap and ALiBi where there are any */
    pl__mask_source mask;
    bool packed; /* rows may be read and written 16 bytes at a time */
};

enum { BACKWARD_WARPS = 4 }; /* of a block, at most */

/* What of the rows belongs to a query head (or key/value head) in row `row`. */
template <class T> __device__ __forceinline__ const T *query_row(const backward_params &p, size_t row, int head)
{
    return static_cast<const T *>(p.qkv) + row * p.qkv_stride + (size_t)head * p.width;
}
template <class T> __device__ __forceinline__ const T *key_row(const backward_params &p, size_t row, int kv_head)
{
    return query_row<T>(p, row, p.n_heads + kv_head);
}
template <class T> __device__ __forceinline__ const T *value_row(const backward_params &p, size_t row, int kv_head)
{
    return query_row<T>(p, row, p.n_heads + p.n_kv_heads + kv_head);
}
template <class T> __device__ __forceinline__ const T *dy_row(const backward_params &p, size_t row, int head)
{
    return static_cast<const T *>(p.dy) + row * p.dy_stride + (size_t)head * p.width;
}
/* Heads of dqkv are counted from dq's first on. */
template <class T> __device__ __forceinline__ T *gradient_row(const backward_params &p, size_t row, int head)
{
    return static_cast<T *>(p.dqkv) + row * p.dqkv_stride + (size_t)head * p.width;
}

/* What belongs to a query of one head; zeros for one that does not exist. */
struct alignas(16) backward_fact {
    float lse, inner;
    int32_t example; /* where there is dropout */
};

static __device__ __forceinline__ backward_fact fact_of(const backward_params &p, size_t row, int head, bool exists)
{
    backward_fact fact = {};
    if (!exists) return fact;
    fact.lse = p.lse[row * p.lse_stride + (unsigned)head];
    fact.inner = p.inner[row * (unsigned)p.n_heads + (unsigned)head];
    if (p.mask.key) fact.example = p.mask.examples[row];
    return fact;
}

/* Softcap and ALiBi on a scaled score, as the forward op has them, and softcap's slope. */
__device__ __forceinline__ float bend(float s, const backward_params &p, float slope, int key, int query, float &steep)
{
    if (p.softcap > 0.0f) {
        const float bent = tanhf(s / p.softcap);
        steep = 1.0f - bent * bent;
        s = p.softcap * bent;
    }
    return pl__add_alibi(s, slope, p.alibi_scale, key, query);
}

/* The first key that a row of a tile of queries from `start` on sees, rounded down to a block of `step`; and the end of
 * the queries that see a key of a tile of keys start .. start + rows. */
__device__ __forceinline__ int first_key(const backward_params &p, int start, int step)
{
    return start >= p.window ? (start - p.window + 1) / step * step : 0;
}
__device__ __forceinline__ int end_query(const backward_params &p, const backward_tile &tile, int rows)
{
    const int last_key = tile.start + rows - 1;
    return p.window < tile.n - last_key ? last_key + p.window : tile.n;
}

/* One warp writes the list: sequences in order, tiles in order. What does not fit into the batch's rows is cut. */
static __device__ __forceinline__ void list_tiles(const backward_params &p)
{
    const int lane = (int)threadIdx.x % PL__WARP, rows = pl__rows(p.n_rows, p.row_capacity);
    const int n_sequences = pl__rows(p.n_sequences, p.sequence_capacity);
    int before = 0;
    for (int from = 0; from < n_sequences; from += PL__WARP) {
        int first = 0, n = 0;
        if (from + lane < n_sequences) {
            const int32_t *extent = p.sequences + (size_t)(from + lane) * p.sequence_stride;
            first = extent[0];
            n = min(extent[1], rows - first);
        }
        const int own = n > 0 ? (n + p.tile_rows - 1) / p.tile_rows : 0;
        int end = own;
        for (int step = 1; step < PL__WARP; step *= 2) {
            const int other = __shfl_up_sync(0xffffffffu, end, (unsigned)step);
            if (lane >= step) end += other;
        }
        for (int i = 0; i < own; i++) {
            const int at = before + end - own + i;
            if (at < p.row_capacity) p.tiles[at] = {first, n, i * p.tile_rows, 0};
        }
        before += __shfl_sync(0xffffffffu, end, PL__WARP - 1);
    }
    if (lane == 0) *p.n_tiles = min(before, p.row_capacity);
}

enum { INNER_LANES = 8, INNER_THREADS = 256 };

/* inner[row, head] = sum over d of dy y: eight lanes a head, each a chain over its pieces of 16 bytes, then a tree. The
 * first block makes the list of tiles instead. */
template <class T, bool packed> static __global__ void __launch_bounds__(INNER_THREADS) multiply_rows(backward_params p)
{
    constexpr int PIECE = 16 / (int)sizeof(T);
    if (blockIdx.x == 0) {
        if (threadIdx.x < PL__WARP) list_tiles(p);
        return;
    }
    const size_t at = ((size_t)(blockIdx.x - 1) * INNER_THREADS + threadIdx.x) / INNER_LANES;
    const size_t row = at / (unsigned)p.n_heads, head = at - row * (unsigned)p.n_heads;
    const bool is_row = row < (size_t)pl__rows(p.n_rows, p.row_capacity);
    const T *y = static_cast<const T *>(p.y) + row * p.y_stride + head * (unsigned)p.width;
    const T *dy = dy_row<T>(p, row, (int)head);
    float sum = 0.0f;
    for (int d = (int)threadIdx.x % INNER_LANES * PIECE; is_row && d < p.width; d += INNER_LANES * PIECE) {
        float a[PIECE], b[PIECE];
        pl__load<packed>(a, y + d, p.width - d);
        pl__load<packed>(b, dy + d, p.width - d);
#pragma unroll
        for (int i = 0; i < PIECE; i++) sum = fmaf(a[i], b[i], sum);
    }
    for (int lane = INNER_LANES / 2; lane; lane /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lane);
    if (is_row && threadIdx.x % INNER_LANES == 0) p.inner[row * (unsigned)p.n_heads + head] = sum;
}

#endif
