/* The blocked product X X^T of centred states, in double (gram.h).
 *
 * Rows are packed in panels of 8: panel[b][d][lane]. A tile of 8 x 8 sums (4 x 8 at a time below AVX-512) stays in
 * registers over all of d, one lane an element, multiply then add (no fused form): so all clones give the same bits.
 * Only tiles on or above the diagonal are computed and then mirrored. */
#include "measure/gram.h"

#include <stdlib.h>

#include "base/memory.h"
#include "statistics/parallel.h"

enum { PANEL = 8, HALF = 4 };

typedef double v4 __attribute__((vector_size(32)));
typedef double v8 __attribute__((vector_size(64)));

/* tile[r][c] = sum_d a[d][r] * b[d][c], r < 4, c < 8; a is the upper or lower half of a panel. */
static inline __attribute__((always_inline)) void half_tile(double *tile, const double *a, const double *b,
                                                            size_t width)
{
    v4 sum[HALF][2] = {{{0}}};
    for (size_t d = 0; d < width; d++) {
        const v4 *row = (const v4 *)(const void *)(b + d * PANEL);
        for (int r = 0; r < HALF; r++) {
            double left = a[d * PANEL + (size_t)r];
            v4 wide = {left, left, left, left};
            sum[r][0] += wide * row[0];
            sum[r][1] += wide * row[1];
        }
    }
    for (int r = 0; r < HALF; r++)
        for (int c = 0; c < PANEL; c++) tile[r * PANEL + c] = sum[r][c / 4][c % 4];
}

/* Of whole panels: c, r < 8. */
static inline __attribute__((always_inline)) void tile_body(double *tile, const double *a, const double *b,
                                                            size_t width)
{
    half_tile(tile, a, b, width);
    half_tile(tile + HALF * PANEL, a + HALF, b, width);
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void tile_avx512(double *tile, const double *a, const double *b, size_t width)
{
    v8 sum[PANEL] = {{0}};
    for (size_t d = 0; d < width; d++) {
        const v8 row = *(const v8 *)(const void *)(b + d * PANEL);
        for (int r = 0; r < PANEL; r++) {
            double left = a[d * PANEL + (size_t)r];
            const v8 wide = {left, left, left, left, left, left, left, left};
            sum[r] += wide * row;
        }
    }
    for (int r = 0; r < PANEL; r++)
        for (int c = 0; c < PANEL; c++) tile[r * PANEL + c] = sum[r][c];
}

__attribute__((target("avx2"))) static void tile_avx2(double *tile, const double *a, const double *b, size_t width)
{
    tile_body(tile, a, b, width);
}
#endif

static void tile_plain(double *tile, const double *a, const double *b, size_t width)
{
    tile_body(tile, a, b, width);
}

typedef void (*tile_function)(double *tile, const double *a, const double *b, size_t width);

static tile_function pick_tile(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return tile_avx512;
    if (__builtin_cpu_supports("avx2")) return tile_avx2;
#endif
    return tile_plain;
}

/* panels[(i / 8) * width * 8 + d * 8 + i % 8] = x[i][d] - mean[d]; rows past n stay 0. */
static void pack_centred(double *panels, const double *mean, const float *x, size_t n, size_t width)
{
#pragma omp parallel for schedule(static) if (n * width >= PL__PARALLEL_MIN)
    for (size_t block = 0; block < (n + PANEL - 1) / PANEL; block++) {
        double *panel = panels + block * width * PANEL;
        for (size_t lane = 0; lane < PANEL && block * PANEL + lane < n; lane++) {
            const float *row = x + (block * PANEL + lane) * width;
            for (size_t d = 0; d < width; d++) panel[d * PANEL + lane] = (double)row[d] - mean[d];
        }
    }
}

/* As first value + mean difference: a constant column is centred to exact zeros. */
static void column_means(double *mean, const float *x, size_t n, size_t width)
{
    for (size_t i = 1; i < n; i++)
        for (size_t d = 0; d < width; d++) mean[d] += (double)x[i * width + d] - (double)x[d];
    for (size_t d = 0; d < width; d++) mean[d] = (double)x[d] + mean[d] / (double)n;
}

/* Puts a tile at rows i.., columns j.. and mirrors it. */
static void put_tile(double *gram, size_t n, const double *tile, size_t i, size_t j)
{
    for (size_t r = 0; r < PANEL && i + r < n; r++) {
        for (size_t c = 0; c < PANEL && j + c < n; c++) {
            double value = i + r == j + c ? 0.0 : tile[r * PANEL + c];
            gram[(i + r) * n + j + c] = value;
            gram[(j + c) * n + i + r] = value;
        }
    }
}

pl_status pl_gram(double *gram, const float *x, size_t n, size_t width)
{
    pl_status status = PL_OK;
    double *mean = NULL, *panels = NULL;
    size_t blocks = n / PANEL + (n % PANEL != 0), row_doubles = 0, doubles = 0;
    if (n == 0) return PL_OK;
    PL_TRY(pl_mul_size(&row_doubles, width, PANEL, "panel of states"));
    PL_TRY(pl_mul_size(&doubles, blocks, row_doubles, "centred states"));
    PL_GOTO(status, done, pl_new(&mean, width));
    /* aligned_alloc wants a multiple of the alignment; 8 doubles a row are one. */
    panels = aligned_alloc(PANEL * sizeof *panels, (doubles + PANEL) * sizeof *panels);
    if (!panels) {
        status = pl_fail(PL_E_MEMORY, "centred states: %zu x %zu doubles do not fit in memory", n, width);
        goto done;
    }
    for (size_t i = 0; i < doubles; i++) panels[i] = 0.0;
    column_means(mean, x, n, width);
    pack_centred(panels, mean, x, n, width);
    const tile_function tile_of = pick_tile();
    /* Row blocks get shorter downwards: dynamic order balances them, and no element's sum depends on who computes it.
     * A mirrored tile lands in another block's rows, but never where that block writes (it starts at its diagonal). */
#pragma omp parallel for schedule(dynamic) if (n * doubles >= PL__PARALLEL_MIN)
    for (size_t i = 0; i < blocks; i++) {
        for (size_t j = i; j < blocks; j++) {
            double tile[PANEL * PANEL];
            tile_of(tile, panels + i * row_doubles, panels + j * row_doubles, width);
            put_tile(gram, n, tile, i * PANEL, j * PANEL);
        }
    }
done:
    free(panels);
    free(mean);
    return status;
}
