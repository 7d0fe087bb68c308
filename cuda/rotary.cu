/* Rotary positions: the first `width` features of each query and key head turn by the angles of the token's row of the
 * tables.
 * The pair (a, b) becomes (a cos - b sin, b cos + a sin), in float32 with all roundings: the CPU's bits in float32.
 * A thread turns the pairs of 16 bytes (interleaved) or of 16 and 16 (halves). */
#include "cuda.h"
#include "vector.cuh"

/* Angles and features of one token. */
typedef struct rotation {
    int half, head_width, n_heads; /* pairs of a head, D, query and key heads */
    const float *cosine, *sine;    /* [rows of the tables, half] */
    size_t cosine_stride, sine_stride;
    float sense; /* 1, or -1: the other way */
} rotation;

template <int n>
__device__ __forceinline__ void turn(float (&a)[n], float (&b)[n], const float (&cosine)[n], const float (&sine)[n])
{
#pragma unroll
    for (int i = 0; i < n; i++) {
        const float x = a[i], y = b[i];
        a[i] = __fsub_rn(__fmul_rn(x, cosine[i]), __fmul_rn(y, sine[i]));
        b[i] = __fadd_rn(__fmul_rn(y, cosine[i]), __fmul_rn(x, sine[i]));
    }
}

/* n pairs from the j-th on of the head at x, of which `left` exist */
template <bool packed, bool interleaved, int n, class T>
__device__ __forceinline__ void turn_pairs(T *x, int j, int half, const float *cosine, const float *sine, float sense,
                                           int left)
{
    float a[n], b[n], c[n], s[n];
    pl__load<packed>(c, cosine + j, left);
    pl__load<packed>(s, sine + j, left);
#pragma unroll
    for (int i = 0; i < n; i++) s[i] *= sense;
    if constexpr (interleaved) {
        float both[2 * n];
        pl__load<packed>(both, x + 2 * j, 2 * left);
#pragma unroll
        for (int i = 0; i < n; i++) {
            a[i] = both[2 * i];
            b[i] = both[2 * i + 1];
        }
        turn(a, b, c, s);
#pragma unroll
        for (int i = 0; i < n; i++) {
            both[2 * i] = a[i];
            both[2 * i + 1] = b[i];
        }
        pl__store<packed>(x + 2 * j, both, 2 * left);
    } else {
        pl__load<packed>(a, x + j, left);
        pl__load<packed>(b, x + half + j, left);
        turn(a, b, c, s);
        pl__store<packed>(x + j, a, left);
        pl__store<packed>(x + half + j, b, left);
    }
}

/* Pairs of a thread. */
template <class T, bool interleaved> constexpr int n_pairs = (interleaved ? 8 : 16) / (int)sizeof(T);

template <class T, bool interleaved, bool packed>
static __global__ void rotate_rows(const int32_t *__restrict__ count, int capacity, const int32_t *__restrict__ turns,
                                   rotation r, T *x, size_t stride)
{
    constexpr int n = n_pairs<T, interleaved>;
    const int row = pl__own_row(), pieces = (r.half + n - 1) / n;
    if (row >= pl__rows(count, capacity)) return;
    const float *cosine = r.cosine + (size_t)turns[row] * r.cosine_stride;
    const float *sine = r.sine + (size_t)turns[row] * r.sine_stride;
    x += (size_t)row * stride;
    for (int i = (int)pl__first_piece(); i < pieces * r.n_heads; i += (int)pl__piece_step()) {
        const int head = i / pieces, j = (i - head * pieces) * n;
        turn_pairs<packed, interleaved, n>(x + (size_t)head * (size_t)r.head_width, j, r.half, cosine, sine, r.sense,
                                           min(r.half - j, n));
    }
}

template <class T, bool interleaved>
static void launch(pl_stream *stream, const pl_rotary_args *args, const rotation &r, size_t rows)
{
    constexpr size_t n = n_pairs<T, interleaved>, words = 16 / sizeof(T);
    const size_t half = (size_t)r.half;
    const bool packs = half % n == 0 && pl__packs(args->qkv, args->head_width, words) &&
                       pl__packs(args->cosine, half, n) && pl__packs(args->sine, half, n);
    const pl_view turns = args->batch->turns.buffer ? args->batch->turns : args->batch->positions;
    const pl__row_grid g = pl__cover_rows(rows, (size_t)r.n_heads * pl__ceil_div(half, n));
    pl__with_packed(packs, [&](auto flag) {
        constexpr bool packed = decltype(flag)::value;
        CU_LAUNCH((rotate_rows<T, interleaved, packed>), g.grid, g.block, 0, stream->handle,
                  pl__count_at(args->batch->counts, PL_COUNT_TOKENS), (int)rows, (const int32_t *)pl__at(turns, 0), r,
                  (T *)pl__at(args->qkv, 0), args->qkv.stride);
    });
}

extern "C" pl_status pl__rotate(pl_stream *stream, const pl_rotary_args *args, float sense)
{
    const pl_view cosine = args->cosine, sine = args->sine;
    const size_t n_heads = args->n_heads + args->n_kv_heads, columns = args->batch->positions.columns;
    const size_t rows = args->qkv.rows < columns ? args->qkv.rows : columns;
    if (!rows || !n_heads || !args->width) return PL_OK;
    const rotation r = {
        (int)(args->width / 2),         (int)args->head_width, (int)n_heads, (const float *)pl__at(cosine, 0),
        (const float *)pl__at(sine, 0), cosine.stride,         sine.stride,  sense};
    pl__with_type(args->qkv.dtype, [&](auto t) {
        if (args->interleaved)
            launch<decltype(t), true>(stream, args, r, rows);
        else
            launch<decltype(t), false>(stream, args, r, rows);
    });
    PL_LAUNCHED(stream, "rotary");
    return PL_OK;
}

extern "C" pl_status pl__rotary(pl_stream *stream, const pl_rotary_args *args)
{
    return pl__rotate(stream, args, 1.0f);
}
