/* The own product: y = x W^T with its epilogue, fused into the store.
 *
 * Promise 1 rests on this file where cuBLASLt does not. An element of y is one chain over k in ascending order,
 * whatever the tile: steps of 16 through mma.sync for 16-bit types, single fused multiply-adds for float32. Tiles of
 * several sizes differ in speed only; k is filled up with zeros to a multiple that is the same for all of them. For
 * TF32, x is rounded to 10 bits of fraction when it is read (the weight was when it was set) and the float32 chain
 * follows: exact products of rounded numbers, without tensor cores; a path for devices where cuBLASLt cannot be used.
 *
 * Tiles come in through asynchronous copies in several stages. x may stand anywhere: rows that are not 16-byte aligned
 * are read element by element. Weight rows always are, and are zero from n_in to their stride. */
#include "product.h"

#include "activation.cuh"
#include "kernel.cuh"
#include "ptx.cuh"
#include "vector.cuh"

namespace
{

enum { CHUNK = 16 }; /* bytes of one asynchronous copy */

struct problem {
    const void *x, *w;
    void *y;
    const float *bias;
    const int32_t *count;
    size_t x_stride, w_stride, y_stride;
    int rows, n_out, n_in;
    int row_tiles, column_tiles;
    bool x_aligned, y_aligned, y_float, accumulate;
    pl_activation activation;
};

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
    const int quad = thread % QUADS, column = column0 + quad * 4, left = p.n_out - column;
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

/* ---- Reading a tile ---- */

/* 16 bytes of a row of x at element k; zeros outside rows and columns. */
template <class T>
__device__ __forceinline__ void read_x(const problem &p, unsigned char *to, int row, int limit, int k)
{
    enum { N = CHUNK / sizeof(T) };
    const int left = row < limit ? p.n_in - k : 0;
    const T *from = (const T *)p.x + (left > 0 ? (size_t)row * p.x_stride + (size_t)k : 0);
    if (p.x_aligned) {
        cp_async16_zero(to, from, left >= N ? CHUNK : left > 0 ? left * (int)sizeof(T) : 0);
    } else {
        T element[N];
#pragma unroll
        for (int i = 0; i < N; i++) element[i] = i < left ? from[i] : pl__from_float<T>(0.0f);
#pragma unroll
        for (int i = 0; i < N; i++) reinterpret_cast<T *>(to)[i] = element[i];
    }
}

template <class T> __device__ __forceinline__ void read_w(const problem &p, unsigned char *to, int row, int k)
{
    const bool inside = row < p.n_out && (size_t)k < p.w_stride;
    const T *from = (const T *)p.w + (inside ? (size_t)row * p.w_stride + (size_t)k : 0);
    cp_async16_zero(to, from, inside ? CHUNK : 0);
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

/* A block's tile is BM x BN, a warp's WM x WN. */
template <int BM, int BN, int WM, int WN, int STAGES_> struct mma_tile {
    enum { ROWS = BM, COLUMNS = BN, WARP_ROWS = WM, WARP_COLUMNS = WN, STAGES = STAGES_ };
    enum { WARPS_ACROSS = BN / WN, THREADS = BM / WM * WARPS_ACROSS * 32, STAGE = (BM + BN) * ROW16 };
    enum { SHARED = STAGES * STAGE, SLAB = 16 * (int)slab_pitch<WN>::value };
    static_assert(SLAB * (int)sizeof(float) * (THREADS / 32) <= SHARED, "the slabs stand where the stages stood");
    static_assert(WM % 16 == 0 && WN % 16 == 0 && BM * 4 % THREADS == 0 && BN * 4 % THREADS == 0, "shape of a tile");
};

template <class T, class S>
__device__ __forceinline__ void read_stage16(const problem &p, unsigned char *stage, int row0, int column0, int limit,
                                             int k)
{
    const int thread = (int)threadIdx.x;
#pragma unroll
    for (int i = 0; i < S::ROWS * 4 / S::THREADS; i++) {
        const int e = thread + i * S::THREADS, row = e / 4, chunk = e % 4;
        read_x<T>(p, stage + swizzled(row, chunk), row0 + row, limit, k + chunk * 8);
    }
    unsigned char *w = stage + S::ROWS * ROW16;
#pragma unroll
    for (int i = 0; i < S::COLUMNS * 4 / S::THREADS; i++) {
        const int e = thread + i * S::THREADS, row = e / 4, chunk = e % 4;
        read_w<T>(p, w + swizzled(row, chunk), column0 + row, k + chunk * 8);
    }
}

template <class T, class S>
__device__ __forceinline__ void multiply_stage16(float (&c)[S::WARP_ROWS / 16][S::WARP_COLUMNS / 8][4],
                                                 const unsigned char *x, const unsigned char *w, int lane)
{
#pragma unroll
    for (int step = 0; step < K16 / 16; step++) {
        uint32_t a[S::WARP_ROWS / 16][4];
#pragma unroll
        for (int i = 0; i < S::WARP_ROWS / 16; i++)
            ldsm_x4(a[i], x + swizzled(i * 16 + lane % 16, step * 2 + lane / 16));
#pragma unroll
        for (int j = 0; j < S::WARP_COLUMNS / 16; j++) {
            uint32_t r[4];
            ldsm_x4(r, w + swizzled(j * 16 + lane / 16 * 8 + lane % 8, step * 2 + lane / 8 % 2));
            const uint32_t b[2][2] = {{r[0], r[1]}, {r[2], r[3]}};
#pragma unroll
            for (int i = 0; i < S::WARP_ROWS / 16; i++) {
                mma(T{}, c[i][2 * j], a[i], b[0]);
                mma(T{}, c[i][2 * j + 1], a[i], b[1]);
            }
        }
    }
}

template <class T, class S, int BLOCKS>
static __global__ void __launch_bounds__(S::THREADS, BLOCKS) mma_kernel(problem p)
{
    CU_DYN_SHARED(unsigned char, shared);
    const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
    const int limit = p.count ? pl__rows(p.count, p.rows) : p.rows;
    int row0, column0;
    pick_tile(p, S::ROWS, S::COLUMNS, row0, column0);
    if (row0 >= limit) return;
    const int warp_row = warp / S::WARPS_ACROSS * S::WARP_ROWS, warp_column = warp % S::WARPS_ACROSS * S::WARP_COLUMNS;
    const int n_stages = (p.n_in + K16 - 1) / K16;
    float c[S::WARP_ROWS / 16][S::WARP_COLUMNS / 8][4] = {};
#pragma unroll
    for (int s = 0; s < S::STAGES - 1; s++) {
        if (s < n_stages) read_stage16<T, S>(p, shared + s * S::STAGE, row0, column0, limit, s * K16);
        cp_async_commit();
    }
    for (int s = 0, in = 0, out = S::STAGES - 1; s < n_stages; s++) {
        cp_async_wait<S::STAGES - 2>();
        __syncthreads(); /* stage s has come, and all have left the one that is filled next */
        const int next = s + S::STAGES - 1;
        if (next < n_stages) read_stage16<T, S>(p, shared + out * S::STAGE, row0, column0, limit, next * K16);
        cp_async_commit();
        const unsigned char *x = shared + in * S::STAGE + warp_row * ROW16;
        const unsigned char *w = shared + in * S::STAGE + (S::ROWS + warp_column) * ROW16;
        multiply_stage16<T, S>(c, x, w, lane);
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
        finish_slab<T, 16, S::WARP_COLUMNS, 32>(p, slab, row0 + warp_row + i * 16, column0 + warp_column, limit, lane);
        __syncwarp();
    }
}

/* ---- float32: one chain of fused multiply-adds ---- */

enum { K32 = 16, PITCH32 = K32 + 4 }; /* + 4: eight rows of the same chunk lie in eight different groups of banks */

/* A block's tile is BM x BN, a thread's TM x TN: rows BM / TM and columns BN / TN apart. */
template <int BM, int BN, int TM_, int TN_> struct fma_tile {
    enum { ROWS = BM, COLUMNS = BN, TM = TM_, TN = TN_, DOWN = BM / TM_, ACROSS = BN / TN_, THREADS = DOWN * ACROSS };
    enum { STAGES = 3, STAGE = (BM + BN) * PITCH32, SHARED = STAGES * STAGE * (int)sizeof(float) };
    static_assert(DOWN * slab_pitch<BN>::value <= STAGES * STAGE, "the slab stands where the stages stood");
};

template <class S>
__device__ __forceinline__ void read_stage32(const problem &p, float *stage, int row0, int column0, int limit, int k)
{
    for (int e = (int)threadIdx.x; e < (S::ROWS + S::COLUMNS) * 4; e += S::THREADS) {
        const int row = e / 4, chunk = e % 4 * 4;
        unsigned char *to = reinterpret_cast<unsigned char *>(stage + row * PITCH32 + chunk);
        if (row < S::ROWS)
            read_x<float>(p, to, row0 + row, limit, k + chunk);
        else
            read_w<float>(p, to, column0 + row - S::ROWS, k + chunk);
    }
}

/* 10 bits of fraction, to nearest even; infinities and NaN stay. */
__device__ __forceinline__ float rounded_tf32(float x)
{
    const uint32_t bits = __float_as_uint(x);
    if ((bits & 0x7f800000u) == 0x7f800000u) return x;
    return __uint_as_float((bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu);
}

template <class S, bool TF32>
__device__ __forceinline__ void multiply_stage32(float (&c)[S::TM][S::TN], const float *x, const float *w)
{
#pragma unroll
    for (int k = 0; k < K32; k += 4) {
        float4 b[S::TN];
#pragma unroll
        for (int j = 0; j < S::TN; j++) b[j] = *reinterpret_cast<const float4 *>(w + j * S::ACROSS * PITCH32 + k);
#pragma unroll
        for (int i = 0; i < S::TM; i++) {
            float4 a = *reinterpret_cast<const float4 *>(x + i * S::DOWN * PITCH32 + k);
            if (TF32) a = make_float4(rounded_tf32(a.x), rounded_tf32(a.y), rounded_tf32(a.z), rounded_tf32(a.w));
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
}

/* Rounding takes registers: with TF32 there is room for one large block only. */
template <class S, bool TF32> static __global__ void __launch_bounds__(S::THREADS, TF32 ? 1 : 2) fma_kernel(problem p)
{
    CU_DYN_SHARED(float, shared);
    const int across = (int)threadIdx.x % S::ACROSS, down = (int)threadIdx.x / S::ACROSS;
    const int limit = p.count ? pl__rows(p.count, p.rows) : p.rows;
    int row0, column0;
    pick_tile(p, S::ROWS, S::COLUMNS, row0, column0);
    if (row0 >= limit) return;
    const int n_stages = (p.n_in + K32 - 1) / K32;
    float c[S::TM][S::TN] = {};
#pragma unroll
    for (int s = 0; s < S::STAGES - 1; s++) {
        if (s < n_stages) read_stage32<S>(p, shared + s * S::STAGE, row0, column0, limit, s * K32);
        cp_async_commit();
    }
    for (int s = 0, in = 0, out = S::STAGES - 1; s < n_stages; s++) {
        cp_async_wait<S::STAGES - 2>();
        __syncthreads();
        const int next = s + S::STAGES - 1;
        if (next < n_stages) read_stage32<S>(p, shared + out * S::STAGE, row0, column0, limit, next * K32);
        cp_async_commit();
        const float *stage = shared + in * S::STAGE;
        multiply_stage32<S, TF32>(c, stage + down * PITCH32, stage + (S::ROWS + across) * PITCH32);
        in = in + 1 == S::STAGES ? 0 : in + 1;
        out = out + 1 == S::STAGES ? 0 : out + 1;
    }
    cp_async_wait<0>();
#pragma unroll
    for (int i = 0; i < S::TM; i++) {
        __syncthreads();
#pragma unroll
        for (int j = 0; j < S::TN; j++) shared[down * slab_pitch<S::COLUMNS>::value + j * S::ACROSS + across] = c[i][j];
        __syncthreads();
        finish_slab<float, S::DOWN, S::COLUMNS, S::THREADS>(p, shared, row0 + i * S::DOWN, column0, limit,
                                                            (int)threadIdx.x);
    }
}

/* ---- Which tile ---- */

typedef mma_tile<128, 256, 64, 64, 4> wide16;
typedef mma_tile<128, 128, 64, 64, 3> square16;
typedef mma_tile<32, 64, 16, 32, 6> small16;
typedef mma_tile<16, 32, 16, 16, 12> least16;
typedef fma_tile<128, 128, 8, 8> square32;
typedef fma_tile<32, 64, 4, 4> small32;
typedef fma_tile<16, 32, 2, 2> least32;

/* Each tile of a type: its kernel, its shape, how much of the arithmetic it can use. The first is the widest. */
struct choice {
    void (*kernel)(problem);
    int rows, columns, threads, shared, percent;
};
enum { MOST_CHOICES = 4 };

template <class S> choice choice_of(void (*kernel)(problem), int percent)
{
    return {kernel, S::ROWS, S::COLUMNS, S::THREADS, S::SHARED, percent};
}

template <class T> int choices16(choice (&c)[MOST_CHOICES])
{
    c[0] = choice_of<wide16>(mma_kernel<T, wide16, 1>, 100);
    c[1] = choice_of<square16>(mma_kernel<T, square16, 2>, 85);
    c[2] = choice_of<small16>(mma_kernel<T, small16, 4>, 40);
    c[3] = choice_of<least16>(mma_kernel<T, least16, 4>, 20);
    return 4;
}

template <bool TF32> int choices32(choice (&c)[MOST_CHOICES])
{
    c[0] = choice_of<square32>(fma_kernel<square32, TF32>, 100);
    c[1] = choice_of<small32>(fma_kernel<small32, TF32>, 50);
    c[2] = choice_of<least32>(fma_kernel<least32, TF32>, 25);
    return 3;
}

int choices_of(pl_dtype compute, choice (&c)[MOST_CHOICES])
{
    return compute == PL_BF16   ? choices16<__nv_bfloat16>(c)
           : compute == PL_F16  ? choices16<__half>(c)
           : compute == PL_TF32 ? choices32<true>(c)
                                : choices32<false>(c);
}

/* The time a tile takes, in units of an element of a perfect one: full waves over the processors. */
size_t cost(const pl_device *device, const problem &p, const choice &c)
{
    const size_t rows = (size_t)c.rows, columns = (size_t)c.columns, processors = (size_t)device->n_processors;
    const size_t tiles = pl__ceil_div((size_t)p.rows, rows) * pl__ceil_div((size_t)p.n_out, columns);
    return pl__ceil_div(tiles, processors) * rows * columns * 100 / (size_t)c.percent;
}

bool aligned(pl_view v, size_t bytes)
{
    const size_t size = pl_dtype_bytes(v.dtype);
    return (uintptr_t)pl__at(v, 0) % bytes == 0 && (v.rows <= 1 || v.stride * size % bytes == 0);
}

} // namespace

/* Loads the kernels, which a recording may not do, and lets them have the shared memory that they need. */
extern "C" pl_status pl__gemm_prepare(const pl_device *device, pl_dtype compute)
{
    choice choices[MOST_CHOICES];
    const int n = choices_of(compute, choices);
    for (int i = 0; i < n; i++) {
        PL_CUDA_TRY(device, cudaFuncSetAttribute(choices[i].kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                 choices[i].shared));
    }
    return PL_OK;
}

enum { MOST = 1 << 30 }; /* inputs, outputs, least tiles: a grid has fewer than 2^31 blocks */

extern "C" pl_status pl__gemm(pl_stream *stream, const pl_weight *weight, pl_view x, pl_view y, size_t rows,
                              const int32_t *count, const pl__epilogue *epilogue)
{
    if (rows > MOST / 16 || weight->n_out > MOST || weight->n_in > MOST || rows / 16 * (weight->n_out / 32) > MOST) {
        return stream->device->host->fail(PL_E_UNSUPPORTED,
                                          "a product of %zu rows with a weight [%zu, %zu] is too large", rows,
                                          weight->n_out, weight->n_in);
    }
    if (!rows) return PL_OK;
    problem p = {};
    p.x = pl__at(x, 0);
    p.w = weight->data;
    p.y = pl__at(y, 0);
    p.bias = epilogue->bias;
    p.count = count;
    p.x_stride = x.stride;
    p.w_stride = weight->stride;
    p.y_stride = y.stride;
    p.rows = (int)rows;
    p.n_out = (int)weight->n_out;
    p.n_in = (int)weight->n_in;
    p.x_aligned = aligned(x, CHUNK);
    p.y_aligned = aligned(y, 4 * pl_dtype_bytes(y.dtype));
    p.y_float = y.dtype == PL_F32;
    p.accumulate = epilogue->accumulate;
    p.activation = epilogue->activation;
    choice choices[MOST_CHOICES];
    int best = 0;
    for (int i = 1, n = choices_of(weight->compute, choices); i < n; i++) {
        if (cost(stream->device, p, choices[i]) < cost(stream->device, p, choices[best])) best = i;
    }
    const choice &c = choices[best];
    p.row_tiles = (p.rows + c.rows - 1) / c.rows;
    p.column_tiles = (p.n_out + c.columns - 1) / c.columns;
    CU_LAUNCH(c.kernel, dim3((unsigned)p.row_tiles * (unsigned)p.column_tiles), dim3((unsigned)c.threads),
              (size_t)c.shared, stream->handle, p);
    PL_LAUNCHED(stream, "linear");
    return PL_OK;
}
