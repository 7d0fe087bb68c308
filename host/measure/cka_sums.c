#include "measure/cka_sums.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/tile.h"
#include "statistics/parallel.h"

enum { PANEL = PL__TILE, SQUARE = PANEL * PANEL, BLOCK = 384, PART = BLOCK / 2 };

typedef struct making {
    pl__cka_sums *sums;
    const float *const *states;
    size_t width, block;  /* block: items of one, at most BLOCK */
    double *mean;         /* [t, width] */
    double *left, *right; /* packed rows of two blocks of items, [t, block, width] */
    double *gram;         /* their products, [lanes, block, block, 8] */
} making;

static size_t rows_of(const making *m, size_t at)
{
    return m->sums->n - at < m->block ? m->sums->n - at : m->block;
}

static void pack(double *panels, const making *m, size_t at)
{
    size_t n = rows_of(m, at), width = m->width;
#pragma omp parallel for schedule(static) if (m->sums->t * n * width >= PL__PARALLEL_MIN)
    for (size_t c = 0; c < m->sums->t; c++)
        pl__pack_rows(panels + c * m->block * width, m->states[c] + at * width, width, m->mean + c * width, n, width);
}

/* r_i = x_i . (sum of all - x_i), of centred states: the sum is 0 but for rounding. */
static pl_status sum_rows(const making *m, size_t c)
{
    size_t n = m->sums->n, width = m->width;
    const float *x = m->states[c];
    double *mean = m->mean + c * width, *row = m->sums->row + c / PANEL * n * PANEL + c % PANEL, *all;
    PL_TRY(pl_new(&all, width));
    pl__column_means(mean, x, n, width);
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < width; d++) all[d] += (double)x[i * width + d] - mean[d];
    for (size_t i = 0; i < n; i++) {
        double sum = 0.0;
        for (size_t d = 0; d < width; d++) {
            double own = (double)x[i * width + d] - mean[d];
            sum += own * (all[d] - own);
        }
        row[i * PANEL] = sum;
    }
    free(all);
    return PL_OK;
}

/* Gram matrices of all conditions, rows i.. and columns j... */
static void multiply(const making *m, size_t i, size_t j)
{
    size_t rows = rows_of(m, i), columns = rows_of(m, j), t = m->sums->t, width = m->width;
    const double *right = i == j ? m->left : m->right;
#pragma omp parallel for schedule(dynamic) if (t * rows * columns * width >= PL__PARALLEL_MIN)
    for (size_t task = 0; task < 2 * t; task++) {
        size_t c = task / 2, from = task % 2 * PART, end = from + PART < columns ? from + PART : columns;
        if (from >= columns) continue;
        double *lane = m->gram + c / PANEL * m->block * m->block * PANEL + c % PANEL;
        const pl__block to = {.out = lane + from * PANEL,
                              .row_stride = m->block * PANEL,
                              .column_stride = PANEL,
                              .rows = rows,
                              .columns = end - from};
        pl__block_products(&to, m->left + c * m->block * width, right + (c * m->block + from) * width, width);
        for (size_t r = from; i == j && r < end; r++) lane[(r * m->block + r) * PANEL] = 0.0;
    }
}

static void add_tiles(double *to, const double *a, const double *b, size_t n, size_t stride, size_t depth,
                      pl__tiles_function tiles_of)
{
    double tiles[PL__TILES_MAX * SQUARE];
    for (size_t q = 0; q < n; q += PL__TILES_MAX) {
        size_t some = n - q < PL__TILES_MAX ? n - q : PL__TILES_MAX;
        tiles_of(tiles, a, b + q * stride, some, stride, depth);
        for (size_t k = 0; k < some * SQUARE; k++) to[q * SQUARE + k] += tiles[k];
    }
}

/* Adds what item i has with the items from..from+depth; its elements are row + p * stride, [depth, 8]. */
static void add_item(const pl__cka_sums *s, size_t i, size_t from, size_t depth, const double *row, size_t stride)
{
    const pl__tiles_function tiles_of = pl__pick_tiles();
    for (size_t p = 0; p < s->lanes; p++) {
        size_t at = (i * s->lanes + p) * s->lanes;
        const double *own = row + p * stride;
        add_tiles(s->product + (at + p) * SQUARE, own, own, s->lanes - p, stride, depth, tiles_of);
        add_tiles(s->row_sum + at * SQUARE, own, s->row + from * PANEL, s->lanes, s->n * PANEL, depth, tiles_of);
    }
}

