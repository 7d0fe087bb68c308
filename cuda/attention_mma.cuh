/* Attention in 16 bits on tensor cores (mma.sync m16n8k16), for attention.cu.
 *
 * A warp has MT tiles of 16 queries, their fragments in registers (in shared memory above D = 128), and walks the pages
 * in order: S = Q K^T, scale, mask, running maximum, weights, O += P V with P rounded to the storage type. Pages come
 * by cp.async into a ring of STAGES, rows padded by 16 bytes so that ldmatrix meets no bank twice. D is padded with
 * zeros to DP. Rows of an mma do not mix, a row's sums run over its keys and features in the same order in every tile,
 * and a page of which a row sees nothing leaves it as it was: a query's bits do not depend on the run, tile or warp it
 * is in.
 *
 * What a query does not see must not reach it. Scores of such keys are replaced by -inf, so their weight is exactly 0;
 * but 0 times a value that is not finite is NaN. Values behind the part's last position are never read (zeros stand for
 * them). Between a query's position and the part's last, or before its window, stand keys of the same path, which may
 * hold inf or NaN all the same (float16 overflows): on pages that some query sees in part, such elements are replaced
 * by 0 and then added, weight times value, to those queries alone that see them. What comes of it is inf or NaN, the
 * same as from a page that is seen whole. */
#ifndef PLUMB_CUDA_ATTENTION_MMA_CUH
#define PLUMB_CUDA_ATTENTION_MMA_CUH

#include "attention.cuh"
#include "fragment.cuh"

static constexpr double LN_2 = 0.6931471805599453;

enum { MMA_ROWS = 16, MAX_WARPS = 4, KEY_TILES = PL_PAGE / 8, PAGE_ROWS = 2 * PL_PAGE };

/* Constants of a padded head width. */
template <int DP> struct mma_shape {
    static constexpr int k_steps = DP / 16, d_tiles = DP / 8;
    static constexpr int m_tiles = DP <= 64 ? 2 : 1; /* of a warp */
    static constexpr bool q_in_registers = DP <= 128;
    static constexpr int stages = DP <= 128 ? 3 : 2;
    static constexpr int row = DP + 8;            /* elements from a row in shared memory to the next */
    static constexpr int stage = PAGE_ROWS * row; /* keys, then values */
    static constexpr int q_words = q_in_registers ? 1 : m_tiles * k_steps * 4;
    static constexpr size_t shared_bytes(int n_warps)
    {
        return (size_t)(stages * stage) * 2 + (q_in_registers ? 0 : (size_t)(n_warps * q_words * PL__WARP) * 4);
    }
};

/* What masks and ALiBi need of a query. In shared memory: registers are short, and whole pages need none of it. */
struct mma_row {
    int position;
    float slope;
};

/* What dropout needs of a query. */
struct mma_draw {
    int32_t example;
    uint32_t head;
};

/* What a warp holds of its queries. Lane l has rows l / 4 and l / 4 + 8 of each tile. */
template <int DP> struct mma_state {
    using shape = mma_shape<DP>;
    uint32_t q[shape::q_in_registers ? shape::m_tiles : 1][shape::q_in_registers ? shape::k_steps : 1][4];
    const uint4 *q_shared; /* this lane's fragments, PL__WARP apart */
    float o[shape::m_tiles][shape::d_tiles][4];
    float max[shape::m_tiles][2], sum[shape::m_tiles][2]; /* max in units of log 2; sum over this lane's keys */
    const mma_row *rows;   /* of this lane's queries, in shared memory: tile mt, half h at 16 mt + 8 h */
    const mma_draw *draws; /* likewise, where weights are dropped */
};

/* A page in shared memory: keys, then values; the position of its first key; the keys whose values clean_values() has
 * changed. */
template <class T> struct mma_page {
    const T *keys;
    int start;
    uint32_t bad;
};

