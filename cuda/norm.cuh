/* The norm of one row of floats and its gradient, shared by `norm`, `head_norm` and their backward ops: what is kept in
 * registers is read from global memory once.
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

/* The gain of an op's arguments. */
static inline float pl__gain(float gain)
{
    return gain == 0.0f ? 1.0f : gain;
}

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
    bool add; /* the forward op: y += norm(x) */
    float gain;
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

/* use(values, i, how many) for the elements of x that this member owns; `own` holds them where `keep` is not 0. */
template <int keep, bool packed, class X, class F>
__device__ __forceinline__ void pl__norm_values(float (&own)[keep ? keep : 1][PL__NORM_OWN], const X *x, int member,
                                                int size, int n, F use)
{
    pl__norm_each<keep>(member, size, n, [&](int k, int i) {
        if constexpr (keep == 0) pl__load<packed>(own[k], x + i, n - i);
        use(own[k], i, packed ? PL__NORM_OWN : min(n - i, PL__NORM_OWN));
    });
}

template <int keep, bool packed, class X>
__device__ __forceinline__ void pl__norm_keep(float (&own)[keep ? keep : 1][PL__NORM_OWN], const X *x, int member,
                                              int size, int n)
{
    if constexpr (keep > 0)
        pl__norm_each<keep>(member, size, n, [&](int k, int i) { pl__load<packed>(own[k], x + i, n - i); });
}

/* What a row is normed by: (x - high - low) * scale, before the weight. */
struct pl__moments {
    float high, low, scale;
};

template <int keep, bool packed, class X, class Group>
__device__ __forceinline__ pl__moments pl__norm_moments(float (&own)[keep ? keep : 1][PL__NORM_OWN], const X *x,
                                                        const pl__norm_of &of, const Group &group)
{
    constexpr int OWN = PL__NORM_OWN;
    const int member = group.member(), size = group.size(), n = of.n;
    pl__moments moments = {0.0f, 0.0f, 1.0f};
    if (of.kind == PL_NORM_NONE) return moments;
    if (of.kind == PL_NORM_LAYER) {
        double sum = 0.0;
        pl__norm_values<keep, packed>(own, x, member, size, n, [&](float(&v)[OWN], int, int m) {
#pragma unroll
            for (int j = 0; j < OWN; j++)
                if (j < m) sum += (double)v[j];
        });
        const double mean = group.sum(sum) / (double)n;
        moments.high = (float)mean;
        moments.low = (float)(mean - (double)moments.high);
    }
    double square = 0.0;
    pl__norm_values<keep, packed>(own, x, member, size, n, [&](float(&v)[OWN], int, int m) {
#pragma unroll
        for (int j = 0; j < OWN; j++) {
            const double d = (double)(v[j] - moments.high - moments.low);
            if (j < m) square = fma(d, d, square);
        }
    });
    moments.scale = (float)rsqrt(group.sum(square) / (double)n + (double)of.eps);
    return moments;
}

/* y may be x, unless it is added to. `keep` elements times four stay in registers; 0: they are read again for each
 * pass. */
template <int keep, bool packed, class X, class Y, class Group>
__device__ __forceinline__ void pl__norm_row(Y *y, const X *x, const pl__norm_of &of, const Group &group)
{
    constexpr int OWN = PL__NORM_OWN;
    const int member = group.member(), size = group.size(), n = of.n;
    float own[keep ? keep : 1][OWN];
    pl__norm_keep<keep, packed>(own, x, member, size, n);
    const pl__moments moments = pl__norm_moments<keep, packed>(own, x, of, group);
    const float plus = of.kind == PL_NORM_RMS_PLUS_ONE ? 1.0f : 0.0f;
    pl__norm_values<keep, packed>(own, x, member, size, n, [&](float(&v)[OWN], int i, int m) {
        float w[OWN], b[OWN], out[OWN];
        if (of.weight) pl__load<packed>(w, of.weight + i, m);
        if (of.bias) pl__load<packed>(b, of.bias + i, m);
#pragma unroll
        for (int j = 0; j < OWN; j++) {
            out[j] = __fmul_rn(v[j] - moments.high - moments.low, moments.scale);
            if (of.weight) out[j] = __fmul_rn(out[j], plus + w[j]);
            if (of.bias) out[j] = __fadd_rn(out[j], b[j]);
            out[j] = __fmul_rn(out[j], of.gain);
        }
        if (of.add) {
            float sum[OWN];
            pl__load<packed>(sum, y + i, m);
#pragma unroll
            for (int j = 0; j < OWN; j++) out[j] = __fadd_rn(sum[j], out[j]);
        }
        pl__store<packed>(y + i, out, m);
    });
}

