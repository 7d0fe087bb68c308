/* Weights: rows of outputs in the storage type of the products, zero from n_in to the stride (a multiple of 16 bytes).
 *
 * A file's numbers come through two pinned slots: while one is on its way to the device and converted there, the next
 * is copied in, which is also when the pages of a mapped file are read. The file's memory is not needed after the call.
 * Rounding is to nearest even; weights of TF32 products are kept as float32 rounded to 10 bits of fraction. A weight that
 * is attached to a master is the same copy, renewed from there. */
#include <stdlib.h>
#include <string.h>

#include "product.h"

#include "kernel.cuh"
#include "vector.cuh"

#ifdef PL_CUDA_EMULATED
enum { SLOT_BYTES = 16 << 10 }; /* small weights go through several slots, too */
#else
enum { SLOT_BYTES = 8 << 20 };
#endif
enum { ALIGNMENT = 16, SLOTS = 2 };

/* ---- Kernels ---- */

template <class To, bool tf32, class From> static __device__ __forceinline__ To converted(From x)
{
    const float v = pl__to_float(x);
    return pl__from_float<To>(tf32 ? pl__rounded_tf32(v) : v);
}

/* to[r, c] = from[r, c], [rows, columns]; from is packed with rows from_stride apart. */
template <class To, bool tf32, class From>
static __global__ void convert_rows(To *__restrict__ to, size_t to_stride, const From *__restrict__ from,
                                    size_t from_stride, size_t rows, size_t columns)
{
    const size_t row = (size_t)pl__own_row();
    if (row >= rows) return;
    for (size_t c = pl__first_piece(); c < columns; c += pl__piece_step())
        to[row * to_stride + c] = converted<To, tf32>(from[row * from_stride + c]);
}

enum { TILE = 32, TILE_DOWN = 8 };

/* to[c, r] = from[r, c]: from has a row for each input. A block turns tiles of its columns, all rows from top to
 * bottom. */
template <class To, bool tf32, class From>
static __global__ void transpose_rows(To *__restrict__ to, size_t to_stride, const From *__restrict__ from,
                                      size_t from_stride, size_t rows, size_t columns)
{
    __shared__ float tile[TILE][TILE + 1];
    const unsigned x = threadIdx.x, down = threadIdx.y;
    const size_t column = (size_t)blockIdx.x * TILE;
    for (size_t row = (size_t)blockIdx.y * TILE; row < rows; row += (size_t)gridDim.y * TILE) {
#pragma unroll 1
        for (unsigned i = down; i < TILE; i += TILE_DOWN) {
            if (row + i < rows && column + x < columns)
                tile[i][x] = pl__to_float(from[(row + i) * from_stride + column + x]);
        }
        __syncthreads();
#pragma unroll 1
        for (unsigned i = down; i < TILE; i += TILE_DOWN) {
            if (column + i < columns && row + x < rows)
                to[(column + i) * to_stride + row + x] = converted<To, tf32>(tile[x][i]);
        }
        __syncthreads();
    }
}

/* ---- One piece: a matrix on the device becomes rows, or columns, of the weight ---- */

struct piece {
    const void *from; /* [rows, columns], rows from_stride elements apart */
    size_t from_stride, rows, columns;
    pl_dtype dtype;
    void *to; /* where its element (0, 0) goes */
    bool transposed;
};

template <class To, bool tf32, class From>
static void launch_piece(pl_stream *stream, const piece &p, size_t to_stride, From)
{
    if (p.transposed) {
        auto kernel = transpose_rows<To, tf32, From>;
        const size_t across = pl__ceil_div(p.columns, TILE), down = pl__ceil_div(p.rows, TILE);
        CU_LAUNCH(kernel, dim3((unsigned)across, (unsigned)(down < 65535 ? down : 65535)), dim3(TILE, TILE_DOWN), 0,
                  stream->handle, (To *)p.to, to_stride, (const From *)p.from, p.from_stride, p.rows, p.columns);
    } else {
        auto kernel = convert_rows<To, tf32, From>;
        const pl__row_grid g = pl__cover_rows(p.rows, p.columns);
        CU_LAUNCH(kernel, g.grid, g.block, 0, stream->handle, (To *)p.to, to_stride, (const From *)p.from,
                  p.from_stride, p.rows, p.columns);
    }
}

