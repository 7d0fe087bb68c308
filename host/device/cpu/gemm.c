/* Tiles of products.
 *
 * k is cut into blocks such that a block of a panel of b (24 KiB) stays in the first cache while all rows of the tile
 * stream past it; the partial sums wait in the tile. Where b does not lie in panels, the block is brought into that
 * form first: once a tile, so the more rows it has the less that costs. Up to PL__ROWS rows (decoding) a weight in
 * panels is read once and the rows stay in the cache. */
#include "device/cpu/gemm.h"

#include <string.h>

#include "device/cpu/half_product.h"
#include "device/cpu/product.h"
#include "device/cpu/transpose.h"

enum { PANEL_BLOCK_BYTES = 24576, K_BLOCK = PANEL_BLOCK_BYTES / (PL__PANEL * (int)sizeof(float)) };

typedef struct panel_block {
    _Alignas(64) float b[K_BLOCK * PL__PANEL];
} panel_block;

/* b[k .. k + n, first ..] of one panel as [n, PL__PANEL], made in `block` unless it lies so. */
static const float *block_of(panel_block *block, const pl__side *b, size_t first, size_t k, size_t n)
{
    size_t columns = pl__least(b->columns - first, PL__PANEL);
    if (b->lies == PL__IN_PANELS) return b->data + first / PL__PANEL * b->stride + k * PL__PANEL;
    if (columns < PL__PANEL) memset(block->b, 0, n * PL__PANEL * sizeof *block->b);
    if (b->lies == PL__IN_COLUMNS) {
        pl__transpose(block->b, PL__PANEL, b->data + first * b->stride + k, b->stride, columns, n);
    } else if (b->lies == PL__IN_ROWS) {
        const float *row = b->data + k * b->stride + first;
        for (size_t i = 0; i < n; i++, row += b->stride) {
            if (columns == PL__PANEL)
                memcpy(block->b + i * PL__PANEL, row, PL__PANEL * sizeof *row);
            else
                memcpy(block->b + i * PL__PANEL, row, columns * sizeof *row);
        }
    } else {
        for (size_t i = 0; i < n; i += PL__PANEL) {
            const float *panel = b->data + (k + i) / PL__PANEL * b->stride + first * PL__PANEL;
            pl__transpose(block->b + i * PL__PANEL, PL__PANEL, panel, PL__PANEL, columns, pl__least(n - i, PL__PANEL));
        }
    }
    return block->b;
}

void PL__WIDE(gemm_tile)(pl__tile *tile, const float *x, size_t x_stride, size_t rows, const pl__side *b,
                         size_t first_column, size_t n_columns)
{
    size_t n_panels = (n_columns + PL__PANEL - 1) / PL__PANEL;
    tile->stride = pl__tile_width(b->half);
    if (b->half) {
        pl__half_tile(tile, x, x_stride, rows, b, first_column, n_columns);
        return;
    }
    pl__product a = {
        .x_stride = x_stride, .row_floats = PL__PANEL, .panel_floats = b->stride, .c_stride = tile->stride};
    if (rows <= PL__ROWS && b->lies == PL__IN_PANELS) {
        a.x = x;
        a.b = b->data + first_column / PL__PANEL * b->stride;
        a.k = b->k;
        a.c = tile->z;
        a.fresh = true;
        PL__WIDE(product)(&a, rows, n_panels);
        return;
    }
    panel_block block;
    for (size_t k = 0; k < b->k; k += K_BLOCK) {
        a.x = x + k;
        a.k = pl__least(b->k - k, K_BLOCK);
        a.fresh = k == 0;
        for (size_t p = 0; p < n_panels; p++) {
            a.b = block_of(&block, b, first_column + p * PL__PANEL, k, a.k);
            a.c = tile->z + p * PL__PANEL;
            PL__WIDE(product)(&a, rows, 1);
        }
    }
}

pl__cut PL__WIDE(cut)(size_t rows, const pl__side *b, int n_threads)
{
    const size_t columns = b->columns;
    pl__cut c = {.rows = rows, .columns = columns, .width = pl__tile_width(b->half)};
    c.column_tiles = (columns + c.width - 1) / c.width;
    c.row_tiles = pl__row_tiles(rows, c.column_tiles, n_threads, b->half);
    /* Narrower tiles when there are too few to keep all threads busy. */
    while (c.width > PL__PANEL && c.row_tiles * c.column_tiles < (b->half ? 2 : 3) * (size_t)n_threads) {
        const size_t half = c.width / 2, panel = pl__least(half, PL__WIDEST_PANEL);
        c.width = (half + panel - 1) / panel * panel;
        c.column_tiles = (columns + c.width - 1) / c.width;
    }
    return c;
}

