/* The norm of all gradients in two launches: a chunk is four blocks', which sum its squares in double precision,
 * threads and then the block in a fixed tree; one block adds the chunks' sums, again in a fixed tree, and writes what
 * adamw reads. Nothing comes back to the host. */
#include "parameters.h"

#include "norm.cuh"

enum { PIECES = 4, PIECE = PL_OPTIMIZER_CHUNK / PIECES, THREADS = 256, ADDING_THREADS = 1024, COLUMNS = 4 };

template <bool packed> static __device__ __forceinline__ double sum_squares(const float *x, int n)
{
    double sum = 0.0;
#pragma unroll 4
    for (int i = COLUMNS * (int)threadIdx.x; i < n; i += COLUMNS * THREADS) {
        float v[COLUMNS];
        if (packed && i + COLUMNS <= n)
            pl__load<packed>(v, x + i, COLUMNS);
        else
            pl__load<false>(v, x + i, n - i);
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) sum = fma((double)v[j], (double)v[j], sum);
    }
    return sum;
}

/* squares [chunks, PIECES] */
static __global__ void __launch_bounds__(THREADS)
    square_chunks(const pl__tensor *__restrict__ tensors, const pl__chunk *__restrict__ chunks,
                  double *__restrict__ squares)
{
    __shared__ double scratch[PL__WARP];
    const pl__chunk chunk = chunks[blockIdx.x];
    const pl__tensor &t = tensors[chunk.tensor];
    const int first = (int)blockIdx.y * PIECE, n = min((int)chunk.n - first, (int)PIECE); /* below 0: none */
    const float *x = t.gradient + chunk.first + first;
    double sum = t.packed ? sum_squares<true>(x, n) : sum_squares<false>(x, n);
    sum = pl__block_group{scratch}.sum(sum);
    if (threadIdx.x == 0) squares[(size_t)blockIdx.x * PIECES + blockIdx.y] = sum;
}

static __global__ void __launch_bounds__(ADDING_THREADS)
    norm_and_clip(const double *__restrict__ squares, size_t n_chunks, float max_norm, float *__restrict__ factors)
{
    __shared__ double scratch[PL__WARP];
    double sum = 0.0;
    for (size_t i = threadIdx.x; i < n_chunks; i += ADDING_THREADS) {
        const double *s = squares + i * PIECES;
        sum += (s[0] + s[1]) + (s[2] + s[3]);
    }
    sum = pl__block_group{scratch}.sum(sum);
    if (threadIdx.x) return;
    const double norm = sqrt(sum), clip = (double)max_norm / (norm + 1e-6);
    const float rounded = (float)norm;
    factors[PL_FACTOR_NORM] = rounded;
    factors[PL_FACTOR_FINITE] = isfinite(rounded) ? 1.0f : 0.0f;
    factors[PL_FACTOR_CLIP] = max_norm > 0.0f && clip < 1.0 ? (float)clip : 1.0f;
}

extern "C" size_t pl__gradient_norm_workspace_bytes(const pl_parameters *parameters)
{
    return parameters->n_chunks * PIECES * sizeof(double);
}

extern "C" pl_status pl__gradient_norm(pl_stream *stream, const pl_gradient_norm_args *args)
{
    const pl_parameters *p = args->parameters;
    double *squares = p->n_chunks ? (double *)pl__at(args->workspace, 0) : NULL;
    if (p->n_chunks) {
        CU_LAUNCH(square_chunks, dim3((unsigned)p->n_chunks, PIECES), dim3(THREADS), 0, stream->handle, p->tensors,
                  p->chunks, squares);
        PL_LAUNCHED(stream, "gradient_norm");
    }
    CU_LAUNCH(norm_and_clip, dim3(1), dim3(ADDING_THREADS), 0, stream->handle, squares, p->n_chunks, args->max_norm,
              (float *)pl__at(args->factors, 0));
    PL_LAUNCHED(stream, "gradient_norm: the sum");
    return PL_OK;
}