static pl_status place_piece(pl_stream *stream, const pl_weight *weight, const piece &p)
{
    pl__with_type(p.dtype, [&](auto from) {
        if (weight->compute == PL_TF32) {
            launch_piece<float, true>(stream, p, weight->stride, from);
        } else {
            pl__with_type(weight->compute,
                          [&](auto to) { launch_piece<decltype(to), false>(stream, p, weight->stride, from); });
        }
    });
    PL_LAUNCHED(stream, "weight_set");
    return PL_OK;
}

/* ---- The slots ---- */

struct slot {
    void *host, *device;
    cudaEvent_t passed; /* the stream has left the slot */
    bool used;
};

struct pl__staging {
    pl_device *device;
    slot slots[SLOTS];
    size_t next;
};

extern "C" void pl__staging_free(pl__staging *staging)
{
    if (!staging) return;
    for (slot &s : staging->slots) {
        if (s.used) pl__forget(cudaEventSynchronize(s.passed));
        if (s.passed) pl__forget(cudaEventDestroy(s.passed));
        pl__host_memory_free(staging->device, s.host);
        pl__memory_free(staging->device, s.device);
    }
    free(staging);
}

static pl_status fill_slots(pl__staging *staging)
{
    for (slot &s : staging->slots) {
        PL_TRY(pl__host_memory_create(staging->device, &s.host, SLOT_BYTES));
        PL_TRY(pl__memory_create(staging->device, &s.device, SLOT_BYTES, "weights on their way"));
        PL_CUDA_TRY(staging->device, cudaEventCreateWithFlags(&s.passed, cudaEventDisableTiming));
    }
    return PL_OK;
}

/* A device has one, made at first use. */
static pl_status staging_of(pl_device *device, pl__staging **out)
{
    pl__staging *staging = nullptr;
    *out = device->staging;
    if (*out) return PL_OK;
    PL_TRY(pl__handle_create(device, (void **)&staging, sizeof *staging));
    staging->device = device;
    pl_status status = fill_slots(staging);
    if (status != PL_OK) {
        pl__staging_free(staging);
        return status;
    }
    *out = device->staging = staging;
    return PL_OK;
}

/* A slot that the device has left. */
static pl_status take_slot(pl__staging *staging, slot **out)
{
    slot *s = &staging->slots[staging->next];
    staging->next = (staging->next + 1) % SLOTS;
    if (s->used) PL_CUDA_TRY(staging->device, cudaEventSynchronize(s->passed));
    *out = s;
    return PL_OK;
}

/* Rows of a file's matrix, `row_bytes` apart, packed into a slot, sent and placed. p.from is set here. */
static pl_status send_piece(pl_stream *stream, const pl_weight *weight, pl__staging *staging, const unsigned char *data,
                            size_t row_bytes, piece *p)
{
    slot *s = NULL;
    PL_TRY(take_slot(staging, &s));
    const size_t width = p->columns * pl_dtype_bytes(p->dtype);
    if (width == row_bytes) {
        memcpy(s->host, data, width * p->rows);
    } else {
        for (size_t r = 0; r < p->rows; r++) memcpy((char *)s->host + r * width, data + r * row_bytes, width);
    }
    PL_CUDA_TRY(stream->device,
                cudaMemcpyAsync(s->device, s->host, width * p->rows, cudaMemcpyHostToDevice, stream->handle));
    p->from = s->device;
    p->from_stride = p->columns;
    PL_TRY(place_piece(stream, weight, *p));
    PL_CUDA_TRY(stream->device, cudaEventRecord(s->passed, stream->handle));
    s->used = true;
    return PL_OK;
}

/* ---- The table's entries ---- */

/* The row length of a weight in elements; false when the weight has more bytes than a size can say. */
static bool weight_shape(size_t *stride, size_t *bytes, size_t n_out, size_t n_in, pl_dtype compute)
{
    const size_t size = pl_dtype_bytes(compute), step = ALIGNMENT / size;
    if (n_in > SIZE_MAX - step) return false;
    *stride = (n_in + step - 1) / step * step;
    return !__builtin_mul_overflow(n_out, *stride, bytes) && !__builtin_mul_overflow(*bytes, size, bytes);
}

extern "C" size_t pl__weight_bytes(size_t n_out, size_t n_in, pl_dtype compute)
{
    size_t stride, bytes;
    return weight_shape(&stride, &bytes, n_out, n_in, pl_dtype_storage(compute)) ? bytes : SIZE_MAX;
}

