/* Products of centred rows or columns in double by packed tiles (base/tile.h); those of one view with themselves are
 * made on and above the diagonal and mirrored: a product is the same whichever of two comes first. */
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

size_t pl__pairwise_workspace_bytes(size_t n_sets, size_t n_rows, size_t n_columns, size_t width)
{
    size_t bytes;
    if (__builtin_add_overflow(n_rows, n_columns, &bytes) || __builtin_add_overflow(bytes, 2 * PL__TILE, &bytes) ||
        __builtin_mul_overflow(bytes, width, &bytes) || __builtin_mul_overflow(bytes, n_sets, &bytes) ||
        __builtin_mul_overflow(bytes, sizeof(double), &bytes) || __builtin_add_overflow(bytes, LINE, &bytes))
        return SIZE_MAX;
    return bytes;
}

typedef struct task {
    size_t n_sets, n, m, width; /* n x m products of `width` features in a set */
    pl_view products, mean;
    double *left, *right; /* packed rows of x and y, set by set */
    bool mirrored, columns;
} task;

/* Of one set. */
static size_t packed(const task *t, size_t n)
{
    return panels_of(n) * PL__TILE * t->width;
}

/* Columns at..at + n - 1 as pl__pack_rows has rows. */
static void pack_columns(double *panels, pl_view x, const double *mean, size_t at, size_t n, size_t depth)
{
    for (size_t d = 0; d < depth; d++)
        for (size_t c = 0; c < n; c++)
            panels[(c / PL__TILE * depth + d) * PL__TILE + c % PL__TILE] = (double)pl__f32(x, d)[at + c] - mean[at + c];
    for (size_t c = n; c % PL__TILE; c++)
        for (size_t d = 0; d < depth; d++) panels[(c / PL__TILE * depth + d) * PL__TILE + c % PL__TILE] = 0.0;
}

static void pack(double *panels, const task *t, pl_view x, size_t rows, const pl_stream *stream)
{
    const size_t blocks = blocks_of(rows);
#pragma omp parallel for num_threads(pl__threads(stream, t->n_sets *rows * t->width)) schedule(static)
    for (size_t b = 0; b < t->n_sets * blocks; b++) {
        const size_t set = b / blocks, at = b % blocks * BLOCK, n = pl__least(rows - at, BLOCK);
        double *own = panels + set * packed(t, rows) + at * t->width;
        const double *mean = (const double *)pl__at(t->mean, set);
        if (t->columns)
            pack_columns(own, x, mean, at, n, t->width);
        else
            pl__pack_rows(own, pl__f32(x, set * rows + at), x.stride, mean, n, t->width);
    }
}

/* Views may have more rows and columns than are asked for: products and mean say how many. */
static bool same_rows(pl_view x, pl_view y)
{
    return x.buffer == y.buffer && x.offset == y.offset && x.stride == y.stride;
}

static void put_block(const task *t, size_t set, size_t i, size_t j)
{
    const size_t stride = t->products.stride;
    double *out = (double *)pl__at(t->products, set * t->n);
    const pl__block to = {.out = out + i * stride + j,
                          .row_stride = stride,
                          .column_stride = 1,
                          .rows = pl__least(t->n - i, BLOCK),
                          .columns = pl__least(t->m - j, BLOCK)};
    pl__block_products(&to, t->left + set * packed(t, t->n) + i * t->width,
                       t->right + set * packed(t, t->m) + j * t->width, t->width);
    for (size_t r = 0; r < to.rows && t->mirrored && i < j; r++)
        for (size_t c = 0; c < to.columns; c++) out[(j + c) * stride + i + r] = out[(i + r) * stride + j + c];
}

pl_status pl__pairwise(pl_stream *stream, const pl_pairwise_args *args)
{
    const size_t n_sets = args->mean.rows, m = args->products.columns;
    if (!n_sets || !args->products.rows || !m) return PL_OK;
    task t = {.n_sets = n_sets,
              .n = args->products.rows / n_sets,
              .m = m,
              .width = args->columns ? args->x.rows : args->mean.columns,
              .products = args->products,
              .mean = args->mean,
              .columns = args->columns};
    const uintptr_t start = (uintptr_t)pl__at(args->workspace, 0);
    t.left = t.right = (double *)((start + LINE - 1) / LINE * LINE);
    t.mirrored = t.n == t.m && same_rows(args->x, args->y);
    if (!t.mirrored) t.right += n_sets * packed(&t, t.n);
    pack(t.left, &t, args->x, t.n, stream);
    if (!t.mirrored) pack(t.right, &t, args->y, t.m, stream);
    const size_t across = blocks_of(m), blocks = blocks_of(t.n) * across;
#pragma omp parallel for num_threads(pl__threads(stream, n_sets *t.n *m)) schedule(dynamic)
    for (size_t k = 0; k < n_sets * blocks; k++) {
        const size_t i = k % blocks / across, j = k % across;
        if (!t.mirrored || i <= j) put_block(&t, k / blocks, i * BLOCK, j * BLOCK);
    }
    return PL_OK;
}
