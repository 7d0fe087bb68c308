/* The gradients of attention on ordinary cores, for attention_backward.cu: float32, and heads that are too wide for the
 * tensor-core form.
 *
 * A warp owns ROWS rows (queries for dq, keys for dk and dv), and the block walks the other side in blocks of a warp's
 * size. Products of rows: a lane is a row of the walked block, its two sums chains of fused multiply-adds over d. What
 * comes of them goes through shared memory; gradients: a lane is columns lane, lane + 32, ..., a chain over the walked
 * rows in order. Everything in shared memory is float32. */
#ifndef PLUMB_CUDA_ATTENTION_BACKWARD_SIMT_CUH
#define PLUMB_CUDA_ATTENTION_BACKWARD_SIMT_CUH

#include "attention_backward.cuh"

/* Shared memory in floats: two matrices of own rows, two of the block that is walked, weights of each warp (ds, then p
 * where that is asked for), then facts of queries. */
struct backward_layout {
    int steps;    /* 4-float steps of a row */
    int own, row; /* floats from a row to the next; row / 4 is odd: lanes meet no bank twice */
    int n_own;    /* own rows of the block */
    int walked, weights, facts;
    size_t bytes;
};

static inline backward_layout backward_layout_of(int width, int n_own, int n_weights)
{
    backward_layout l = {};
    l.steps = (width + 3) / 4;
    l.own = 4 * l.steps;
    l.row = l.steps % 2 ? 4 * l.steps : 4 * l.steps + 4;
    l.n_own = n_own;
    l.walked = 2 * n_own * l.own;
    l.weights = l.walked + 2 * PL__WARP * l.row;
    l.facts = l.weights + n_weights * n_own * PL__WARP;
    l.bytes =
        (size_t)l.facts * sizeof(float) + (size_t)(n_own > PL__WARP ? n_own : (int)PL__WARP) * sizeof(backward_fact);
    return l;
}

/* `rows` rows `to` apart, of which `n` exist; the others, and what is behind D, become zero. By the whole block. */
template <class T>
__device__ __forceinline__ void bring_rows(float *shared, int to, const T *from, size_t stride, int rows, int n,
                                           const backward_params &p)
{
    const int pieces = to / 4;
    for (int i = (int)threadIdx.x; i < rows * pieces; i += (int)blockDim.x) {
        const int r = i / pieces, c = (i - r * pieces) * 4;
        float x[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (r < n && p.packed && c < p.width)
            pl__load<true>(x, from + (size_t)r * stride + c, 4);
        else if (r < n)
            pl__load<false>(x, from + (size_t)r * stride + c, p.width - c);
        *reinterpret_cast<float4 *>(shared + r * to + c) = make_float4(x[0], x[1], x[2], x[3]);
    }
}

/* a and b: the products of ROWS own rows with the lane's walked row, of the first and the second matrix. */
template <int ROWS>
__device__ __forceinline__ void multiply_block(float (&a)[ROWS], float (&b)[ROWS], const float *own,
                                               const float *walked, const backward_layout &l)
{
    const float *mine = walked + (int)threadIdx.x % PL__WARP * l.row;
#pragma unroll
    for (int m = 0; m < 2; m++) {
        float(&s)[ROWS] = m ? b : a;
#pragma unroll
        for (int q = 0; q < ROWS; q++) s[q] = 0.0f;
#pragma unroll 2
        for (int d = 0; d < l.steps; d++) {
            const float4 k = *reinterpret_cast<const float4 *>(mine + 4 * d);
#pragma unroll
            for (int q = 0; q < ROWS; q++) {
                const float4 x = *reinterpret_cast<const float4 *>(own + q * l.own + 4 * d);
                s[q] = fmaf(x.x, k.x, s[q]);
                s[q] = fmaf(x.y, k.y, s[q]);
                s[q] = fmaf(x.z, k.z, s[q]);
                s[q] = fmaf(x.w, k.w, s[q]);
            }
        }
        own += l.n_own * l.own;
        mine += PL__WARP * l.row;
    }
}

/* sums[q][c] += weights[q][j] walked[j][column c], j ascending. */
template <int ROWS, int COLUMNS>
__device__ __forceinline__ void add_block(float (&sums)[ROWS][COLUMNS], const float *weights, const float *walked,
                                          const backward_layout &l, int width)
{
    const int lane = (int)threadIdx.x % PL__WARP;
    int column[COLUMNS]; /* columns behind D repeat the last one; they are not written */
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) column[c] = min(lane + PL__WARP * c, width - 1);
#pragma unroll 1
    for (int j = 0; j < PL__WARP; j += 4) {
        float v[4][COLUMNS];
#pragma unroll
        for (int i = 0; i < 4; i++) {
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) v[i][c] = walked[(j + i) * l.row + column[c]];
        }
#pragma unroll
        for (int q = 0; q < ROWS; q++) {
            const float4 four = *reinterpret_cast<const float4 *>(weights + q * PL__WARP + j);
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                sums[q][c] = fmaf(four.x, v[0][c], sums[q][c]);
                sums[q][c] = fmaf(four.y, v[1][c], sums[q][c]);
                sums[q][c] = fmaf(four.z, v[2][c], sums[q][c]);
                sums[q][c] = fmaf(four.w, v[3][c], sums[q][c]);
            }
        }
    }
}

