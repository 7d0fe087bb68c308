/* Attention in float32 on ordinary cores, for attention.cu.
 *
 * A warp has up to QUERIES queries and walks the pages in order; pages come by cp.async into a ring. Scores: a lane is
 * a key, its score a chain of fused multiply-adds over d (the query scaled first, as in the CPU's twin). Weights go
 * through shared memory; values: a lane is columns lane, lane + 32, ..., a chain over the keys in order. On pages that
 * some query sees in part, keys it does not see are left out of its chain, so inf and NaN in them cannot reach it.
 * Every chain is the same in all variants: a query's bits do not depend on the run, tile or warp it is in. */
#ifndef PLUMB_CUDA_ATTENTION_SIMT_CUH
#define PLUMB_CUDA_ATTENTION_SIMT_CUH

#include "attention.cuh"

/* Shared memory in floats: queries, the ring (keys, values), then for each warp weights, then slopes and positions,
 * and where weights are dropped heads and examples. */
struct simt_layout {
    int steps;               /* 4-float steps of a query or key */
    int q_row, k_row, v_row; /* floats from a row to the next; k_row / 4 is odd: lanes meet no bank twice */
    int stage, n_stages;
    int ring, weights, facts; /* where they begin */
    size_t bytes;
};

/* Two stages, or one where shared memory is short (wide heads on parts with 99 KiB): the same sums, less overlap. */
static inline simt_layout simt_layout_of(int width, int queries, int n_stages, bool drops)
{
    simt_layout l = {};
    const int all = 4 * queries; /* of the block's 4 warps */
    l.steps = (width + 3) / 4;
    l.q_row = l.v_row = 4 * l.steps;
    l.k_row = l.steps % 2 ? 4 * l.steps : 4 * l.steps + 4;
    l.stage = PL_PAGE * (l.k_row + l.v_row);
    l.n_stages = n_stages;
    l.ring = all * l.q_row;
    l.weights = l.ring + l.n_stages * l.stage;
    l.facts = l.weights + all * PL_PAGE;
    l.bytes = (size_t)(l.facts + (drops ? 4 : 2) * all) * sizeof(float);
    return l;
}

/* One warp's view of shared memory, and its sums. */
template <int COLUMNS, int QUERIES> struct simt_state {
    const float *q;                          /* [QUERIES, q_row], scaled, zeros behind D */
    float *weights;                          /* [QUERIES, PL_PAGE] */
    const float *slopes;                     /* [QUERIES] */
    const int *positions, *heads, *examples; /* heads, examples: where weights are dropped */
    float o[QUERIES][COLUMNS];
    float max[QUERIES], sum[QUERIES]; /* sum over the keys of this lane */
};

/* Asks for a page, keys from `n` on left unset (they are seen by nobody). */
static __device__ __forceinline__ void bring_page(float *stage, const float *page, const simt_layout &l, int width,
                                                  int n)
{
    float *values = stage + PL_PAGE * l.k_row;
    if (n > PL_PAGE) n = PL_PAGE;
    if (width % 4 == 0) {
        for (int i = (int)threadIdx.x; i < n * l.steps; i += (int)blockDim.x) {
            int r = i / l.steps, c = (i - r * l.steps) * 4;
            cp_async16(stage + r * l.k_row + c, page + r * width + c);
            cp_async16(values + r * l.v_row + c, page + (PL_PAGE + r) * width + c);
        }
    } else {
        for (int i = (int)threadIdx.x; i < n * width; i += (int)blockDim.x) {
            int r = i / width, c = i - r * width;
            stage[r * l.k_row + c] = page[i];
            values[r * l.v_row + c] = page[PL_PAGE * width + i];
        }
    }
}

