/* Activation functions of one number, for `gate` and the epilogues of products: the formulas of
 * host/device/cpu/activation.h in float32, with CUDA's accurate expf (2 ulp) and erff (2 ulp), no fast maths.
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

#endif
