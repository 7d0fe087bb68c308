/* The gradients of attention in 16 bits on tensor cores (mma.sync m16n8k16), for attention_backward.cu.
 *
 * A warp owns 16 rows (queries for dq, keys for dk and dv), and the block walks the other side BLOCK rows at a time:
 * products S and dP of own rows with walked ones, from them P and dS, which are rounded to the storage type as A
 * fragments, then gradients += dS times walked rows (and P times dy). Walked rows come by cp.async into two stages,
 * rows padded by 16 bytes so that ldmatrix meets no bank twice. D is padded with zeros to DP.
 *
 * Rows past a sequence's end are zeros: as queries they have dy = 0 and rowsum 0, so they add zeros; as keys no query
 * sees them. */
#ifndef PLUMB_CUDA_ATTENTION_BACKWARD_MMA_CUH
#define PLUMB_CUDA_ATTENTION_BACKWARD_MMA_CUH

#include "attention_backward.cuh"
#include "fragment.cuh"

/* What a kernel can do besides: dropout; dropout, softcap and ALiBi, each where it is asked for. */
enum backward_kind { BACKWARD_PLAIN, BACKWARD_DROPS, BACKWARD_ALL };

template <int DP> struct backward_shape {
    static constexpr int own_rows = 16, block = 32, n_tiles = block / 8;
    static constexpr int k_steps = DP / 16, d_tiles = DP / 8;
    static constexpr bool in_registers = DP <= 64; /* own rows, as A fragments */
    static constexpr int row = DP + 8;             /* elements from a row in shared memory to the next */
    static constexpr int stage = 2 * block * row;
    static constexpr size_t shared_bytes(int n_warps)
    {
        return (size_t)(2 * n_warps * own_rows * row + 2 * stage) * 2;
    }
};

/* Facts of a stage's queries, where queries are walked; lse in units of log 2, as in backward_state. */
struct backward_columns {
    float lse[32], inner[32];
    int32_t example[32];
};

/* What a warp holds. Lane l has rows l / 4 and l / 4 + 8. */
template <class T, int DP, bool KEYS> struct backward_state {
    using shape = backward_shape<DP>;
    const T *own; /* this warp's rows in shared memory: first matrix; the second stands n_own rows further */
    int second;   /* elements from the first matrix to the second */
    uint32_t fragments[2][shape::in_registers ? shape::k_steps : 1][4];
    float sums[shape::d_tiles][4], value_sums[KEYS ? shape::d_tiles : 1][4]; /* dq or dk; dv */
    backward_fact fact[2];                                                   /* of own queries */
};

/* `rows` rows in shared memory, of which `n` exist; the others become zero. Columns behind D are left alone. */
template <class T, int DP>
__device__ __forceinline__ void ask_rows(T *shared, const T *from, size_t stride, int rows, int n,
                                         const backward_params &p)
{
    constexpr int row = backward_shape<DP>::row;
    if (p.packed && p.width == DP) {
        constexpr int chunks = DP / 8;
#pragma unroll 4
        for (int i = (int)threadIdx.x; i < rows * chunks; i += (int)blockDim.x) {
            const int r = i / chunks, c = i % chunks * 8;
            cp_async16_zero(shared + r * row + c, from + (size_t)(r < n ? r : 0) * stride + c, r < n ? 16 : 0);
        }
    } else if (p.packed) {
        const int chunks = p.width / 8;
        for (int i = (int)threadIdx.x; i < rows * chunks; i += (int)blockDim.x) {
            const int r = i / chunks, c = (i - r * chunks) * 8;
            cp_async16_zero(shared + r * row + c, from + (size_t)(r < n ? r : 0) * stride + c, r < n ? 16 : 0);
        }
    } else {
        for (int i = (int)threadIdx.x; i < rows * p.width; i += (int)blockDim.x) {
            const int r = i / p.width, c = i - r * p.width;
            shared[r * row + c] = r < n ? from[(size_t)r * stride + c] : pl__from_float<T>(0.0f);
        }
    }
}

/* The product of own rows (matrix m) with the rows of a block. */
template <class T, int DP, bool KEYS>
__device__ __forceinline__ void multiply_block(float (&s)[backward_shape<DP>::n_tiles][4],
                                               const backward_state<T, DP, KEYS> &w, int m, const T *walked)
{
    using shape = backward_shape<DP>;
    const int lane = (int)threadIdx.x % PL__WARP;
    const T *at = walked + (lane % 8 + lane / 16 * 8) * shape::row + lane / 8 % 2 * 8;
    const T *own = w.own + m * w.second + lane % 16 * shape::row + lane / 16 * 8;
#pragma unroll
    for (int n = 0; n < shape::n_tiles; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) s[n][i] = 0.0f;
    }
