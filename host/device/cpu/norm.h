/* The norm of one row, shared by `norm` and `head_norm`. */
#ifndef PLUMB_DEVICE_CPU_NORM_H
#define PLUMB_DEVICE_CPU_NORM_H

#include <math.h>
#include <stddef.h>

#include "device/types.h"

/* lane[0..16) summed as a tree: lane i with i + 8, then + 4, 2, 1. */
static inline double pl__tree_sum(double lane[16])
{
    for (size_t half = 8; half; half /= 2) {
        for (size_t i = 0; i < half; i++) lane[i] += lane[i + half];
    }
    return lane[0];
}

/* power 1: sum of x - shift; power 2: of its square. */
static inline double pl__row_sum(const float *x, size_t n, double shift, int power)
{
    double lane[16] = {0};
    size_t whole = n / 16 * 16;
    for (size_t i = 0; i < whole; i += 16) {
        for (size_t j = 0; j < 16; j++) {
            double d = (double)x[i + j] - shift;
            lane[j] += power == 1 ? d : d * d;
        }
    }
    for (size_t i = whole; i < n; i++) {
        double d = (double)x[i] - shift;
        lane[i - whole] += power == 1 ? d : d * d;
    }
    return pl__tree_sum(lane);
}

/* weight and bias may be NULL; y may be x. */
static inline void pl__norm_row(float *y, const float *x, size_t n, pl_norm_kind kind, float eps, const float *weight,
                                const float *bias)
{
    double mean = kind == PL_NORM_LAYER ? pl__row_sum(x, n, 0.0, 1) / (double)n : 0.0;
    double square = pl__row_sum(x, n, mean, 2) / (double)n;
    double scale = 1.0 / sqrt(square + (double)eps);
    float plus = kind == PL_NORM_RMS_PLUS_ONE ? 1.0f : 0.0f;
    for (size_t i = 0; i < n; i++) {
        float v = (float)(((double)x[i] - mean) * scale);
        if (weight) v *= plus + weight[i];
        if (bias) v += bias[i];
        y[i] = v;
    }
}

#endif
