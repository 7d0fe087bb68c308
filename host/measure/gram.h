/* Gram matrices of centred states in double: what CKA, its jackknife and principal components read.
 *
 * Centring comes first and in double: with the common offset of GPT-2-like states, debiased CKA from uncentred float32
 * products is wrong in the first digit (stability.md 0.7). */
#ifndef PLUMB_MEASURE_GRAM_H
#define PLUMB_MEASURE_GRAM_H

#include <stddef.h>

#include "base/status.h"
#include "device/device.h"

/* gram[i * n + j] = (x_i - mean) . (x_j - mean) for i != j, 0 on the diagonal. Exactly symmetric; equal inputs give
 * equal bits; the same bits for any number of threads, any vector width and any device (each element is one sum over d
 * in order). `on`: where products are made (op `pairwise`); NULL: the CPU. */
pl_status pl_gram(double *gram, const float *x, size_t n, size_t width,
                  const pl_processor *on); /* [n, n], [n, width] */

/* Products of the centred x with itself, the diagonal too: of its rows [n, n], or of its columns [width, width]: what a
 * principal component analysis reads. mean [width] is filled. The promises of pl_gram hold. They take, besides x and
 * gram, as much again as both on the device, and 16 bytes for each of x's numbers. */
typedef enum pl_gram_of { PL_GRAM_OF_ROWS, PL_GRAM_OF_COLUMNS } pl_gram_of;
pl_status pl_gram_whole(double *gram, double *mean, const float *x, size_t n, size_t width, pl_gram_of of,
                        const pl_processor *on);

#endif
