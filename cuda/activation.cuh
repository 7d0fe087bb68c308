/* Activation functions of one number and their slopes, for `gate`, the epilogues of products and backward ops: the
 * formulas of host/device/cpu/activation.h in float32, with CUDA's accurate expf (2 ulp) and erff (2 ulp), no fast
 * maths.
 *
 * Additions next to a product are written so that the compiler cannot contract them: the same bits in every kernel that
 * inlines these. NaN stays NaN. */
#ifndef PLUMB_CUDA_ACTIVATION_CUH
#define PLUMB_CUDA_ACTIVATION_CUH

#include "device/types.h"

#include "kernel.cuh"

/* x / (1 + e^-t) */
__device__ __forceinline__ float pl__times_sigmoid(float x, float t)
{
    return x / __fadd_rn(1.0f, expf(-t));
}

__device__ __forceinline__ float pl__gelu_erf(float x)
{
    return __fmul_rn(0.5f * x, __fadd_rn(1.0f, erff(__fmul_rn(x, 0.70710678f))));
}

/* 0.5 (1 + tanh u) = 1 / (1 + exp(-2u)): one division, and no cancellation where u is very negative. */
__device__ __forceinline__ float pl__gelu_tanh(float x)
{
    float u = __fmul_rn(0.79788456f, fmaf(__fmul_rn(__fmul_rn(0.044715f, x), x), x, x));
    return pl__times_sigmoid(x, __fmul_rn(2.0f, u));
}

/* act(x). `a` is the same for all threads of a launch. */
__device__ __forceinline__ float pl__activate(float x, pl_activation a)
{
    switch (a) {
    case PL_ACT_GELU_ERF:
        return pl__gelu_erf(x);
    case PL_ACT_GELU_TANH:
        return pl__gelu_tanh(x);
    case PL_ACT_RELU:
        return x < 0.0f ? 0.0f : x;
    case PL_ACT_SILU:
        return pl__times_sigmoid(x, x);
    case PL_ACT_QUICK_GELU:
        return pl__times_sigmoid(x, __fmul_rn(1.702f, x));
    default:
        return x;
    }
}

/* The same for n numbers of a thread: one choice for all of them. */
template <int n> __device__ __forceinline__ void pl__activate(float (&x)[n], pl_activation a)
{
    switch (a) {
    case PL_ACT_GELU_ERF:
#pragma unroll
        for (int i = 0; i < n; i++) x[i] = pl__gelu_erf(x[i]);
        break;
    case PL_ACT_GELU_TANH:
#pragma unroll
        for (int i = 0; i < n; i++) x[i] = pl__gelu_tanh(x[i]);
        break;
    case PL_ACT_RELU:
#pragma unroll
        for (int i = 0; i < n; i++) x[i] = x[i] < 0.0f ? 0.0f : x[i];
        break;
    case PL_ACT_SILU:
#pragma unroll
        for (int i = 0; i < n; i++) x[i] = pl__times_sigmoid(x[i], x[i]);
        break;
    case PL_ACT_QUICK_GELU:
#pragma unroll
        for (int i = 0; i < n; i++) x[i] = pl__times_sigmoid(x[i], __fmul_rn(1.702f, x[i]));
        break;
    default:
        break;
    }
}

/* ---- Slopes: act'(x). Where x multiplies a factor that has become 0, x is bounded first: inf * 0 is NaN. ---- */

__device__ __forceinline__ float pl__within(float x, float limit)
{
    const float c = x > limit ? limit : x; /* comparisons with NaN leave x alone */
    return c < -limit ? -limit : c;
}

/* Phi(x) + x phi(x) */
__device__ __forceinline__ float pl__gelu_erf_slope(float x)
{
    const float c = pl__within(x, 16.0f);
    return fmaf(__fmul_rn(c, 0.39894228f), expf(__fmul_rn(__fmul_rn(-0.5f, c), c)),
                __fmul_rn(0.5f, __fadd_rn(1.0f, erff(__fmul_rn(x, 0.70710678f)))));
}

/* With s = 1 / (1 + e): e s, which is 1 - s and does not cancel; 1 where e is infinite. */
__device__ __forceinline__ float pl__sigmoid_rest(float e, float s)
{
    return e < __int_as_float(0x7f800000) ? __fmul_rn(e, s) : 1.0f;
}

/* With s = 1 / (1 + exp(-2u)): s + x s (1 - s) 2u'. */
__device__ __forceinline__ float pl__gelu_tanh_slope(float x)
{
    const float c = pl__within(x, 16.0f), square = __fmul_rn(c, c);
    const float u = __fmul_rn(0.79788456f, fmaf(__fmul_rn(0.044715f, square), c, c)), e = expf(__fmul_rn(-2.0f, u));
    const float s = 1.0f / __fadd_rn(1.0f, e);
    return fmaf(__fmul_rn(__fmul_rn(c, s), pl__sigmoid_rest(e, s)),
                __fmul_rn(1.5957691f, fmaf(0.134145f, square, 1.0f)), s);
}

/* Of x / (1 + exp(-k x)): s + k x s (1 - s). */
__device__ __forceinline__ float pl__sigmoid_slope(float x, float k)
{
    const float c = pl__within(x, 80.0f), e = expf(__fmul_rn(-k, c)), s = 1.0f / __fadd_rn(1.0f, e);
    return fmaf(__fmul_rn(__fmul_rn(k, c), s), pl__sigmoid_rest(e, s), s);
}

/* slope[i] = act'(x[i]); NaN stays NaN; 0 at 0 for RELU, as PyTorch has it. `a` is the same for all threads. */
template <int n>
__device__ __forceinline__ void pl__activation_slope(float (&slope)[n], const float (&x)[n], pl_activation a)
{
    switch (a) {
    case PL_ACT_GELU_ERF:
#pragma unroll
        for (int i = 0; i < n; i++) slope[i] = pl__gelu_erf_slope(x[i]);
        break;
    case PL_ACT_GELU_TANH:
#pragma unroll
        for (int i = 0; i < n; i++) slope[i] = pl__gelu_tanh_slope(x[i]);
        break;
    case PL_ACT_RELU:
#pragma unroll
        for (int i = 0; i < n; i++) slope[i] = x[i] > 0.0f ? 1.0f : x[i] != x[i] ? x[i] : 0.0f;
        break;
    case PL_ACT_SILU:
#pragma unroll
        for (int i = 0; i < n; i++) slope[i] = pl__sigmoid_slope(x[i], 1.0f);
        break;
    case PL_ACT_QUICK_GELU:
#pragma unroll
        for (int i = 0; i < n; i++) slope[i] = pl__sigmoid_slope(x[i], 1.702f);
        break;
    default:
#pragma unroll
        for (int i = 0; i < n; i++) slope[i] = 1.0f;
    }
}

#endif
