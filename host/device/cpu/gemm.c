/* A tile of a product with a packed weight.
 *
 * Up to PL__ROWS rows (decoding) a weight is read once and the rows stay in the cache. For more, k is cut into blocks
 * such that a block of a panel (24 KiB) stays in the first cache while the rows stream past it; the partial sums wait
 * in the tile. */
#include "device/cpu/gemm.h"

#include "device/cpu/product.h"

enum { PANEL_BLOCK_BYTES = 24576, K_BLOCK = PANEL_BLOCK_BYTES / (PL__PANEL * (int)sizeof(float)) };

void PL__WIDE(gemm_tile)(pl__tile *tile, const float *x, size_t x_stride, size_t rows, const pl_weight *weight,
                         size_t first_column, size_t n_columns)
{
    size_t n_panels = (n_columns + PL__PANEL - 1) / PL__PANEL, n_in = weight->n_in;
    const float *b = weight->data + first_column * n_in;
    pl__product a = {
        .x_stride = x_stride, .row_floats = PL__PANEL, .panel_floats = n_in * PL__PANEL, .c_stride = PL__TILE_COLUMNS};
    if (rows <= PL__ROWS) {
        a.x = x;
        a.b = b;
        a.k = n_in;
        a.c = tile->z;
        a.fresh = true;
        PL__WIDE(product)(&a, rows, n_panels);
        return;
    }
    for (size_t k = 0; k < n_in; k += K_BLOCK) {
        a.x = x + k;
        a.k = n_in - k < K_BLOCK ? n_in - k : K_BLOCK;
        a.fresh = k == 0;
        for (size_t p = 0; p < n_panels; p++) {
            a.b = b + p * a.panel_floats + k * PL__PANEL;
            a.c = tile->z + p * PL__PANEL;
            PL__WIDE(product)(&a, rows, 1);
        }
    }
}
