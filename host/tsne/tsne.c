#include "tsne/tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "tsne/field.h"
#include "tsne/lanes.h"

static const float MOMENTUM = 0.8f, LEAST_GAIN = 0.01f, GAIN_UP = 0.2f, GAIN_DOWN = 0.8f, MOST_STEP = 5.0f;
static const double START_SD = 1e-4;

struct pl_tsne {
    const pl_affinity *affinity;
    pl__field *field;
    pl__layout y, pull, push, update, gain; /* pull: attraction; push: repulsion */
    float *pairs;                           /* [n, 2]: y, where a neighbour is one place */
};

static pl__layout *const *layouts(pl_tsne *t, pl__layout *out[5])
{
    out[0] = &t->y, out[1] = &t->pull, out[2] = &t->push, out[3] = &t->update, out[4] = &t->gain;
    return out;
}

void pl_tsne_free(pl_tsne *tsne)
{
    pl__layout *all[5];
    if (!tsne) return;
    for (int i = 0; i < 5; i++) pl__layout_free(layouts(tsne, all)[i]);
    free(tsne->pairs);
    pl__field_free(tsne->field);
    free(tsne);
}

static void set_layout(pl__layout *y, const float *map)
{
    for (size_t i = 0; i < y->n; i++) {
        y->x[i] = map[2 * i];
        y->y[i] = map[2 * i + 1];
    }
    pl__layout_pad(y);
}

pl_status pl_tsne_create(pl_tsne **out, const pl_affinity *affinity, const float *start)
{
    pl_tsne *t;
    pl__layout *all[5];
    *out = NULL;
    PL_TRY(pl_new(&t, 1));
    t->affinity = affinity;
    pl_status status;
    PL_GOTO(status, failed, pl__field_create(&t->field, affinity->n));
    PL_GOTO(status, failed, pl_new(&t->pairs, 2 * affinity->n));
    for (int i = 0; i < 5; i++) PL_GOTO(status, failed, pl__layout_create(layouts(t, all)[i], affinity->n));
    set_layout(&t->y, start);
    for (size_t i = 0; i < t->gain.stride; i++) t->gain.x[i] = t->gain.y[i] = 1.0f;
    *out = t;
    return PL_OK;
failed:
    pl_tsne_free(t);
    return status;
}

pl_status pl_tsne_copy(pl_tsne **out, const pl_tsne *of)
{
    pl_tsne *t;
    *out = NULL;
    PL_TRY(pl_new(&t, 1));
    t->affinity = of->affinity;
    pl_status status;
    PL_GOTO(status, failed, pl__field_create(&t->field, of->affinity->n));
    PL_GOTO(status, failed, pl_new(&t->pairs, 2 * of->affinity->n));
    PL_GOTO(status, failed, pl__layout_copy(&t->y, &of->y));
    PL_GOTO(status, failed, pl__layout_copy(&t->update, &of->update));
    PL_GOTO(status, failed, pl__layout_copy(&t->gain, &of->gain));
    PL_GOTO(status, failed, pl__layout_create(&t->pull, of->y.n));
    PL_GOTO(status, failed, pl__layout_create(&t->push, of->y.n));
    *out = t;
    return PL_OK;
failed:
    pl_tsne_free(t);
    return status;
}

typedef uint64_t eight_pairs __attribute__((vector_size(64)));

PL__INLINED uint64_t pair_of(const float *pairs, int32_t point)
{
    uint64_t both;
    memcpy(&both, pairs + 2 * (size_t)point, sizeof both);
    return both;
}

PL__INLINED void eight(pl__lanes *out, const float *pairs, const int32_t *c)
{
    const eight_pairs all = {pair_of(pairs, c[0]), pair_of(pairs, c[1]), pair_of(pairs, c[2]), pair_of(pairs, c[3]),
                             pair_of(pairs, c[4]), pair_of(pairs, c[5]), pair_of(pairs, c[6]), pair_of(pairs, c[7])};
    *out = (pl__lanes)all;
}

/* Attraction of points from..to - 1. */
PL__INLINED void attract_body(pl__layout *pull, const pl_affinity *p, const float *pairs, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const float x = pairs[2 * i], y = pairs[2 * i + 1];
        pl__lanes sum_x = {0}, sum_y = {0};
        for (size_t at = p->start[i]; at < p->start[i + 1]; at += PL__LANES) {
            pl__lanes a, b;
            eight(&a, pairs, p->column + at);
            eight(&b, pairs, p->column + at + 8);
            const pl__lanes dx =
                x - __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            const pl__lanes dy =
                y - __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
            const pl__lanes weight = PL__FROM(p->value + at) / (1.0f + dx * dx + dy * dy);
            sum_x += weight * dx;
            sum_y += weight * dy;
        }
        float lanes[PL__LANES];
        memcpy(lanes, &sum_x, sizeof lanes);
        pull->x[i] = pl__lane_sum(lanes);
        memcpy(lanes, &sum_y, sizeof lanes);
        pull->y[i] = pl__lane_sum(lanes);
    }
}
PL__CLONES(attract, (pl__layout * pull, const pl_affinity *p, const float *pairs, size_t from, size_t to),
           (pull, p, pairs, from, to))

enum { POINTS_AT_ONCE = 64 };

