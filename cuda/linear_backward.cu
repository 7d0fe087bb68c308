/* Gradients of y = act(x W^T + bias): z = dy * act'(pre), or dy with the mask, in the storage type of the products;
 * then dx = z W, dW += z^T x (product.h), and dbias += z, which is summed before z is rounded.
 *
 * dbias is a fixed tree: blocks of TALL rows, in each DOWN chains of every DOWN-th row added in order, then the blocks'
 * sums in DOWN chains that are added in order. Rows of z past the count are written as zeros. */
#include "product.h"

#include <type_traits>

#include "activation.cuh"
#include "dropout.cuh"
#include "kernel.cuh"
#include "vector.cuh"

enum { OWN = 4, ACROSS = 32, DOWN = 8, WIDE = ACROSS * OWN, TALL = 64, ALIGNMENT = 256 };

/* ---- z, and sums of its columns ---- */

struct slopes {
    const int32_t *count;
    int capacity, columns;
    size_t dy_stride, pre_stride, z_stride;
    pl_activation activation;
    pl__mask_source mask;
    const int32_t *positions;
    float *sums; /* [blocks of rows, columns], or NULL */
};

/* z may be NULL: then there are only sums. */
template <class DY, class Z, bool packed>
static __global__ void __launch_bounds__(ACROSS *DOWN) differentiate(slopes s, const DY *dy, const Z *pre, Z *z)
{
    __shared__ float sums[DOWN][WIDE];
    const int limit = s.count ? pl__rows(s.count, s.capacity) : s.capacity, row0 = (int)blockIdx.x * TALL;
    const int column = ((int)blockIdx.y * ACROSS + (int)threadIdx.x) * OWN, left = s.columns - column;
    float sum[OWN] = {};
    pl__mask mask = {};
    if (s.mask.key) mask = pl__mask_read(s.mask);
    for (int r = (int)threadIdx.y; left > 0 && r < TALL && row0 + r < s.capacity; r += DOWN) {
        const int row = row0 + r;
        float v[OWN] = {};
        if (row < limit) {
            pl__load<packed>(v, dy + (size_t)row * s.dy_stride + (size_t)column, left);
            if (s.activation != PL_ACT_NONE) {
                float x[OWN], slope[OWN];
                pl__load<packed>(x, pre + (size_t)row * s.pre_stride + (size_t)column, left);
                pl__activation_slope(slope, x, s.activation);
#pragma unroll
                for (int i = 0; i < OWN; i++) v[i] = __fmul_rn(slope[i], v[i]);
            }
            if (s.mask.key) pl__mask_apply(mask, s.mask.examples[row], s.positions[row], (uint32_t)column, v);
        }
        if (z) pl__store<packed>(z + (size_t)row * s.z_stride + (size_t)column, v, left);
#pragma unroll
        for (int i = 0; i < OWN; i++) sum[i] = __fadd_rn(sum[i], v[i]);
    }
    if (!s.sums) return;
#pragma unroll
    for (int i = 0; i < OWN; i++) sums[threadIdx.y][threadIdx.x * OWN + i] = sum[i];
    __syncthreads();
    const int own = (int)(threadIdx.y * ACROSS + threadIdx.x), to = (int)blockIdx.y * WIDE + own;
    if (own >= WIDE || to >= s.columns) return;
    float total = sums[0][own];
#pragma unroll
    for (int i = 1; i < DOWN; i++) total = __fadd_rn(total, sums[i][own]);
    s.sums[(size_t)blockIdx.x * (size_t)s.columns + (size_t)to] = total;
}

/* dbias += the sums of n blocks of rows. */
static __global__ void __launch_bounds__(ACROSS *DOWN)
    add_sums(float *dbias, const float *__restrict__ sums, int n, int columns)
{
    __shared__ float chains[DOWN][ACROSS];
    const int column = (int)(blockIdx.x * ACROSS + threadIdx.x);
    float sum = 0.0f;
#pragma unroll 4
    for (int i = (int)threadIdx.y; column < columns && i < n; i += DOWN)
        sum = __fadd_rn(sum, sums[(size_t)i * (size_t)columns + (size_t)column]);
    chains[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y || column >= columns) return;
#pragma unroll
    for (int i = 1; i < DOWN; i++) sum = __fadd_rn(sum, chains[i][threadIdx.x]);
    dbias[column] = __fadd_rn(dbias[column], sum);
}

