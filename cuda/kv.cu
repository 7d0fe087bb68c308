/* Pages of keys and values: made, copied on write, and filled. Layout: pl_kv in cuda.h; all moves are of whole words,
 * no number is changed. */
#include <stdlib.h>

#include "cuda.h"
#include "vector.cuh"

enum { COPY_THREADS = 256, COPY_WORDS = 4 * COPY_THREADS }; /* words of 16 bytes that a block copies at a time */

/* A piece is a page of one layer: all its heads stand side by side. The blocks share out pages x layers x parts of a
 * piece, because there are often no copies at all. No page is both read and written by the copies of one step. */
static __global__ void __launch_bounds__(COPY_THREADS)
    copy_pages(const int32_t *__restrict__ count, int capacity, const int32_t *__restrict__ copies,
               size_t copies_stride, uint4 *data, size_t n_layers, size_t n_pages, size_t piece_words)
{
    const size_t parts = (piece_words + COPY_WORDS - 1) / COPY_WORDS;
    const size_t n_items = (size_t)pl__rows(count, capacity) * n_layers * parts;
    for (size_t item = blockIdx.x; item < n_items; item += gridDim.x) {
        const int32_t *copy = copies + item / (n_layers * parts) * copies_stride;
        if (copy[0] == copy[1]) continue;
        const size_t layer = item / parts % n_layers, first = item % parts * COPY_WORDS;
        const uint4 *from = data + (layer * n_pages + (size_t)copy[0]) * piece_words;
        uint4 *to = data + (layer * n_pages + (size_t)copy[1]) * piece_words;
        uint4 words[COPY_WORDS / COPY_THREADS];
#pragma unroll
        for (int i = 0; i < COPY_WORDS / COPY_THREADS; i++) {
            const size_t w = first + (size_t)i * COPY_THREADS + threadIdx.x;
            if (w < piece_words) words[i] = from[w];
        }
#pragma unroll
        for (int i = 0; i < COPY_WORDS / COPY_THREADS; i++) {
            const size_t w = first + (size_t)i * COPY_THREADS + threadIdx.x;
            if (w < piece_words) to[w] = words[i];
        }
    }
}

/* Keys and values of one layer's pages, in words. */
template <class W> struct layer_pages {
    W *data;
    int n_kv_heads, width; /* D */
};

/* `qkv`: the first key of row 0. The keys of all heads of a row stand side by side, then the values. */
template <class W>
static __global__ void write_rows(const int32_t *__restrict__ count, int capacity,
                                  const int32_t *__restrict__ positions, const int32_t *__restrict__ paths,
                                  const int32_t *__restrict__ page_table, size_t table_stride, layer_pages<W> pages,
                                  const W *__restrict__ qkv, size_t stride)
{
    const int row = pl__own_row(), D = pages.width, G = pages.n_kv_heads;
    if (row >= pl__rows(count, capacity)) return;
    const int position = positions[row];
    const size_t page = (size_t)page_table[(size_t)paths[row] * table_stride + (size_t)(position / PL_PAGE)];
    W *to = pages.data + page * (size_t)G * 2 * PL_PAGE * (size_t)D;
    const W *from = qkv + (size_t)row * stride;
    for (int w = (int)pl__first_piece(); w < 2 * G * D; w += (int)pl__piece_step()) {
        const int vector = w / D, is_value = vector >= G, head = vector - is_value * G;
        const int place = (2 * head + is_value) * PL_PAGE + position % PL_PAGE;
        to[(size_t)place * (size_t)D + (size_t)(w - vector * D)] = from[w];
    }
}

/* ---- The pool ---- */

size_t pl__kv_page_bytes(size_t n_layers, size_t n_kv_heads, size_t head_width, pl_dtype dtype)
{
    return n_layers * n_kv_heads * 2 * PL_PAGE * head_width * pl_dtype_bytes(dtype);
}

static pl_status kv_bytes(const pl_device *device, size_t *out, const pl_kv *kv)
{
    const size_t factors[] = {kv->n_layers, kv->n_kv_heads, kv->n_pages, 2 * PL_PAGE * kv->head_width,
                              pl_dtype_bytes(kv->dtype)};
    *out = 1;
    for (size_t factor : factors)
        if (__builtin_mul_overflow(*out, factor, out))
            return device->host->fail(
                PL_E_INPUT,
                "%zu pages of %zu layers with %zu heads of width %zu are more bytes than a number "
                "holds",
                kv->n_pages, kv->n_layers, kv->n_kv_heads, kv->head_width);
    return PL_OK;
}