/* Elements column, column + 1 of a row of D; zeros past its end. */
template <class T> __device__ __forceinline__ uint32_t load_pair(const T *row, int column, int width, bool by_words)
{
    if (by_words && column + 1 < width) return *reinterpret_cast<const uint32_t *>(row + column);
    uint32_t low = column < width ? bits_of(row[column]) : 0u;
    uint32_t high = column + 1 < width ? bits_of(row[column + 1]) : 0u;
    return low | high << 16;
}

/* The warp's queries: fragments, positions, slopes; sums begin at 0. */
template <class T, int DP, bool DROPS>
__device__ __forceinline__ void load_queries(mma_state<DP> &w, const attention_params &p, const attention_part &part,
                                             int first, uint4 *q_shared, mma_row *rows, mma_draw *draws)
{
    using shape = mma_shape<DP>;
    const int lane = (int)threadIdx.x % PL__WARP, column = 2 * (lane % 4);
    w.q_shared = q_shared;
    w.rows = rows;
    w.draws = draws;
#pragma unroll
    for (int mt = 0; mt < shape::m_tiles; mt++) {
        const T *row[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int query = first + mt * MMA_ROWS + half * 8 + lane / 4, limit = part.n - 1;
            if (query > limit) query = limit; /* its results are not written */
            int r = (part.first + query) / p.group;
            int head = (int)blockIdx.y * p.group + (part.first + query) - r * p.group;
            row[half] = static_cast<const T *>(p.q) + (size_t)(part.row + r) * p.q_stride + (size_t)head * p.width;
            if (lane % 4 == 0) {
                rows[mt * MMA_ROWS + half * 8].position = part.position + r;
                rows[mt * MMA_ROWS + half * 8].slope = p.alibi ? p.alibi[head] : 0.0f;
                if (DROPS) draws[mt * MMA_ROWS + half * 8] = {p.mask.examples[part.row + r], (uint32_t)head};
            }
            w.max[mt][half] = -INFINITY;
            w.sum[mt][half] = 0.0f;
        }
#pragma unroll
        for (int k = 0; k < shape::k_steps; k++) {
            uint4 a;
            a.x = load_pair(row[0], 16 * k + column, p.width, p.by_words);
            a.y = load_pair(row[1], 16 * k + column, p.width, p.by_words);
            a.z = load_pair(row[0], 16 * k + column + 8, p.width, p.by_words);
            a.w = load_pair(row[1], 16 * k + column + 8, p.width, p.by_words);
            if constexpr (shape::q_in_registers) {
                w.q[mt][k][0] = a.x, w.q[mt][k][1] = a.y, w.q[mt][k][2] = a.z, w.q[mt][k][3] = a.w;
            } else {
                q_shared[(mt * shape::k_steps + k) * PL__WARP] = a;
            }
        }
#pragma unroll
        for (int d = 0; d < shape::d_tiles; d++) {
#pragma unroll
            for (int i = 0; i < 4; i++) w.o[mt][d][i] = 0.0f;
        }
    }
}

/* Page i of the part, this block's head: keys [PL_PAGE, D], then values. */
template <class T>
__device__ __forceinline__ const T *page_of(const attention_params &p, const attention_part &part, int i)
{
    return static_cast<const T *>(p.kv) + (size_t)part.table[i] * p.page_elements +
           (size_t)blockIdx.y * PAGE_ROWS * (size_t)p.width;
}

