/* The activations in double precision, from their definitions in device/types.h. */
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

static inline const char *activation_name(pl_activation activation)
{
    static const char *const names[] = {"none", "gelu", "gelu_tanh", "relu", "silu", "quick_gelu"};
    return names[activation];
}

#endif