pl_status pl__kv_create(pl_device *device, pl_kv **out, size_t n_layers, size_t n_kv_heads, size_t head_width,
                        size_t n_pages, pl_dtype dtype)
{
    *out = NULL;
    if (dtype != PL_F32 && dtype != PL_TF32 && dtype != PL_BF16 && dtype != PL_F16)
        return device->host->fail(PL_E_UNSUPPORTED, "keys and values are kept in a float type, %s was asked for",
                                  pl_dtype_name(dtype));
    if (!head_width || head_width > PL__MAX_HEAD_WIDTH)
        return device->host->fail(PL_E_UNSUPPORTED, "heads of width %zu: the CUDA backend has 1 to %d", head_width,
                                  (int)PL__MAX_HEAD_WIDTH);
    pl_kv *kv = NULL;
    PL_TRY(pl__handle_create(device, (void **)&kv, sizeof *kv));
    *kv = pl_kv{device, n_layers, n_kv_heads, head_width, n_pages, pl_dtype_storage(dtype), NULL, 0};
    pl_status status = kv_bytes(device, &kv->bytes, kv);
    if (status == PL_OK) status = pl__memory_create(device, &kv->data, kv->bytes, "key/value pages");
    if (status != PL_OK) {
        free(kv);
        return status;
    }
    *out = kv;
    return PL_OK;
}

void pl__kv_free(pl_kv *kv)
{
    if (!kv) return;
    pl__memory_free(kv->device, kv->data);
    free(kv);
}

/* ---- The ops ---- */

extern "C" pl_status pl__kv_copy(pl_stream *stream, const pl_kv_copy_args *args)
{
    const pl_device *device = stream->device;
    const pl_kv *kv = args->kv;
    const pl_view copies = args->batch->copies;
    const size_t piece_bytes = pl__kv_page_bytes(1, kv->n_kv_heads, kv->head_width, kv->dtype);
    const size_t n_items = copies.rows * kv->n_layers * pl__ceil_div(piece_bytes, COPY_WORDS * sizeof(uint4));
    if (!copies.buffer || !n_items) return PL_OK;
    const size_t most = 8 * (size_t)device->n_processors;
    CU_LAUNCH(copy_pages, dim3((unsigned)(n_items < most ? n_items : most)), dim3(COPY_THREADS), 0, stream->handle,
              pl__count_at(args->batch->counts, PL_COUNT_COPIES), (int)copies.rows, (const int32_t *)pl__at(copies, 0),
              copies.stride, (uint4 *)kv->data, kv->n_layers, kv->n_pages, piece_bytes / sizeof(uint4));
    PL_LAUNCHED(stream, "kv_copy");
    return PL_OK;
}

extern "C" pl_status pl__kv_write(pl_stream *stream, const pl_kv_write_args *args)
{
    const pl_kv *kv = args->kv;
    const pl_batch *batch = args->batch;
    const pl_view qkv = args->qkv;
    const size_t rows = qkv.rows < batch->positions.columns ? qkv.rows : batch->positions.columns;
    if (!rows || !kv->n_kv_heads || !kv->n_pages) return PL_OK;
    const size_t size = pl_dtype_bytes(kv->dtype), D = kv->head_width, own = 2 * kv->n_kv_heads * D;
    const size_t word = pl__word_bytes(pl__row_bits(qkv) | D * size), first = qkv.columns - own;
    const pl__row_grid g = pl__cover_rows(rows, own * size / word);
    char *pages = (char *)kv->data + pl__kv_offset(kv, args->layer, 0, 0) * size;
    pl__with_word(word, [&](auto w) {
        using W = decltype(w);
        const layer_pages<W> layer = {(W *)pages, (int)kv->n_kv_heads, (int)(D * size / word)};
        CU_LAUNCH(write_rows<W>, g.grid, g.block, 0, stream->handle, pl__count_at(batch->counts, PL_COUNT_TOKENS),
                  (int)rows, (const int32_t *)pl__at(batch->positions, 0), (const int32_t *)pl__at(batch->paths, 0),
                  (const int32_t *)pl__at(batch->page_table, 0), batch->page_table.stride, layer,
                  (const W *)((const char *)pl__at(qkv, 0) + first * size), qkv.stride * size / word);
    });
    PL_LAUNCHED(stream, "kv_write");
    return PL_OK;
}
