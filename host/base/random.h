/* Counter-based random numbers (Philox 4x32-10 of Random123): a value depends on (seed, purpose, stream, index) and on
 * nothing that ran before, so it is the same on every device, in any order. */
#ifndef PLUMB_BASE_RANDOM_H
#define PLUMB_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What numbers are drawn for: two purposes never share a value. Append only: the number is part of the result. */
typedef enum pl_purpose {
    PL_RANDOM_DRAW = 1,  /* which items serve as shots and training set */
    PL_RANDOM_ORDER = 2, /* in which order the shots stand */
    PL_RANDOM_ITEMS = 3, /* which items are evaluated */
    PL_RANDOM_WEIGHTS = 4,
    PL_RANDOM_DROPOUT = 5,
    PL_RANDOM_SAMPLE = 6,
    PL_RANDOM_TEST = 7,
    PL_RANDOM_PERMUTE = 8,     /* permutation nulls of the statistics */
    PL_RANDOM_CERTIFICATE = 9, /* token paths that a device is tried with */
    PL_RANDOM_FOLDS = 10,      /* folds of a cross-validation within training rows */
    PL_RANDOM_BATCHES = 11,    /* in which order examples are trained on */
    PL_RANDOM_STATES = 12,     /* in which order items stand of which the first ones are a sample */
    PL_RANDOM_MAP = 13,        /* maps: the noise of their starts, permuted neighbours, pairs of points */
    PL_RANDOM_BOOTSTRAP = 14   /* which tasks and models a replicate has */
} pl_purpose;

uint32_t pl_random_u32(uint64_t seed, pl_purpose purpose, uint32_t stream, uint64_t index);
/* Uniform in [0, bound) without bias; bound > 0. */
uint32_t pl_random_below(uint64_t seed, pl_purpose purpose, uint32_t stream, uint64_t index, uint32_t bound);
/* Uniform in (0, 1). */
double pl_random_uniform(uint64_t seed, pl_purpose purpose, uint32_t stream, uint64_t index);
/* Standard normal (Box-Muller). */
double pl_random_normal(uint64_t seed, pl_purpose purpose, uint32_t stream, uint64_t index);
/* out[0..n) = a permutation of 0..n-1 (Fisher-Yates). */
void pl_random_permutation(size_t *out, size_t n, uint64_t seed, pl_purpose purpose, uint32_t stream);

#endif