static void attraction(pl_tsne *t)
{
    const size_t n = t->y.n;
    pl_tsne_layout(t->pairs, t);
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t from = 0; from < n; from += POINTS_AT_ONCE)
        attract(&t->pull, t->affinity, t->pairs, from, from + POINTS_AT_ONCE < n ? from + POINTS_AT_ONCE : n);
}

/* One coordinate: gains and update from the gradient. */
PL__INLINED float next_update(float gradient, float update, float *gain, float rate)
{
    const int same = (gradient > 0.0f) - (gradient < 0.0f) == (update > 0.0f) - (update < 0.0f);
    *gain = same ? *gain * GAIN_DOWN + LEAST_GAIN : *gain + GAIN_UP;
    return MOMENTUM * update - rate * *gain * gradient;
}

/* pull and push to a step, and the map to its place; false: it is not finite. */
static int move(pl_tsne *t, double exaggeration, double z)
{
    const float rate = (float)((double)t->y.n / exaggeration), more = (float)exaggeration, share = (float)(1.0 / z);
    double mean_x = 0.0, mean_y = 0.0;
    for (size_t i = 0; i < t->y.n; i++) {
        const float gx = more * t->pull.x[i] - share * t->push.x[i], gy = more * t->pull.y[i] - share * t->push.y[i];
        float ux = next_update(gx, t->update.x[i], &t->gain.x[i], rate);
        float uy = next_update(gy, t->update.y[i], &t->gain.y[i], rate);
        const float length = sqrtf(ux * ux + uy * uy);
        if (length > MOST_STEP) {
            ux *= MOST_STEP / length;
            uy *= MOST_STEP / length;
        }
        t->update.x[i] = ux;
        t->update.y[i] = uy;
        t->y.x[i] += ux;
        t->y.y[i] += uy;
        mean_x += (double)t->y.x[i];
        mean_y += (double)t->y.y[i];
    }
    mean_x /= (double)t->y.n;
    mean_y /= (double)t->y.n;
    for (size_t i = 0; i < t->y.n; i++) {
        t->y.x[i] = (float)((double)t->y.x[i] - mean_x);
        t->y.y[i] = (float)((double)t->y.y[i] - mean_y);
    }
    return isfinite(mean_x) && isfinite(mean_y);
}

pl_status pl_tsne_optimise(pl_tsne *t, double exaggeration, size_t iterations, pl_tsne_step *step, void *context)
{
    for (size_t k = 0; k < iterations; k++) {
        double z;
        attraction(t);
        PL_TRY(pl__field_of(t->field, &z, &t->push, &t->y));
        if (!move(t, exaggeration, z)) return pl_fail(PL_E_NOT_FINITE, "t-SNE: the map is not finite any more");
        if (step) step(context);
    }
    return PL_OK;
}

void pl_tsne_layout(float *out, const pl_tsne *t)
{
    for (size_t i = 0; i < t->y.n; i++) {
        out[2 * i] = t->y.x[i];
        out[2 * i + 1] = t->y.y[i];
    }
}

/* sum p ln p + sum p ln(1 + d^2), one row's share a point. */
static double row_divergence(const pl_affinity *p, const pl__layout *y, size_t i, double *sum_p)
{
    double sum = 0.0;
    for (size_t at = p->start[i]; at < p->start[i + 1]; at++) {
        const double value = (double)p->value[at];
        if (!(value > 0.0)) continue;
        const size_t j = (size_t)p->column[at];
        const double dx = (double)y->x[i] - (double)y->x[j], dy = (double)y->y[i] - (double)y->y[j];
        sum += value * (log(value) + log1p(dx * dx + dy * dy));
        *sum_p += value;
    }
    return sum;
}

pl_status pl_tsne_divergence(double *divergence, float *gradient, const pl_affinity *affinity, const float *map)
{
    pl_tsne *t;
    double z, sum = 0.0, sum_p = 0.0;
    PL_TRY(pl_tsne_create(&t, affinity, map));
    pl__field_exact(t->field, &z, &t->push, &t->y);
    for (size_t i = 0; i < affinity->n; i++) sum += row_divergence(affinity, &t->y, i, &sum_p);
    *divergence = sum + sum_p * log(z);
    if (gradient) {
        attraction(t);
        for (size_t i = 0; i < affinity->n; i++) {
            gradient[2 * i] = (float)((double)t->pull.x[i] - (double)t->push.x[i] / z);
            gradient[2 * i + 1] = (float)((double)t->pull.y[i] - (double)t->push.y[i] / z);
        }
    }
    pl_tsne_free(t);
    return PL_OK;
}

void pl_tsne_start(float *start, const float *scores, size_t n, size_t dims, double jitter, uint64_t seed)
{
    double square = 0.0;
    for (size_t i = 0; i < n; i++) square += (double)scores[i * dims] * (double)scores[i * dims];
    const double scale = START_SD / sqrt(square / (double)n);
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < 2; c++) {
            double at = c < dims ? scale * (double)scores[i * dims + c] : 0.0;
            if (jitter > 0.0) at += jitter * START_SD * pl_random_normal(seed, PL_RANDOM_MAP, (uint32_t)c, i);
            start[2 * i + c] = (float)at;
        }
    }
}
