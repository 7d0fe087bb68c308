/* The inner product kernel: c[rows, columns] (+)= x[rows, k] b[k, columns].
 *
 * Promise 1 rests on this file: every element of c is one chain of fused multiply-adds over k in ascending order,
 * c = fma(x[k], b[k], c), from 0 or from what c holds. Cutting k, rows or columns anywhere leaves the chain as it is,
 * so its bits depend on its row of x and its column of b alone. */
#ifndef PLUMB_DEVICE_CPU_PRODUCT_H
#define PLUMB_DEVICE_CPU_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

#include "device/cpu/cpu.h"
#include "device/cpu/vector.h"

/* What one call multiplies. Panels of b stand panel_floats apart; a row of a panel is row_floats long. */
typedef struct pl__product {
    const float *x; /* [rows, k], rows x_stride apart */
    size_t x_stride;
    const float *b;
    size_t row_floats, panel_floats;
    size_t k;
    float *c; /* rows c_stride apart; panels side by side */
    size_t c_stride;
    bool fresh; /* c starts at 0 */
} pl__product;

/* Any number of rows, n_panels panels of PL__PANEL columns. */
void PL__WIDE(product)(const pl__product *a, size_t rows, size_t n_panels);

#endif
