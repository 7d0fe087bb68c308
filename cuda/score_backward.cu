/* The vocabulary head with its loss, forward and backward: a chunk of rows after another, so that logits exist for one
 * chunk. In a chunk: the logits as `score` makes them; a block a row reduces them (score.cuh, the same bits), reads off
 * log p of the target and turns them in place into their gradient, in the storage type of the products; then dbias, dx
 * and dW (product.h).
 *
 * A gradient of 16 bits stands where the first half of its row's logits stood: a tile is written when all threads have
 * read theirs, and it ends before the next one's logits begin. Rows past the count have zero gradients. */
#include "score.cuh"

#include "product.h"
#include "vector.cuh"

/* 256 MiB of logits. dW is read and written once a chunk, so chunks are larger than `score`'s. */
#ifdef PL_CUDA_EMULATED
enum { MAX_CHUNK = 32, CHUNK_LOGITS = 1 << 12 };
#else
enum { MAX_CHUNK = 2048, CHUNK_LOGITS = 64 << 20 };
#endif
enum { OWN = 4, ALIGNMENT = 256 };

struct head {
    const int32_t *count;
    int capacity, first, V; /* rows in all, the chunk's first */
    size_t z_stride;        /* floats */
    const float *bias, *loss_weights;
    float softcap;
    const int32_t *target_tokens;
    float *log_probability;
};

/* z's logits v.. become gradients: scale e^(z - max), less the weight at the target, times the softcap's slope. */
__device__ __forceinline__ void differentiate(float (&z)[OWN], int v, const head &h, float max, float scale,
                                              float weight, int target)
{
#pragma unroll
    for (int i = 0; i < OWN; i++) {
        const float slope = h.softcap > 0.0f ? z[i] / h.softcap : 0.0f;
        float g = __fmul_rn(scale, expf(__fsub_rn(z[i], max)));
        if (v + i == target) g = __fsub_rn(g, weight);
        z[i] = h.softcap > 0.0f ? __fmul_rn(g, fmaf(-slope, slope, 1.0f)) : g;
    }
}

/* A block a row of the chunk. */
template <class T> static __global__ void __launch_bounds__(THREADS) differentiate_rows(head h, float *z)
{
    __shared__ float largest, weight_of;
    __shared__ double total;
    const int row = h.first + (int)blockIdx.x, t = (int)threadIdx.x;
    const bool counted = row < pl__rows(h.count, h.capacity);
    float *own = z + (size_t)blockIdx.x * h.z_stride;
    T *to = reinterpret_cast<T *>(own);
    const int target = counted ? h.target_tokens[row] : -1;
    if (counted) { /* the same for the whole block */
        const row_part part = reduce_row(own, h.V, h.bias, h.softcap, NULL);
        if (t == 0) {
            total = (double)part.high + (double)part.low;
            largest = part.max;
            weight_of = h.loss_weights[row];
            if (target >= 0 && target < h.V) {
                const float log_p = log_probability_of(own[target], largest, total);
                h.log_probability[row] = log_p;
                if (!isfinite(log_p)) weight_of = NAN; /* the loss is not, so no gradient is */
            }
        }
        __syncthreads();
    }
    const float max = counted ? largest : 0.0f, weight = counted ? weight_of : 0.0f;
    const float scale = counted ? (float)((double)weight / total) : 0.0f;
    for (int base = 0; base < h.V; base += OWN * THREADS) {
        const int v = base + t * OWN; /* rows have room for whole groups */
        float own4[OWN] = {};
        if (counted && v < h.V) {
            pl__load<true>(own4, own + v, OWN);
            differentiate(own4, v, h, max, scale, weight, target);
        }
        __syncthreads();
        if (v < h.V) pl__store<true>(to + v, own4, OWN);
    }
}

/* Bytes of the logits, of the sums for dbias, and of parts of the products. */
struct space {
    size_t rows, stride, z, sums, parts;
};

static size_t padded(size_t bytes)
{
    return pl__ceil_div(bytes, ALIGNMENT) * ALIGNMENT;
}