#pragma unroll
    for (int k = 0; k < shape::k_steps; k++) {
        uint32_t a[4];
        if constexpr (shape::in_registers) {
#pragma unroll
            for (int i = 0; i < 4; i++) a[i] = w.fragments[m][k][i];
        } else {
            ldsm_x4(a, own + k * 16);
        }
#pragma unroll
        for (int n = 0; n < shape::n_tiles; n += 2) {
            uint32_t b[4];
            ldsm_x4(b, at + n * 8 * shape::row + k * 16);
            const uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
            mma(s[n], a, left, T{});
            mma(s[n + 1], a, right, T{});
        }
    }
}

/* sums += weights times the rows of a block; weights: A fragments of 16 walked rows each. */
template <class T, int DP>
__device__ __forceinline__ void add_block(float (&sums)[backward_shape<DP>::d_tiles][4],
                                          const uint32_t (&weights)[backward_shape<DP>::n_tiles / 2][4],
                                          const T *walked)
{
    using shape = backward_shape<DP>;
    const int lane = (int)threadIdx.x % PL__WARP;
    const T *at = walked + lane % 16 * shape::row + lane / 16 * 8;
#pragma unroll
    for (int k = 0; k < shape::n_tiles / 2; k++) {
#pragma unroll
        for (int d = 0; d < shape::d_tiles; d += 2) {
            uint32_t b[4];
            ldsm_x4_t(b, at + k * 16 * shape::row + d * 8);
            const uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
            mma(sums[d], weights[k], left, T{});
            mma(sums[d + 1], weights[k], right, T{});
        }
    }
}

/* What dropout multiplies the elements of tile n by; element i is own row lane / 4 + i / 2 * 8, walked row 8 n + 2
 * (lane % 4) + i % 2. Queries own: two lanes have the same four keys, each draws for one of its rows. Keys own: four
 * lanes (of four keys) draw for two queries and two groups of keys. */
template <bool KEYS>
__device__ __forceinline__ void draw_tile(float (&factor)[4], const pl__mask &mask, const backward_fact (&fact)[2],
                                          const backward_columns &columns, int head, int own, int start, int n)
{
    const int lane = (int)threadIdx.x % PL__WARP;
    uint4 w;
    if (KEYS) {
        const int j = lane / 4 % 4, column = 8 * n + 2 * (lane % 4) + j % 2;
        const int key = own + lane / 16 * 4 + j / 2 * 8;
        w = pl__mask_words(mask, columns.example[column], start + column, quad_of((uint32_t)head, key));
        w = transpose_words<4>(w);
    } else {
        const bool odd = lane & 1;
        w = pl__mask_words(mask, odd ? fact[1].example : fact[0].example, own + lane / 4 + (odd ? 8 : 0),
                           quad_of((uint32_t)head, start + 8 * n + lane % 4 / 2 * 4));
        const uint32_t low = __shfl_xor_sync(0xffffffffu, odd ? w.x : w.z, 1);
        const uint32_t high = __shfl_xor_sync(0xffffffffu, odd ? w.y : w.w, 1);
        w = odd ? make_uint4(low, high, w.z, w.w) : make_uint4(w.x, w.y, low, high);
    }
    factor[0] = pl__mask_factor(mask, w.x);
    factor[1] = pl__mask_factor(mask, w.y);
    factor[2] = pl__mask_factor(mask, w.z);
    factor[3] = pl__mask_factor(mask, w.w);
}

/* Products become weights: s that of the value, dp that of the gradient of the scaled score. Queries stop at `end`;
 * `whole`: every own row sees, or is seen by, every walked row. */
template <backward_kind KIND, bool KEYS, int N_TILES>
__device__ __forceinline__ void weigh_block(float (&s)[N_TILES][4], float (&dp)[N_TILES][4], const backward_params &p,
                                            const pl__mask &mask, const backward_fact (&fact)[2],
                                            const backward_columns &columns, int head, int own, int start, int end,
                                            bool whole)
{
    const int lane = (int)threadIdx.x % PL__WARP;
    const float slope = KIND == BACKWARD_ALL && p.alibi ? p.alibi[head] : 0.0f;
#pragma unroll
    for (int n = 0; n < N_TILES; n++) {
        float factor[4] = {1.0f, 1.0f, 1.0f, 1.0f};
        if (KIND == BACKWARD_DROPS || (KIND == BACKWARD_ALL && p.mask.key))
            draw_tile<KEYS>(factor, mask, fact, columns, head, own, start, n);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int column = 8 * n + 2 * (lane % 4) + i % 2, mine = own + lane / 4 + i / 2 * 8,
                      other = start + column;
            const int key = KEYS ? mine : other, query = KEYS ? other : mine;
            const float lse = KEYS ? columns.lse[column] : fact[i / 2].lse;
            const float inner = KEYS ? columns.inner[column] : fact[i / 2].inner;
            float x = s[n][i], steep = 1.0f;
            if (KIND == BACKWARD_ALL) x = bend(x * p.scale, p, slope, key, query, steep);
            const float weight = exp2_flushed(fmaf(x, p.log_scale, -lse));
            const bool is_seen = whole || (seen(key, query, p.window) && query < end);
            s[n][i] = is_seen ? weight * factor[i] : 0.0f;
            dp[n][i] = is_seen ? weight * (dp[n][i] * factor[i] - inner) * steep : 0.0f;
        }
    }
}