/* Dropout of the weights of the lane's key; the lanes of four keys draw for four queries and change words. */
template <int COLUMNS, int QUERIES, int ACTIVE>
__device__ __forceinline__ void drop_weights(float (&s)[ACTIVE], const simt_state<COLUMNS, QUERIES> &w,
                                             const pl__mask &mask, int key)
{
    constexpr int some = ACTIVE < 4 ? 1 : 4;
    const int quarter = (int)threadIdx.x % 4;
#pragma unroll
    for (int q = 0; q < ACTIVE; q += some) {
        const int at = some == 1 ? q : q + quarter;
        uint4 word = pl__mask_words(mask, w.examples[at], w.positions[at], quad_of((uint32_t)w.heads[at], key));
        if constexpr (some == 1) {
            const uint32_t low = quarter & 1 ? word.y : word.x, high = quarter & 1 ? word.w : word.z;
            s[q] = pl__masked(s[q], pl__mask_factor(mask, quarter & 2 ? high : low));
        } else {
            word = transpose_words<1>(word);
            s[q] = pl__masked(s[q], pl__mask_factor(mask, word.x));
            s[q + 1] = pl__masked(s[q + 1], pl__mask_factor(mask, word.y));
            s[q + 2] = pl__masked(s[q + 2], pl__mask_factor(mask, word.z));
            s[q + 3] = pl__masked(s[q + 3], pl__mask_factor(mask, word.w));
        }
    }
}

/* One page for the first ACTIVE queries of the warp. MASKED: some of them may not see all of it. DROPS: dropout. */
template <int COLUMNS, int QUERIES, int ACTIVE, bool MASKED, bool DROPS>
__device__ __forceinline__ void take_page(simt_state<COLUMNS, QUERIES> &w, const attention_params &p,
                                          const simt_layout &l, const float *keys, int start)
{
    const int lane = (int)threadIdx.x % PL__WARP;
    float s[ACTIVE];
#pragma unroll
    for (int q = 0; q < ACTIVE; q++) s[q] = 0.0f;
#pragma unroll 2
    for (int d = 0; d < l.steps; d++) {
        const float4 k = *reinterpret_cast<const float4 *>(keys + lane * l.k_row + 4 * d);
#pragma unroll
        for (int q = 0; q < ACTIVE; q++) {
            const float4 x = *reinterpret_cast<const float4 *>(w.q + q * l.q_row + 4 * d);
            s[q] = fmaf(x.x, k.x, s[q]);
            s[q] = fmaf(x.y, k.y, s[q]);
            s[q] = fmaf(x.z, k.z, s[q]);
            s[q] = fmaf(x.w, k.w, s[q]);
        }
    }
#pragma unroll
    for (int q = 0; q < ACTIVE; q++) {
        float x = s[q];
        if (p.softcap > 0.0f || p.alibi) x = bend(x, p, w.slopes[q], start + lane, w.positions[q]);
        if (MASKED && !seen(start + lane, w.positions[q], p.window)) x = -INFINITY;
        const float max = fmaxf(w.max[q], pl__warp_max(x)), shift = shift_of(max);
        const float weight = expf(x - shift);
        if (DROPS)
            s[q] = weight;
        else
            w.weights[q * PL_PAGE + lane] = weight;
        if (max != w.max[q]) {
            const float scale = expf(w.max[q] - shift);
            w.max[q] = max;
            w.sum[q] = __fmul_rn(w.sum[q], scale); /* never fused with the addition: variants must agree */
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) w.o[q][c] *= scale;
        }
        w.sum[q] = __fadd_rn(w.sum[q], weight);
    }
    if constexpr (DROPS) {
        drop_weights(s, w, pl__mask_read(p.mask), start + lane);
#pragma unroll
        for (int q = 0; q < ACTIVE; q++) w.weights[q * PL_PAGE + lane] = s[q];
    }
    __syncwarp();
    const float *values = keys + PL_PAGE * l.k_row;
    int column[COLUMNS]; /* columns behind D repeat the last one; they are not written */
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) column[c] = lane + PL__WARP * c < p.width ? lane + PL__WARP * c : p.width - 1;
#pragma unroll 1
    for (int j = 0; j < PL_PAGE; j += 4) {
        float v[4][COLUMNS];
#pragma unroll
        for (int i = 0; i < 4; i++) {
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) v[i][c] = values[(j + i) * l.v_row + column[c]];
        }
