/* The norm of one row, shared by `norm`, `head_norm` and their backward ops. */
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

/* What a row is normed by: (x - mean) * scale, before the weight. */
typedef struct pl__moments {
    double mean, scale;
} pl__moments;

static inline pl__moments pl__norm_moments(const float *x, size_t n, pl_norm_kind kind, float eps)
{
    if (kind == PL_NORM_NONE) return (pl__moments){0.0, 1.0};
    double mean = kind == PL_NORM_LAYER ? pl__row_sum(x, n, 0.0, 1) / (double)n : 0.0;
    double square = pl__row_sum(x, n, mean, 2) / (double)n;
    return (pl__moments){mean, 1.0 / sqrt(square + (double)eps)};
}

/* The gain of an op's arguments. */
static inline float pl__gain(float gain)
{
    return gain == 0.0f ? 1.0f : gain;
}

/* weight and bias may be NULL; y may be x. With `add` y gets it on top. */
static inline void pl__norm_row(float *y, const float *x, size_t n, pl_norm_kind kind, float eps, const float *weight,
                                const float *bias, float gain, int add)
{
    pl__moments moments = pl__norm_moments(x, n, kind, eps);
    float plus = kind == PL_NORM_RMS_PLUS_ONE ? 1.0f : 0.0f;
    for (size_t i = 0; i < n; i++) {
        float v = (float)(((double)x[i] - moments.mean) * moments.scale);
        if (weight) v *= plus + weight[i];
        if (bias) v += bias[i];
        v *= gain;
        y[i] = add ? y[i] + v : v;
    }
}

/* The weight of feature i; 1 without weight. */
static inline double pl__norm_weight(const float *weight, pl_norm_kind kind, size_t i)
{
    return weight ? (kind == PL_NORM_RMS_PLUS_ONE ? 1.0 : 0.0) + (double)weight[i] : 1.0;
}

/* With g = dy * weight and z = (x - mean) * scale, the gradient of x is scale * (g - mean(g) - z mean(g z)), without
 * mean(g) where no mean was taken off, and g alone where there is no norm; times the gain. It is added to dx, or
 * written over it where `fresh`; dx may be dy then. Means run in double precision over 16 lanes and the tree of the
 * forward op.
 */
static inline void pl__norm_row_backward(float *dx, const float *x, const float *dy, size_t n, pl_norm_kind kind,
                                         const pl__moments *of, const float *weight, float gain, int fresh)
{
    double plain[16] = {0}, along[16] = {0};
    const double mean = of->mean, scale = of->scale;
    const size_t whole = n / 16 * 16;
    for (size_t i = 0; i < whole; i += 16) {
        for (size_t j = 0; j < 16; j++) {
            double g = (double)dy[i + j] * pl__norm_weight(weight, kind, i + j);
            plain[j] += g;
            along[j] += g * (((double)x[i + j] - mean) * scale);
        }
    }
    for (size_t i = whole; i < n; i++) {
        double g = (double)dy[i] * pl__norm_weight(weight, kind, i);
        plain[i - whole] += g;
        along[i - whole] += g * (((double)x[i] - mean) * scale);
    }
    const double level = kind == PL_NORM_LAYER ? pl__tree_sum(plain) / (double)n : 0.0;
    const double slant = kind == PL_NORM_NONE ? 0.0 : pl__tree_sum(along) / (double)n;
    for (size_t i = 0; i < n; i++) {
        double g = (double)dy[i] * pl__norm_weight(weight, kind, i), z = ((double)x[i] - mean) * scale;
        float d = (float)(scale * (g - level - z * slant)) * gain;
        dx[i] = fresh ? d : dx[i] + d;
    }
}

#endif