/* Tiles of C as A fragments of the storage type. */
template <class T, int N_TILES>
__device__ __forceinline__ void pack_block(uint32_t (&a)[N_TILES / 2][4], const float (&s)[N_TILES][4])
{
#pragma unroll
    for (int n = 0; n < N_TILES; n++) {
        a[n / 2][n % 2 * 2] = pack<T>(s[n][0], s[n][1]);
        a[n / 2][n % 2 * 2 + 1] = pack<T>(s[n][2], s[n][3]);
    }
}

/* Rows own .. of a gradient; n of them exist. */
template <class T, int D_TILES>
__device__ __forceinline__ void write_sums(const float (&sums)[D_TILES][4], const backward_params &p, size_t row,
                                           int head, int n, float scale)
{
    const int lane = (int)threadIdx.x % PL__WARP;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int r = lane / 4 + half * 8;
        if (r >= n) continue;
        T *to = gradient_row<T>(p, row + r, head);
#pragma unroll
        for (int d = 0; d < D_TILES; d++) {
            const int column = 8 * d + 2 * (lane % 4);
            const float low = sums[d][2 * half] * scale, high = sums[d][2 * half + 1] * scale;
            if (p.packed && column < p.width) { /* D is a multiple of 8 */
                *reinterpret_cast<uint32_t *>(to + column) = pack<T>(low, high);
            } else {
                if (column < p.width) to[column] = pl__from_float<T>(low);
                if (column + 1 < p.width) to[column + 1] = pl__from_float<T>(high);
            }
        }
    }
}

/* A block that is walked: its query head and first row in the sequence. */
struct walk_step {
    int head, start;
};

/* dq of a tile of queries, or with KEYS dk and dv of a tile of keys. Grid: tiles times heads (of queries or keys),
 * heads fastest; tiles with the longest walks come first within a sequence. */
