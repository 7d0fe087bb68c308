#include "tsne/quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

static double recall(const int32_t *near, size_t k, const int32_t *map_near, size_t n)
{
    size_t both = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t a = 0; a < PL_QUALITY_RECALL; a++)
            for (size_t b = 0; b < PL_QUALITY_RECALL; b++)
                both += near[i * k + a] == map_near[i * PL_QUALITY_RANKS + b];
    return (double)both / (double)(n * PL_QUALITY_RECALL);
}

/* 1 less what neighbours of one space (of [n, 12]) have ranks beyond 12 in the other, which `points` are. */
static pl_status kept(double *out, const pl_points *points, const int32_t *of)
{
    const size_t n = points->n, k = PL_QUALITY_RANKS;
    int32_t *rank;
    double sum = 0.0;
    PL_TRY(pl_new(&rank, n * k));
    pl_status status = pl_neighbour_ranks(rank, points, of, k);
    for (size_t i = 0; i < n * k; i++) sum += rank[i] > (int32_t)k ? (double)rank[i] - (double)k : 0.0;
    free(rank);
    *out = 1.0 - 2.0 * sum / ((double)n * (double)k * (2.0 * (double)n - 3.0 * (double)k - 1.0));
    return status;
}

static double distance(const float *a, const float *b, size_t width)
{
    double sum = 0.0;
    for (size_t d = 0; d < width; d++) sum += ((double)a[d] - (double)b[d]) * ((double)a[d] - (double)b[d]);
    return sqrt(sum);
}

typedef struct placed {
    double value;
    size_t place;
} placed;

static int by_value(const void *a, const void *b)
{
    const double x = ((const placed *)a)->value, y = ((const placed *)b)->value;
    return (x > y) - (x < y);
}

/* rank[n]: places in ascending order from 0; of equal values their mean. */
static void ranks(double *rank, const double *values, size_t n)
{
    placed sorted[PL_QUALITY_PAIRS];
    for (size_t i = 0; i < n; i++) sorted[i] = (placed){values[i], i};
    qsort(sorted, n, sizeof *sorted, by_value);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && sorted[end].value == sorted[i].value; end++) continue;
        for (size_t j = i; j < end; j++) rank[sorted[j].place] = 0.5 * (double)(i + end - 1);
    }
}

/* NaN where one side is constant. */
static double correlation(const double *a, const double *b, size_t n)
{
    double mean = 0.5 * (double)(n - 1), ab = 0.0, aa = 0.0, bb = 0.0;
    for (size_t i = 0; i < n; i++) {
        ab += (a[i] - mean) * (b[i] - mean);
        aa += (a[i] - mean) * (a[i] - mean);
        bb += (b[i] - mean) * (b[i] - mean);
    }
    return aa > 0.0 && bb > 0.0 ? ab / sqrt(aa * bb) : NAN;
}

static double spearman(const pl_points *points, const float *map)
{
    double in_data[PL_QUALITY_PAIRS], in_map[PL_QUALITY_PAIRS], a[PL_QUALITY_PAIRS], b[PL_QUALITY_PAIRS];
    const uint32_t n = (uint32_t)points->n;
    for (size_t p = 0; p < PL_QUALITY_PAIRS; p++) {
        const size_t i = pl_random_below(0, PL_RANDOM_MAP, 2, p, n),
                     j0 = pl_random_below(0, PL_RANDOM_MAP, 3, p, n - 1);
        const size_t j = j0 + (j0 >= i);
        in_data[p] = distance(points->x + i * points->width, points->x + j * points->width, points->width);
        in_map[p] = distance(map + 2 * i, map + 2 * j, 2);
    }
    ranks(a, in_data, PL_QUALITY_PAIRS);
    ranks(b, in_map, PL_QUALITY_PAIRS);
    return correlation(a, b, PL_QUALITY_PAIRS);
}

pl_status pl_quality_of(pl_quality *out, const pl_points *points, const int32_t *near, size_t k, const float *map,
                        const int32_t *map_near)
{
    const size_t n = points->n;
    const pl_points placed_points = {map, n, 2};
    int32_t *first;
    if (n < PL_QUALITY_LEAST)
        return pl_fail(PL_E_INPUT, "quality of a map of %zu points: expected at least %d", n, (int)PL_QUALITY_LEAST);
    PL_TRY(pl_new(&first, n * PL_QUALITY_RANKS));
    for (size_t i = 0; i < n; i++) memcpy(first + i * PL_QUALITY_RANKS, near + i * k, PL_QUALITY_RANKS * sizeof *first);
    out->knn_recall = recall(near, k, map_near, n);
    out->spearman = spearman(points, map);
    pl_status status = kept(&out->trustworthiness, points, map_near);
    if (status == PL_OK) status = kept(&out->continuity, &placed_points, first);
    free(first);
    return status;
}

double pl_map_disparity(const float *a, const float *b, size_t n)
{
    double mean[4] = {0}, m[4] = {0}, aa = 0.0, bb = 0.0;
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < 2; c++) {
            mean[c] += (double)a[2 * i + c] / (double)n;
            mean[2 + c] += (double)b[2 * i + c] / (double)n;
        }
    }
    for (size_t i = 0; i < n; i++) {
        const double p[2] = {(double)a[2 * i] - mean[0], (double)a[2 * i + 1] - mean[1]};
        const double q[2] = {(double)b[2 * i] - mean[2], (double)b[2 * i + 1] - mean[3]};
        for (size_t r = 0; r < 2; r++)
            for (size_t c = 0; c < 2; c++) m[2 * r + c] += p[r] * q[c];
        aa += p[0] * p[0] + p[1] * p[1];
        bb += q[0] * q[0] + q[1] * q[1];
    }
    if (!(aa > 0.0 && bb > 0.0)) return NAN;
    /* The nuclear norm of a 2 x 2 matrix, squared: |M|^2 + 2 |det M|. */
    const double square = m[0] * m[0] + m[1] * m[1] + m[2] * m[2] + m[3] * m[3] + 2.0 * fabs(m[0] * m[3] - m[1] * m[2]);
    return fmax(0.0, 1.0 - square / (aa * bb));
}
