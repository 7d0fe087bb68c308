/* The vocabulary head with its loss, forward and backward: a chunk of rows after another, so that logits exist for one
 * chunk. In a chunk: logits with each row's maximum and sum (as `score` makes them, same bits); then, by blocks of
 * columns, z becomes its gradient in place, and the block's dW += z^T x and dbias are added; then dx = z W. */
#include <math.h>

#include "device/cpu/gemm.h"
#include "device/cpu/half_product.h"
#include "device/cpu/score.h"
#include "device/cpu/vector.h"

/* Logits of a chunk, x in panels, the rows' parts. */
typedef struct space {
    float *z, *x;
    pl__score_part *parts;
} space;

typedef struct chunk {
    const pl_score_backward_args *a;
    size_t first, rows, z_stride, n_parts;
    space space;
} chunk;

static space space_of(const pl_score_backward_args *a, size_t most)
{
    const size_t V = a->weight->n_out, C = a->weight->n_in;
    uintptr_t first = ((uintptr_t)pl__at(a->workspace, 0) + 63) & ~(uintptr_t)63;
    float *z = (float *)first, *x = z + most * pl__score_stride(V);
    const size_t floats = pl__panel_rows(most, pl__weight_compute(a->weight)) * pl__panel_columns(C);
    return (space){z, x, (pl__score_part *)(x + floats)};
}

/* The logits, and log p of the targets. */
static void forward(pl_stream *stream, const chunk *c)
{
    const pl_score_backward_args *a = c->a;
    pl_view z = {.buffer = &(pl_buffer){.data = c->space.z, .bytes = c->rows * c->z_stride * sizeof(float)},
                 .rows = c->rows,
                 .columns = a->weight->n_out,
                 .stride = c->z_stride,
                 .dtype = PL_F32};
    pl_view x = a->x;
    x.offset += c->first * x.stride;
    x.rows = c->rows;
    const pl_score_args score = {.x = x, .weight = a->weight, .bias = a->bias, .softcap = a->softcap, .logits = z};
    PL__WIDE(score_rows)(stream, &score, c->space.parts, c->rows);
    for (size_t r = 0; r < c->rows; r++) {
        const size_t token = (size_t)pl__i32(a->target_tokens, 0)[c->first + r];
        const float logit = c->space.z[r * c->z_stride + token];
        pl__f32(a->log_probability, 0)[c->first + r] = pl__score_of(logit, c->space.parts + r * c->n_parts);
    }
}

/* Columns [first, first + n) of z become the loss's gradient by x W^T + bias. */
static void differentiate(const chunk *c, size_t first, size_t n)
{
    const pl_score_backward_args *a = c->a;
    for (size_t r = 0; r < c->rows; r++) {
        const pl__score_part *part = c->space.parts + r * c->n_parts;
        const bool finite = isfinite(pl__f32(a->log_probability, 0)[c->first + r]);
        const float weight = finite ? pl__f32(a->loss_weights, 0)[c->first + r] : NAN, max = part->max;
        const float scale = (float)((double)weight / part->sum);
        const size_t target = (size_t)pl__i32(a->target_tokens, 0)[c->first + r];
        float *z = c->space.z + r * c->z_stride + first, slope[PL__GRADIENT_OUTS];
        if (a->softcap > 0.0f) {
            for (size_t i = 0; i < n; i++) slope[i] = z[i] / a->softcap;
        }
        for (size_t i = 0; i < n; i++) z[i] = scale * pl__exp(z[i] - max);
        if (target - first < n) z[target - first] -= weight;
        if (a->softcap > 0.0f) {
            for (size_t i = 0; i < n; i++) z[i] *= fmaf(-slope[i], slope[i], 1.0f);
        }
    }
}

static void weight_gradient(const chunk *c, int n_threads)
{
    const pl_score_backward_args *a = c->a;
    const size_t V = a->weight->n_out, C = a->weight->n_in;
    const pl__gradient g = {.rows = c->rows,
                            .n_out = V,
                            .n_in = C,
                            .z = c->space.z,
                            .z_stride = c->z_stride,
                            .x = c->space.x,
                            .dweight = a->dweight.buffer ? pl__f32(a->dweight, 0) : NULL,
                            .dweight_stride = a->dweight.stride,
                            .dbias = a->dbias.buffer ? pl__f32(a->dbias, 0) : NULL,
                            .half = a->weight->half};
    if (g.dweight)
        PL__WIDE(pack_panels)(c->space.x, pl__f32(a->x, c->first), a->x.stride, c->rows, C, n_threads, a->weight->half);
    const size_t width = pl__gradient_width(V, n_threads), n_items = (V + width - 1) / width;
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (size_t item = 0; item < n_items; item++) {
        const size_t first = item * width, n = pl__least(V - first, width);
        differentiate(c, first, n);
        PL__WIDE(gradient_tile)(&g, first, n);
    }
}

/* dx = z W is summed in parts of so many of W's rows, which are added in order: one chain over a vocabulary would lose
 * digits, as most of its terms cancel. */
enum { PART = 1024 };

/* Rows k .. k + n of W. */
static pl__side part_of(const pl__side *b, size_t k, size_t n)
{
    pl__side part = *b;
    part.data += b->lies == PL__IN_ROWS ? k * b->stride : k / PL__PANEL * b->stride;
    part.k = n;
    return part;
}

static void input_gradient(const chunk *c, int n_threads)
{
    const pl__side whole = pl__backward_side(c->a->weight);
    const size_t most = pl__half_packs(whole.half) ? whole.k : PART; /* bfloat16 has lost them before */
    const pl__cut cut = PL__WIDE(cut)(c->rows, &whole, n_threads);
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (size_t item = 0; item < cut.row_tiles * cut.column_tiles; item++) {
        pl__part p = pl__part_of(&cut, item), to = p;
        to.row += c->first;
        for (size_t k = 0; k < whole.k; k += most) {
            const pl__side b = part_of(&whole, k, pl__least(whole.k - k, most));
            pl__tile tile;
            PL__WIDE(gemm_tile)
            (&tile, c->space.z + p.row * c->z_stride + k, c->z_stride, p.rows, &b, p.column, p.columns);
            PL__WIDE(put_tile)(&tile, &to, c->a->dx, k > 0);
        }
    }
}

pl_status PL__WIDE(score_backward)(pl_stream *stream, const pl_score_backward_args *args)
{
    size_t rows;
    const size_t V = args->weight->n_out, most = pl__score_chunk_rows(args->x.rows, V);
    PL_TRY(pl__read_count("score_backward", &rows, args->counts, PL_COUNT_ROWS, args->x.rows));
    PL_TRY(pl__check_ids("score_backward", "target_tokens", args->target_tokens, rows, V));
    chunk c = {.a = args,
               .z_stride = pl__score_stride(V),
               .n_parts = (V + PL__SCORE_CHUNK - 1) / PL__SCORE_CHUNK,
               .space = space_of(args, most)};
    const size_t n_chunks = most ? (rows + most - 1) / most : 0;
    for (size_t i = 0; i < n_chunks; i++) {
        c.first = rows * i / n_chunks;
        c.rows = rows * (i + 1) / n_chunks - c.first;
        forward(stream, &c);
        weight_gradient(&c, stream->device->n_threads);
        if (args->dx.buffer) input_gradient(&c, stream->device->n_threads);
    }
    return PL_OK;
}