/* Asks for a page: its keys, then its values, zeros from key `n` on. */
template <class T, int DP> __device__ __forceinline__ void bring_page(T *stage, const T *page, int width, int n)
{
    constexpr int row = mma_shape<DP>::row;
    if (width == DP) {
        constexpr int chunks = DP / 8;
#pragma unroll 4
        for (int i = (int)threadIdx.x; i < PAGE_ROWS * chunks; i += (int)blockDim.x) {
            int r = i / chunks, c = i % chunks * 8;
            cp_async16_zero(stage + r * row + c, page + r * DP + c, r % PL_PAGE < n ? 16 : 0);
        }
    } else if (width % 8 == 0) {
        int chunks = width / 8;
        for (int i = (int)threadIdx.x; i < PAGE_ROWS * chunks; i += (int)blockDim.x) {
            int r = i / chunks, c = (i - r * chunks) * 8;
            cp_async16_zero(stage + r * row + c, page + r * width + c, r % PL_PAGE < n ? 16 : 0);
        }
    } else {
        for (int i = (int)threadIdx.x; i < PAGE_ROWS * width; i += (int)blockDim.x) {
            int r = i / width, c = i - r * width;
            stage[r * row + c] = r % PL_PAGE < n ? page[i] : pl__from_float<T>(0.0f);
        }
    }
}

/* Values that are not finite become 0; bit j of the result: key j has some. Called by the whole block, which waits.
 * scratch: a word a warp, 0 where there is none. */
template <class T, int DP> __device__ __forceinline__ uint32_t clean_values(T *values, uint32_t (&scratch)[MAX_WARPS])
{
    const int lane = (int)threadIdx.x % PL__WARP, warp = (int)threadIdx.x / PL__WARP;
    const uint32_t exponent = exponent_of(T{});
    uint32_t mine = 0;
#pragma unroll 1
    for (int key = warp; key < PL_PAGE; key += (int)blockDim.x / PL__WARP) {
        uint32_t *words = reinterpret_cast<uint32_t *>(values + key * mma_shape<DP>::row);
        int found = 0;
        for (int i = lane; i < DP / 2; i += PL__WARP) {
            uint32_t word = words[i], keep = word;
            if ((word & exponent) == exponent) keep &= 0xffff0000u;
            if ((word >> 16 & exponent) == exponent) keep &= 0xffffu;
            if (keep != word) words[i] = keep;
            found |= keep != word;
        }
        if (__any_sync(0xffffffffu, found)) mine |= 1u << key;
    }
    if (lane == 0) scratch[warp] = mine;
    __syncthreads();
    return scratch[0] | scratch[1] | scratch[2] | scratch[3];
}

/* S = Q K^T of tiles FIRST .. FIRST + ACTIVE. */
template <class T, int DP, int FIRST, int ACTIVE>
__device__ __forceinline__ void score_page(float (&s)[ACTIVE][KEY_TILES][4], const mma_state<DP> &w, const T *keys)
{
    using shape = mma_shape<DP>;
    const int lane = (int)threadIdx.x % PL__WARP;
    const T *at = keys + (lane % 8 + lane / 16 * 8) * shape::row + lane / 8 % 2 * 8;
#pragma unroll
    for (int mt = 0; mt < ACTIVE; mt++) {
#pragma unroll
        for (int n = 0; n < KEY_TILES; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) s[mt][n][i] = 0.0f;
        }
    }
#pragma unroll
    for (int k = 0; k < shape::k_steps; k++) {
        uint32_t a[ACTIVE][4];
#pragma unroll
        for (int mt = 0; mt < ACTIVE; mt++) {
            if constexpr (shape::q_in_registers) {
#pragma unroll
                for (int i = 0; i < 4; i++) a[mt][i] = w.q[FIRST + mt][k][i];
            } else {
                uint4 q = w.q_shared[((FIRST + mt) * shape::k_steps + k) * PL__WARP];
                a[mt][0] = q.x, a[mt][1] = q.y, a[mt][2] = q.z, a[mt][3] = q.w;
            }
        }
#pragma unroll
        for (int n = 0; n < KEY_TILES; n += 2) {
            uint32_t b[4];
            ldsm_x4(b, at + n * 8 * shape::row + k * 16);
            const uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
            for (int mt = 0; mt < ACTIVE; mt++) {
                mma(s[mt][n], a[mt], left, T{});
                mma(s[mt][n + 1], a[mt], right, T{});
            }
        }
    }
}

