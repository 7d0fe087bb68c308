/* Products in bfloat16: operands are rounded to it (nearest even) as they are packed for a product, sums are float32,
 * pairs of k in ascending order. AVX-512-BF16 and AMX round differently within a pair, so who multiplies is part of the
 * numerics key; for one of them a row's bits depend on its row of x and the column of b alone (k is padded with zeros
 * to the same length always).
 *
 * Products in three parts (bf16x3): every operand is the sum of three bfloat16 h + m + l (half_pack.h), and of the nine
 * products of parts the six of size 2^-16 and above are summed in float32, for each 32 k in the order lh, mh, mm, hm,
 * hl, hh (x first). What is left out is below 2^-22 of a product: the error is that of float32 products. Operands stay
 * float32 in memory. */
#ifndef PLUMB_DEVICE_CPU_HALF_PRODUCT_H
#define PLUMB_DEVICE_CPU_HALF_PRODUCT_H

#include "device/cpu/gemm.h"

/* k is padded to whole PL__HALF_K, columns to whole PL__HALF_PANEL. A panel holds element (k, j) at
 * (k / 2 * PL__HALF_PANEL + j) * 2 + k % 2; in three parts each PL__HALF_K of k is such a panel of each part, h first,
 * and in a row each PL__HALF_K elements of h, m and l follow one another. */
enum { PL__HALF_K = 32, PL__HALF_PANEL = 32, PL__HALF_PARTS = 3 };
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
    int parts;        /* of an operand: 1, or PL__HALF_PARTS, whose weights are packed in float32 */
    void (*product)(const pl__half_args *args);
};

/* What the CPU has: AMX where `amx` allows it, else AVX-512-BF16, else NULL. With `split` products in three parts: AMX
 * or NULL. */
const pl__half *pl__half_find(bool amx, bool split);
/* Whether packed weights are bfloat16. */
static inline bool pl__half_packs(const pl__half *half)
{
    return half && half->parts == 1;
}

/* As gemm_tile, gradient_tile and pack_panels; g->x holds panels of bfloat16. */
void pl__half_tile(pl__tile *tile, const float *x, size_t x_stride, size_t rows, const pl__side *b, size_t first_column,
                   size_t n_columns);
void pl__half_gradient_tile(const pl__gradient *g, size_t first_out, size_t n_out);
void pl__half_pack_panels(float *to, const float *x, size_t x_stride, size_t rows, size_t columns, int n_threads,
                          int parts);

#endif