static space space_of(size_t n_rows, size_t V, size_t C)
{
    const size_t rows = chunk_rows(n_rows, V, MAX_CHUNK, CHUNK_LOGITS), stride = logit_stride(V);
    return {rows, stride, padded(rows * stride * sizeof(float)),
            padded(pl__column_sums_floats(rows, V) * sizeof(float)), pl__gradient_floats(rows, V, C) * sizeof(float)};
}

extern "C" size_t pl__score_backward_workspace_bytes(size_t n_rows, size_t n_vocabulary, size_t C, pl_dtype compute)
{
    const space s = space_of(n_rows, n_vocabulary, C);
    (void)compute;
    return ALIGNMENT + s.z + s.sums + s.parts;
}

static pl_view rows_of(pl_view v, size_t first, size_t n)
{
    v.offset += first * v.stride;
    v.rows = n;
    return v;
}

/* What follows for a chunk from the gradients z of its logits. */
static pl_status run_gradients(pl_stream *stream, const pl_score_backward_args *args, pl_view z, size_t first,
                               float *sums, pl_view floats)
{
    const pl_view x = rows_of(args->x, first, z.rows);
    if (args->dbias.buffer) PL_TRY(pl__column_sums(stream, z, z.rows, NULL, sums, (float *)pl__at(args->dbias, 0)));
    if (args->dx.buffer) {
        const pl_view dx = rows_of(args->dx, first, z.rows);
        PL_TRY(pl__gradient_input(stream, args->weight, z, dx, z.rows, NULL, false, floats));
    }
    if (args->dweight.buffer)
        PL_TRY(pl__gradient_weight(stream, args->weight, z, x, args->dweight, z.rows, NULL, floats));
    return PL_OK;
}

extern "C" pl_status pl__score_backward(pl_stream *stream, const pl_score_backward_args *args)
{
    const size_t n_rows = args->x.rows, V = args->weight->n_out, C = args->weight->n_in;
    const pl_dtype storage = pl_dtype_storage(args->weight->compute);
    const space of = space_of(n_rows, V, C);
    pl_buffer *buffer = args->workspace.buffer;
    const size_t begin = padded(args->workspace.offset), sums = begin + of.z, parts = sums + of.sums;
    pl_view logits = {}, z, floats = {};
    logits.buffer = floats.buffer = buffer;
    logits.dtype = floats.dtype = PL_F32;
    logits.columns = V;
    logits.offset = begin / sizeof(float);
    logits.stride = of.stride;
    floats.offset = parts / sizeof(float);
    floats.rows = 1;
    floats.columns = floats.stride = of.parts / sizeof(float);
    const size_t size = pl_dtype_bytes(storage);
    for (size_t first = 0; first < n_rows; first += of.rows) {
        head h = {pl__count_at(args->counts, PL_COUNT_ROWS),
                  (int)n_rows,
                  (int)first,
                  (int)V,
                  of.stride,
                  (const float *)pl__at(args->bias, 0),
                  (const float *)pl__at(args->loss_weights, 0),
                  args->softcap,
                  (const int32_t *)pl__at(args->target_tokens, 0),
                  (float *)pl__at(args->log_probability, 0)};
        logits.rows = n_rows - first < of.rows ? n_rows - first : of.rows;
        PL_TRY(pl__matmul(stream, args->weight, rows_of(args->x, first, logits.rows), logits, logits.rows, false));
        z = logits;
        z.dtype = storage;
        z.offset = begin / size;
        z.stride = of.stride * sizeof(float) / size;
        pl__with_type(storage, [&](auto type) {
            auto kernel = differentiate_rows<decltype(type)>;
            CU_LAUNCH(kernel, dim3((unsigned)logits.rows), dim3(THREADS), 0, stream->handle, h,
                      (float *)pl__at(logits, 0));
        });
        PL_LAUNCHED(stream, "score_backward");
        PL_TRY(run_gradients(stream, args, z, first, (float *)((char *)buffer->data + sums), floats));
    }
    return PL_OK;
}
