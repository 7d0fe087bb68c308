/* Every pair once, in float32, sixteen at a time: what a point gets of a pair, the other gets with the other sign. The
 * pairs are dealt to a fixed number of slots, each summed by one thread and all added in order. */
#include <string.h>

#include "base/lanes.h"
#include "device/cpu/cpu.h"

/* BLOCK: points whose pairs with sixteen others are summed at a time. */
enum { SLOTS = PL__REPULSION_SLOTS, BLOCK = 4 };

/* n points in whole lanes. */
typedef struct map {
    size_t n, stride;
    const float *x, *y;       /* [stride]; from n on far from everything */
    float *force_x, *force_y; /* [stride] */
    float *slots;             /* [SLOTS, 2, stride] */
} map;

/* So far that a pair adds less than 1e-17 to anything, and not so far that a product is below the normal numbers. */
static void set_points(float *x, float *y, const float *points, size_t n, size_t stride)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = points[2 * i];
        y[i] = points[2 * i + 1];
    }
    for (size_t i = n; i < stride; i++) {
        x[i] = 1e9f + 1e6f * (float)(i - n);
        y[i] = 0.0f;
    }
}

/* Pairs of points i..i + 3 with those behind them: what they get becomes their force, what the others get is taken off
 * the slot's. first: the lanes that hold i..i + 3 themselves. */
static double add_block(const map *m, float *slot_x, float *slot_y, size_t i)
{
    static const pl__lane_marks LANE = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const size_t first = i / PL__LANES * PL__LANES;
    pl__lanes sum_x[BLOCK] = {{0}}, sum_y[BLOCK] = {{0}}, sum_z[BLOCK] = {{0}};
    for (size_t j = first; j < m->stride; j += PL__LANES) {
        const pl__lanes xj = PL__FROM(m->x + j), yj = PL__FROM(m->y + j);
        pl__lanes back_x = {0}, back_y = {0};
        for (size_t r = 0; r < BLOCK; r++) {
            const pl__lanes dx = m->x[i + r] - xj, dy = m->y[i + r] - yj;
            pl__lanes q = 1.0f / (1.0f + dx * dx + dy * dy);
            if (j == first) q = (pl__lanes)((pl__lane_marks)q & (LANE > (int32_t)(i + r - first)));
            const pl__lanes square = q * q, fx = square * dx, fy = square * dy;
            sum_z[r] += q;
            sum_x[r] += fx;
            sum_y[r] += fy;
            back_x += fx;
            back_y += fy;
        }
        PL__AT(slot_x + j) -= back_x;
        PL__AT(slot_y + j) -= back_y;
    }
    double z = 0.0;
    for (size_t r = 0; r < BLOCK; r++) {
        float lanes[PL__LANES];
        memcpy(lanes, &sum_z[r], sizeof lanes);
        z += (double)pl__lane_sum(lanes);
        memcpy(lanes, &sum_x[r], sizeof lanes);
        m->force_x[i + r] = pl__lane_sum(lanes);
        memcpy(lanes, &sum_y[r], sizeof lanes);
        m->force_y[i + r] = pl__lane_sum(lanes);
    }
    return z;
}

pl_status PL__WIDE(repulsion)(pl_stream *stream, const pl_repulsion_args *args)
{
    const size_t n = args->y.columns / 2, stride = pl__whole_lanes(n);
    float *work = (float *)pl__at(args->workspace, 0);
    const map m = {.n = n,
                   .stride = stride,
                   .x = work,
                   .y = work + stride,
                   .force_x = work + 2 * stride,
                   .force_y = work + 3 * stride,
                   .slots = work + 4 * stride};
    double shares[SLOTS], z = 0.0;
    set_points(work, work + stride, pl__f32(args->y, 0), n, stride);
    enum { PAIRS = 256 }; /* that cost as little as an element: under 2,000 points a wait for others costs more */
    /* Blocks get shorter downwards: dealt out one by one, the slots have as much to do. */
#pragma omp parallel for num_threads(pl__threads(stream, n *n / PAIRS)) schedule(dynamic)
    for (size_t s = 0; s < SLOTS; s++) {
        float *slot = m.slots + s * 2 * stride;
        double share = 0.0;
        memset(slot, 0, 2 * stride * sizeof *slot);
        for (size_t i = s * BLOCK; i < n; i += SLOTS * BLOCK) share += add_block(&m, slot, slot + stride, i);
        shares[s] = share;
    }
    for (size_t s = 0; s < SLOTS; s++) {
        const float *slot = m.slots + s * 2 * stride;
        z += 2.0 * shares[s];
        for (size_t i = 0; i < n; i++) {
            m.force_x[i] += slot[i];
            m.force_y[i] += slot[stride + i];
        }
    }
    float *force = pl__f32(args->force, 0);
    for (size_t i = 0; i < n; i++) {
        force[2 * i] = m.force_x[i];
        force[2 * i + 1] = m.force_y[i];
    }
    *(double *)pl__at(args->z, 0) = z;
    return PL_OK;
}
