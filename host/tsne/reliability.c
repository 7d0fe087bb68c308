#include "tsne/reliability.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/lanes.h"
#include "base/memory.h"

enum { NEIGHBOURS = PL_RELIABILITY_NEIGHBOURS, MOVES = 12 };
static const double DOUBT_P = 0.05, DOUBT_DISPLACEMENT = 1.0;

static double ln_choose(size_t n, size_t k)
{
    return lgamma((double)n + 1.0) - lgamma((double)k + 1.0) - lgamma((double)(n - k) + 1.0);
}

double pl_hypergeometric_tail(size_t at_least, size_t n, size_t marked, size_t drawn)
{
    double sum = 0.0;
    const size_t most = marked < drawn ? marked : drawn;
    for (size_t a = at_least; a <= most; a++) {
        if (drawn - a > n - marked) continue;
        sum += exp(ln_choose(marked, a) + ln_choose(n - marked, drawn - a) - ln_choose(n, drawn));
    }
    return fmin(sum, 1.0);
}

/* The map's points: x, y [stride], from n on filled with what is far from everything, so that whole lanes may be read.
 */
typedef struct layout {
    size_t n, stride;
    float *x, *y;
} layout;

static void layout_free(layout *map)
{
    free(map->x);
    free(map->y);
}

/* A pad adds less than 1e-17 to anything. */
static pl_status layout_create(layout *out, const float *map, size_t n)
{
    *out = (layout){.n = n, .stride = pl__whole_lanes(n)};
    PL_TRY(pl_new(&out->x, out->stride));
    PL_TRY(pl_new(&out->y, out->stride));
    for (size_t i = 0; i < out->stride; i++) {
        out->x[i] = i < n ? map[2 * i] : 1e9f + 1e6f * (float)(i - n);
        out->y[i] = i < n ? map[2 * i + 1] : 0.0f;
    }
    return PL_OK;
}

/* What the others do to a point at (x, y): sum of 1 / (1 + d^2), and of (y - y_j) / (1 + d^2)^2. */
typedef struct push {
    double z, x, y;
} push;

PL__INLINED void push_at_body(push *out, const layout *others, float x, float y)
{
    pl__lanes sum_z = {0}, sum_x = {0}, sum_y = {0};
    for (size_t j = 0; j < others->stride; j += PL__LANES) {
        const pl__lanes dx = x - PL__FROM(others->x + j), dy = y - PL__FROM(others->y + j);
        const pl__lanes q = 1.0f / (1.0f + dx * dx + dy * dy), square = q * q;
        sum_z += q;
        sum_x += square * dx;
        sum_y += square * dy;
    }
    float lanes[PL__LANES];
    memcpy(lanes, &sum_z, sizeof lanes);
    out->z = (double)pl__lane_sum(lanes);
    memcpy(lanes, &sum_x, sizeof lanes);
    out->x = (double)pl__lane_sum(lanes);
    memcpy(lanes, &sum_y, sizeof lanes);
    out->y = (double)pl__lane_sum(lanes);
}
PL__CLONES(push_at, (push * out, const layout *others, float x, float y), (out, others, x, y))

/* One point on its own: row i of the affinities, and where it stood, which the field of the others is without. */
typedef struct alone {
    const pl_affinity *p;
    const layout *map;
    size_t i;
    double others_z; /* Z of all pairs without it */
} alone;

static push push_of_others(const alone *a, double x, double y)
{
    push out;
    push_at(&out, a->map, (float)x, (float)y);
    const double dx = x - (double)a->map->x[a->i], dy = y - (double)a->map->y[a->i],
                 q = 1.0 / (1.0 + dx * dx + dy * dy);
    return (push){out.z - q, out.x - q * q * dx, out.y - q * q * dy};
}

/* Its part of the divergence at (*x, *y), and a step of the fixed point in which attraction and repulsion are equal:
 * to the mean of its neighbours, weighted by p / (1 + d^2), and away by the push. */
static double step(const alone *a, double *x, double *y)
{
    const pl_affinity *p = a->p;
    const push out = push_of_others(a, *x, *y);
    const double z = a->others_z + 2.0 * out.z;
    double loss = log(z), weight = 0.0, to_x = out.x / z, to_y = out.y / z;
    for (size_t at = p->start[a->i]; at < p->start[a->i + 1]; at++) {
        const size_t j = (size_t)p->column[at];
        const double value = (double)p->value[at];
        if (!(value > 0.0)) continue;
        const double xj = (double)a->map->x[j], yj = (double)a->map->y[j], dx = *x - xj, dy = *y - yj,
                     square = 1.0 + dx * dx + dy * dy;
        loss += 2.0 * value * log(square);
        weight += value / square;
        to_x += value / square * xj;
        to_y += value / square * yj;
    }
    if (weight > 0.0) {
        *x = to_x / weight;
        *y = to_y / weight;
    }
    return loss;
}