/* With g = dy * weight and z = (x - mean) * scale, the gradient of x is d = scale * (g - mean(g) - z mean(g z)),
 * without mean(g) where no mean was taken off, times the gain, as dy is for the visit; g and z go into the means
 * unrounded. visit(k, i, how many, dy, z, d) gets it for each group of elements that this member owns; it may then
 * write over dy. Means run in double precision, as the moments do. */
template <int keep, bool packed, class X, class D, class Group, class F>
__device__ __forceinline__ void pl__norm_row_backward(const X *x, const D *dy, const pl__norm_of &of,
                                                      const Group &group, F visit)
{
    constexpr int OWN = PL__NORM_OWN;
    const int member = group.member(), size = group.size(), n = of.n;
    float own[keep ? keep : 1][OWN], own_dy[keep ? keep : 1][OWN];
    pl__norm_keep<keep, packed>(own, x, member, size, n);
    pl__norm_keep<keep, packed>(own_dy, dy, member, size, n);
    const pl__moments moments = pl__norm_moments<keep, packed>(own, x, of, group);
    const float plus = of.kind == PL_NORM_RMS_PLUS_ONE && of.weight ? 1.0f : 0.0f;
    const double mean = (double)moments.high + (double)moments.low; /* exact */
    /* use(k, i, how many, x, dy, weight) */
    const auto each = [&](auto use) {
        pl__norm_each<keep>(member, size, n, [&](int k, int i) {
            if constexpr (keep == 0) {
                pl__load<packed>(own[k], x + i, n - i);
                pl__load<packed>(own_dy[k], dy + i, n - i);
            }
            float w[OWN] = {1.0f, 1.0f, 1.0f, 1.0f};
            if (of.weight) pl__load<packed>(w, of.weight + i, n - i);
            use(k, i, packed ? OWN : min(n - i, OWN), own[k], own_dy[k], w);
        });
    };
    double plain = 0.0, along = 0.0;
    each([&](int, int, int m, float(&v)[OWN], float(&g)[OWN], float(&w)[OWN]) {
#pragma unroll
        for (int j = 0; j < OWN; j++) {
            const double gw = (double)g[j] * ((double)plus + (double)w[j]);
            if (j < m) {
                plain += gw;
                along = fma(gw, (double)v[j] - mean, along);
            }
        }
    });
    const float level = of.kind == PL_NORM_LAYER ? (float)(group.sum(plain) / (double)n) : 0.0f;
    const float slant = of.kind == PL_NORM_NONE ? 0.0f : (float)(group.sum(along) * (double)moments.scale / (double)n);
    each([&](int k, int i, int m, float(&v)[OWN], float(&g)[OWN], float(&w)[OWN]) {
        float z[OWN], d[OWN];
#pragma unroll
        for (int j = 0; j < OWN; j++) {
            z[j] = __fmul_rn(v[j] - moments.high - moments.low, moments.scale);
            d[j] = __fmul_rn(moments.scale, fmaf(-z[j], slant, fmaf(g[j], plus + w[j], -level)));
            d[j] = __fmul_rn(d[j], of.gain);
            g[j] = __fmul_rn(g[j], of.gain);
        }
        visit(k, i, m, g, z, d);
    });
}

#endif
