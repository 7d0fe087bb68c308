/* States for tests: of golden values, and planted ones. */
#ifndef PLUMB_TESTS_MEASURE_STATES_H
#define PLUMB_TESTS_MEASURE_STATES_H

#include "numbers.h"

#include "base/random.h"

/* The caller frees it. */
static inline float *floats(const json_t *array)
{
    float *out = calloc(json_array_size(array), sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < json_array_size(array); i++) out[i] = (float)element(array, i);
    return out;
}

static inline void *room(size_t n, size_t bytes)
{
    void *out = calloc(n, bytes);
    assert_non_null(out);
    return out;
}

/* x [n, width]: `groups` Gaussians of SD 1 whose centres are `apart` from 0 along features of their own. */
static inline float *planted(size_t n, size_t width, size_t groups, double apart, uint32_t stream)
{
    float *x = room(n * width, sizeof *x);
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < width; d++)
            x[i * width + d] = (float)(pl_random_normal(1, PL_RANDOM_TEST, stream, i * width + d) +
                                       (d % groups == i % groups ? apart : 0.0));
    return x;
}

#endif