#pragma unroll
        for (int q = 0; q < ACTIVE; q++) {
            const float4 four = *reinterpret_cast<const float4 *>(w.weights + q * PL_PAGE + j);
            const float weight[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
            for (int i = 0; i < 4; i++) {
                if (MASKED && !seen(start + j + i, w.positions[q], p.window)) continue;
#pragma unroll
                for (int c = 0; c < COLUMNS; c++) w.o[q][c] = fmaf(weight[i], v[i][c], w.o[q][c]);
            }
        }
    }
    __syncwarp(); /* the weights are read */
}

/* The block's queries, scaled, then their slopes, positions, heads and examples; every warp writes its own `per_warp`.
 */
template <bool DROPS>
__device__ __forceinline__ void load_queries(float *shared, const attention_params &p, const attention_part &part,
                                             const simt_layout &l, int queries, int per_warp)
{
    const int warp = (int)threadIdx.x / PL__WARP, lane = (int)threadIdx.x % PL__WARP;
    float *slopes = shared + l.facts;
    int *positions = reinterpret_cast<int *>(slopes + MAX_WARPS * queries);
    int *heads = positions + MAX_WARPS * queries, *examples = heads + MAX_WARPS * queries;
    for (int i = 0; i < queries; i++) {
        int query = warp * per_warp + i, slot = warp * queries + i;
        if (i >= per_warp || query >= part.n) query = part.n - 1; /* its results are not written */
        int r = (part.first + query) / p.group;
        int head = (int)blockIdx.y * p.group + (part.first + query) - r * p.group;
        const float *q = static_cast<const float *>(p.q) + (size_t)(part.row + r) * p.q_stride + (size_t)head * p.width;
        for (int d = lane; d < l.q_row; d += PL__WARP) shared[slot * l.q_row + d] = d < p.width ? q[d] * p.scale : 0.0f;
        if (lane == 0) {
            slopes[slot] = p.alibi ? p.alibi[head] : 0.0f;
            positions[slot] = part.position + r;
            if (DROPS) heads[slot] = head, examples[slot] = p.mask.examples[part.row + r];
        }
    }
}

template <int COLUMNS, int QUERIES>
__device__ __forceinline__ void write_queries(const simt_state<COLUMNS, QUERIES> &w, const attention_params &p,
                                              const attention_part &part, int first, int n)
{
    const int lane = (int)threadIdx.x % PL__WARP;
#pragma unroll
    for (int q = 0; q < QUERIES; q++) {
        if (q >= n) break;
        const float sum = pl__warp_sum(w.sum[q]);
        int r = (part.first + first + q) / p.group;
        int head = (int)blockIdx.y * p.group + (part.first + first + q) - r * p.group;
        float *y = static_cast<float *>(p.y) + (size_t)(part.row + r) * p.y_stride + (size_t)head * p.width;
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            if (lane + PL__WARP * c < p.width) y[lane + PL__WARP * c] = w.o[q][c] / sum;
        }
        if (p.lse && lane == 0) {
            p.lse[(size_t)(part.row + r) * p.lse_stride + head] = (float)((double)w.max[q] + log((double)sum));
        }
    }
}

/* ACTIVE is 1 or QUERIES: the page for a warp of one query (a step of generation) or of several. */
template <int COLUMNS, int QUERIES, bool MASKED, bool DROPS>
__device__ __forceinline__ void take_page_for(simt_state<COLUMNS, QUERIES> &w, const attention_params &p,
                                              const simt_layout &l, const float *keys, int start, int n)
{
    constexpr int few = QUERIES < 4 ? QUERIES : 4;
    if (n == 1)
        take_page<COLUMNS, QUERIES, 1, MASKED, DROPS>(w, p, l, keys, start);
    else if (QUERIES > 4 && n <= 4)
        take_page<COLUMNS, QUERIES, few, MASKED, DROPS>(w, p, l, keys, start);
    else
        take_page<COLUMNS, QUERIES, QUERIES, MASKED, DROPS>(w, p, l, keys, start);
}