template <class T, int DP, bool KEYS, backward_kind KIND>
static __global__ void __launch_bounds__(BACKWARD_WARPS *PL__WARP, 2) go_back_mma(backward_params p)
{
    using shape = backward_shape<DP>;
    constexpr int BLOCK = shape::block;
    CU_DYN_SHARED(T, shared);
    __shared__ backward_columns columns[2];
    const int n_heads = KEYS ? p.n_kv_heads : p.n_heads, n_tiles = *p.n_tiles;
    const int place = (int)blockIdx.x / n_heads, head = (int)blockIdx.x - place * n_heads;
    if (place >= n_tiles) return;
    const backward_tile tile = p.tiles[KEYS ? place : n_tiles - 1 - place];
    const int warp = (int)threadIdx.x / PL__WARP, lane = (int)threadIdx.x % PL__WARP;
    const int n_own = (int)blockDim.x / PL__WARP * shape::own_rows, left = tile.n - tile.start;
    const int mine = warp * shape::own_rows, own = tile.start + mine; /* of this warp */
    const int first_head = KEYS ? head * p.group : head, kv_head = KEYS ? head : head / p.group;
    const size_t first = (size_t)tile.first, row = first + tile.start;
    T *ring = shared + 2 * n_own * shape::row;

    const int from = KEYS ? tile.start / BLOCK * BLOCK : first_key(p, tile.start, BLOCK);
    const int end = KEYS ? end_query(p, tile, n_own) : min(tile.n, tile.start + n_own);
    const int last_head = KEYS ? first_head + p.group : first_head + 1;
    const auto ask = [&](const walk_step &at, int stage) {
        if (at.head < last_head) {
            const size_t r = first + at.start;
            const int n = tile.n - at.start;
            T *to = ring + stage * shape::stage;
            ask_rows<T, DP>(to, KEYS ? query_row<T>(p, r, at.head) : key_row<T>(p, r, kv_head), p.qkv_stride, BLOCK, n,
                            p);
            ask_rows<T, DP>(to + BLOCK * shape::row, KEYS ? dy_row<T>(p, r, at.head) : value_row<T>(p, r, kv_head),
                            KEYS ? p.dy_stride : p.qkv_stride, BLOCK, n, p);
        }
        cp_async_commit();
    };
    /* A walked query's facts go through a thread: read before the work on the block before, written after it. */
    const auto read_fact = [&](const walk_step &at) {
        const int query = at.start + (int)threadIdx.x;
        const bool exists = KEYS && at.head < last_head && threadIdx.x < BLOCK && query < tile.n;
        return fact_of(p, first + query, at.head, exists);
    };
    const auto write_fact = [&](const backward_fact &fact, int stage) {
        if (!KEYS || threadIdx.x >= BLOCK) return;
        columns[stage].lse[threadIdx.x] = fact.lse * LOG2_E;
        columns[stage].inner[threadIdx.x] = fact.inner;
        columns[stage].example[threadIdx.x] = fact.example;
    };

    walk_step at = {first_head, from};
    ask_rows<T, DP>(shared, KEYS ? key_row<T>(p, row, head) : query_row<T>(p, row, head), p.qkv_stride, n_own, left, p);
    ask_rows<T, DP>(shared + n_own * shape::row, KEYS ? value_row<T>(p, row, head) : dy_row<T>(p, row, head),
                    KEYS ? p.qkv_stride : p.dy_stride, n_own, left, p);
    ask(at, 0);
    const int pad = DP - p.width;
    for (int i = (int)threadIdx.x; i < (2 * n_own + 4 * BLOCK) * pad; i += (int)blockDim.x)
        shared[i / pad * shape::row + p.width + i % pad] = pl__from_float<T>(0.0f);
    write_fact(read_fact(at), 0);
    const pl__mask mask = KIND != BACKWARD_PLAIN && p.mask.key ? pl__mask_read(p.mask) : pl__mask{};
    backward_state<T, DP, KEYS> w;
    w.own = shared + mine * shape::row;
    w.second = n_own * shape::row;
#pragma unroll
    for (int d = 0; d < shape::d_tiles; d++) {
#pragma unroll
        for (int i = 0; i < 4; i++) w.sums[d][i] = w.value_sums[KEYS ? d : 0][i] = 0.0f;
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int query = mine + lane / 4 + half * 8;
        w.fact[half] = fact_of(p, row + query, head, !KEYS && query < left);
        w.fact[half].lse *= LOG2_E;
    }
    if constexpr (shape::in_registers) {
        cp_async_wait<0>();
        __syncthreads();
#pragma unroll
        for (int m = 0; m < 2; m++) {
#pragma unroll
            for (int k = 0; k < shape::k_steps; k++)
                ldsm_x4(w.fragments[m][k], w.own + m * w.second + lane % 16 * shape::row + lane / 16 * 8 + k * 16);
        }
    }

    for (int stage = 0; at.head < last_head; stage ^= 1) {
        cp_async_wait<0>();
        __syncthreads(); /* the block is there, and nobody reads the one before it any more */
        walk_step next = {at.head, at.start + BLOCK};
        if (next.start >= end) next = {at.head + 1, from};
        ask(next, stage ^ 1);
        const backward_fact fact = read_fact(next);
        const int key = KEYS ? own : at.start, last_key = key + (KEYS ? shape::own_rows : BLOCK) - 1;
        const int query = KEYS ? at.start : own, last_query = query + (KEYS ? BLOCK : shape::own_rows) - 1;
        if (mine < left && key <= last_query && query - last_key < p.window) {
            const T *walked = ring + stage * shape::stage;
            float s[shape::n_tiles][4], dp[shape::n_tiles][4];
            multiply_block(s, w, 0, walked);
            multiply_block(dp, w, 1, walked + BLOCK * shape::row);
            weigh_block<KIND, KEYS>(s, dp, p, mask, w.fact, columns[stage], at.head, own, at.start, tile.n,
                                    last_key <= query && last_query - key < p.window && last_query < tile.n);
            uint32_t weights[shape::n_tiles / 2][4];
            if constexpr (KEYS) {
                pack_block<T>(weights, s);
                add_block<T, DP>(w.value_sums, weights, walked + BLOCK * shape::row);
            }
            pack_block<T>(weights, dp);
            add_block<T, DP>(w.sums, weights, walked);
        }
        write_fact(fact, stage ^ 1);
        at = next;
    }
    const int kind = KEYS ? p.n_heads + head : head;
    write_sums<T>(w.sums, p, row + mine, kind, left - mine, p.scale);
    if constexpr (KEYS) write_sums<T>(w.value_sums, p, row + mine, kind + p.n_kv_heads, left - mine, 1.0f);
}

#endif
