#include "tsne/field.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tsne/field_parts.h"
#include "tsne/lanes.h"

enum { BLOCK = 4 }; /* points whose pairs with sixteen others are summed at a time */

pl_status pl__layout_create(pl__layout *out, size_t n)
{
    *out = (pl__layout){.n = n, .stride = pl__whole_lanes(n)};
    pl_status status = pl_new(&out->x, out->stride);
    if (status == PL_OK) status = pl_new(&out->y, out->stride);
    if (status != PL_OK) pl__layout_free(out);
    return status;
}

pl_status pl__layout_copy(pl__layout *out, const pl__layout *of)
{
    PL_TRY(pl__layout_create(out, of->n));
    memcpy(out->x, of->x, of->stride * sizeof *of->x);
    memcpy(out->y, of->y, of->stride * sizeof *of->y);
    return PL_OK;
}

/* So far that a pair adds less than 1e-17 to anything, and not so far that a product is below the normal numbers. */
void pl__layout_pad(pl__layout *layout)
{
    for (size_t i = layout->n; i < layout->stride; i++) {
        layout->x[i] = 1e9f + 1e6f * (float)(i - layout->n);
        layout->y[i] = 0.0f;
    }
}

void pl__layout_free(pl__layout *layout)
{
    free(layout->x);
    free(layout->y);
    *layout = (pl__layout){0};
}

pl_status pl__field_create(pl__field **out, size_t n)
{
    pl__field *f;
    *out = NULL;
    PL_TRY(pl_new(&f, 1));
    pl_status status;
    f->n = n;
    f->stride = pl__whole_lanes(n);
    PL_GOTO(status, failed, pl_new(&f->slots, PL__FIELD_SLOTS * 2 * f->stride));
    PL_GOTO(status, failed, pl_new(&f->z, PL__FIELD_SLOTS));
    PL_GOTO(status, failed, pl__grid_create(&f->grid, n));
    *out = f;
    return PL_OK;
failed:
    pl__field_free(f);
    return status;
}

void pl__field_free(pl__field *field)
{
    if (!field) return;
    pl__grid_free(field->grid);
    free(field->z);
    free(field->slots);
    free(field);
}

static const pl__lane_marks LANE = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* Pairs of points i..i + 3 with those behind them: what they get is added to force, what the others get is taken off
 * the slot's. first: the lanes that hold i..i + 3 themselves. */
PL__INLINED void block_body(float *slot_x, float *slot_y, double *z, pl__layout *force, const pl__layout *y, size_t i)
{
    const size_t first = i / PL__LANES * PL__LANES;
    pl__lanes sum_x[BLOCK] = {{0}}, sum_y[BLOCK] = {{0}}, sum_z[BLOCK] = {{0}};
    for (size_t j = first; j < y->stride; j += PL__LANES) {
        const pl__lanes xj = PL__FROM(y->x + j), yj = PL__FROM(y->y + j);
        pl__lanes back_x = {0}, back_y = {0};
        for (size_t r = 0; r < BLOCK; r++) {
            const pl__lanes dx = y->x[i + r] - xj, dy = y->y[i + r] - yj;
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
    for (size_t r = 0; r < BLOCK; r++) {
        float lanes[PL__LANES];
        memcpy(lanes, &sum_z[r], sizeof lanes);
        *z += (double)pl__lane_sum(lanes);
        memcpy(lanes, &sum_x[r], sizeof lanes);
        force->x[i + r] = pl__lane_sum(lanes);
        memcpy(lanes, &sum_y[r], sizeof lanes);
        force->y[i + r] = pl__lane_sum(lanes);
    }
}
PL__CLONES(block, (float *slot_x, float *slot_y, double *z, pl__layout *force, const pl__layout *y, size_t i),
           (slot_x, slot_y, z, force, y, i))

void pl__field_exact(pl__field *field, double *z, pl__layout *force, const pl__layout *y)
{
    const size_t stride = field->stride;
    /* Blocks get shorter downwards: dealt out one by one, the slots have as much to do. */
#pragma omp parallel for schedule(dynamic)
    for (size_t s = 0; s < PL__FIELD_SLOTS; s++) {
        float *slot = field->slots + s * 2 * stride;
        memset(slot, 0, 2 * stride * sizeof *slot);
        field->z[s] = 0.0;
        for (size_t i = s * BLOCK; i < y->n; i += PL__FIELD_SLOTS * BLOCK)
            block(slot, slot + stride, &field->z[s], force, y, i);
    }
    *z = 0.0;
    for (size_t s = 0; s < PL__FIELD_SLOTS; s++) {
        const float *slot = field->slots + s * 2 * stride;
        *z += 2.0 * field->z[s];
        for (size_t i = 0; i < y->n; i++) {
            force->x[i] += slot[i];
            force->y[i] += slot[stride + i];
        }
    }
}

pl_status pl__field_grid(pl__field *field, double *z, pl__layout *force, const pl__layout *y)
{
    return pl__grid_sum(field->grid, z, force, y);
}

pl_status pl__field_of(pl__field *field, double *z, pl__layout *force, const pl__layout *y)
{
    /* Steps as measured (results/benchmarks/tsne.md): a pair, a node of a line's transform, a point on the grid. */
    static const double PAIR = 0.35, NODE = 1.0, POINT = 60.0;
    const double n = (double)y->n, width = (double)pl__grid_width(y);
    const double exact = PAIR * n * n, grid = POINT * n + NODE * 3.0 * width * width * log2(width);
    if (width > 0.0 && grid < exact) return pl__field_grid(field, z, force, y);
    pl__field_exact(field, z, force, y);
    return PL_OK;
}
