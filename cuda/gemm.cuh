/* The kernels of the own product: y [m, n] with y(m, n) = sum over k of A(m, k) B(n, k), and what is done to it as it
 * is stored. Three forms, by how A and B lie in memory (x, z: rows of a batch; W: [out, in]):
 *
 *   FORWARD, x W^T: both have k along their rows. MASKED is the same with dropout, added to y.
 *   INPUT, z W: A = z has k along its rows, B = W has a row for each k.
 *   WEIGHT, z^T x: both have a row for each k, the batch's.
 *
 * An element of y is one chain over k in ascending order, whatever the tile: steps of 16 through mma.sync for 16-bit
 * types, single fused multiply-adds for float32. Tiles of several sizes differ in speed only; k is filled up with zeros
 * to a multiple that is the same for all of them. For TF32 what was not rounded to 10 bits of fraction before is when
 * it is read, and the float32 chain follows. k may be cut into parts at fixed places: each becomes a result of its own.
 *
 * Tiles come in through asynchronous copies in several stages. Batches may stand anywhere: rows that are not 16-byte
 * aligned are read element by element. Weight rows always are, and are zero from n_in to their stride. */
#ifndef PLUMB_CUDA_GEMM_CUH
#define PLUMB_CUDA_GEMM_CUH

#include "activation.cuh"
#include "dropout.cuh"
#include "kernel.cuh"
#include "ptx.cuh"
#include "vector.cuh"

