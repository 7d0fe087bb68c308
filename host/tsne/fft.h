/* Complex Fourier transforms of sixteen lines side by side (Cooley & Tukey 1965, radix 3, 4 and 2, in place).
 *
 * The forward transform leaves its output in an order of its own, which the inverse takes: a convolution needs no
 * other, as the kernel's transform stands in the same order. No scale on either side: there and back multiplies by m.
 */
#ifndef PLUMB_TSNE_FFT_H
#define PLUMB_TSNE_FFT_H

#include <stddef.h>

#include "base/status.h"

enum { PL__FFT_STAGES = 16 };

typedef struct pl__fft {
    size_t m;
    int n_stages, radix[PL__FFT_STAGES];
    float *twiddles; /* stage after stage [length / radix, radix - 1, 2]: e^(-2 pi i j k / length), k from 1 */
} pl__fft;

/* m = 2^a or 3 2^a. */
pl_status pl__fft_create(pl__fft *out, size_t m);
void pl__fft_free(pl__fft *fft); /* takes {0} */

/* re, im [m, 16], aligned to 64 bytes */
void pl__fft_forward(const pl__fft *fft, float *re, float *im);
void pl__fft_inverse(const pl__fft *fft, float *re, float *im);

#endif
