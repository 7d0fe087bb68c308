/* Gradients of y = act(x W^T + bias): z = dy * act'(pre), or dy with the mask; dx = z W; dW += z^T x; dbias += z.
 *
 * dW and dbias are one chain over the rows in order from what they hold, so a batch cut in two gives the bits of the
 * whole one (in float32: bfloat16 takes rows in pairs). */
#include "device/cpu/activation.h"
#include "device/cpu/dropout.h"
#include "device/cpu/gemm.h"

/* z, then x in panels. */
typedef struct space {
    float *z, *x;
} space;

static space space_of(const pl_linear_backward_args *a, size_t rows)
{
    uintptr_t first = ((uintptr_t)pl__at(a->workspace, 0) + 63) & ~(uintptr_t)63;
    float *z = (float *)first;
    return (space){z, z + (rows * a->weight->n_out + 15) / 16 * 16};
}

static void differentiate(const pl_linear_backward_args *a, float *z, size_t rows, int n_threads)
{
    const size_t n = a->weight->n_out;
    const pl__mask mask = pl__mask_of(&a->dropout);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (size_t r = 0; r < rows; r++) {
        const float *dy = pl__f32(a->dy, r);
        float *to = z + r * n;
        if (a->activation == PL_ACT_NONE) {
            for (size_t i = 0; i < n; i++) to[i] = dy[i];
        } else {
            pl__activation_slope(to, pl__f32(a->pre, r), n, a->activation);
            for (size_t i = 0; i < n; i++) to[i] *= dy[i];
        }
        if (mask.examples) pl__mask_apply(&mask, r, pl__i32(a->positions, 0)[r], 0, to, n);
    }
}

/* dx of all rows. */
static void input_gradient(const pl_linear_backward_args *a, const float *z, size_t z_stride, size_t rows,
                           int n_threads)
{
    const pl__side b = pl__backward_side(a->weight);
    const pl__cut cut = PL__WIDE(cut)(rows, &b, n_threads);
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (size_t item = 0; item < cut.row_tiles * cut.column_tiles; item++) {
        const pl__part p = pl__part_of(&cut, item);
        pl__tile tile;
        PL__WIDE(gemm_tile)(&tile, z + p.row * z_stride, z_stride, p.rows, &b, p.column, p.columns);
        PL__WIDE(put_tile)(&tile, &p, a->dx, a->accumulate_dx);
    }
}

pl_status PL__WIDE(linear_backward)(pl_stream *stream, const pl_linear_backward_args *args)
{
    size_t rows;
    PL_TRY(pl__read_count("linear_backward", &rows, args->counts, args->count, pl__least(args->x.rows, args->dy.rows)));
    const int n_threads = stream->device->n_threads;
    const pl_weight *w = args->weight;
    const space space = space_of(args, rows);
    const bool as_it_is = args->activation == PL_ACT_NONE && args->dropout.probability == 0.0f;
    const float *z = as_it_is ? pl__f32(args->dy, 0) : space.z;
    const size_t z_stride = as_it_is ? args->dy.stride : w->n_out;
    if (!rows) return PL_OK;
    if (!as_it_is) differentiate(args, space.z, rows, n_threads);
    if (args->dx.buffer) input_gradient(args, z, z_stride, rows, n_threads);
    const pl__gradient g = {.rows = rows,
                            .n_out = w->n_out,
                            .n_in = w->n_in,
                            .z = z,
                            .z_stride = z_stride,
                            .x = space.x,
                            .dweight = args->dweight.buffer ? pl__f32(args->dweight, 0) : NULL,
                            .dweight_stride = args->dweight.stride,
                            .dbias = args->dbias.buffer ? pl__f32(args->dbias, 0) : NULL,
                            .half = w->half};
    if (g.dweight)
        PL__WIDE(pack_panels)(space.x, pl__f32(args->x, 0), args->x.stride, rows, w->n_in, n_threads, w->half);
    if (!g.dweight && !g.dbias) return PL_OK;
    const size_t width = pl__gradient_width(w->n_out, n_threads), n_items = (w->n_out + width - 1) / width;
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (size_t item = 0; item < n_items; item++)
        PL__WIDE(gradient_tile)(&g, item * width, pl__least(w->n_out - item * width, width));
    return PL_OK;
}