/* Grid: runs, key/value heads, tiles of queries; the block has MAX_WARPS warps, among which its queries are shared. */
template <int COLUMNS, int QUERIES, bool DROPS>
static __global__ void __launch_bounds__(MAX_WARPS *PL__WARP, 3) attend_simt(attention_params p, simt_layout l)
{
    CU_DYN_SHARED(float, shared);
    const int warp = (int)threadIdx.x / PL__WARP;
    attention_part part;
    if (!find_part(part, p, (int)blockIdx.z, MAX_WARPS * QUERIES)) return;
    const int per_warp = (part.n + MAX_WARPS - 1) / MAX_WARPS, first = warp * per_warp;
    const int n = part.n - first < per_warp ? part.n - first : per_warp;
    load_queries<DROPS>(shared, p, part, l, QUERIES, per_warp);
    simt_state<COLUMNS, QUERIES> w;
    w.q = shared + warp * QUERIES * l.q_row;
    w.weights = shared + l.weights + warp * QUERIES * PL_PAGE;
    w.slopes = shared + l.facts + warp * QUERIES;
    w.positions = reinterpret_cast<const int *>(shared + l.facts + MAX_WARPS * QUERIES) + warp * QUERIES;
    w.heads = w.positions + MAX_WARPS * QUERIES;
    w.examples = w.heads + MAX_WARPS * QUERIES;
#pragma unroll
    for (int q = 0; q < QUERIES; q++) {
        w.max[q] = -INFINITY;
        w.sum[q] = 0.0f;
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) w.o[q][c] = 0.0f;
    }
    const int pad = l.k_row - p.width; /* features behind D meet zeros of the query, so they must be finite */
    for (int i = (int)threadIdx.x; i < l.n_stages * PL_PAGE * pad; i += (int)blockDim.x) {
        int r = i / pad;
        shared[l.ring + r / PL_PAGE * l.stage + r % PL_PAGE * l.k_row + p.width + i % pad] = 0.0f;
    }
    const float *pages = static_cast<const float *>(p.kv) + (size_t)blockIdx.y * 2 * PL_PAGE * (size_t)p.width;
    const int lowest = part.position + (part.first + first) / p.group;
    const int highest = part.position + (part.first + first + n - 1) / p.group;
    auto bring = [&](int i) {
        if (i < part.n_pages) {
            bring_page(shared + l.ring + i % l.n_stages * l.stage, pages + (size_t)part.table[i] * p.page_elements, l,
                       p.width, part.highest + 1 - (part.first_page + i) * PL_PAGE);
        }
        cp_async_commit();
    };
    bring(0);
    for (int i = 0; i < part.n_pages; i++) {
        cp_async_wait<0>();
        __syncthreads(); /* page i is there, and nobody reads page i - 1 any more */
        if (l.n_stages > 1) bring(i + 1);
        const float *keys = shared + l.ring + i % l.n_stages * l.stage;
        const int start = (part.first_page + i) * PL_PAGE;
        if (n > 0 && any_seen(start, lowest, highest, p.window)) {
            if (all_seen(start, lowest, highest, p.window))
                take_page_for<COLUMNS, QUERIES, false, DROPS>(w, p, l, keys, start, n);
            else
                take_page_for<COLUMNS, QUERIES, true, DROPS>(w, p, l, keys, start, n);
        }
        if (l.n_stages == 1) {
            __syncthreads(); /* nobody reads page i any more */
            bring(i + 1);
        }
    }
    write_queries<COLUMNS, QUERIES>(w, p, part, first, n);
}

#endif
