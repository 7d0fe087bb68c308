/* AdamW over all parameters in one launch: master, both moments and gradient are read and written once, and the
 * attached weight's own rows follow. A chunk is eight blocks'. Every element is by itself and rounded as on the CPU, so
 * how the work is cut changes no bit.
 *
 * An element moves 32 bytes and those of its copy, which bounds it: about sixty instructions stand beside them. */
#include "parameters.h"
#include "vector.cuh"

enum { PIECES = 8, PIECE = PL_OPTIMIZER_CHUNK / PIECES, THREADS = 256, COLUMNS = 4 };

/* The numbers of one step. */
typedef struct step {
    double weight_decay;
    float first, second, keep, eps; /* 1 - beta1, 1 - beta2, beta2 */
    const float *factors;
} step;

/* What is worked out of them once a block, in double precision. */
typedef struct numbers {
    float clip, rate, root, decay; /* rate: / FIRST; root: sqrt(SECOND) */
    size_t row, column;            /* of the piece's first element */
} numbers;

static __device__ __forceinline__ float update(float w, float g, float &m, float &v, const step &s, const numbers &b)
{
    const float d = __fmul_rn(g, b.clip), x = __fsub_rn(w, __fmul_rn(b.decay, w));
    m = __fadd_rn(m, __fmul_rn(s.first, __fsub_rn(d, m)));
    v = __fadd_rn(__fmul_rn(s.keep, v), __fmul_rn(s.second, __fmul_rn(d, d)));
    return __fsub_rn(x, __fmul_rn(b.rate, m / __fadd_rn(sqrtf(v) / b.root, s.eps)));
}

/* Elements from the i-th of the piece on become elements of the copy, of which `left` exist. */
template <bool packed, class T>
static __device__ __forceinline__ void copy_as(const pl__tensor &t, const numbers &b, int i, const float (&w)[COLUMNS],
                                               int left)
{
    const uint32_t columns = (uint32_t)t.columns, at = (uint32_t)b.column + (uint32_t)i;
    if constexpr (packed) {
        const uint32_t down = at / columns;
        pl__store<true>((T *)t.copy + (b.row + down) * t.copy_stride + (at - down * columns), w, left);
    } else {
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) {
            if (j >= left) break;
            const uint32_t down = (at + (uint32_t)j) / columns;
            ((T *)t.copy)[(b.row + down) * t.copy_stride + (at + (uint32_t)j - down * columns)] =
                pl__from_float<T>(w[j]);
        }
    }
}

template <bool packed>
static __device__ __forceinline__ void copy(const pl__tensor &t, const numbers &b, int i, float (&w)[COLUMNS], int left)
{
    switch (t.copy_compute) {
    case PL_BF16:
        copy_as<packed, __nv_bfloat16>(t, b, i, w, left);
        break;
    case PL_F16:
        copy_as<packed, __half>(t, b, i, w, left);
        break;
    default:
        if (t.copy_compute == PL_TF32) {
#pragma unroll
            for (int j = 0; j < COLUMNS; j++) w[j] = pl__rounded_tf32(w[j]);
        }
        copy_as<packed, float>(t, b, i, w, left);
    }
}

/* n elements from `first` on of a tensor. */
template <bool packed>
static __device__ __forceinline__ void update_piece(const pl__tensor &t, size_t first, int n, const step &s,
                                                    const numbers &b)
{
    float *master = t.master + first, *gradient = t.gradient + first, *mean = t.first + first;
    float *square = t.second + first;
    const float zero[COLUMNS] = {};
#pragma unroll 1
    for (int i = COLUMNS * (int)threadIdx.x; i < n; i += COLUMNS * THREADS) {
        float w[COLUMNS], g[COLUMNS], m[COLUMNS], v[COLUMNS];
        const int left = min(n - i, (int)COLUMNS);
        pl__load<packed>(g, gradient + i, left);
        pl__load<packed>(w, master + i, left);
        pl__load<packed>(m, mean + i, left);
        pl__load<packed>(v, square + i, left);
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) w[j] = update(w[j], g[j], m[j], v[j], s, b);
        pl__store<packed>(master + i, w, left);
        pl__store<packed>(mean + i, m, left);
        pl__store<packed>(square + i, v, left);
        pl__store<packed>(gradient + i, zero, left);
        if (t.copy) copy<packed>(t, b, i, w, left);
    }
}

static __global__ void __launch_bounds__(THREADS)
    update_chunks(const pl__tensor *__restrict__ tensors, const pl__chunk *__restrict__ chunks, step s)
{
    __shared__ numbers block;
    const pl__chunk chunk = chunks[blockIdx.x];
    const pl__tensor &t = tensors[chunk.tensor];
    const int offset = (int)blockIdx.y * PIECE, n = min((int)chunk.n - offset, (int)PIECE);
    const size_t first = chunk.first + (size_t)offset;
    if (n <= 0) return;
    if (s.factors[PL_FACTOR_FINITE] == 0.0f) {
        for (int i = (int)threadIdx.x; i < n; i += THREADS) t.gradient[first + (size_t)i] = 0.0f;
        return;
    }
    if (threadIdx.x == 0) {
        const double rate = (double)s.factors[PL_FACTOR_RATE];
        block.clip = s.factors[PL_FACTOR_CLIP];
        block.rate = (float)(rate / (double)s.factors[PL_FACTOR_FIRST]);
        block.root = (float)sqrt((double)s.factors[PL_FACTOR_SECOND]);
        block.decay = t.decay ? (float)(rate * s.weight_decay) : 0.0f;
        block.row = first / t.columns;
        block.column = first - block.row * t.columns;
    }
    __syncthreads(); /* the block's numbers are there */
    const numbers b = block;
    /* Four at a time where no group of four crosses the end. */
    if (t.packed && n % COLUMNS == 0)
        update_piece<true>(t, first, n, s, b);
    else
        update_piece<false>(t, first, n, s, b);
}

extern "C" pl_status pl__adamw(pl_stream *stream, const pl_adamw_args *args)
{
    const pl_parameters *p = args->parameters;
    if (!p->n_chunks) return PL_OK;
    const step s = {args->weight_decay, (float)(1.0 - args->beta1), (float)(1.0 - args->beta2),
                    (float)args->beta2, (float)args->eps,           (const float *)pl__at(args->factors, 0)};
    CU_LAUNCH(update_chunks, dim3((unsigned)p->n_chunks, PIECES), dim3(THREADS), 0, stream->handle, p->tensors,
              p->chunks, s);
    PL_LAUNCHED(stream, "adamw");
    return PL_OK;
}
