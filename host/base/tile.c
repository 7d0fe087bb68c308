#include "base/tile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/memory.h"

enum { PANEL = PL__TILE, SQUARE = PANEL * PANEL };

static void tiles_plain(double *tiles, const double *a, const double *b, size_t n, size_t stride, size_t depth)
{
    for (size_t k = 0; k < n; k++)
        for (size_t r = 0; r < PANEL; r++)
            for (size_t c = 0; c < PANEL; c++) {
                double sum = 0.0;
                for (size_t d = 0; d < depth; d++) sum = fma(a[d * PANEL + r], b[k * stride + d * PANEL + c], sum);
                tiles[k * SQUARE + r * PANEL + c] = sum;
            }
}

#if defined(__x86_64__)
/* n is a constant where this is called, and loops are unrolled: sums are registers. */
__attribute__((target("avx512f"), always_inline)) static inline void
wide(double *tiles, const double *a, const double *b, size_t n, size_t stride, size_t depth)
{
    __m512d sum[PL__TILES_MAX * PANEL], row[PL__TILES_MAX];
#pragma GCC unroll 24
    for (size_t k = 0; k < n * PANEL; k++) sum[k] = _mm512_setzero_pd();
    for (size_t d = 0; d < depth; d++, a += PANEL, b += PANEL) {
#pragma GCC unroll 3
        for (size_t k = 0; k < n; k++) row[k] = _mm512_load_pd(b + k * stride);
#pragma GCC unroll 24
        for (size_t k = 0; k < n * PANEL; k++) sum[k] = _mm512_fmadd_pd(_mm512_set1_pd(a[k / n]), row[k % n], sum[k]);
    }
#pragma GCC unroll 24
    for (size_t k = 0; k < n * PANEL; k++) _mm512_storeu_pd(tiles + k % n * SQUARE + k / n * PANEL, sum[k]);
}

__attribute__((target("avx512f"))) static void tiles_avx512(double *tiles, const double *a, const double *b, size_t n,
                                                            size_t stride, size_t depth)
{
    if (n == 3)
        wide(tiles, a, b, 3, stride, depth);
    else if (n == 2)
        wide(tiles, a, b, 2, stride, depth);
    else
        wide(tiles, a, b, 1, stride, depth);
}

/* Four rows at a time. */
__attribute__((target("avx2,fma"))) static void tiles_avx2(double *tiles, const double *a, const double *b, size_t n,
                                                           size_t stride, size_t depth)
{
    enum { HALF = 4 };
    for (size_t k = 0; k < n; k++)
        for (size_t half = 0; half < 2; half++) {
            const double *left = a + half * HALF, *right = b + k * stride;
            double *out = tiles + k * SQUARE + half * HALF * PANEL;
            __m256d sum[HALF][2];
#pragma GCC unroll 4
            for (int r = 0; r < HALF; r++) sum[r][0] = sum[r][1] = _mm256_setzero_pd();
            for (size_t d = 0; d < depth; d++) {
                const __m256d row[2] = {_mm256_load_pd(right + d * PANEL), _mm256_load_pd(right + d * PANEL + HALF)};
#pragma GCC unroll 4
                for (int r = 0; r < HALF; r++) {
                    const __m256d one = _mm256_set1_pd(left[d * PANEL + (size_t)r]);
                    sum[r][0] = _mm256_fmadd_pd(one, row[0], sum[r][0]);
                    sum[r][1] = _mm256_fmadd_pd(one, row[1], sum[r][1]);
                }
            }
#pragma GCC unroll 4
            for (int r = 0; r < HALF; r++)
#pragma GCC unroll 2
                for (int c = 0; c < 2; c++) _mm256_storeu_pd(out + r * PANEL + c * HALF, sum[r][c]);
        }
}
#endif

pl__tiles_function pl__tiles_of(pl__tile_width width)
{
#if defined(__x86_64__)
    if (width == PL__TILE_AVX512) return __builtin_cpu_supports("avx512f") ? tiles_avx512 : NULL;
    if (width == PL__TILE_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? tiles_avx2 : NULL;
#endif
    return width == PL__TILE_PLAIN ? tiles_plain : NULL;
}

pl__tiles_function pl__pick_tiles(void)
{
    pl__tile_width width = PL__TILE_AVX512;
    while (!pl__tiles_of(width)) width--;
    return pl__tiles_of(width);
}

pl_status pl__new_panels(double **out, size_t doubles, const char *what)
{
    size_t bytes =
        pl_size_product(pl_size_sum(doubles, PANEL) / PANEL, PANEL * sizeof **out); /* a multiple of a line */
    *out = bytes == SIZE_MAX ? NULL : aligned_alloc(PANEL * sizeof **out, bytes);
    if (!*out) return pl_fail(PL_E_MEMORY, "%s: %zu doubles do not fit in memory", what, doubles);
    memset(*out, 0, bytes);
    return PL_OK;
}

void pl__pack_rows(double *panels, const float *x, size_t stride, const double *mean, size_t n, size_t width)
{
    for (size_t i = 0; i < (n + PANEL - 1) / PANEL * PANEL; i++) {
        double *lane = panels + i / PANEL * width * PANEL + i % PANEL;
        for (size_t d = 0; d < width; d++) lane[d * PANEL] = i < n ? (double)x[i * stride + d] - mean[d] : 0.0;
    }
}

void pl__column_means(double *mean, const float *x, size_t n, size_t width)
{
    for (size_t d = 0; d < width; d++) mean[d] = 0.0;
    for (size_t i = 1; i < n; i++)
        for (size_t d = 0; d < width; d++) mean[d] += (double)x[i * width + d] - (double)x[d];
    for (size_t d = 0; d < width; d++) mean[d] = (double)x[d] + mean[d] / (double)n;
}

static void put_tile(const pl__block *to, const double *tile, size_t i, size_t j)
{
    for (size_t r = 0; r < PANEL && i + r < to->rows; r++)
        for (size_t c = 0; c < PANEL && j + c < to->columns; c++)
            to->out[(i + r) * to->row_stride + (j + c) * to->column_stride] = tile[r * PANEL + c];
}

void pl__block_products(const pl__block *to, const double *a, const double *b, size_t depth)
{
    const pl__tiles_function tiles_of = pl__pick_tiles();
    const size_t stride = depth * PANEL, most = PL__TILES_MAX * PANEL;
    double tiles[PL__TILES_MAX * SQUARE];
    for (size_t i = 0; i < to->rows; i += PANEL)
        for (size_t j = 0; j < to->columns; j += most) {
            size_t left = (to->columns - j + PANEL - 1) / PANEL, n = left < PL__TILES_MAX ? left : PL__TILES_MAX;
            tiles_of(tiles, a + i / PANEL * stride, b + j / PANEL * stride, n, stride, depth);
            for (size_t k = 0; k < n; k++) put_tile(to, tiles + k * SQUARE, i, j + k * PANEL);
        }
}