extern "C" size_t pl__weight_attached_bytes(size_t n_out, size_t n_in, pl_dtype compute)
{
    return pl__weight_bytes(n_out, n_in, compute);
}

extern "C" pl_status pl__weight_create(pl_device *device, pl_weight **out, size_t n_out, size_t n_in, pl_dtype compute)
{
    pl_weight *weight = nullptr;
    pl_status status;
    size_t stride, bytes;
    *out = nullptr;
    if (compute != PL_F32 && compute != PL_TF32 && compute != PL_BF16 && compute != PL_F16) {
        return device->host->fail(PL_E_UNSUPPORTED,
                                  "%s: products in %s are not supported: choose float32, tf32, bfloat16 or float16",
                                  device->name, pl_dtype_name(compute));
    }
    if (!n_out || !n_in)
        return device->host->fail(PL_E_INTERNAL, "a weight of [%zu, %zu] has no elements", n_out, n_in);
    if (!weight_shape(&stride, &bytes, n_out, n_in, pl_dtype_storage(compute))) {
        return device->host->fail(PL_E_MEMORY, "a weight of [%zu, %zu] has more bytes than can be counted", n_out,
                                  n_in);
    }
    PL_TRY(pl__handle_create(device, (void **)&weight, sizeof *weight));
    weight->device = device;
    weight->n_out = n_out;
    weight->n_in = n_in;
    weight->stride = stride;
    weight->compute = compute;
    weight->bytes = bytes;
    status = pl__memory_create(device, &weight->data, bytes, "a weight");
    if (status == PL_OK) status = pl__product_choose(weight);
    if (status != PL_OK) {
        pl__weight_free(weight);
        return status;
    }
    *out = weight;
    return PL_OK;
}

extern "C" pl_status pl__weight_attach(pl_device *device, pl_weight **out, pl_view master, pl_dtype compute)
{
    PL_TRY(pl__weight_create(device, out, master.rows, master.columns, compute));
    const pl_status status = pl__product_attach(*out, master);
    if (status == PL_OK) return PL_OK;
    pl__weight_free(*out);
    *out = nullptr;
    return status;
}

extern "C" void pl__weight_free(pl_weight *weight)
{
    if (!weight) return;
    pl__product_release(weight);
    pl__memory_free(weight->device, weight->data);
    free(weight);
}

extern "C" pl_status pl__weight_set(pl_stream *stream, pl_weight *weight, size_t first_out, size_t n_out,
                                    const void *data, pl_dtype from, pl_layout layout)
{
    pl__staging *staging;
    if (weight->master.buffer)
        return stream->device->host->fail(PL_E_INTERNAL, "weight_set: the weight is attached to a master");
    if (!n_out) return PL_OK;
    PL_TRY(staging_of(stream->device, &staging));
    const bool transposed = layout == PL_LAYOUT_IN_OUT;
    const size_t size = pl_dtype_bytes(from), to_size = pl_dtype_bytes(weight->compute);
    const size_t rows = transposed ? weight->n_in : n_out, columns = transposed ? n_out : weight->n_in;
    const size_t width = columns < SLOT_BYTES / size ? columns : SLOT_BYTES / size, height = SLOT_BYTES / size / width;
    for (size_t row = 0; row < rows; row += height) {
        for (size_t column = 0; column < columns; column += width) {
            const size_t out = first_out + (transposed ? column : row), in = transposed ? row : column;
            piece p = {};
            p.rows = height < rows - row ? height : rows - row;
            p.columns = width < columns - column ? width : columns - column;
            p.dtype = from;
            p.to = (char *)weight->data + (out * weight->stride + in) * to_size;
            p.transposed = transposed;
            PL_TRY(send_piece(stream, weight, staging, (const unsigned char *)data + (row * columns + column) * size,
                              columns * size, &p));
        }
    }
    return PL_OK;
}

extern "C" pl_status pl__weight_refresh(pl_stream *stream, pl_weight *weight, pl_view from)
{
    piece p = {};
    if (weight->master.buffer) from = weight->master;
    p.from = pl__at(from, 0);
    p.from_stride = from.stride;
    p.rows = weight->n_out;
    p.columns = weight->n_in;
    p.dtype = PL_F32;
    p.to = weight->data;
    return place_piece(stream, weight, p);
}