/* What dropout multiplies ROWS weights of the lane by. KEYS: own keys from `own` on, the lane is a query; else the lane
 * is a key, and own row q is a query. Keys begin at multiples of 4. */
template <bool KEYS, int ROWS>
__device__ __forceinline__ void draw_factors(float (&factor)[ROWS], const pl__mask &mask, const backward_fact *facts,
                                             int head, int own, int lane_row)
{
    static_assert(ROWS % 4 == 0, "a draw is of four keys");
    const int quarter = (int)threadIdx.x % 4;
#pragma unroll
    for (int q = 0; q < ROWS; q += 4) {
        const int at = KEYS ? (int)threadIdx.x % PL__WARP : q + quarter;
        const int32_t example = facts[at].example;
        uint4 w = pl__mask_words(mask, example, KEYS ? lane_row : own + at,
                                 quad_of((uint32_t)head, KEYS ? own + q : lane_row));
        if (!KEYS) w = transpose_words<1>(w);
        factor[q] = pl__mask_factor(mask, w.x);
        factor[q + 1] = pl__mask_factor(mask, w.y);
        factor[q + 2] = pl__mask_factor(mask, w.z);
        factor[q + 3] = pl__mask_factor(mask, w.w);
    }
}

template <class T, int ROWS, int COLUMNS>
__device__ __forceinline__ void write_gradient(const float (&sums)[ROWS][COLUMNS], const backward_params &p, size_t row,
                                               int head, int n, float scale)
{
    const int lane = (int)threadIdx.x % PL__WARP;
#pragma unroll
    for (int q = 0; q < ROWS; q++) {
        if (q >= n) break;
        T *to = gradient_row<T>(p, row + q, head);
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            if (lane + PL__WARP * c < p.width) to[lane + PL__WARP * c] = pl__from_float<T>(sums[q][c] * scale);
        }
    }
}

/* dq of a tile of queries, or with KEYS dk and dv of a tile of keys. Grid: tiles times heads (of queries or keys),
 * heads fastest; tiles with the longest walks come first within a sequence. */