void PL__WIDE(put_tile)(const pl__tile *tile, const pl__part *p, pl_view y, bool accumulate)
{
    for (size_t r = 0; r < p->rows; r++) {
        const float *z = tile->z + r * tile->stride;
        float *to = pl__f32(y, p->row + r) + p->column;
        if (accumulate) {
            for (size_t i = 0; i < p->columns; i++) to[i] += z[i];
        } else {
            for (size_t i = 0; i < p->columns; i++) to[i] = z[i];
        }
    }
}

/* ---- Gradients of weights ---- */

enum { ROW_BLOCK = 2 * 192, ROW_STRIDE = ROW_BLOCK + 16 }; /* + 16: rows in different cache sets */

typedef struct gradient_scratch {
    _Alignas(64) float z[PL__GRADIENT_OUTS * ROW_STRIDE]; /* [outs, rows] */
    _Alignas(64) float edge[PL__GRADIENT_OUTS * PL__PANEL];
} gradient_scratch;

/* c[n_out, columns of one panel] += z x for `rows` rows, k blocks in order. */
static void gradient_panel(const float *z, const float *x, size_t rows, float *c, size_t c_stride, size_t n_out)
{
    pl__product a = {.x_stride = ROW_STRIDE, .row_floats = PL__PANEL, .c = c, .c_stride = c_stride};
    for (size_t k = 0; k < rows; k += K_BLOCK) {
        a.x = z + k;
        a.b = x + k * PL__PANEL;
        a.k = pl__least(rows - k, K_BLOCK);
        PL__WIDE(product)(&a, n_out, 1);
    }
}

static void add_rows(float *sum, const float *z, size_t z_stride, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < n; i++) sum[i] += z[r * z_stride + i];
    }
}

void PL__WIDE(gradient_tile)(const pl__gradient *g, size_t first_out, size_t n_out)
{
    gradient_scratch w;
    if (g->dbias) add_rows(g->dbias + first_out, g->z + first_out, g->z_stride, g->rows, n_out);
    if (!g->dweight) return;
    if (g->half) {
        pl__half_gradient_tile(g, first_out, n_out);
        return;
    }
    for (size_t row = 0; row < g->rows; row += ROW_BLOCK) {
        size_t rows = pl__least(g->rows - row, ROW_BLOCK);
        const float *z = g->z + row * g->z_stride + first_out;
        pl__transpose(w.z, ROW_STRIDE, z, g->z_stride, rows, n_out);
        for (size_t column = 0; column < g->n_in; column += PL__PANEL) {
            size_t columns = pl__least(g->n_in - column, PL__PANEL);
            const float *x = g->x + (column / PL__PANEL * g->rows + row) * PL__PANEL;
            float *c = g->dweight + first_out * g->dweight_stride + column;
            if (columns == PL__PANEL) {
                for (size_t o = 0; o < n_out; o++) { /* the next panel's gradients are on their way meanwhile */
                    for (size_t i = PL__PANEL; i < 2 * PL__PANEL; i += 16)
                        __builtin_prefetch(c + o * g->dweight_stride + i, 1, 2);
                }
                gradient_panel(w.z, x, rows, c, g->dweight_stride, n_out);
                continue;
            }
            memset(w.edge, 0, sizeof w.edge);
            for (size_t o = 0; o < n_out; o++)
                memcpy(w.edge + o * PL__PANEL, c + o * g->dweight_stride, columns * sizeof *c);
            gradient_panel(w.z, x, rows, w.edge, PL__PANEL, n_out);
            for (size_t o = 0; o < n_out; o++)
                memcpy(c + o * g->dweight_stride, w.edge + o * PL__PANEL, columns * sizeof *c);
        }
    }
}

void PL__WIDE(pack_panels)(float *to, const float *x, size_t x_stride, size_t rows, size_t columns, int n_threads,
                           const pl__half *half)
{
    size_t n_panels = (columns + PL__PANEL - 1) / PL__PANEL;
    if (half) {
        pl__half_pack_panels(to, x, x_stride, rows, columns, n_threads, half->parts);
        return;
    }
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (size_t p = 0; p < n_panels; p++) {
        size_t n = pl__least(columns - p * PL__PANEL, PL__PANEL);
        float *panel = to + p * rows * PL__PANEL;
        if (n < PL__PANEL) memset(panel, 0, rows * PL__PANEL * sizeof *panel);
        for (size_t r = 0; r < rows; r++)
            memcpy(panel + r * PL__PANEL, x + r * x_stride + p * PL__PANEL, n * sizeof *panel);
    }
}