/* Softcap and ALiBi, where there are any, then the mask. Element i of tile n is key 8 n + 2 (lane % 4) + i % 2 of row
 * lane / 4 + i / 2 * 8. */
template <bool BENT>
__device__ __forceinline__ void bend_and_mask(float (&s)[KEY_TILES][4], const mma_row *rows, const attention_params &p,
                                              int start)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const mma_row row = rows[half * 8];
        const int key = start + 2 * ((int)threadIdx.x % 4);
#pragma unroll
        for (int i = 0; i < 2 * KEY_TILES; i++) {
            float &x = s[i / 2][half * 2 + i % 2];
            const int at = key + 8 * (i / 2) + i % 2;
            if (BENT) x = bend(x * p.scale, p, row.slope, at, row.position);
            if (!seen(at, row.position, p.window)) x = -INFINITY;
        }
    }
}

/* Scores become weights 2^(c s - max); maximum and sum take them in, and O is scaled to a maximum that has grown. */
template <int DP, int FIRST, int ACTIVE>
__device__ __forceinline__ void weigh(float (&s)[ACTIVE][KEY_TILES][4], mma_state<DP> &w, float c)
{
    float scale[ACTIVE][2];
    bool grown = false;
#pragma unroll
    for (int mt = 0; mt < ACTIVE; mt++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float top = -INFINITY;
#pragma unroll
            for (int n = 0; n < KEY_TILES; n++) top = fmaxf(top, fmaxf(s[mt][n][2 * half], s[mt][n][2 * half + 1]));
            top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
            top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
            float max = fmaxf(w.max[FIRST + mt][half], top * c), shift = shift_of(max);
            scale[mt][half] = exp2_flushed(w.max[FIRST + mt][half] - shift);
            grown = grown || max != w.max[FIRST + mt][half];
            w.max[FIRST + mt][half] = max;
            float part[KEY_TILES];
#pragma unroll
            for (int n = 0; n < KEY_TILES; n++) {
                s[mt][n][2 * half] = exp2_flushed(fmaf(s[mt][n][2 * half], c, -shift));
                s[mt][n][2 * half + 1] = exp2_flushed(fmaf(s[mt][n][2 * half + 1], c, -shift));
                part[n] = s[mt][n][2 * half] + s[mt][n][2 * half + 1];
            }
            w.sum[FIRST + mt][half] =
                fmaf(w.sum[FIRST + mt][half], scale[mt][half], (part[0] + part[1]) + (part[2] + part[3]));
        }
    }
    if (!__any_sync(0xffffffffu, grown)) return; /* every scale is 1 */
#pragma unroll
    for (int mt = 0; mt < ACTIVE; mt++) {
#pragma unroll
        for (int d = 0; d < mma_shape<DP>::d_tiles; d++) {
#pragma unroll
            for (int i = 0; i < 4; i++) w.o[FIRST + mt][d][i] *= scale[mt][i / 2];
        }
    }
}

/* Dropout of weights: of two lanes with the same four keys one draws for row lane / 4, the other for 8 rows below. */
static __device__ __forceinline__ void drop_weights(float (&s)[KEY_TILES][4], const mma_row *rows,
                                                    const mma_draw *draws, const pl__mask &mask, int start)
{
    const int quarter = (int)threadIdx.x % 4, odd = quarter & 1;
    const int position = rows[odd * 8].position;
    const mma_draw draw = draws[odd * 8];
#pragma unroll
    for (int n = 0; n < KEY_TILES; n++) {
        const uint4 w =
            pl__mask_words(mask, draw.example, position, quad_of(draw.head, start + 8 * n + quarter / 2 * 4));
        const uint32_t low = __shfl_xor_sync(0xffffffffu, odd ? w.x : w.z, 1);
        const uint32_t high = __shfl_xor_sync(0xffffffffu, odd ? w.y : w.w, 1);
        s[n][0] = pl__masked(s[n][0], pl__mask_factor(mask, odd ? low : w.x));
        s[n][1] = pl__masked(s[n][1], pl__mask_factor(mask, odd ? high : w.y));
        s[n][2] = pl__masked(s[n][2], pl__mask_factor(mask, odd ? w.z : low));
        s[n][3] = pl__masked(s[n][3], pl__mask_factor(mask, odd ? w.w : high));
    }
}