/* ---- Parts of a product ---- */

/* y = the parts in order, or y += them; parts: [n, rows, columns] with rows `stride` apart. */
template <class Y, bool packed>
static __global__ void add_parts(Y *y, size_t y_stride, const float *__restrict__ parts, size_t stride, int n,
                                 size_t part_stride, const int32_t *__restrict__ count, int capacity, size_t columns,
                                 bool accumulate)
{
    const int row = pl__own_row();
    if (row >= (count ? pl__rows(count, capacity) : capacity)) return;
    Y *to = y + (size_t)row * y_stride;
    for (size_t piece = pl__first_piece(); piece * OWN < columns; piece += pl__piece_step()) {
        const size_t c = piece * OWN;
        const int left = (int)min(columns - c, (size_t)OWN);
        float sum[OWN], v[OWN];
        pl__load<packed>(sum, parts + (size_t)row * stride + c, left);
#pragma unroll 4
        for (int i = 1; i < n; i++) {
            pl__load<packed>(v, parts + (size_t)i * part_stride + (size_t)row * stride + c, left);
#pragma unroll
            for (int j = 0; j < OWN; j++) sum[j] = __fadd_rn(sum[j], v[j]);
        }
        if (accumulate) {
            pl__load<packed>(v, to + c, left);
#pragma unroll
            for (int j = 0; j < OWN; j++) sum[j] = __fadd_rn(v[j], sum[j]);
        }
        pl__store<packed>(to + c, sum, left);
    }
}

extern "C" pl_status pl__parts_run(pl_stream *stream, pl_view parts, size_t n, pl_view y, size_t rows, size_t columns,
                                   const int32_t *count, bool accumulate)
{
    const pl__row_grid g = pl__cover_rows(rows, pl__ceil_div(columns, OWN));
    pl__with_type(y.dtype, [&](auto type) {
        typedef decltype(type) Y;
        pl__with_packed(pl__packs(y, columns, OWN) && pl__packs(parts, columns, OWN), [&](auto packed) {
            auto kernel = add_parts<Y, decltype(packed)::value>;
            CU_LAUNCH(kernel, g.grid, g.block, 0, stream->handle, (Y *)pl__at(y, 0), y.stride,
                      (const float *)pl__at(parts, 0), parts.stride, (int)n, rows * parts.stride, count, (int)rows,
                      columns, accumulate);
        });
    });
    PL_LAUNCHED(stream, "parts of a product");
    return PL_OK;
}

/* ---- The op ---- */

static size_t padded(size_t n, size_t step)
{
    return pl__ceil_div(n, step) * step;
}

extern "C" size_t pl__column_sums_floats(size_t rows, size_t columns)
{
    return pl__ceil_div(rows, TALL) * columns;
}

/* z, sums of its columns, parts of the products: bytes of each, and elements from a row of z to the next. */
struct space {
    size_t z_stride, z, sums, parts;
};

static space space_of(size_t rows, size_t n_out, size_t n_in, pl_dtype compute)
{
    const size_t size = pl_dtype_bytes(pl_dtype_storage(compute)), stride = padded(n_out, 16 / size);
    return {stride, padded(rows * stride * size, ALIGNMENT),
            padded(pl__column_sums_floats(rows, n_out) * sizeof(float), ALIGNMENT),
            pl__gradient_floats(rows, n_out, n_in) * sizeof(float)};
}

extern "C" size_t pl__linear_backward_workspace_bytes(size_t n_rows, size_t n_out, size_t n_in, pl_dtype compute)
{
    const space s = space_of(n_rows, n_out, n_in, compute);
    return ALIGNMENT + s.z + s.sums + s.parts;
}

/* [rows, columns] from a byte of a buffer on, which is a multiple of ALIGNMENT. */
static pl_view view_at(pl_buffer *buffer, size_t byte, size_t rows, size_t columns, size_t stride, pl_dtype dtype)
{
    pl_view v = {};
    v.buffer = buffer;
    v.offset = byte / pl_dtype_bytes(dtype);
    v.rows = rows;
    v.columns = columns;
    v.stride = stride;
    v.dtype = dtype;
    return v;
}

