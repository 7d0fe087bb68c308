/* Activation functions over a row, y = act(x), and their slopes. The same formulas on every device. */
#ifndef PLUMB_DEVICE_CPU_ACTIVATION_H
#define PLUMB_DEVICE_CPU_ACTIVATION_H

#include <stddef.h>

#include "device/cpu/vmath.h"
#include "device/types.h"

static inline float pl__gelu_erf(float x)
{
    return 0.5f * x * (1.0f + pl__erf(x * 0.70710678f));
}

/* 0.5 (1 + tanh u) = 1 / (1 + exp(-2u)): one division, and no cancellation where u is very negative. */
static inline float pl__gelu_tanh(float x)
{
    float u = 0.79788456f * fmaf(0.044715f * x * x, x, x);
    return x / (1.0f + pl__exp(-2.0f * u));
}

static inline float pl__silu(float x)
{
    return x / (1.0f + pl__exp(-x));
}

static inline float pl__quick_gelu(float x)
{
    return x / (1.0f + pl__exp(-1.702f * x));
}

/* In place; NaN stays NaN. */
static inline void pl__activate(float *x, size_t n, pl_activation activation)
{
    switch (activation) {
    case PL_ACT_NONE:
        break;
    case PL_ACT_GELU_ERF:
        for (size_t i = 0; i < n; i++) x[i] = pl__gelu_erf(x[i]);
        break;
    case PL_ACT_GELU_TANH:
        for (size_t i = 0; i < n; i++) x[i] = pl__gelu_tanh(x[i]);
        break;
    case PL_ACT_RELU:
        for (size_t i = 0; i < n; i++) x[i] = x[i] < 0.0f ? 0.0f : x[i];
        break;
    case PL_ACT_SILU:
        for (size_t i = 0; i < n; i++) x[i] = pl__silu(x[i]);
        break;
    case PL_ACT_QUICK_GELU:
        for (size_t i = 0; i < n; i++) x[i] = pl__quick_gelu(x[i]);
        break;
    }
}

/* ---- Slopes: act'(x). Where x multiplies a factor that has become 0, x is bounded first: inf * 0 is NaN. ---- */

static inline float pl__within(float x, float limit)
{
    float c = x > limit ? limit : x; /* comparisons with NaN leave x alone */
    return c < -limit ? -limit : c;
}

/* Phi(x) + x phi(x) */
static inline float pl__gelu_erf_slope(float x)
{
    float c = pl__within(x, 16.0f);
    return fmaf(c * 0.39894228f, pl__exp(-0.5f * c * c), 0.5f * (1.0f + pl__erf(x * 0.70710678f)));
}

/* With s = 1 / (1 + exp(-2u)): s + x s (1 - s) 2u'. 1 - s is e s, which does not cancel. */
static inline float pl__gelu_tanh_slope(float x)
{
    float c = pl__within(x, 16.0f), square = c * c;
    float u = 0.79788456f * fmaf(0.044715f * square, c, c), e = pl__exp(-2.0f * u), s = 1.0f / (1.0f + e);
    float rest = e < HUGE_VALF ? e * s : 1.0f;
    return fmaf(c * s * rest, 1.5957691f * fmaf(0.134145f, square, 1.0f), s);
}

/* Of x / (1 + exp(-k x)): s + k x s (1 - s). */
static inline float pl__sigmoid_slope(float x, float k)
{
    float c = pl__within(x, 80.0f), e = pl__exp(-k * c), s = 1.0f / (1.0f + e);
    float rest = e < HUGE_VALF ? e * s : 1.0f;
    return fmaf(k * c * s, rest, s);
}

/* slope[i] = act'(x[i]); NaN stays NaN; 0 at 0 for RELU, as PyTorch has it. */
static inline void pl__activation_slope(float *slope, const float *x, size_t n, pl_activation activation)
{
    switch (activation) {
    case PL_ACT_NONE:
        for (size_t i = 0; i < n; i++) slope[i] = 1.0f;
        break;
    case PL_ACT_GELU_ERF:
        for (size_t i = 0; i < n; i++) slope[i] = pl__gelu_erf_slope(x[i]);
        break;
    case PL_ACT_GELU_TANH:
        for (size_t i = 0; i < n; i++) slope[i] = pl__gelu_tanh_slope(x[i]);
        break;
    case PL_ACT_RELU:
        for (size_t i = 0; i < n; i++) slope[i] = x[i] > 0.0f ? 1.0f : x[i] != x[i] ? x[i] : 0.0f;
        break;
    case PL_ACT_SILU:
        for (size_t i = 0; i < n; i++) slope[i] = pl__sigmoid_slope(x[i], 1.0f);
        break;
    case PL_ACT_QUICK_GELU:
        for (size_t i = 0; i < n; i++) slope[i] = pl__sigmoid_slope(x[i], 1.702f);
        break;
    }
}

#endif
