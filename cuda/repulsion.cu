/* Repulsion of all pairs, each from both sides, so that a point's sum is one thread's: a thread has OWN points in
 * registers and goes through the others, which a block reads to shared memory STEP at a time. The others are cut into
 * shares at places that depend on n alone, a block each; a second launch adds the shares in order. A pair takes about
 * nine instructions, which bounds it: the reciprocal is the hardware's, off by a last bit. */
#include "cuda.h"
#include "norm.cuh"

enum { THREADS = 128, OWN = 4, TILE = THREADS * OWN, STEP = 128, MOST_SHARES = 32, ADDING_THREADS = 256 };

/* How n points are cut. */
struct cut {
    int tiles, shares, share; /* points of a share: whole steps */
};

static cut cut_of(size_t n)
{
    const size_t steps = (n + STEP - 1) / STEP, most = MOST_SHARES;
    const size_t each = (steps + most - 1) / most, shares = (steps + each - 1) / each;
    return cut{(int)((n + TILE - 1) / TILE), (int)shares, (int)(each * STEP)};
}

struct sums {
    float x[OWN], y[OWN], z[OWN];
};

/* What `m` others put on the own points. self: which of them is the first own one; others are THREADS behind it. */
template <bool with_self>
static __device__ __forceinline__ void add_pairs(sums &sum, const float (&x)[OWN], const float (&y)[OWN],
                                                 const float2 *others, int m, int self)
{
#pragma unroll 4
    for (int j = 0; j < m; j++) {
        const float2 other = others[j];
#pragma unroll
        for (int k = 0; k < OWN; k++) {
            const float dx = x[k] - other.x, dy = y[k] - other.y;
            float q = __fdividef(1.0f, fmaf(dx, dx, fmaf(dy, dy, 1.0f)));
            if (with_self && j == self + k * THREADS) q = 0.0f;
            const float square = q * q;
            sum.z[k] += q;
            sum.x[k] = fmaf(square, dx, sum.x[k]);
            sum.y[k] = fmaf(square, dy, sum.y[k]);
        }
    }
}

/* parts [shares, n, 2]; z [shares, tiles] */
static __global__ void __launch_bounds__(THREADS)
    add_shares(const float *__restrict__ points, int n, int share, float *__restrict__ parts, double *__restrict__ z)
{
    __shared__ float2 others[STEP];
    __shared__ double scratch[PL__WARP];
    const int tile = (int)blockIdx.x * TILE, first = tile + (int)threadIdx.x;
    const int end = min(n, ((int)blockIdx.y + 1) * share);
    float x[OWN], y[OWN];
    sums sum = {};
#pragma unroll
    for (int k = 0; k < OWN; k++) {
        const size_t i = (size_t)min(first + k * THREADS, n - 1);
        x[k] = points[2 * i];
        y[k] = points[2 * i + 1];
    }
    for (int from = (int)blockIdx.y * share; from < end; from += STEP) {
        const int m = min((int)STEP, end - from);
        __syncthreads(); /* nobody reads the others of before */
        for (int j = (int)threadIdx.x; j < m; j += THREADS) {
            const size_t at = 2 * (size_t)(from + j);
            others[j] = make_float2(points[at], points[at + 1]);
        }
        __syncthreads(); /* the others are there */
        if (from < tile + TILE && tile < from + m)
            add_pairs<true>(sum, x, y, others, m, first - from);
        else
            add_pairs<false>(sum, x, y, others, m, 0);
    }
    double own_z = 0.0;
#pragma unroll
    for (int k = 0; k < OWN; k++) {
        const int i = first + k * THREADS;
        if (i >= n) continue;
        float *part = parts + 2 * ((size_t)blockIdx.y * (size_t)n + (size_t)i);
        part[0] = sum.x[k];
        part[1] = sum.y[k];
        own_z += (double)sum.z[k];
    }
    own_z = pl__block_group{scratch}.sum(own_z);
    if (threadIdx.x == 0) z[(size_t)blockIdx.y * gridDim.x + blockIdx.x] = own_z;
}

static __global__ void __launch_bounds__(ADDING_THREADS)
    add_parts(const float *__restrict__ parts, const double *__restrict__ z_parts, size_t n_numbers, int shares,
              size_t n_z, float *__restrict__ force, double *__restrict__ z)
{
    __shared__ double scratch[PL__WARP];
    const size_t i = (size_t)blockIdx.x * ADDING_THREADS + threadIdx.x;
    if (i < n_numbers) {
        float sum = parts[i];
        for (int s = 1; s < shares; s++) sum += parts[(size_t)s * n_numbers + i];
        force[i] = sum;
    }
    if (blockIdx.x) return;
    double sum = 0.0;
    for (size_t k = threadIdx.x; k < n_z; k += ADDING_THREADS) sum += z_parts[k];
    sum = pl__block_group{scratch}.sum(sum);
    if (threadIdx.x == 0) *z = sum;
}

extern "C" size_t pl__repulsion_workspace_bytes(size_t n_points)
{
    const cut c = cut_of(n_points);
    return (size_t)c.shares * ((size_t)c.tiles * sizeof(double) + 2 * n_points * sizeof(float));
}

extern "C" pl_status pl__repulsion(pl_stream *stream, const pl_repulsion_args *args)
{
    const size_t n = args->y.columns / 2;
    const cut c = cut_of(n);
    const size_t n_z = (size_t)c.tiles * (size_t)c.shares;
    double *z = (double *)pl__at(args->workspace, 0);
    float *parts = (float *)(z + n_z);
    CU_LAUNCH(add_shares, dim3((unsigned)c.tiles, (unsigned)c.shares), dim3(THREADS), 0, stream->handle,
              (const float *)pl__at(args->y, 0), (int)n, c.share, parts, z);
    PL_LAUNCHED(stream, "repulsion");
    CU_LAUNCH(add_parts, dim3((unsigned)((2 * n + ADDING_THREADS - 1) / ADDING_THREADS)), dim3(ADDING_THREADS), 0,
              stream->handle, parts, z, 2 * n, c.shares, n_z, (float *)pl__at(args->force, 0),
              (double *)pl__at(args->z, 0));
    PL_LAUNCHED(stream, "repulsion: the sum");
    return PL_OK;
}