/* z (or nothing) and dbias (or nothing) from dy. */
static pl_status run_slopes(pl_stream *stream, slopes s, pl_view dy, pl_view pre, pl_view z, pl_dtype storage,
                            float *dbias)
{
    const size_t columns = (size_t)s.columns, blocks = pl__ceil_div((size_t)s.capacity, TALL);
    const bool packs = pl__packs(dy, columns, OWN) && (!pre.buffer || pl__packs(pre, columns, OWN)) &&
                       (!z.buffer || pl__packs(z, columns, OWN));
    s.dy_stride = dy.stride;
    s.pre_stride = pre.stride;
    s.z_stride = z.stride;
    if (!dbias) s.sums = nullptr;
    pl__with_type(dy.dtype, [&](auto from) {
        pl__with_type(storage, [&](auto to) {
            typedef decltype(from) DY;
            typedef decltype(to) Z;
            if constexpr (std::is_same_v<DY, Z> || std::is_same_v<DY, float>) {
                pl__with_packed(packs, [&](auto packed) {
                    auto kernel = differentiate<DY, Z, decltype(packed)::value>;
                    CU_LAUNCH(kernel, dim3((unsigned)blocks, (unsigned)pl__ceil_div(columns, WIDE)), dim3(ACROSS, DOWN),
                              0, stream->handle, s, (const DY *)pl__at(dy, 0), (const Z *)pl__at(pre, 0),
                              (Z *)pl__at(z, 0));
                });
            }
        });
    });
    PL_LAUNCHED(stream, "linear_backward");
    if (!dbias) return PL_OK;
    CU_LAUNCH(add_sums, dim3((unsigned)pl__ceil_div(columns, ACROSS)), dim3(ACROSS, DOWN), 0, stream->handle, dbias,
              s.sums, (int)blocks, s.columns);
    PL_LAUNCHED(stream, "linear_backward");
    return PL_OK;
}

extern "C" pl_status pl__column_sums(pl_stream *stream, pl_view z, size_t rows, const int32_t *count, float *floats,
                                     float *dbias)
{
    slopes s = {};
    s.count = count;
    s.capacity = (int)rows;
    s.columns = (int)z.columns;
    s.activation = PL_ACT_NONE;
    s.sums = floats;
    return run_slopes(stream, s, z, pl_view{}, pl_view{}, z.dtype, dbias);
}

extern "C" pl_status pl__linear_backward(pl_stream *stream, const pl_linear_backward_args *args)
{
    const size_t rows = args->x.rows < args->dy.rows ? args->x.rows : args->dy.rows;
    const pl_weight *w = args->weight;
    const pl_dtype storage = pl_dtype_storage(w->compute);
    const space of = space_of(rows, w->n_out, w->n_in, w->compute);
    const int32_t *count = pl__count_at(args->counts, args->count);
    pl_buffer *buffer = args->workspace.buffer;
    const size_t first = padded(args->workspace.offset, ALIGNMENT), sums = first + of.z, parts = sums + of.sums;
    const bool as_it_is =
        args->activation == PL_ACT_NONE && args->dropout.probability == 0.0f && args->dy.dtype == storage;
    const pl_view own = view_at(buffer, first, rows, w->n_out, of.z_stride, storage), z = as_it_is ? args->dy : own;
    const pl_view floats = view_at(buffer, parts, 1, of.parts / sizeof(float), of.parts / sizeof(float), PL_F32);
    if (!rows) return PL_OK;
    if (!as_it_is || args->dbias.buffer) {
        slopes s = {};
        s.count = count;
        s.capacity = (int)rows;
        s.columns = (int)w->n_out;
        s.activation = args->activation;
        s.mask = pl__mask_source_of(&args->dropout);
        s.positions = (const int32_t *)pl__at(args->positions, 0);
        s.sums = (float *)((char *)buffer->data + sums);
        const pl_view pre = args->activation == PL_ACT_NONE ? pl_view{} : args->pre;
        PL_TRY(
            run_slopes(stream, s, args->dy, pre, as_it_is ? pl_view{} : own, storage, (float *)pl__at(args->dbias, 0)));
    }
    if (args->dx.buffer) PL_TRY(pl__gradient_input(stream, w, z, args->dx, rows, count, args->accumulate_dx, floats));
    if (args->dweight.buffer) PL_TRY(pl__gradient_weight(stream, w, z, args->x, args->dweight, rows, count, floats));
    return PL_OK;
}
