/* Products in bfloat16: operands are rounded to it (nearest even) as they are packed for a product, sums are float32,
 * pairs of k in ascending order. AVX-512-BF16 and AMX round differently within a pair, so who multiplies is part of the
 * numerics key; for one of them a row's bits depend on its row of x and the column of b alone (k is padded with zeros
 * to the same length always). */
#ifndef PLUMB_DEVICE_CPU_HALF_PRODUCT_H
#define PLUMB_DEVICE_CPU_HALF_PRODUCT_H

#include "device/cpu/gemm.h"

/* k is padded to whole PL__HALF_K, columns to whole PL__HALF_PANEL. A panel holds element (k, j) at
 * (k / 2 * PL__HALF_PANEL + j) * 2 + k % 2. */
enum { PL__HALF_K = 32, PL__HALF_PANEL = 32 };
static inline size_t pl__half_padded(size_t k)
{
    return (k + PL__HALF_K - 1) / PL__HALF_K * PL__HALF_K;
}

/* c[rows, PL__HALF_PANEL] (+)= a b; a [rows, k], k whole. Rows of a and c are there up to a multiple of 16. */
typedef struct pl__half_args {
    const uint16_t *a, *b;
    size_t a_stride, rows, k;
    float *c;
    size_t c_stride;
    bool fresh; /* c starts at 0 */
} pl__half_args;

struct pl__half {
    const char *name; /* in the numerics key */
    void (*product)(const pl__half_args *args);
};

/* What the CPU has: AMX where `amx` allows it, else AVX-512-BF16, else NULL. */
const pl__half *pl__half_find(bool amx);

/* As gemm_tile, gradient_tile and pack_panels; g->x holds panels of bfloat16. */
void pl__half_tile(pl__tile *tile, const float *x, size_t x_stride, size_t rows, const pl__side *b, size_t first_column,
                   size_t n_columns);
void pl__half_gradient_tile(const pl__gradient *g, size_t first_out, size_t n_out);
void pl__half_pack_panels(float *to, const float *x, size_t x_stride, size_t rows, size_t columns, int n_threads);

#endif