template <class T, int COLUMNS, int ROWS, bool KEYS>
static __global__ void __launch_bounds__(BACKWARD_WARPS *PL__WARP, 2) go_back_simt(backward_params p, backward_layout l)
{
    CU_DYN_SHARED(float, shared);
    const int n_heads = KEYS ? p.n_kv_heads : p.n_heads, n_tiles = *p.n_tiles;
    const int place = (int)blockIdx.x / n_heads, head = (int)blockIdx.x - place * n_heads;
    if (place >= n_tiles) return;
    const backward_tile tile = p.tiles[KEYS ? place : n_tiles - 1 - place];
    const int warp = (int)threadIdx.x / PL__WARP, lane = (int)threadIdx.x % PL__WARP;
    const int kv_head = KEYS ? head : head / p.group, left = tile.n - tile.start;
    const int mine = warp * ROWS, own = tile.start + mine; /* of this warp */
    const size_t first = (size_t)tile.first, row = first + tile.start;
    float *walked = shared + l.walked, *ds = shared + l.weights + mine * PL__WARP, *weights = ds + l.n_own * PL__WARP;
    backward_fact *facts = reinterpret_cast<backward_fact *>(shared + l.facts);
    const pl__mask mask = p.mask.key ? pl__mask_read(p.mask) : pl__mask{};
    bring_rows(shared, l.own, KEYS ? key_row<T>(p, row, head) : query_row<T>(p, row, head), p.qkv_stride, l.n_own, left,
               p);
    bring_rows(shared + l.n_own * l.own, l.own, KEYS ? value_row<T>(p, row, head) : dy_row<T>(p, row, head),
               KEYS ? p.qkv_stride : p.dy_stride, l.n_own, left, p);
    if (!KEYS && (int)threadIdx.x < l.n_own)
        facts[threadIdx.x] = fact_of(p, row + threadIdx.x, head, (int)threadIdx.x < left);
    float sums[ROWS][COLUMNS], value_sums[KEYS ? ROWS : 1][COLUMNS];
#pragma unroll
    for (int q = 0; q < ROWS; q++) {
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) sums[q][c] = value_sums[KEYS ? q : 0][c] = 0.0f;
    }
    const int from = KEYS ? tile.start / PL__WARP * PL__WARP : first_key(p, tile.start, PL__WARP);
    const int end = KEYS ? end_query(p, tile, l.n_own) : min(tile.n, tile.start + l.n_own);
    for (int h = KEYS ? head * p.group : head, last = KEYS ? h + p.group : h + 1; h < last; h++) {
        const float slope = p.alibi ? p.alibi[h] : 0.0f;
        for (int start = from; start < end; start += PL__WARP) {
            const size_t at = first + start;
            __syncthreads(); /* nobody reads the last block any more */
            bring_rows(walked, l.row, KEYS ? query_row<T>(p, at, h) : key_row<T>(p, at, kv_head), p.qkv_stride,
                       PL__WARP, tile.n - start, p);
            bring_rows(walked + PL__WARP * l.row, l.row, KEYS ? dy_row<T>(p, at, h) : value_row<T>(p, at, kv_head),
                       KEYS ? p.dy_stride : p.qkv_stride, PL__WARP, tile.n - start, p);
            if (KEYS && threadIdx.x < PL__WARP)
                facts[threadIdx.x] = fact_of(p, at + threadIdx.x, h, (int)threadIdx.x < tile.n - start);
            __syncthreads();
            float s[ROWS], dp[ROWS], factor[ROWS];
            multiply_block(s, dp, shared + mine * l.own, walked, l);
            if (p.mask.key) draw_factors<KEYS>(factor, mask, facts + (KEYS ? 0 : mine), h, own, start + lane);
#pragma unroll
            for (int q = 0; q < ROWS; q++) {
                const int key = KEYS ? own + q : start + lane, query = KEYS ? start + lane : own + q;
                const backward_fact fact = facts[KEYS ? lane : mine + q];
                const bool is_seen = query < tile.n && seen(key, query, p.window);
                float steep = 1.0f;
                const float x = bend(s[q] * p.scale, p, slope, key, query, steep), drop = p.mask.key ? factor[q] : 1.0f;
                const float weight = is_seen ? expf(x - fact.lse) : 0.0f;
                ds[q * PL__WARP + lane] = is_seen ? weight * (dp[q] * drop - fact.inner) * steep : 0.0f;
                if (KEYS) weights[q * PL__WARP + lane] = weight * drop;
            }
            __syncwarp();
            add_block(sums, ds, walked, l, p.width);
            if constexpr (KEYS) add_block(value_sums, weights, walked + PL__WARP * l.row, l, p.width);
        }
    }
    const int kind = KEYS ? p.n_heads + head : head;
    write_gradient<T>(sums, p, row + mine, kind, left - mine, p.scale);
    if constexpr (KEYS) write_gradient<T>(value_sums, p, row + mine, kind + p.n_kv_heads, left - mine, 1.0f);
}

#endif
