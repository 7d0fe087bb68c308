/* The vocabulary head on gathered rows: log-probabilities of targets, arg max, and logits where they are asked for.
 *
 * A work item is up to PL__TILE_ROWS rows by CHUNK columns. Blocks of PL__TILE_COLUMNS columns are merged in order
 * within a chunk, chunks in order within a row: one fixed tree, whatever the batch and the threads. A target's logit is
 * computed again by itself instead of being picked out: it is the same chain of fused multiply-adds, so the same bits.
 */
#include "device/cpu/score.h"

#include "device/cpu/gemm.h"
#include "device/cpu/vector.h"
#include "device/cpu/vmath.h"

enum { CHUNK = PL__SCORE_CHUNK };
typedef pl__score_part partial;

/* Sums stand in units of e^-max; without a number above -inf the unit is 1, so that a sum is NaN by a NaN only. */
static float unit_of(float max)
{
    return max == -INFINITY ? 0 : max;
}

static void merge(partial *a, const partial *b)
{
    if (b->max > a->max) {
        a->sum = a->sum * (double)pl__exp(a->max - b->max) + b->sum;
        a->max = b->max;
        a->id = b->id;
    } else {
        a->sum += b->sum * (double)pl__exp(b->max - unit_of(a->max));
    }
}

/* Logits of one row and up to PL__TILE_COLUMNS columns from first on: lanes i % 16, then a tree. */
static partial reduce(const float *z, size_t n, size_t first)
{
    float max[16], sum[16] = {0};
    for (size_t j = 0; j < 16; j++) max[j] = -INFINITY;
    size_t whole = n / 16 * 16;
    for (size_t i = 0; i < whole; i += 16) {
        for (size_t j = 0; j < 16; j++) max[j] = z[i + j] > max[j] ? z[i + j] : max[j];
    }
    for (size_t i = whole; i < n; i++) max[i - whole] = z[i] > max[i - whole] ? z[i] : max[i - whole];
    for (size_t half = 8; half; half /= 2) {
        for (size_t j = 0; j < half; j++) max[j] = max[j + half] > max[j] ? max[j + half] : max[j];
    }
    float unit = unit_of(max[0]);
    for (size_t i = 0; i < whole; i += 16) {
        for (size_t j = 0; j < 16; j++) sum[j] += pl__exp(z[i + j] - unit);
    }
    for (size_t i = whole; i < n; i++) sum[i - whole] += pl__exp(z[i] - unit);
    for (size_t half = 8; half; half /= 2) {
        for (size_t j = 0; j < half; j++) sum[j] += sum[j + half];
    }
    size_t id = 0;
    while (id < n - 1 && z[id] != max[0]) id++;
    return (partial){(double)sum[0], max[0], (int32_t)(first + id)};
}

static void finish_logits(const pl_score_args *a, float *z, size_t n, size_t first)
{
    if (a->bias.buffer) {
        const float *bias = pl__f32(a->bias, 0) + first;
        for (size_t i = 0; i < n; i++) z[i] += bias[i];
    }
    if (a->softcap > 0.0f) {
        for (size_t i = 0; i < n; i++) z[i] = a->softcap * pl__tanh(z[i] / a->softcap);
    }
}

/* Rows [row, end) and the columns of one chunk; parts: [rows, chunks]. */
static void score_chunk(const pl_score_args *a, partial *parts, size_t n_chunks, size_t row, size_t end, size_t chunk)
{
    pl__tile tile;
    const pl__side b = pl__forward_side(a->weight);
    size_t V = a->weight->n_out, stop = (chunk + 1) * CHUNK < V ? (chunk + 1) * CHUNK : V;
    const size_t width = pl__tile_width(b.half);
    for (size_t column = chunk * CHUNK; column < stop; column += width) {
        const size_t n = pl__least(stop - column, width);
        PL__WIDE(gemm_tile)(&tile, pl__f32(a->x, row), a->x.stride, end - row, &b, column, n);
        for (size_t r = row; r < end; r++) {
            float *z = tile.z + (r - row) * tile.stride;
            partial *part = parts + r * n_chunks + chunk;
            finish_logits(a, z, n, column);
            if (a->logits.buffer) {
                float *out = pl__f32(a->logits, r) + column;
                for (size_t i = 0; i < n; i++) out[i] = z[i];
            }
            for (size_t first = 0; first < n; first += PL__TILE_COLUMNS) {
                partial block = reduce(z + first, pl__least(n - first, PL__TILE_COLUMNS), column + first);
                if (first == 0 && column == chunk * CHUNK)
                    *part = block;
                else
                    merge(part, &block);
            }
        }
    }
}

/* The logit of one row and token: the panel that holds it, for one row. */
static float target_logit(const pl_score_args *a, size_t row, size_t token)
{
    pl__tile tile;
    const pl__side b = pl__forward_side(a->weight);
    size_t first = token / a->weight->panel * a->weight->panel;
    PL__WIDE(gemm_tile)(&tile, pl__f32(a->x, row), a->x.stride, 1, &b, first, 1);
    finish_logits(a, tile.z + (token - first), 1, token);
    return tile.z[token - first];
}

void PL__WIDE(score_rows)(pl_stream *stream, const pl_score_args *a, pl__score_part *parts, size_t rows)
{
    int n_threads = stream->device->n_threads;
    size_t n_chunks = (a->weight->n_out + CHUNK - 1) / CHUNK,
           row_tiles = pl__row_tiles(rows, n_chunks, n_threads, a->weight->half);
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (size_t item = 0; item < row_tiles * n_chunks; item++) {
        size_t tile = item % row_tiles;
        score_chunk(a, parts, n_chunks, rows * tile / row_tiles, rows * (tile + 1) / row_tiles, item / row_tiles);
    }
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (size_t r = 0; r < rows; r++) {
        partial *part = parts + r * n_chunks;
        for (size_t chunk = 1; chunk < n_chunks; chunk++) merge(part, part + chunk);
        if (!isfinite(part->max) || isnan(part->sum)) part->id = -1;
    }
}

pl_status PL__WIDE(score)(pl_stream *stream, const pl_score_args *args)
{
    size_t rows, n_targets;
    const size_t most = args->target_rows.columns, n_chunks = (args->weight->n_out + CHUNK - 1) / CHUNK;
    PL_TRY(pl__read_count("score", &rows, args->counts, PL_COUNT_ROWS, args->x.rows));
    PL_TRY(pl__read_count("score", &n_targets, args->counts, PL_COUNT_TARGETS, most));
    PL_TRY(pl__check_ids("score", "target_rows", args->target_rows, n_targets, rows));
    PL_TRY(pl__check_ids("score", "target_tokens", args->target_tokens, n_targets, args->weight->n_out));
    int n_threads = stream->device->n_threads;
    partial *parts = (partial *)pl__at(args->workspace, 0);
    PL__WIDE(score_rows)(stream, args, parts, rows);
    for (size_t r = 0; args->greedy.buffer && r < rows; r++)
        ((int32_t *)pl__at(args->greedy, 0))[r] = parts[r * n_chunks].id;
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (size_t i = 0; i < n_targets; i++) {
        size_t row = (size_t)pl__i32(args->target_rows, 0)[i], token = (size_t)pl__i32(args->target_tokens, 0)[i];
        const partial *part = parts + row * n_chunks;
        pl__f32(args->log_probability, 0)[i] = pl__score_of(target_logit(args, row, token), part);
        if (args->target_greedy.buffer) ((int32_t *)pl__at(args->target_greedy, 0))[i] = part->id == (int32_t)token;
    }
    return PL_OK;
}