/* Column j of the block, as a row. */
static void transpose(double *to, const making *m, size_t j, size_t depth)
{
    for (size_t p = 0; p < m->sums->lanes; p++)
        for (size_t i = 0; i < depth; i++)
            for (size_t lane = 0; lane < PANEL; lane++)
                to[(p * m->block + i) * PANEL + lane] = m->gram[((p * m->block + i) * m->block + j) * PANEL + lane];
}

static pl_status add_block(const making *m, size_t i, size_t j)
{
    size_t rows = rows_of(m, i), columns = rows_of(m, j), lanes = m->sums->lanes,
           steps = rows * columns * lanes * SQUARE;
    pl_status status = PL_OK;
#pragma omp parallel for schedule(static) if (steps >= PL__PARALLEL_MIN)
    for (size_t r = 0; r < rows; r++)
        add_item(m->sums, i + r, j, columns, m->gram + r * m->block * PANEL, m->block * m->block * PANEL);
    if (i == j) return PL_OK;
#pragma omp parallel if (steps >= PL__PARALLEL_MIN)
    {
        double *row;
        pl_status own = pl__new_panels(&row, lanes * m->block * PANEL, "columns of Gram matrices");
#pragma omp for schedule(static)
        for (size_t c = 0; c < columns; c++) {
            if (own != PL_OK) continue;
            transpose(row, m, c, rows);
            add_item(m->sums, j + c, i, rows, row, m->block * PANEL);
        }
        free(own == PL_OK ? row : NULL);
#pragma omp critical
        if (own != PL_OK) status = own;
    }
    return status == PL_OK ? PL_OK : pl_fail(status, "columns of Gram matrices do not fit in memory");
}

static pl_status allocate(making *m)
{
    pl__cka_sums *s = m->sums;
    size_t squares, tiles, packed;
    PL_TRY(pl_mul_size(&squares, s->lanes * s->lanes, SQUARE, "CKA sums"));
    PL_TRY(pl_mul_size(&tiles, squares, s->n, "CKA sums"));
    PL_TRY(pl_mul_size(&packed, m->block * s->t, m->width, "centred states"));
    PL_TRY(pl__new_panels(&s->row, s->lanes * s->n * PANEL, "Gram row sums"));
    PL_TRY(pl_new(&s->product, tiles));
    PL_TRY(pl_new(&s->row_sum, tiles));
    PL_TRY(pl_new(&m->mean, s->t * m->width));
    PL_TRY(pl__new_panels(&m->left, packed, "centred states"));
    PL_TRY(pl__new_panels(&m->right, packed, "centred states"));
    return pl__new_panels(&m->gram, s->lanes * m->block * m->block * PANEL, "Gram matrices");
}

pl_status pl__cka_sums_of(pl__cka_sums *out, const float *const *states, size_t n, size_t t, size_t width)
{
    making m = {.sums = out, .states = states, .width = width};
    pl_status status;
    *out = (pl__cka_sums){.n = n, .t = t, .lanes = (t + PANEL - 1) / PANEL};
    m.block = n < BLOCK ? (n + PANEL - 1) / PANEL * PANEL : BLOCK;
    PL_GOTO(status, done, allocate(&m));
    for (size_t c = 0; c < t; c++) PL_GOTO(status, done, sum_rows(&m, c));
    for (size_t i = 0; i < n; i += m.block) {
        pack(m.left, &m, i);
        for (size_t j = i; j < n; j += m.block) {
            if (j > i) pack(m.right, &m, j);
            multiply(&m, i, j);
            PL_GOTO(status, done, add_block(&m, i, j));
        }
    }
done:
    free(m.gram);
    free(m.right);
    free(m.left);
    free(m.mean);
    if (status != PL_OK) pl__cka_sums_free(out);
    return status;
}

void pl__cka_sums_free(pl__cka_sums *sums)
{
    free(sums->row);
    free(sums->product);
    free(sums->row_sum);
    *sums = (pl__cka_sums){0};
}

double pl__cka_row(const pl__cka_sums *s, size_t c, size_t i)
{
    return s->row[(c / PANEL * s->n + i) * PANEL + c % PANEL];
}

static size_t place(const pl__cka_sums *s, size_t a, size_t b, size_t i)
{
    return ((i * s->lanes + a / PANEL) * s->lanes + b / PANEL) * SQUARE + a % PANEL * PANEL + b % PANEL;
}

double pl__cka_product(const pl__cka_sums *s, size_t a, size_t b, size_t i)
{
    return s->product[place(s, a, b, i)];
}

double pl__cka_row_sum(const pl__cka_sums *s, size_t a, size_t b, size_t i)
{
    return s->row_sum[place(s, a, b, i)];
}
