/* The activations and their slopes in double precision, from their definitions in device/types.h. */
#ifndef TESTS_DEVICE_ACTIVATE_H
#define TESTS_DEVICE_ACTIVATE_H

#include <math.h>

#include "device/types.h"

static inline double activate(double x, pl_activation activation)
{
    switch (activation) {
    case PL_ACT_NONE:
        return x;
    case PL_ACT_GELU_ERF:
        return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
    case PL_ACT_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case PL_ACT_RELU:
        return x < 0 ? 0 : x;
    case PL_ACT_SILU:
        return x / (1.0 + exp(-x));
    case PL_ACT_QUICK_GELU:
        return x / (1.0 + exp(-1.702 * x));
    }
    return NAN;
}

static inline double activation_slope(double x, pl_activation activation)
{
    const double root = sqrt(2.0 / acos(-1.0)), k = activation == PL_ACT_SILU ? 1.0 : 1.702;
    double s, t;
    switch (activation) {
    case PL_ACT_NONE:
        return 1.0;
    case PL_ACT_GELU_ERF:
        return 0.5 * (1.0 + erf(x / sqrt(2.0))) + x * exp(-0.5 * x * x) * 0.5 * root;
    case PL_ACT_GELU_TANH:
        if (fabs(x) > 1e6) return x > 0;
        t = tanh(root * (x + 0.044715 * x * x * x));
        return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * root * (1.0 + 3.0 * 0.044715 * x * x);
    case PL_ACT_RELU:
        return x > 0 ? 1 : 0;
    case PL_ACT_SILU:
    case PL_ACT_QUICK_GELU:
        if (fabs(x) > 400) return x > 0;
        s = 1.0 / (1.0 + exp(-k * x));
        return s + k * x * s * (1.0 - s);
    }
    return NAN;
}

static inline const char *activation_name(pl_activation activation)
{
    static const char *const names[] = {"none", "gelu", "gelu_tanh", "relu", "silu", "quick_gelu"};
    return names[activation];
}

#endif