/* Adds weight times value for the elements that clean_values() took out, to the rows of one tile that see their keys.
 * weights: P as A fragments of 16 keys each. */
template <class T, int D_TILES>
__device__ __forceinline__ void add_bad_values(float (&o)[D_TILES][4], const uint32_t (&weights)[KEY_TILES / 2][4],
                                               const mma_row *rows, const attention_params &p,
                                               const attention_part &part, const mma_page<T> &page)
{
    const T *values = page_of<T>(p, part, page.start / PL_PAGE - part.first_page) + PL_PAGE * p.width;
    const int lane = (int)threadIdx.x % PL__WARP;
#pragma unroll 1
    for (int j = 0; j < PL_PAGE; j++) {
        if (!(page.bad >> j & 1u)) continue;
        const int from = lane / 4 * 4 + j % 8 / 2, shift = j % 2 * 16;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            uint32_t word = 0; /* by masks: an index would put the array into local memory */
#pragma unroll
            for (int n = 0; n < KEY_TILES; n++) word |= weights[n / 2][n % 2 * 2 + half] & (j / 8 == n ? ~0u : 0u);
            float weight = value_of(__shfl_sync(0xffffffffu, word, from) >> shift & 0xffffu, T{});
            if (!seen(page.start + j, rows[half * 8].position, p.window)) continue;
#pragma unroll
            for (int i = 0; i < D_TILES * 2; i++) {
                int column = i / 2 * 8 + 2 * (lane % 4) + i % 2;
                float v = column < p.width ? pl__to_float(values[j * p.width + column]) : 0.0f;
                float &sum = o[i / 2][half * 2 + i % 2];
                if (!isfinite(v)) sum = fmaf(weight, v, sum);
            }
        }
    }
}

/* One page for tiles FIRST .. FIRST + ACTIVE of the warp. MASKED: their queries may not see all of it; BENT: softcap or
 * ALiBi; DROPS: dropout. For these ACTIVE is 1, because registers are short. */
template <class T, int DP, int FIRST, int ACTIVE, bool MASKED, bool BENT, bool DROPS>
__device__ __forceinline__ void take_page(mma_state<DP> &w, const attention_params &p, const attention_part &part,
                                          const mma_page<T> &page)
{
    using shape = mma_shape<DP>;
    const int lane = (int)threadIdx.x % PL__WARP;
    float s[ACTIVE][KEY_TILES][4];
    score_page<T, DP, FIRST, ACTIVE>(s, w, page.keys);
    if (MASKED || BENT) bend_and_mask<BENT>(s[0], w.rows + FIRST * MMA_ROWS, p, page.start);
    weigh<DP, FIRST, ACTIVE>(s, w, p.log_scale);
    if constexpr (DROPS)
        drop_weights(s[0], w.rows + FIRST * MMA_ROWS, w.draws + FIRST * MMA_ROWS, pl__mask_read(p.mask), page.start);
    uint32_t weights[ACTIVE][KEY_TILES / 2][4];
#pragma unroll
    for (int mt = 0; mt < ACTIVE; mt++) {
#pragma unroll
        for (int n = 0; n < KEY_TILES; n++) {
            weights[mt][n / 2][n % 2 * 2] = pack<T>(s[mt][n][0], s[mt][n][1]);
            weights[mt][n / 2][n % 2 * 2 + 1] = pack<T>(s[mt][n][2], s[mt][n][3]);
        }
    }
    const T *at = page.keys + (PL_PAGE + lane % 16) * shape::row + lane / 16 * 8;
#pragma unroll
    for (int k = 0; k < KEY_TILES / 2; k++) {
#pragma unroll
        for (int d = 0; d < shape::d_tiles; d += 2) {
            uint32_t b[4];
            ldsm_x4_t(b, at + k * 16 * shape::row + d * 8);
            const uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
            for (int mt = 0; mt < ACTIVE; mt++) {
                mma(w.o[FIRST + mt][d], weights[mt][k], left, T{});
                mma(w.o[FIRST + mt][d + 1], weights[mt][k], right, T{});
            }
        }
    }
    if (MASKED && page.bad) add_bad_values<T>(w.o[FIRST], weights[0], w.rows + FIRST * MMA_ROWS, p, part, page);
}

