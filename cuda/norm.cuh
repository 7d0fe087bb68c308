/* The norm of one row of floats, shared by `norm` and `head_norm`: x is read from global memory once.
 *
 * A group of threads (a warp or a block) shares a row; member m owns the elements 4 (m + k size) to + 3, k = 0, 1, ...
 * Sums run in double precision, each member's from front to back, then over the members in a fixed tree, so that they
 * depend on nothing but the row and its length. The mean is kept as two floats: x - high is exact where x is near the
 * mean, so that a large mean costs no accuracy. Where elements stay between the passes (registers, or read again) and
 * how they are read changes no bit. */
#ifndef PLUMB_CUDA_NORM_CUH
#define PLUMB_CUDA_NORM_CUH

#include "vector.cuh"

enum { PL__NORM_OWN = 4 };

__device__ __forceinline__ double pl__warp_sum(double x)
{
    for (int lane = PL__WARP / 2; lane; lane /= 2) x += __shfl_xor_sync(0xffffffffu, x, lane);
    return x;
}

/* Groups: who am I, how many are we, and the sum over all of us. */
struct pl__warp_group {
    __device__ __forceinline__ int member() const
    {
        return (int)threadIdx.x % PL__WARP;
    }
    __device__ __forceinline__ int size() const
    {
        return PL__WARP;
    }
    __device__ __forceinline__ double sum(double x) const
    {
        return pl__warp_sum(x);
    }
};
struct pl__block_group {
    double *scratch; /* [32] in shared memory */
    __device__ __forceinline__ int member() const
    {
        return (int)threadIdx.x;
    }
    __device__ __forceinline__ int size() const
    {
        return (int)blockDim.x;
    }
    __device__ __forceinline__ double sum(double x) const
    {
        const int lane = (int)threadIdx.x % PL__WARP, warp = (int)threadIdx.x / PL__WARP;
        x = pl__warp_sum(x);
        if (lane == 0) scratch[warp] = x;
        __syncthreads();
        x = pl__warp_sum(lane < (int)blockDim.x / PL__WARP ? scratch[lane] : 0.0);
        __syncthreads();
        return x;
    }
};

/* What is asked of a row. */
struct pl__norm_of {
    pl_norm_kind kind;
    float eps;
    const float *weight, *bias; /* [n], or NULL */
    int n;
};

/* visit(k, i) for each group of four elements from i on that this member owns. With `keep` 0 there may be any number of
 * them, otherwise at most `keep`. */
template <int keep, class F> __device__ __forceinline__ void pl__norm_each(int member, int size, int n, F visit)
{
    if constexpr (keep > 0) {
#pragma unroll
        for (int k = 0; k < keep; k++) {
            const int i = PL__NORM_OWN * (member + k * size);
            if (i < n) visit(k, i);
        }
    } else {
        for (int i = PL__NORM_OWN * member; i < n; i += PL__NORM_OWN * size) visit(0, i);
    }
}

/* y may be x. `keep` elements times four stay in registers; 0: they are read again for each pass. */
template <int keep, bool packed, class X, class Y, class Group>
__device__ __forceinline__ void pl__norm_row(Y *y, const X *x, const pl__norm_of &of, const Group &group)
{
    constexpr int OWN = PL__NORM_OWN;
    const int member = group.member(), size = group.size(), n = of.n;
    float own[keep ? keep : 1][OWN];
    if constexpr (keep > 0)
        pl__norm_each<keep>(member, size, n, [&](int k, int i) { pl__load<packed>(own[k], x + i, n - i); });
    /* use(values, i, how many) for what this member owns */
    const auto each = [&](auto use) {
        pl__norm_each<keep>(member, size, n, [&](int k, int i) {
            if constexpr (keep == 0) pl__load<packed>(own[k], x + i, n - i);
            use(own[k], i, packed ? OWN : min(n - i, OWN));
        });
    };
    float high = 0.0f, low = 0.0f;
    if (of.kind == PL_NORM_LAYER) {
        double sum = 0.0;
        each([&](float(&v)[OWN], int, int m) {
#pragma unroll
            for (int j = 0; j < OWN; j++)
                if (j < m) sum += (double)v[j];
        });
        const double mean = group.sum(sum) / (double)n;
        high = (float)mean;
        low = (float)(mean - (double)high);
    }
    double square = 0.0;
    each([&](float(&v)[OWN], int, int m) {
#pragma unroll
        for (int j = 0; j < OWN; j++) {
            const double d = (double)(v[j] - high - low);
            if (j < m) square = fma(d, d, square);
        }
    });
    const float scale = (float)rsqrt(group.sum(square) / (double)n + (double)of.eps);
    const float plus = of.kind == PL_NORM_RMS_PLUS_ONE ? 1.0f : 0.0f;
    each([&](float(&v)[OWN], int i, int m) {
        float w[OWN], b[OWN], out[OWN];
        if (of.weight) pl__load<packed>(w, of.weight + i, m);
        if (of.bias) pl__load<packed>(b, of.bias + i, m);
#pragma unroll
        for (int j = 0; j < OWN; j++) {
            out[j] = __fmul_rn(v[j] - high - low, scale);
            if (of.weight) out[j] = __fmul_rn(out[j], plus + w[j]);
            if (of.bias) out[j] = __fadd_rn(out[j], b[j]);
        }
        pl__store<packed>(y + i, out, m);
    });
}

#endif
