/* Activation functions over a row: y = act(x). The same formulas on every device. */
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

#endif
