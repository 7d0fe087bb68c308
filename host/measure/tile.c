#include "measure/tile.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PANEL = PL__TILE, HALF = PANEL / 2 };

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

pl__tile_function pl__pick_tile(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return tile_avx512;
    if (__builtin_cpu_supports("avx2")) return tile_avx2;
#endif
    return tile_plain;
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
