/* The vocabulary head on gathered rows: log-probabilities of targets, arg max, and logits where they are asked for.
 *
 * Rows are taken in chunks: product into a [chunk, V] float32 workspace, then one block a row reduces its logits, then
 * targets whose row is in the chunk are read off. */
#include "score.cuh"

enum { MAX_CHUNK = 1024, CHUNK_LOGITS = 20 << 20 }; /* 64 MiB of logits, 80 at most */

extern "C" size_t pl__score_workspace_bytes(size_t n_rows, size_t n_vocabulary)
{
    const size_t rows = chunk_rows(n_rows, n_vocabulary, MAX_CHUNK, CHUNK_LOGITS);
    return rows * (logit_stride(n_vocabulary) * sizeof(float) + sizeof(row_result));
}

/* One block a row of the chunk. z: [rows, V] products, finished in place when there is a bias or a softcap; rows are
 * first, first + 1, ... of R. */
static __global__ void __launch_bounds__(THREADS)
    reduce_rows(const int32_t *__restrict__ count, int capacity, int first, float *z, size_t z_stride, int V,
                const float *__restrict__ bias, float softcap, float *logits, size_t logits_stride, int32_t *greedy,
                row_result *results)
{
    const int row = first + (int)blockIdx.x, t = (int)threadIdx.x;
    if (row >= pl__rows(count, capacity)) return;
    z += (size_t)blockIdx.x * z_stride;
    logits = logits ? logits + (size_t)row * logits_stride : NULL;
    const row_part part = reduce_row(z, V, bias, softcap, logits);
    if (t) return;
    const double sum = (double)part.high + (double)part.low;
    const int id = !isfinite(part.max) || isnan(sum) ? -1 : part.id;
    const row_result result = {sum, part.max, id};
    results[blockIdx.x] = result;
    if (greedy) greedy[row] = id;
}

/* A thread a target; those whose row is in the chunk are written. */
static __global__ void read_targets(const int32_t *__restrict__ count, int capacity, int first, int n_rows,
                                    const float *__restrict__ z, size_t z_stride, int V,
                                    const row_result *__restrict__ results, const int32_t *__restrict__ target_rows,
                                    const int32_t *__restrict__ target_tokens, float *log_probability,
                                    int32_t *target_greedy)
{
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= pl__rows(count, capacity)) return;
    const int row = target_rows[i] - first, token = target_tokens[i];
    if (row < 0 || row >= n_rows || token < 0 || token >= V) return;
    const row_result r = results[row];
    log_probability[i] = log_probability_of(z[(size_t)row * z_stride + (size_t)token], r.max, r.sum);
    if (target_greedy) target_greedy[i] = r.id == token;
}

/* n_rows, n_targets: capacities. */
extern "C" pl_status pl__score(pl_stream *stream, const pl_score_args *args)
{
    const size_t n_rows = args->x.rows, n_targets = args->target_rows.columns;
    const size_t V = args->weight->n_out, chunk = chunk_rows(n_rows, V, MAX_CHUNK, CHUNK_LOGITS),
                 stride = logit_stride(V);
    const int32_t *row_count = pl__count_at(args->counts, PL_COUNT_ROWS);
    const int32_t *target_count = pl__count_at(args->counts, PL_COUNT_TARGETS);
    float *z = (float *)pl__at(args->workspace, 0);
    row_result *results = (row_result *)(z + chunk * stride);
    for (size_t first = 0; first < n_rows; first += chunk) {
        const size_t n = n_rows - first < chunk ? n_rows - first : chunk;
        pl_view x = args->x, product = {};
        x.offset += first * x.stride;
        x.rows = n;
        product.buffer = args->workspace.buffer;
        product.offset = args->workspace.offset / sizeof(float);
        product.rows = n;
        product.columns = V;
        product.stride = stride;
        product.dtype = PL_F32;
        PL_TRY(pl__matmul(stream, args->weight, x, product, n, false));
        CU_LAUNCH(reduce_rows, (unsigned)n, THREADS, 0, stream->handle, row_count, (int)n_rows, (int)first, z, stride,
                  (int)V, (const float *)pl__at(args->bias, 0), args->softcap, (float *)pl__at(args->logits, 0),
                  args->logits.stride, (int32_t *)pl__at(args->greedy, 0), results);
        PL_LAUNCHED(stream, "score");
        if (!n_targets) continue;
        CU_LAUNCH(read_targets, (unsigned)((n_targets + 255) / 256), 256, 0, stream->handle, target_count,
                  (int)n_targets, (int)first, (int)n, z, stride, (int)V, results,
                  (const int32_t *)pl__at(args->target_rows, 0), (const int32_t *)pl__at(args->target_tokens, 0),
                  (float *)pl__at(args->log_probability, 0), (int32_t *)pl__at(args->target_greedy, 0));
        PL_LAUNCHED(stream, "score");
    }
    return PL_OK;
}
