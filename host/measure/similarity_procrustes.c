/* Procrustes similarity of all pairs under a permutation: products of scores, whose nuclear norms are made eight at a
 * time (similarity.h). */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/tile.h"
#include "measure/nuclear.h"
#include "measure/pca.h"
#include "measure/similarity_parts.h"

enum { PANEL = PL__TILE, SQUARE = PANEL * PANEL };

static size_t components_of(size_t n)
{
    const size_t tenth = n / 10 ? n / 10 : 1;
    return tenth < PL_PROCRUSTES_COMPONENTS ? tenth : PL_PROCRUSTES_COMPONENTS;
}

static size_t panels_of(size_t components)
{
    return (components + PANEL - 1) / PANEL;
}

static size_t doubles(size_t n, size_t capacity)
{
    return pl_size_product(pl_size_product(n, panels_of(components_of(n)) * PANEL), capacity);
}

static size_t bytes(size_t n, size_t capacity)
{
    return pl_size_product(doubles(n, capacity), sizeof(double));
}

static pl_status open(pl_side *side)
{
    side->components = components_of(side->n);
    return pl__new_panels(&side->scores, doubles(side->n, side->capacity), "principal components");
}

static bool rows_differ(const float *x, size_t n, size_t width)
{
    for (size_t i = width; i < n * width; i++)
        if (x[i] != x[i - width]) return true;
    return false;
}

static pl_status add(pl_side *side, const float *states, size_t width)
{
    const size_t n = side->n, size = panels_of(side->components) * n * PANEL;
    double *own = side->scores + side->m * size, squares = 0.0;
    pl_pca pca;
    side->varies[side->m] = rows_differ(states, n, width);
    if (!side->varies[side->m]) return PL_OK;
    PL_TRY(pl_pca_of(&pca, states, n, width, side->components, side->on));
    for (size_t i = 0; i < n * pca.dims; i++) squares += (double)pca.scores[i] * (double)pca.scores[i];
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < pca.dims; c++)
            own[(c / PANEL * n + i) * PANEL + c % PANEL] = (double)pca.scores[i * pca.dims + c] / sqrt(squares);
    pl_pca_free(&pca);
    return PL_OK;
}

/* ---- one permutation ---- */

/* What a thread works with, and the pairs whose products are made. */
typedef struct batch {
    const pl_side *x, *y;
    double *grid;
    double *rows;     /* one condition of y, permuted: [ceil(r/8), n, 8] */
    double *products; /* [r, r, 8] */
    double *work;     /* pl__nuclear_work(r) */
    size_t place[PANEL], n;
} batch;

static size_t rows_size(const pl_side *y)
{
    return panels_of(y->components) * y->n * PANEL;
}

static size_t work_size(const pl_side *x, const pl_side *y)
{
    (void)x;
    return rows_size(y) + y->components * y->components * PANEL + pl__nuclear_work(y->components);
}

static void gather(double *to, const double *scores, const size_t *order, size_t n, size_t panels)
{
    for (size_t p = 0; p < panels; p++)
        for (size_t i = 0; i < n; i++)
            for (size_t lane = 0; lane < PANEL; lane++)
                to[(p * n + i) * PANEL + lane] = scores[(p * n + order[i]) * PANEL + lane];
}

static void flush(batch *b)
{
    double norms[PANEL];
    const size_t size = b->y->components * b->y->components * PANEL;
    if (b->n == 0) return;
    for (size_t lane = b->n; lane < PANEL; lane++)
        for (size_t i = lane; i < size; i += PANEL) b->products[i] = 0.0;
    pl__nuclear_norms(norms, b->products, b->y->components, b->work);
    for (size_t lane = 0; lane < b->n; lane++) b->grid[b->place[lane]] = norms[lane];
    b->n = 0;
}

static void put_tile(double *lane, const double *tile, size_t i, size_t j, size_t r)
{
    for (size_t row = 0; row < PANEL && i + row < r; row++)
        for (size_t column = 0; column < PANEL && j + column < r; column++)
            lane[((i + row) * r + j + column) * PANEL] = tile[row * PANEL + column];
}

/* X' Y of x's scores and the permuted ones. */
static void add_product(batch *b, const double *scores, size_t place, pl__tiles_function tiles_of)
{
    const size_t r = b->y->components, panels = panels_of(r), stride = b->y->n * PANEL;
    double tiles[PL__TILES_MAX * SQUARE];
    for (size_t p = 0; p < panels; p++)
        for (size_t q = 0; q < panels; q += PL__TILES_MAX) {
            const size_t left = panels - q, some = left < PL__TILES_MAX ? left : PL__TILES_MAX;
            tiles_of(tiles, scores + p * stride, b->rows + q * stride, some, stride, b->y->n);
            for (size_t k = 0; k < some; k++)
                put_tile(b->products + b->n, tiles + k * SQUARE, p * PANEL, (q + k) * PANEL, r);
        }
    b->place[b->n++] = place;
    if (b->n == PANEL) flush(b);
}

static void grid_of(double *grid, const pl_side *x, const pl_side *y, const size_t *order, void *work)
{
    const size_t size = rows_size(y), r = y->components;
    const pl__tiles_function tiles_of = pl__pick_tiles();
    batch b = {.x = x, .y = y, .grid = grid, .rows = work, .products = (double *)work + size};
    b.work = b.products + r * r * PANEL;
    for (size_t j = 0; j < y->m; j++) {
        gather(b.rows, y->scores + j * size, order, y->n, panels_of(r));
        for (size_t i = 0; i < (x == y ? j : x->m); i++) add_product(&b, x->scores + i * size, i * y->m + j, tiles_of);
    }
    flush(&b);
}

const pl__similar_kind pl__similar_procrustes = {bytes, open, add, work_size, grid_of};
