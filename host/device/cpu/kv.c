/* Pages of keys and values: made, copied on write, and filled. Layout: pl_kv in cpu.h. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/cpu/cpu.h"

static size_t value_width(size_t head_width)
{
    return (head_width + PL__VALUE_COLUMNS - 1) / PL__VALUE_COLUMNS * PL__VALUE_COLUMNS;
}

size_t pl__kv_page_bytes(size_t n_layers, size_t n_kv_heads, size_t head_width, pl_dtype dtype)
{
    (void)dtype;
    return n_layers * n_kv_heads * (head_width + value_width(head_width)) * PL_PAGE * sizeof(float);
}

static pl_status kv_bytes(size_t *out, const pl_kv *kv)
{
    size_t n;
    PL_TRY(pl_mul_size(&n, kv->n_layers, kv->n_kv_heads, "heads of all layers"));
    PL_TRY(pl_mul_size(&n, n, kv->n_pages, "key/value pages"));
    return pl_mul_size(out, n, (kv->head_width + kv->value_width) * PL_PAGE * sizeof(float),
                       "bytes of key/value pages");
}

pl_status pl__kv_create(pl_device *device, pl_kv **out, size_t n_layers, size_t n_kv_heads, size_t head_width,
                        size_t n_pages, pl_dtype dtype)
{
    pl_status status;
    pl_kv *kv = NULL;
    (void)device;
    *out = NULL;
    if (dtype != PL_F32) {
        return pl_fail(PL_E_UNSUPPORTED, "the CPU keeps keys and values in float32, %s was asked for",
                       pl_dtype_name(dtype));
    }
    if (!head_width || head_width > PL__MAX_HEAD_WIDTH) {
        return pl_fail(PL_E_UNSUPPORTED, "heads of width %zu: the CPU has 1 to %d", head_width,
                       (int)PL__MAX_HEAD_WIDTH);
    }
    PL_GOTO(status, failed, pl_new(&kv, 1));
    *kv = (pl_kv){n_layers, n_kv_heads, head_width, value_width(head_width), n_pages, NULL, 0};
    PL_GOTO(status, failed, kv_bytes(&kv->bytes, kv));
    PL_GOTO(status, failed, pl__memory_create((void **)&kv->data, kv->bytes, "key/value pages"));
    *out = kv;
    return PL_OK;
failed:
    free(kv);
    return status;
}

void pl__kv_free(pl_kv *kv)
{
    if (!kv) return;
    pl__memory_free(kv->data, kv->bytes);
    free(kv);
}

pl_status pl__kv_copy(pl_stream *stream, const pl_kv_copy_args *args)
{
    size_t n;
    const pl_kv *kv = args->kv;
    const pl_view copies = args->batch->copies;
    PL_TRY(pl__read_count("kv_copy", &n, args->batch->counts, PL_COUNT_COPIES, copies.buffer ? copies.rows : 0));
    for (size_t i = 0; i < n; i++) {
        const int32_t *copy = pl__i32(copies, i);
        if (copy[0] < 0 || copy[1] < 0 || (size_t)copy[0] >= kv->n_pages || (size_t)copy[1] >= kv->n_pages) {
            return pl_fail(PL_E_INTERNAL, "kv_copy: page %d to page %d of %zu", (int)copy[0], (int)copy[1],
                           kv->n_pages);
        }
    }
    size_t bytes = (kv->head_width + kv->value_width) * PL_PAGE * sizeof(float);
#pragma omp parallel for num_threads(stream->device->n_threads) schedule(static)
    for (size_t head = 0; head < kv->n_layers * kv->n_kv_heads; head++) {
        for (size_t i = 0; i < n; i++) {
            const int32_t *copy = pl__i32(copies, i);
            if (copy[0] == copy[1]) continue;
            memcpy(pl__kv_keys(kv, 0, head, (size_t)copy[1]), pl__kv_keys(kv, 0, head, (size_t)copy[0]), bytes);
        }
    }
    return PL_OK;
}

/* One head of one run. The keys of a position are a column of their page. */
static void write_run(const pl_kv_write_args *a, size_t head, const int32_t *run, size_t n_heads)
{
    const pl_kv *kv = a->kv;
    size_t D = kv->head_width, first = (size_t)run[0];
    size_t path = (size_t)pl__i32(a->batch->paths, 0)[first], position = (size_t)pl__i32(a->batch->positions, 0)[first];
    const int32_t *table = pl__i32(a->batch->page_table, path);
    for (size_t i = 0; i < (size_t)run[1]; i++, position++) {
        float *keys = pl__kv_keys(kv, a->layer, head, (size_t)table[position / PL_PAGE]);
        float *values = keys + D * PL_PAGE + position % PL_PAGE * kv->value_width;
        const float *k = pl__f32(a->qkv, first + i) + (n_heads + head) * D;
        for (size_t d = 0; d < D; d++) keys[d * PL_PAGE + position % PL_PAGE] = k[d];
        memcpy(values, k + kv->n_kv_heads * D, D * sizeof(float));
    }
}

pl_status pl__kv_write(pl_stream *stream, const pl_kv_write_args *args)
{
    size_t rows, n_runs;
    const pl_kv *kv = args->kv;
    size_t D = kv->head_width, columns = args->qkv.columns, own = 2 * kv->n_kv_heads * D;
    PL_TRY(pl__read_count("kv_write", &rows, args->batch->counts, PL_COUNT_TOKENS,
                          pl__least(args->qkv.rows, args->batch->positions.columns)));
    PL_TRY(pl__check_runs("kv_write", &n_runs, args->batch, rows, kv->n_pages));
    size_t n_heads = (columns - own) / D;
#pragma omp parallel for num_threads(pl__threads(stream, rows *own)) schedule(static)
    for (size_t item = 0; item < kv->n_kv_heads * n_runs; item++) {
        write_run(args, item / n_runs, pl__i32(args->batch->runs, item % n_runs), n_heads);
    }
    return PL_OK;
}
