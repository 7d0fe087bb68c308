/* Products of centred rows in double by packed tiles (base/tile.h); rows of one view with themselves are made on and
 * above the diagonal and mirrored: a product is the same whichever of two rows comes first. */
#include <stdint.h>

#include "base/tile.h"
#include "device/cpu/cpu.h"

/* Rows of a block: that many columns of usual states stay in a core's cache while rows go by. */
enum { BLOCK = 192, LINE = 64 };

static size_t blocks_of(size_t n)
{
    return (n + BLOCK - 1) / BLOCK;
}

static size_t panels_of(size_t n)
{
    return (n + PL__TILE - 1) / PL__TILE;
}

size_t pl__pairwise_workspace_bytes(size_t n_rows, size_t n_columns, size_t width)
{
    size_t bytes;
    if (__builtin_add_overflow(n_rows, n_columns, &bytes) || __builtin_add_overflow(bytes, 2 * PL__TILE, &bytes) ||
        __builtin_mul_overflow(bytes, width, &bytes) || __builtin_mul_overflow(bytes, sizeof(double), &bytes) ||
        __builtin_add_overflow(bytes, LINE, &bytes))
        return SIZE_MAX;
    return bytes;
}

static void pack(double *panels, pl_view x, size_t rows, size_t width, const double *mean, const pl_stream *stream)
{
#pragma omp parallel for num_threads(pl__threads(stream, rows *width)) schedule(static)
    for (size_t b = 0; b < blocks_of(rows); b++) {
        const size_t at = b * BLOCK, n = pl__least(rows - at, BLOCK);
        pl__pack_rows(panels + at * width, pl__f32(x, at), x.stride, mean, n, width);
    }
}

/* Views may have more rows and columns than are asked for: products and mean say how many. */
static bool same_rows(pl_view x, pl_view y)
{
    return x.buffer == y.buffer && x.offset == y.offset && x.stride == y.stride;
}

typedef struct task {
    pl_view products;
    const double *left, *right; /* packed rows of x and y */
    size_t width;
    bool mirrored;
} task;

static void put_block(const task *t, size_t i, size_t j)
{
    const size_t stride = t->products.stride;
    double *out = (double *)pl__at(t->products, 0);
    const pl__block to = {.out = out + i * stride + j,
                          .row_stride = stride,
                          .column_stride = 1,
                          .rows = pl__least(t->products.rows - i, BLOCK),
                          .columns = pl__least(t->products.columns - j, BLOCK)};
    pl__block_products(&to, t->left + i * t->width, t->right + j * t->width, t->width);
    for (size_t r = 0; r < to.rows && t->mirrored && i < j; r++)
        for (size_t c = 0; c < to.columns; c++) out[(j + c) * stride + i + r] = out[(i + r) * stride + j + c];
}

pl_status pl__pairwise(pl_stream *stream, const pl_pairwise_args *args)
{
    const pl_view x = args->x, y = args->y;
    const size_t n = args->products.rows, m = args->products.columns, width = args->mean.columns;
    const double *mean = (const double *)pl__at(args->mean, 0);
    const size_t columns = blocks_of(m), blocks = blocks_of(n) * columns;
    const uintptr_t start = (uintptr_t)pl__at(args->workspace, 0);
    double *left = (double *)((start + LINE - 1) / LINE * LINE), *right = left;
    const bool mirrored = n == m && same_rows(x, y);
    if (!n || !m) return PL_OK;
    if (!mirrored) right += panels_of(n) * PL__TILE * width;
    pack(left, x, n, width, mean, stream);
    if (!mirrored) pack(right, y, m, width, mean, stream);
    const task t = {.products = args->products, .left = left, .right = right, .width = width, .mirrored = mirrored};
#pragma omp parallel for num_threads(pl__threads(stream, n *m)) schedule(dynamic)
    for (size_t k = 0; k < blocks; k++)
        if (!mirrored || k / columns <= k % columns) put_block(&t, k / columns * BLOCK, k % columns * BLOCK);
    return PL_OK;
}
