/* float32 to and from the two half types, with our own code: HDF5's conversion is slow for one and rounds ties away
 * from even for the other. Round to nearest even, subnormals kept, NaN stays a (quiet) NaN with its sign.
 *
 * A half never becomes infinite: a value beyond the largest finite half, infinities included, is stored as that largest
 * value with its sign, and counted. */
#ifndef PLUMB_BASE_HALF_H
#define PLUMB_BASE_HALF_H

#include <stddef.h>
#include <stdint.h>

/* The number of values that did not fit. Largest finite: 65504 (float16), 3.3895e38 (bfloat16). */
size_t pl_f16_from_f32(uint16_t *out, const float *in, size_t n);
size_t pl_bf16_from_f32(uint16_t *out, const float *in, size_t n);

/* Halves of another maker, where what did not fit is infinite: infinities become the largest finite value. Returns how
 * many there were. */
size_t pl_f16_clamp(uint16_t *halves, size_t n);
size_t pl_bf16_clamp(uint16_t *halves, size_t n);

/* How many are NaN; in float32 also how many are NaN or infinite (an infinite half is what did not fit). */
size_t pl_f16_count_nan(const uint16_t *halves, size_t n);
size_t pl_bf16_count_nan(const uint16_t *halves, size_t n);
size_t pl_f32_count_nan(const float *values, size_t n);
size_t pl_f32_count_not_finite(const float *values, size_t n);

/* Exact. */
void pl_f32_from_f16(float *out, const uint16_t *in, size_t n);
void pl_f32_from_bf16(float *out, const uint16_t *in, size_t n);

#endif
