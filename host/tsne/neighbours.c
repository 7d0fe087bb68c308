/* A block of points is held against all others at once, their features turned so that sixteen points stand side by side
 * (neighbours.h). */
#include "tsne/neighbours.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/lanes.h"
#include "base/memory.h"

enum { ROWS = 4 }; /* points that are held against the others at a time */

/* The points, feature by feature, padded to whole lanes; the pad is never looked at. */
typedef struct turned {
    float *features; /* [width, stride] */
    size_t n, width, stride;
} turned;

static pl_status turn(turned *out, const pl_points *points)
{
    *out = (turned){.n = points->n, .width = points->width, .stride = pl__whole_lanes(points->n)};
    size_t size = 0;
    PL_TRY(pl_mul_size(&size, out->stride, out->width, "points"));
    PL_TRY(pl_new(&out->features, size));
    for (size_t i = 0; i < out->n; i++)
        for (size_t d = 0; d < out->width; d++) out->features[d * out->stride + i] = points->x[i * out->width + d];
    return PL_OK;
}

/* squared[ROWS, stride]: of points row..row + ROWS - 1, the last one again past the end, to all. */
PL__INLINED void distances_body(float *squared, const turned *t, size_t row)
{
    for (size_t j = 0; j < t->stride; j += PL__LANES) {
        pl__lanes sum[ROWS] = {{0}};
        for (size_t d = 0; d < t->width; d++) {
            const float *feature = t->features + d * t->stride;
            const pl__lanes others = PL__FROM(feature + j);
            for (size_t r = 0; r < ROWS; r++) {
                const pl__lanes apart = others - feature[row + r < t->n ? row + r : t->n - 1];
                sum[r] += apart * apart;
            }
        }
        for (size_t r = 0; r < ROWS; r++) PL__AT(squared + r * t->stride + j) = sum[r];
    }
}
PL__CLONES(distances, (float *squared, const turned *t, size_t row), (squared, t, row))

typedef struct candidate {
    float squared;
    int32_t index;
} candidate;

static bool before(candidate a, candidate b)
{
    return a.squared < b.squared || (a.squared == b.squared && a.index < b.index);
}

static int by_distance(const void *a, const void *b)
{
    const candidate x = *(const candidate *)a, y = *(const candidate *)b;
    return before(y, x) - before(x, y);
}

/* Puts c in place of the farthest of a heap of n, which stands first. */
static void replace_farthest(candidate *heap, size_t n, candidate c)
{
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(heap[child], heap[child + 1])) child++;
        if (!before(c, heap[child])) break;
        heap[at] = heap[child];
    }
    heap[at] = c;
}

/* The k nearest of one point's distances. heap: room for k. */
static void nearest(int32_t *out, candidate *heap, const float *squared, size_t n, size_t self, size_t k)
{
    for (size_t i = 0; i < k; i++) heap[i] = (candidate){__builtin_inff(), INT32_MAX};
    for (size_t j = 0; j < n; j++) {
        const candidate c = {squared[j], (int32_t)j};
        if (squared[j] <= heap[0].squared && j != self && before(c, heap[0])) replace_farthest(heap, k, c);
    }
    qsort(heap, k, sizeof *heap, by_distance);
    for (size_t i = 0; i < k; i++) out[i] = heap[i].index;
}

/* What a pass over all points does with the distances of one. */
typedef void visit(void *context, size_t point, const float *squared, candidate *heap);

static pl_status for_each(const pl_points *points, size_t room, visit *with, void *context)
{
    turned t;
    pl_status status = PL_OK;
    PL_TRY(turn(&t, points));
#pragma omp parallel
    {
        float *squared = malloc(ROWS * t.stride * sizeof *squared);
        candidate *heap = malloc(room * sizeof *heap);
#pragma omp for schedule(dynamic, 16)
        for (size_t row = 0; row < t.n; row += ROWS) {
            if (!squared || !heap) continue;
            distances(squared, &t, row);
            for (size_t r = 0; r < ROWS && row + r < t.n; r++) with(context, row + r, squared + r * t.stride, heap);
        }
#pragma omp critical(pl_neighbours_memory)
        if (!squared || !heap) status = PL_E_MEMORY;
        free(heap);
        free(squared);
    }
    free(t.features);
    return status == PL_OK ? PL_OK : pl_fail(PL_E_MEMORY, "neighbours of %zu points: out of memory", points->n);
}

struct search {
    int32_t *near;
    size_t n, k;
};

static void search_one(void *context, size_t point, const float *squared, candidate *heap)
{
    const struct search *s = context;
    nearest(s->near + point * s->k, heap, squared, s->n, point, s->k);
}

pl_status pl_neighbours(int32_t *near, const pl_points *points, size_t k)
{
    struct search s = {near, points->n, k};
    return for_each(points, k, search_one, &s);
}

struct ranking {
    int32_t *rank;
    const int32_t *of;
    size_t n, k;
};

PL__INLINED void count_nearer_body(size_t *count, const float *squared, size_t n, float limit)
{
    const pl__lanes least = {limit, limit, limit, limit, limit, limit, limit, limit,
                             limit, limit, limit, limit, limit, limit, limit, limit};
    pl__lane_marks found = {0};
    size_t j = 0;
    for (; j + PL__LANES <= n; j += PL__LANES) found -= PL__FROM(squared + j) < least;
    for (int i = 0; i < PL__LANES; i++) *count += (size_t)found[i];
    for (; j < n; j++) *count += squared[j] < limit;
}
PL__CLONES(count_nearer, (size_t * count, const float *squared, size_t n, float limit), (count, squared, n, limit))

/* The nearer ones and oneself (where that is nearer), so that 1 is the nearest. */
static void rank_one(void *context, size_t point, const float *squared, candidate *heap)
{
    (void)heap;
    const struct ranking *r = context;
    for (size_t i = 0; i < r->k; i++) {
        const float limit = squared[r->of[point * r->k + i]];
        size_t count = 0;
        count_nearer(&count, squared, r->n, limit);
        count -= squared[point] < limit;
        r->rank[point * r->k + i] = (int32_t)(count + 1);
    }
}

pl_status pl_neighbour_ranks(int32_t *rank, const pl_points *points, const int32_t *of, size_t k)
{
    struct ranking r = {rank, of, points->n, k};
    return for_each(points, 1, rank_one, &r);
}