/* The least loss on the way from (*x, *y), and where it is. */
static double settle(const alone *a, double *x, double *y)
{
    double best = INFINITY, best_x = *x, best_y = *y, at_x = *x, at_y = *y;
    for (int move = 0; move < MOVES; move++) {
        const double was_x = at_x, was_y = at_y, loss = step(a, &at_x, &at_y);
        if (loss < best) {
            best = loss;
            best_x = was_x;
            best_y = was_y;
        }
    }
    *x = best_x;
    *y = best_y;
    return best;
}

/* How far the best place is from where the point stands. */
static double displacement(const alone *a)
{
    const pl_affinity *p = a->p;
    const double at_x = (double)a->map->x[a->i], at_y = (double)a->map->y[a->i];
    double x = at_x, y = at_y, mean_x = 0.0, mean_y = 0.0, sum = 0.0;
    for (size_t at = p->start[a->i]; at < p->start[a->i + 1]; at++) {
        const double value = (double)p->value[at];
        sum += value;
        mean_x += value * (double)a->map->x[p->column[at]];
        mean_y += value * (double)a->map->y[p->column[at]];
    }
    const double here = settle(a, &x, &y);
    if (sum > 0.0) {
        mean_x /= sum;
        mean_y /= sum;
        if (settle(a, &mean_x, &mean_y) < here) {
            x = mean_x;
            y = mean_y;
        }
    }
    return hypot(x - at_x, y - at_y);
}

static size_t common(const int32_t *a, const int32_t *b)
{
    size_t both = 0;
    for (size_t i = 0; i < NEIGHBOURS; i++)
        for (size_t j = 0; j < NEIGHBOURS; j++) both += a[i] == b[j];
    return both;
}

static void score(pl_reliability *r, size_t i, size_t both, const double *tail, double moved, double unit)
{
    const double share = (double)both / NEIGHBOURS, mean = (double)NEIGHBOURS / (double)(r->n - 1);
    const double away = moved > 0.0 ? moved / unit : 0.0;
    r->agreement[i] = (float)share;
    r->agreement_p[i] = (float)tail[both];
    r->displacement[i] = (float)away;
    r->score[i] = (float)(fmax(0.0, (share - mean) / (1.0 - mean)) / (1.0 + away));
    r->doubtful[i] = tail[both] > DOUBT_P || away > DOUBT_DISPLACEMENT;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* radius[n]: from each point to its 10th neighbour; at least their median. */
static pl_status take_radii(double *radius, const layout *y, const int32_t *map_near, size_t map_k)
{
    double *sorted;
    const size_t n = y->n;
    PL_TRY(pl_new(&sorted, n));
    for (size_t i = 0; i < n; i++) {
        const size_t last = (size_t)map_near[i * map_k + NEIGHBOURS - 1];
        radius[i] = hypot((double)y->x[i] - (double)y->x[last], (double)y->y[i] - (double)y->y[last]);
    }
    memcpy(sorted, radius, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, ascending);
    for (size_t i = 0; i < n; i++) radius[i] = fmax(radius[i], sorted[n / 2]);
    free(sorted);
    return PL_OK;
}

pl_status pl_reliability_of(pl_reliability *out, const pl_affinity *affinity, const int32_t *near, size_t k,
                            const float *map, const int32_t *map_near, size_t map_k)
{
    const size_t n = affinity->n;
    layout y = {0};
    double z = 0.0, tail[NEIGHBOURS + 1], *radius = NULL, *own_z = NULL;
    pl_status status;
    *out = (pl_reliability){.n = n};
    float **arrays[] = {&out->score, &out->agreement, &out->agreement_p, &out->displacement};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) PL_GOTO(status, done, pl_new(arrays[i], n));
    PL_GOTO(status, done, pl_new(&out->doubtful, n));
    PL_GOTO(status, done, layout_create(&y, map, n));
    PL_GOTO(status, done, pl_new(&own_z, n));
    PL_GOTO(status, done, pl_new(&radius, n));
    PL_GOTO(status, done, take_radii(radius, &y, map_near, map_k));
    for (size_t a = 0; a <= NEIGHBOURS; a++) tail[a] = pl_hypergeometric_tail(a, n - 1, NEIGHBOURS, NEIGHBOURS);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        const alone a = {affinity, &y, i, 0.0};
        own_z[i] = push_of_others(&a, (double)y.x[i], (double)y.y[i]).z;
    }
    for (size_t i = 0; i < n; i++) z += own_z[i];
#pragma omp parallel for schedule(dynamic, 16)
    for (size_t i = 0; i < n; i++) {
        const alone a = {affinity, &y, i, z - 2.0 * own_z[i]};
        score(out, i, common(near + i * k, map_near + i * map_k), tail, displacement(&a), radius[i]);
    }
    for (size_t i = 0; i < n; i++) out->n_doubtful += out->doubtful[i];
done:
    free(own_z);
    free(radius);
    layout_free(&y);
    if (status != PL_OK) pl_reliability_free(out);
    return status;
}

void pl_reliability_free(pl_reliability *r)
{
    free(r->score);
    free(r->agreement);
    free(r->agreement_p);
    free(r->displacement);
    free(r->doubtful);
    *r = (pl_reliability){0};
}