/* y = O / sum of the warp's queries, and their log-sum-exp. */
template <class T, int DP>
__device__ __forceinline__ void write_queries(const mma_state<DP> &w, const attention_params &p,
                                              const attention_part &part, int first)
{
    using shape = mma_shape<DP>;
    const int lane = (int)threadIdx.x % PL__WARP;
#pragma unroll
    for (int mt = 0; mt < shape::m_tiles; mt++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = w.sum[mt][half];
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
            int query = first + mt * MMA_ROWS + half * 8 + lane / 4;
            if (query >= part.n) continue;
            int r = (part.first + query) / p.group;
            int head = (int)blockIdx.y * p.group + (part.first + query) - r * p.group;
            if (p.lse && lane % 4 == 0) {
                p.lse[(size_t)(part.row + r) * p.lse_stride + head] =
                    (float)((double)w.max[mt][half] * LN_2 + log((double)sum));
            }
            const float inverse = 1.0f / sum;
            T *y = static_cast<T *>(p.y) + (size_t)(part.row + r) * p.y_stride + (size_t)head * p.width;
#pragma unroll
            for (int d = 0; d < shape::d_tiles; d++) {
                int column = 8 * d + 2 * (lane % 4);
                /* + 0: a product of zeros that a page unseen by this row added to may have either sign */
                float low = fmaf(w.o[mt][d][2 * half], inverse, 0.0f);
                float high = fmaf(w.o[mt][d][2 * half + 1], inverse, 0.0f);
                if (p.by_words && column + 1 < p.width) {
                    *reinterpret_cast<uint32_t *>(y + column) = pack<T>(low, high);
                } else {
                    if (column < p.width) y[column] = pl__from_float<T>(low);
                    if (column + 1 < p.width) y[column + 1] = pl__from_float<T>(high);
                }
            }
        }
    }
}

/* Asks for page i of the part, if there is one, as the next group of copies. */
template <class T, int DP>
__device__ __forceinline__ void bring_next(T *ring, const attention_params &p, const attention_part &part, int i)
{
    using shape = mma_shape<DP>;
    if (i < part.n_pages) {
        const int keys = part.highest + 1 - (part.first_page + i) * PL_PAGE;
        bring_page<T, DP>(ring + i % shape::stages * shape::stage, page_of<T>(p, part, i), p.width, keys);
    }
    cp_async_commit(); /* an empty group past the end keeps the count */
}

/* The pages of a part in order, for `n` queries of the warp (n <= 0: none, the warp only helps); rows: of all its
 * queries, in shared memory. The first stages - 1 pages are on their way. */
