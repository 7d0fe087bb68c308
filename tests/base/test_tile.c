/* Products of packed rows: chains of fused multiply-adds, the same bits for every vector width that the processor has.
 */
#include "statistics/golden.h"

#include "base/random.h"
#include "base/tile.h"

enum { DEPTH = 37, SQUARE = PL__TILE * PL__TILE, ROW = PL__TILE * DEPTH };

static void test_widths(void **state)
{
    (void)state;
    double *a, *b, expected[PL__TILES_MAX * SQUARE];
    assert_int_equal(pl__new_panels(&a, ROW, "a panel"), PL_OK);
    assert_int_equal(pl__new_panels(&b, PL__TILES_MAX * ROW, "panels"), PL_OK);
    for (size_t i = 0; i < ROW; i++) a[i] = pl_random_normal(1, PL_RANDOM_TEST, 0, i);
    for (size_t i = 0; i < PL__TILES_MAX * ROW; i++) b[i] = pl_random_normal(1, PL_RANDOM_TEST, 1, i);
    for (size_t k = 0; k < PL__TILES_MAX; k++)
        for (size_t r = 0; r < PL__TILE; r++)
            for (size_t c = 0; c < PL__TILE; c++) {
                double sum = 0.0;
                for (size_t d = 0; d < DEPTH; d++) sum = fma(a[d * PL__TILE + r], b[k * ROW + d * PL__TILE + c], sum);
                expected[k * SQUARE + r * PL__TILE + c] = sum;
            }
    for (pl__tile_width width = PL__TILE_PLAIN; width <= PL__TILE_AVX512; width++)
        for (size_t n = 1; n <= PL__TILES_MAX; n++) {
            double tiles[PL__TILES_MAX * SQUARE];
            if (!pl__tiles_of(width)) continue;
            pl__tiles_of(width)(tiles, a, b, n, ROW, DEPTH);
            assert_memory_equal(tiles, expected, n * SQUARE * sizeof *tiles);
        }
    free(b);
    free(a);
}

/* Rows and columns that do not fill their panels: nothing is written past them. */
static void test_edges(void **state)
{
    (void)state;
    enum { ROWS = 11, COLUMNS = 29, WIDTH = 6 };
    float x[COLUMNS * WIDTH];
    double mean[WIDTH], *panels, out[ROWS * COLUMNS + 1];
    for (size_t i = 0; i < COLUMNS * WIDTH; i++) x[i] = (float)pl_random_below(1, PL_RANDOM_TEST, 2, i, 16);
    pl__column_means(mean, x, COLUMNS, WIDTH);
    assert_int_equal(pl__new_panels(&panels, (COLUMNS + PL__TILE) * WIDTH, "panels"), PL_OK);
    pl__pack_rows(panels, x, WIDTH, mean, COLUMNS, WIDTH);
    out[ROWS * COLUMNS] = -7.0;
    const pl__block to = {.out = out, .row_stride = COLUMNS, .column_stride = 1, .rows = ROWS, .columns = COLUMNS};
    pl__block_products(&to, panels, panels, WIDTH);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < COLUMNS; j++) {
            double sum = 0.0;
            for (size_t d = 0; d < WIDTH; d++)
                sum += ((double)x[i * WIDTH + d] - mean[d]) * ((double)x[j * WIDTH + d] - mean[d]);
            assert_close(out[i * COLUMNS + j], sum, 1e-13);
        }
    assert_true(out[ROWS * COLUMNS] == -7.0);
    free(panels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_widths), cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
