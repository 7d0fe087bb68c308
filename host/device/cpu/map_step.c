/* Attraction of all points first, sixteen neighbours at a time; then every point moves, one after another, since that
 * costs next to nothing. */
#include <math.h>
#include <string.h>

#include "base/lanes.h"
#include "device/cpu/cpu.h"

static const float MOMENTUM = 0.8f, LEAST_GAIN = 0.01f, GAIN_UP = 0.2f, GAIN_DOWN = 0.8f, MOST_STEP = 5.0f;
/* ENTRIES: that cost as little as an element. */
enum { POINTS_AT_ONCE = 64, ENTRIES = 12 };
_Static_assert((int)PL_MAP_STEP_ROW == (int)PL__LANES, "rows are read in whole lanes");

typedef struct neighbours {
    const int32_t *start, *column;
    const float *value;
} neighbours;

typedef uint64_t eight_pairs __attribute__((vector_size(64)));

static inline uint64_t pair_of(const float *pairs, int32_t point)
{
    uint64_t both;
    memcpy(&both, pairs + 2 * (size_t)point, sizeof both);
    return both;
}

static inline void eight(pl__lanes *out, const float *pairs, const int32_t *c)
{
    const eight_pairs all = {pair_of(pairs, c[0]), pair_of(pairs, c[1]), pair_of(pairs, c[2]), pair_of(pairs, c[3]),
                             pair_of(pairs, c[4]), pair_of(pairs, c[5]), pair_of(pairs, c[6]), pair_of(pairs, c[7])};
    *out = (pl__lanes)all;
}

/* pull [2]: of point i */
static void attract(float *pull, const neighbours *p, const float *y, size_t i)
{
    const float own_x = y[2 * i], own_y = y[2 * i + 1];
    pl__lanes sum_x = {0}, sum_y = {0};
    for (int32_t at = p->start[i]; at < p->start[i + 1]; at += PL__LANES) {
        pl__lanes a, b;
        eight(&a, y, p->column + at);
        eight(&b, y, p->column + at + 8);
        const pl__lanes dx =
            own_x - __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        const pl__lanes dy =
            own_y - __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        const pl__lanes weight = PL__FROM(p->value + at) / (1.0f + dx * dx + dy * dy);
        sum_x += weight * dx;
        sum_y += weight * dy;
    }
    float lanes[PL__LANES];
    memcpy(lanes, &sum_x, sizeof lanes);
    pull[0] = pl__lane_sum(lanes);
    memcpy(lanes, &sum_y, sizeof lanes);
    pull[1] = pl__lane_sum(lanes);
}

/* One coordinate: its gain, and its update from the gradient. */
static float next_update(float gradient, float update, float *gain, float rate)
{
    const int same = (gradient > 0.0f) - (gradient < 0.0f) == (update > 0.0f) - (update < 0.0f);
    *gain = same ? *gain * GAIN_DOWN + LEAST_GAIN : *gain + GAIN_UP;
    return MOMENTUM * update - rate * *gain * gradient;
}

/* sum[2] of where all points are then */
static void move(double sum[2], const pl_map_step_args *a, const float *pull, size_t n)
{
    const float rate = (float)((double)n / a->exaggeration), more = (float)a->exaggeration;
    const float share = (float)(1.0 / *(const double *)pl__at(a->z, 0)), *force = pl__f32(a->force, 0);
    float *y = pl__f32(a->y, 0), *update = pl__f32(a->update, 0), *gain = pl__f32(a->gain, 0);
    sum[0] = sum[1] = 0.0;
    for (size_t i = 0; i < 2 * n; i += 2) {
        const float gx = more * pull[i] - share * force[i], gy = more * pull[i + 1] - share * force[i + 1];
        float ux = next_update(gx, update[i], &gain[i], rate), uy = next_update(gy, update[i + 1], &gain[i + 1], rate);
        const float length = sqrtf(ux * ux + uy * uy);
        if (length > MOST_STEP) {
            ux *= MOST_STEP / length;
            uy *= MOST_STEP / length;
        }
        update[i] = ux;
        update[i + 1] = uy;
        y[i] += ux;
        y[i + 1] += uy;
        sum[0] += (double)y[i];
        sum[1] += (double)y[i + 1];
    }
}

/* Rows lie inside the list, in whole lanes, and name points. */
static pl_status check_rows(const neighbours *p, size_t n, size_t entries)
{
    uint32_t most = 0;
    bool whole = p->start[0] == 0;
    for (size_t i = 0; i < n; i++)
        whole &= p->start[i] <= p->start[i + 1] && (p->start[i + 1] - p->start[i]) % PL_MAP_STEP_ROW == 0;
    if (!whole || (size_t)p->start[n] > entries)
        return pl_fail(PL_E_INTERNAL, "map_step: start: expected multiples of %d, ascending from 0 to at most %zu",
                       (int)PL_MAP_STEP_ROW, entries);
    for (int32_t at = 0; at < p->start[n]; at++) most = (uint32_t)p->column[at] > most ? (uint32_t)p->column[at] : most;
    if (most < n) return PL_OK;
    return pl_fail(PL_E_INTERNAL, "map_step: column names point %d of %zu", (int)most, n);
}

pl_status PL__WIDE(map_step)(pl_stream *stream, const pl_map_step_args *args)
{
    const size_t n = args->y.columns / 2;
    const neighbours p = {pl__i32(args->start, 0), pl__i32(args->column, 0), pl__f32(args->value, 0)};
    float *pull = (float *)pl__at(args->workspace, 0), *y = pl__f32(args->y, 0);
    double sum[2], *mean = (double *)pl__at(args->mean, 0);
    PL_TRY(check_rows(&p, n, args->column.columns));
#pragma omp parallel for num_threads(pl__threads(stream, (size_t)p.start[n] / ENTRIES)) schedule(dynamic, 4)
    for (size_t from = 0; from < n; from += POINTS_AT_ONCE)
        for (size_t i = from; i < n && i < from + POINTS_AT_ONCE; i++) attract(pull + 2 * i, &p, y, i);
    move(sum, args, pull, n);
    mean[0] = sum[0] / (double)n;
    mean[1] = sum[1] / (double)n;
    for (size_t i = 0; i < 2 * n; i++) y[i] = (float)((double)y[i] - mean[i % 2]);
    return PL_OK;
}
