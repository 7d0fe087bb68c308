/* Products of rows with rows, or of columns with columns. A work item is a tile of the result; the parts of a and b
 * that it needs are laid out for the product kernel, DEPTH of k at a time, which leaves every chain as it is. */
#include "device/cpu/product.h"

enum { ROWS = 48, COLUMNS = 64, DEPTH = 256 };

typedef struct scratch {
    _Alignas(64) float a[ROWS * DEPTH];    /* [rows, DEPTH] */
    _Alignas(64) float b[DEPTH * COLUMNS]; /* [DEPTH, COLUMNS] */
    _Alignas(64) float c[ROWS * COLUMNS];
} scratch;

typedef struct tile {
    size_t row, n_rows, column, n_columns;
} tile;

/* Element (vector i, place k) of a or b. */
static float element(const pl_pairwise_args *args, pl_view v, size_t i, size_t k)
{
    return args->columns ? pl__f32(v, k)[i] : pl__f32(v, i)[k];
}

static void lay_out(scratch *s, const pl_pairwise_args *args, const tile *t, size_t first, size_t depth)
{
    for (size_t i = 0; i < t->n_rows; i++)
        for (size_t k = 0; k < depth; k++) s->a[i * DEPTH + k] = element(args, args->a, t->row + i, first + k);
    for (size_t j = 0; j < COLUMNS; j++) /* columns past the tile's are zero and are not kept */
        for (size_t k = 0; k < depth; k++)
            s->b[k * COLUMNS + j] = j < t->n_columns ? element(args, args->b, t->column + j, first + k) : 0.0f;
}

static void multiply(const pl_pairwise_args *args, const tile *t, size_t K)
{
    scratch s;
    for (size_t i = 0; i < ROWS * COLUMNS; i++) s.c[i] = 0.0f;
    for (size_t first = 0; first < K; first += DEPTH) {
        size_t depth = K - first < DEPTH ? K - first : DEPTH;
        lay_out(&s, args, t, first, depth);
        pl__product product = {.x = s.a,
                               .x_stride = DEPTH,
                               .b = s.b,
                               .row_floats = COLUMNS,
                               .panel_floats = PL__PANEL,
                               .k = depth,
                               .c = s.c,
                               .c_stride = COLUMNS};
        PL__WIDE(product)(&product, t->n_rows, COLUMNS / PL__PANEL);
    }
    for (size_t i = 0; i < t->n_rows; i++)
        for (size_t j = 0; j < t->n_columns; j++) pl__f32(args->y, t->row + i)[t->column + j] = s.c[i * COLUMNS + j];
}

pl_status PL__WIDE(pairwise)(pl_stream *stream, const pl_pairwise_args *args)
{
    const size_t n = args->y.rows, m = args->y.columns, K = args->columns ? args->a.rows : args->a.columns;
    PL_TRY(pl__check_view("pairwise", "a", args->a, args->columns ? K : n, args->columns ? n : K, PL_F32));
    PL_TRY(pl__check_view("pairwise", "b", args->b, args->columns ? K : m, args->columns ? m : K, PL_F32));
    PL_TRY(pl__check_view("pairwise", "y", args->y, n, m, PL_F32));
    size_t row_tiles = (n + ROWS - 1) / ROWS, column_tiles = (m + COLUMNS - 1) / COLUMNS;
#pragma omp parallel for num_threads(stream->device->n_threads) schedule(dynamic)
    for (size_t item = 0; item < row_tiles * column_tiles; item++) {
        tile t = {.row = item % row_tiles * ROWS, .column = item / row_tiles * COLUMNS};
        t.n_rows = n - t.row < ROWS ? n - t.row : ROWS;
        t.n_columns = m - t.column < COLUMNS ? m - t.column : COLUMNS;
        multiply(args, &t, K);
    }
    return PL_OK;
}