namespace
{

enum { CHUNK = 16 }; /* bytes of one asynchronous copy */

enum form { FORWARD, MASKED, INPUT, WEIGHT };

struct operand {
    const void *data;
    size_t stride;
    bool aligned;
};

struct problem {
    operand a, b;
    void *y;
    const float *bias;
    const int32_t *count;         /* of rows of the batch: bounds m, or k in form WEIGHT; NULL: all */
    size_t y_stride, part_stride; /* part_stride: from one part's result to the next */
    int m, n, k, part;            /* part: k of each part but the last */
    int row_tiles, column_tiles;
    bool y_aligned, y_float, accumulate;
    pl_activation activation;
    /* Of form MASKED: */
    void *pre; /* of the storage type, or NULL */
    size_t pre_stride;
    pl__mask_source mask;
    const int32_t *positions;
};

/* Rows of the tile's operands that exist, and the part of k. */
struct limits {
    int m, k_begin, k_end;
};

template <form F> __device__ __forceinline__ limits limits_of(const problem &p)
{
    limits l = {p.m, 0, p.k};
    if (F == WEIGHT) {
        if (p.count) l.k_end = pl__rows(p.count, p.k);
    } else if (p.count) {
        l.m = pl__rows(p.count, p.m);
    }
    if (F > MASKED) {
        l.k_begin = (int)blockIdx.y * p.part;
        l.k_end = min(l.k_end, l.k_begin + p.part);
    }
    return l;
}

/* First row and column of the block's tile. Eight row tiles at a time share what they read of W in the second cache. */
__device__ __forceinline__ void pick_tile(const problem &p, int tile_rows, int tile_columns, int &row, int &column)
{
    enum { GROUP = 8 };
    const int group = (int)blockIdx.x / (GROUP * p.column_tiles), first = group * GROUP;
    const int n = p.row_tiles - first < GROUP ? p.row_tiles - first : GROUP;
    const int inside = (int)blockIdx.x % (GROUP * p.column_tiles);
    row = (first + inside % n) * tile_rows;
    column = inside / n * tile_columns;
}

/* ---- The store ---- */

/* Four columns of a row, of which `n` exist. `vector`: all do, and they may be touched at once. */
template <class Y> __device__ __forceinline__ void store4(Y *y, const float (&v)[4], int n, bool vector)
{
    if (vector)
        pl__store<true>(y, v, n);
    else
        pl__store<false>(y, v, n);
}
template <class Y> __device__ __forceinline__ void load4(const Y *y, float (&v)[4], int n, bool vector)
{
    if (vector)
        pl__load<true>(v, y, n);
    else
        pl__load<false>(v, y, n);
}

/* Elements of one row of a slab in shared memory: 8 more than columns, so that fragments are written without conflicts.
 */
template <int COLUMNS> struct slab_pitch {
    enum { value = COLUMNS + 8 };
};

/* Rows row0.. of the result from a slab [ROWS, COLUMNS], by THREADS threads that each keep their four columns. */
template <class T, int ROWS, int COLUMNS, int THREADS>
__device__ __forceinline__ void finish_slab(const problem &p, const float *slab, int row0, int column0, int limit,
                                            int thread)
{
    enum { QUADS = COLUMNS / 4, STEPS = (ROWS * QUADS + THREADS - 1) / THREADS, PITCH = slab_pitch<COLUMNS>::value };
    static_assert(THREADS % QUADS == 0, "a thread's columns stay the same");
    const int quad = thread % QUADS, column = column0 + quad * 4, left = p.n - column;
    if (left <= 0) return;
    const bool vector = p.y_aligned && left >= 4;
    float bias[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (p.bias) load4(p.bias + column, bias, left, false);
    if (p.accumulate) { /* y is float32; all reads of it are under way before the first is needed */
        float old[STEPS][4];
#pragma unroll
        for (int s = 0; s < STEPS; s++) {
            const int r = (thread + s * THREADS) / QUADS;
            if (r < ROWS && row0 + r < limit) {
                const size_t at = (size_t)(row0 + r) * p.y_stride + (size_t)column;
                load4((const float *)p.y + at, old[s], left, vector);
            }
        }
#pragma unroll
        for (int s = 0; s < STEPS; s++) {
            const int r = (thread + s * THREADS) / QUADS;
            if (r < ROWS && row0 + r < limit) {
                const size_t at = (size_t)(row0 + r) * p.y_stride + (size_t)column;
                float v[4];
#pragma unroll
                for (int i = 0; i < 4; i++) v[i] = old[s][i] + (slab[r * PITCH + quad * 4 + i] + bias[i]);
                store4((float *)p.y + at, v, left, vector);
            }
        }
        return;
    }
#pragma unroll 1
    for (int r = thread / QUADS; r < ROWS && row0 + r < limit; r += THREADS / QUADS) {
        const size_t at = (size_t)(row0 + r) * p.y_stride + (size_t)column;
        float v[4];
#pragma unroll
        for (int i = 0; i < 4; i++) v[i] = slab[r * PITCH + quad * 4 + i] + bias[i];
        pl__activate(v, p.activation);
        if (p.y_float)
            store4((float *)p.y + at, v, left, vector);
        else
            store4((T *)p.y + at, v, left, vector);
    }
}

/* A gradient: y = v or y += v, of type Y. Slab row r is row row0 + r * STEP. */
template <class Y, int ROWS, int COLUMNS, int THREADS, int STEP>
__device__ __forceinline__ void finish_gradient(const problem &p, const float *slab, int row0, int column0, int limit,
                                                int thread)
{
    enum { QUADS = COLUMNS / 4, PITCH = slab_pitch<COLUMNS>::value };
    static_assert(THREADS % QUADS == 0, "a thread's columns stay the same");
    const int quad = thread % QUADS, column = column0 + quad * 4, left = p.n - column;
    if (left <= 0) return;
    const bool vector = p.y_aligned && left >= 4;
    Y *y = (Y *)p.y + (size_t)blockIdx.y * p.part_stride + (size_t)column;
#pragma unroll 4
    for (int r = thread / QUADS; r < ROWS; r += THREADS / QUADS) {
        const int row = row0 + r * STEP;
        if (row >= limit) break;
        float v[4], old[4];
#pragma unroll
        for (int i = 0; i < 4; i++) v[i] = slab[r * PITCH + quad * 4 + i];
        if (p.accumulate) {
            load4(y + (size_t)row * p.y_stride, old, left, vector);
#pragma unroll
            for (int i = 0; i < 4; i++) v[i] = __fadd_rn(old[i], v[i]);
        }
        store4(y + (size_t)row * p.y_stride, v, left, vector);
    }
}

/* y += v + bias with the mask, y float32; `pre` gets what the mask is applied to. */
template <class T, int ROWS, int COLUMNS, int THREADS>
__device__ __forceinline__ void finish_masked(const problem &p, const float *slab, int row0, int column0, int limit,
                                              int thread)
{
    enum { QUADS = COLUMNS / 4, PITCH = slab_pitch<COLUMNS>::value };
    const int quad = thread % QUADS, column = column0 + quad * 4, left = p.n - column;
    if (left <= 0) return;
    const bool vector = p.y_aligned && left >= 4;
    float bias[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (p.bias) load4(p.bias + column, bias, left, false);
    pl__mask mask = {};
    if (p.mask.key) mask = pl__mask_read(p.mask);
#pragma unroll 1
    for (int r = thread / QUADS; r < ROWS && row0 + r < limit; r += THREADS / QUADS) {
        const int row = row0 + r;
        float *y = (float *)p.y + (size_t)row * p.y_stride + (size_t)column;
        float v[4], old[4];
        load4(y, old, left, vector);
#pragma unroll
        for (int i = 0; i < 4; i++) v[i] = __fadd_rn(slab[r * PITCH + quad * 4 + i], bias[i]);
        if (p.pre) store4((T *)p.pre + (size_t)row * p.pre_stride + (size_t)column, v, left, false);
        if (p.mask.key) pl__mask_apply(mask, p.mask.examples[row], p.positions[row], (uint32_t)column, v);
#pragma unroll
        for (int i = 0; i < 4; i++) v[i] = __fadd_rn(old[i], v[i]);
        store4(y, v, left, vector);
    }
}

/* By form. */
template <class T, form F, int ROWS, int COLUMNS, int THREADS, int STEP>
__device__ __forceinline__ void finish(const problem &p, const float *slab, int row0, int column0, int limit,
                                       int thread)
{
    if constexpr (F == FORWARD)
        finish_slab<T, ROWS, COLUMNS, THREADS>(p, slab, row0, column0, limit, thread);
    else if constexpr (F == MASKED)
        finish_masked<T, ROWS, COLUMNS, THREADS>(p, slab, row0, column0, limit, thread);
    else if (F == WEIGHT || p.y_float)
        finish_gradient<float, ROWS, COLUMNS, THREADS, STEP>(p, slab, row0, column0, limit, thread);
    else
        finish_gradient<T, ROWS, COLUMNS, THREADS, STEP>(p, slab, row0, column0, limit, thread);
}

/* ---- Reading a tile ---- */

/* 16 bytes of an operand's row from an element on; zeros outside the rows and elements below the limits. WHOLE: the
 * operand is a weight. */
template <class T, bool WHOLE>
__device__ __forceinline__ void read_chunk(const operand &o, unsigned char *to, int row, int row_limit, int element,
                                           int limit)
{
    enum { N = CHUNK / sizeof(T) };
    const int left = row < row_limit ? limit - element : 0;
    const T *from = (const T *)o.data + (left > 0 ? (size_t)row * o.stride + (size_t)element : 0);
    if constexpr (WHOLE) {
        cp_async16_zero(to, from, left > 0 ? CHUNK : 0);
    } else if (o.aligned) {
        cp_async16_zero(to, from, left >= N ? CHUNK : left > 0 ? left * (int)sizeof(T) : 0);
    } else {
        T value[N];
#pragma unroll
        for (int i = 0; i < N; i++) value[i] = i < left ? from[i] : pl__from_float<T>(0.0f);
#pragma unroll
        for (int i = 0; i < N; i++) reinterpret_cast<T *>(to)[i] = value[i];
    }
}

/* ---- 16-bit types: mma.sync ---- */

__device__ __forceinline__ void mma(__nv_bfloat16, float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    mma_bf16(c, a, b);
}
__device__ __forceinline__ void mma(__half, float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    mma_f16(c, a, b);
}

enum { K16 = 32, ROW16 = K16 * 2 }; /* elements and bytes of a stage's row */

/* Where chunk c of a row stands: eight rows of the same chunk lie in eight different groups of banks. */
__device__ __forceinline__ int swizzled(int row, int chunk)
{
    return row * ROW16 + (chunk ^ (row >> 1 & 3)) * CHUNK;
}

/* The same where a stage has rows of WIDTH elements, one for each k: of eight rows, for ldmatrix, transposed. */
template <int WIDTH> __device__ __forceinline__ int turned(int k, int chunk)
{
    enum { CHUNKS = WIDTH / 8, SPREAD = CHUNKS < 8 ? CHUNKS : 8 };
    return (k * CHUNKS + (chunk ^ (k / (8 / SPREAD) % SPREAD))) * CHUNK;
}

/* A block's tile is BM x BN, a warp's WM x WN. */
template <int BM, int BN, int WM, int WN, int STAGES_> struct mma_tile {
    enum { ROWS = BM, COLUMNS = BN, WARP_ROWS = WM, WARP_COLUMNS = WN, STAGES = STAGES_ };
    enum { WARPS_ACROSS = BN / WN, THREADS = BM / WM * WARPS_ACROSS * 32, STAGE = (BM + BN) * ROW16 };
    enum { SHARED = STAGES * STAGE, SLAB = 16 * (int)slab_pitch<WN>::value };
    static_assert(SLAB * (int)sizeof(float) * (THREADS / 32) <= SHARED, "the slabs stand where the stages stood");
    static_assert(WM % 16 == 0 && WN % 16 == 0 && BM * 4 % THREADS == 0 && BN * 4 % THREADS == 0, "shape of a tile");
};

template <class T, class S, form F>
__device__ __forceinline__ void read_stage16(const problem &p, unsigned char *stage, int row0, int column0,
                                             const limits &l, int k)
{
    const int thread = (int)threadIdx.x;
#pragma unroll
    for (int i = 0; i < S::ROWS * 4 / S::THREADS; i++) {
        const int e = thread + i * S::THREADS;
        if constexpr (F == WEIGHT) {
            const int row = e / (S::ROWS / 8), chunk = e % (S::ROWS / 8);
            read_chunk<T, false>(p.a, stage + turned<S::ROWS>(row, chunk), k + row, l.k_end, row0 + chunk * 8, p.m);
        } else {
            const int row = e / 4, chunk = e % 4;
            read_chunk<T, false>(p.a, stage + swizzled(row, chunk), row0 + row, l.m, k + chunk * 8, l.k_end);
        }
    }
    unsigned char *b = stage + S::ROWS * ROW16;
#pragma unroll
    for (int i = 0; i < S::COLUMNS * 4 / S::THREADS; i++) {
        const int e = thread + i * S::THREADS;
        if constexpr (F <= MASKED) {
            const int row = e / 4, chunk = e % 4;
            read_chunk<T, true>(p.b, b + swizzled(row, chunk), column0 + row, p.n, k + chunk * 8, (int)p.b.stride);
        } else {
            const int row = e / (S::COLUMNS / 8), chunk = e % (S::COLUMNS / 8);
            read_chunk<T, F == INPUT>(p.b, b + turned<S::COLUMNS>(row, chunk), k + row, l.k_end, column0 + chunk * 8,
                                      F == INPUT ? (int)p.b.stride : p.n);
        }
    }
}

/* Fragments of 16 rows of A, and of 16 columns of B, for one step of 16 k; row and column count from the tile's. */
template <class S, form F>
__device__ __forceinline__ void read_a16(uint32_t (&a)[4], const unsigned char *stage, int row, int step, int lane)
{
    if constexpr (F == WEIGHT)
        ldsm_x4_t(a, stage + turned<S::ROWS>(step * 16 + lane % 8 + lane / 16 * 8, row / 8 + lane / 8 % 2));
    else
        ldsm_x4(a, stage + swizzled(row + lane % 16, step * 2 + lane / 16));
}
template <class S, form F>
__device__ __forceinline__ void read_b16(uint32_t (&r)[4], const unsigned char *stage, int column, int step, int lane)
{
    const unsigned char *b = stage + S::ROWS * ROW16;
    if constexpr (F <= MASKED)
        ldsm_x4(r, b + swizzled(column + lane / 16 * 8 + lane % 8, step * 2 + lane / 8 % 2));
    else
        ldsm_x4_t(r, b + turned<S::COLUMNS>(step * 16 + lane % 8 + lane / 8 % 2 * 8, column / 8 + lane / 16));
}

template <class T, class S, form F>
__device__ __forceinline__ void multiply_stage16(float (&c)[S::WARP_ROWS / 16][S::WARP_COLUMNS / 8][4],
                                                 const unsigned char *stage, int row, int column, int lane)
{
#pragma unroll
    for (int step = 0; step < K16 / 16; step++) {
        uint32_t a[S::WARP_ROWS / 16][4];
#pragma unroll
        for (int i = 0; i < S::WARP_ROWS / 16; i++) read_a16<S, F>(a[i], stage, row + i * 16, step, lane);
#pragma unroll
        for (int j = 0; j < S::WARP_COLUMNS / 16; j++) {
            uint32_t r[4];
            read_b16<S, F>(r, stage, column + j * 16, step, lane);
            const uint32_t b[2][2] = {{r[0], r[1]}, {r[2], r[3]}};
#pragma unroll
            for (int i = 0; i < S::WARP_ROWS / 16; i++) {
                mma(T{}, c[i][2 * j], a[i], b[0]);
                mma(T{}, c[i][2 * j + 1], a[i], b[1]);
            }
        }
    }
}

template <class T, class S, form F, int BLOCKS>
static __global__ void __launch_bounds__(S::THREADS, BLOCKS) mma_kernel(problem p)
{
    CU_DYN_SHARED(unsigned char, shared);
    const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
    const limits l = limits_of<F>(p);
    int row0, column0;
    pick_tile(p, S::ROWS, S::COLUMNS, row0, column0);
    if (row0 >= l.m) return;
    const int warp_row = warp / S::WARPS_ACROSS * S::WARP_ROWS, warp_column = warp % S::WARPS_ACROSS * S::WARP_COLUMNS;
    const int n_stages = l.k_end > l.k_begin ? (l.k_end - l.k_begin + K16 - 1) / K16 : 0;
    float c[S::WARP_ROWS / 16][S::WARP_COLUMNS / 8][4] = {};
#pragma unroll
    for (int s = 0; s < S::STAGES - 1; s++) {
        if (s < n_stages) read_stage16<T, S, F>(p, shared + s * S::STAGE, row0, column0, l, l.k_begin + s * K16);
        cp_async_commit();
    }
    for (int s = 0, in = 0, out = S::STAGES - 1; s < n_stages; s++) {
        cp_async_wait<S::STAGES - 2>();
        __syncthreads(); /* stage s has come, and all have left the one that is filled next */
        const int next = s + S::STAGES - 1;
        if (next < n_stages)
            read_stage16<T, S, F>(p, shared + out * S::STAGE, row0, column0, l, l.k_begin + next * K16);
        cp_async_commit();
        multiply_stage16<T, S, F>(c, shared + in * S::STAGE, warp_row, warp_column, lane);
        in = in + 1 == S::STAGES ? 0 : in + 1;
        out = out + 1 == S::STAGES ? 0 : out + 1;
    }
    cp_async_wait<0>();
    __syncthreads();
    float *slab = reinterpret_cast<float *>(shared) + warp * S::SLAB;
#pragma unroll
    for (int i = 0; i < S::WARP_ROWS / 16; i++) {
        enum { PITCH = slab_pitch<S::WARP_COLUMNS>::value };
#pragma unroll
        for (int j = 0; j < S::WARP_COLUMNS / 8; j++) {
            float *to = slab + lane / 4 * PITCH + j * 8 + lane % 4 * 2;
            *reinterpret_cast<float2 *>(to) = make_float2(c[i][j][0], c[i][j][1]);
            *reinterpret_cast<float2 *>(to + 8 * PITCH) = make_float2(c[i][j][2], c[i][j][3]);
        }
        __syncwarp();
        finish<T, F, 16, S::WARP_COLUMNS, 32, 1>(p, slab, row0 + warp_row + i * 16, column0 + warp_column, l.m, lane);
        __syncwarp();
    }
}

/* ---- float32: one chain of fused multiply-adds ---- */

enum { K32 = 16, PITCH32 = K32 + 4 }; /* + 4: eight rows of the same chunk lie in eight different groups of banks */

/* A block's tile is BM x BN, a thread's TM x TN: rows BM / TM and columns BN / TN apart; where a stage has a row for
 * each k, four neighbours at a time. */
template <int BM, int BN, int TM_, int TN_> struct fma_tile {
    enum { ROWS = BM, COLUMNS = BN, TM = TM_, TN = TN_, DOWN = BM / TM_, ACROSS = BN / TN_, THREADS = DOWN * ACROSS };
    enum { STAGES = 3, STAGE = (BM + BN) * PITCH32, SHARED = STAGES * STAGE * (int)sizeof(float) };
    static_assert(DOWN * slab_pitch<BN>::value <= STAGES * STAGE, "the slab stands where the stages stood");
};

/* Chunk e of one operand, of W rows or columns of the tile from `first` on, below `limit`. ALONG: k lies along its
 * rows.
 */
template <int W, bool ALONG, bool WHOLE>
__device__ __forceinline__ void read_side32(const operand &o, float *to, int e, int first, int limit, int k,
                                            int k_limit)
{
    const int row = ALONG ? e / 4 : e / (W / 4), chunk = (ALONG ? e % 4 : e % (W / 4)) * 4;
    unsigned char *place = reinterpret_cast<unsigned char *>(to + row * (ALONG ? (int)PITCH32 : W) + chunk);
    if constexpr (ALONG)
        read_chunk<float, WHOLE>(o, place, first + row, limit, k + chunk, k_limit);
    else
        read_chunk<float, WHOLE>(o, place, k + row, k_limit, first + chunk, limit);
}

template <class S, form F>
__device__ __forceinline__ void read_stage32(const problem &p, float *stage, int row0, int column0, const limits &l,
                                             int k)
{
    for (int e = (int)threadIdx.x; e < (S::ROWS + S::COLUMNS) * 4; e += S::THREADS) {
        const int other = e - S::ROWS * 4;
        if constexpr (F <= MASKED) { /* rows of B stand behind those of A */
            const int row = e / 4, chunk = e % 4 * 4;
            unsigned char *to = reinterpret_cast<unsigned char *>(stage + row * PITCH32 + chunk);
            if (row < S::ROWS)
                read_chunk<float, false>(p.a, to, row0 + row, l.m, k + chunk, l.k_end);
            else
                read_chunk<float, true>(p.b, to, column0 + row - S::ROWS, p.n, k + chunk, (int)p.b.stride);
        } else if (other < 0) {
            read_side32<S::ROWS, F != WEIGHT, false>(p.a, stage, e, row0, l.m, k, l.k_end);
        } else {
            read_side32<S::COLUMNS, false, F == INPUT>(p.b, stage + S::ROWS * PITCH32, other, column0,
                                                       F == INPUT ? (int)p.b.stride : p.n, k, l.k_end);
        }
    }
}

template <bool TF32> __device__ __forceinline__ float4 read4(const float *from)
{
    const float4 v = *reinterpret_cast<const float4 *>(from);
    if (!TF32) return v;
    return make_float4(pl__rounded_tf32(v.x), pl__rounded_tf32(v.y), pl__rounded_tf32(v.z), pl__rounded_tf32(v.w));
}

__device__ __forceinline__ float at4(const float4 &v, int i)
{
    return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

/* Rows or columns own[] of the thread for one k, of an operand with a row for each k: quads of neighbours. */
template <int N, int APART, bool TF32> __device__ __forceinline__ void read_quads(float (&own)[N], const float *row)
{
#pragma unroll
    for (int q = 0; q < N / 4; q++) {
        const float4 v = read4<TF32>(row + q * APART * 4);
#pragma unroll
        for (int i = 0; i < 4; i++) own[q * 4 + i] = at4(v, i);
    }
}

template <class S, bool TF32, form F>
__device__ __forceinline__ void multiply_stage32(float (&c)[S::TM][S::TN], const float *stage, int down, int across)
{
    const float *x = stage + (F == WEIGHT ? down * 4 : down * PITCH32);
    const float *w = stage + S::ROWS * PITCH32 + (F <= MASKED ? across * PITCH32 : across * 4);
    if constexpr (F <= MASKED) {
#pragma unroll
        for (int k = 0; k < K32; k += 4) {
            float4 b[S::TN];
#pragma unroll
            for (int j = 0; j < S::TN; j++) b[j] = read4<false>(w + j * S::ACROSS * PITCH32 + k);
#pragma unroll
            for (int i = 0; i < S::TM; i++) {
                const float4 a = read4<TF32>(x + i * S::DOWN * PITCH32 + k);
#pragma unroll
                for (int j = 0; j < S::TN; j++) c[i][j] = fmaf(a.x, b[j].x, c[i][j]);
#pragma unroll
                for (int j = 0; j < S::TN; j++) c[i][j] = fmaf(a.y, b[j].y, c[i][j]);
#pragma unroll
                for (int j = 0; j < S::TN; j++) c[i][j] = fmaf(a.z, b[j].z, c[i][j]);
#pragma unroll
                for (int j = 0; j < S::TN; j++) c[i][j] = fmaf(a.w, b[j].w, c[i][j]);
            }
        }
    } else if constexpr (F == INPUT) {
#pragma unroll 4
        for (int k = 0; k < K32; k++) {
            float b[S::TN];
            read_quads<S::TN, S::ACROSS, false>(b, w + k * S::COLUMNS);
#pragma unroll
            for (int i = 0; i < S::TM; i++) {
                const float own = x[i * S::DOWN * PITCH32 + k], a = TF32 ? pl__rounded_tf32(own) : own;
#pragma unroll
                for (int j = 0; j < S::TN; j++) c[i][j] = fmaf(a, b[j], c[i][j]);
            }
        }
    } else {
#pragma unroll 4
        for (int k = 0; k < K32; k++) {
            float a[S::TM], b[S::TN];
            read_quads<S::TM, S::DOWN, TF32>(a, x + k * S::ROWS);
            read_quads<S::TN, S::ACROSS, TF32>(b, w + k * S::COLUMNS);
#pragma unroll
            for (int i = 0; i < S::TM; i++) {
#pragma unroll
                for (int j = 0; j < S::TN; j++) c[i][j] = fmaf(a[i], b[j], c[i][j]);
            }
        }
    }
}

/* Where the thread's row i stands in the tile, less what depends on the thread. */
template <class S, form F> __device__ __forceinline__ int row_of(int i)
{
    return F == WEIGHT ? i / 4 * S::DOWN * 4 + i % 4 : i * S::DOWN;
}

/* Rounding and masks take registers: with them there is room for one large block only. */
template <class S, bool TF32, form F>
static __global__ void __launch_bounds__(S::THREADS, TF32 || F == MASKED ? 1 : 2) fma_kernel(problem p)
{
    CU_DYN_SHARED(float, shared);
    const int across = (int)threadIdx.x % S::ACROSS, down = (int)threadIdx.x / S::ACROSS;
    const limits l = limits_of<F>(p);
    int row0, column0;
    pick_tile(p, S::ROWS, S::COLUMNS, row0, column0);
    if (row0 >= l.m) return;
    const int n_stages = l.k_end > l.k_begin ? (l.k_end - l.k_begin + K32 - 1) / K32 : 0;
    float c[S::TM][S::TN] = {};
#pragma unroll
    for (int s = 0; s < S::STAGES - 1; s++) {
        if (s < n_stages) read_stage32<S, F>(p, shared + s * S::STAGE, row0, column0, l, l.k_begin + s * K32);
        cp_async_commit();
    }
    for (int s = 0, in = 0, out = S::STAGES - 1; s < n_stages; s++) {
        cp_async_wait<S::STAGES - 2>();
        __syncthreads();
        const int next = s + S::STAGES - 1;
        if (next < n_stages) read_stage32<S, F>(p, shared + out * S::STAGE, row0, column0, l, l.k_begin + next * K32);
        cp_async_commit();
        multiply_stage32<S, TF32, F>(c, shared + in * S::STAGE, down, across);
        in = in + 1 == S::STAGES ? 0 : in + 1;
        out = out + 1 == S::STAGES ? 0 : out + 1;
    }
    cp_async_wait<0>();
#pragma unroll
    for (int i = 0; i < S::TM; i++) {
        __syncthreads();
#pragma unroll
        for (int j = 0; j < S::TN; j++) {
            const int column = F <= MASKED ? j * S::ACROSS + across : (j / 4 * S::ACROSS + across) * 4 + j % 4;
            shared[down * slab_pitch<S::COLUMNS>::value + column] = c[i][j];
        }
        __syncthreads();
        finish<float, F, S::DOWN, S::COLUMNS, S::THREADS, F == WEIGHT ? 4 : 1>(p, shared, row0 + row_of<S, F>(i),
                                                                               column0, l.m, (int)threadIdx.x);
    }
}

} // namespace

#endif