template <class T, int DP, bool BENT, bool DROPS>
__device__ __forceinline__ void walk_pages(mma_state<DP> &w, const attention_params &p, const attention_part &part,
                                           T *ring, uint32_t (&scratch)[MAX_WARPS], const mma_row *rows, int n)
{
    using shape = mma_shape<DP>;
    constexpr bool two = shape::m_tiles > 1;
    for (int i = 0; i < part.n_pages; i++) {
        cp_async_wait<shape::stages - 2>();
        __syncthreads(); /* page i is there, and nobody reads page i - 1 any more */
        bring_next<T, DP>(ring, p, part, i + shape::stages - 1);
        T *stage = ring + i % shape::stages * shape::stage;
        mma_page<T> page = {stage, (part.first_page + i) * PL_PAGE, 0};
        if (!all_seen(page.start, part.lowest, part.highest, p.window)) {
            page.bad = clean_values<T, DP>(stage + PL_PAGE * shape::row, scratch);
        }
        if (n <= 0) continue;
        const int lowest = rows[0].position, highest = rows[shape::m_tiles * MMA_ROWS - 1].position;
        if (!any_seen(page.start, lowest, highest, p.window)) continue;
        if (!BENT && (!two || n > MMA_ROWS) && !page.bad && all_seen(page.start, lowest, highest, p.window)) {
            take_page<T, DP, 0, shape::m_tiles, false, false, false>(w, p, part, page);
            continue;
        }
        if (any_seen(page.start, lowest, rows[MMA_ROWS - 1].position, p.window))
            take_page<T, DP, 0, 1, true, BENT, DROPS>(w, p, part, page);
        if (two && n > MMA_ROWS && any_seen(page.start, rows[two * MMA_ROWS].position, highest, p.window))
            take_page<T, DP, two, 1, true, BENT, DROPS>(w, p, part, page);
    }
}

/* Grid: runs, key/value heads, tiles of queries; the block has 1 to MAX_WARPS warps. BENT is a kernel of its own,
 * because the registers of tanhf() would cost the plain one its third block on a processor; and what all threads share
 * stands in shared memory for the same reason. DROPS (with BENT, whether or not scores are bent): dropout. */
template <class T, int DP, bool BENT, bool DROPS>
static __global__ void __launch_bounds__(MAX_WARPS *PL__WARP, DP <= 128 && !BENT ? 3 : 2) attend_mma(attention_params p)
{
    using shape = mma_shape<DP>;
    CU_DYN_SHARED(T, ring);
    __shared__ uint32_t scratch[MAX_WARPS];
    __shared__ mma_row rows[MAX_WARPS * shape::m_tiles * MMA_ROWS];
    __shared__ mma_draw draws[DROPS ? MAX_WARPS * shape::m_tiles * MMA_ROWS : 1];
    __shared__ attention_part shared_part;
    const int warp = (int)threadIdx.x / PL__WARP, lane = (int)threadIdx.x % PL__WARP;
    const int warp_queries = shape::m_tiles * MMA_ROWS, first = warp * warp_queries;
    mma_state<DP> w;
    uint4 *q_shared =
        reinterpret_cast<uint4 *>(ring + shape::stages * shape::stage) + warp * (shape::q_words / 4 * PL__WARP) + lane;
    {
        attention_part part;
        if (!find_part(part, p, (int)blockIdx.z, (int)blockDim.x / PL__WARP * warp_queries)) return;
        for (int i = 0; i < shape::stages - 1; i++) bring_next<T, DP>(ring, p, part, i);
        for (int i = (int)threadIdx.x; i < shape::stages * PAGE_ROWS * (DP - p.width); i += (int)blockDim.x) {
            ring[i / (DP - p.width) * shape::row + p.width + i % (DP - p.width)] = pl__from_float<T>(0.0f);
        }
        if (part.n > first) {
            load_queries<T, DP, DROPS>(w, p, part, first, q_shared, rows + first + lane / 4,
                                       draws + (DROPS ? first + lane / 4 : 0));
        }
        if (threadIdx.x == 0) shared_part = part;
        if (threadIdx.x < MAX_WARPS) scratch[threadIdx.x] = 0;
    }
    __syncthreads();
    const int n = shared_part.n - first;
    walk_pages<T, DP, BENT, DROPS>(w, p, shared_part, ring, scratch, rows + first, n);
    if (n > 0) write_queries<T, DP>(w, p, shared_part, first);
}

#endif
