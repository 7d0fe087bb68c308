/* Packed batches by hand, for tests of the forward pass: sequences end to end, the pages of path p at
 * p * pages_a_path and on, each sequence in runs of at most PL_RUN_ROWS rows. */
#ifndef PLUMB_TESTS_MODEL_BATCH_OF_H
#define PLUMB_TESTS_MODEL_BATCH_OF_H

#include <stdlib.h>

#include "device/device.h"
#include "model/model.h"

/* Tokens ids[first..first + n) of a sequence whose earlier tokens are in the cache already. */
typedef struct sequence {
    const int32_t *ids;
    size_t first, n, path;
    size_t whole; /* tokens of the whole sequence, which say whether it is far; 0: first + n */
} sequence;

typedef struct batch_of {
    const pl_processor *processor;
    pl_batch batch;
    size_t n_tokens;
    pl_view rows;                       /* [1, N]: every row is gathered */
    pl_view target_rows, target_tokens; /* [1, N]: each row but a sequence's last predicts the next token */
    size_t n_targets;
} batch_of;

static inline pl_status batch_vector(const batch_of *b, pl_view *out, pl_stream *stream, const int32_t *values,
                                     size_t rows, size_t columns)
{
    PL_TRY(pl_view_create(b->processor, out, rows, columns, PL_I32));
    PL_TRY(pl_upload(b->processor, stream, *out, values));
    return b->processor->ops->stream_wait(stream);
}

static inline pl_status batch_make(batch_of *b, const pl_processor *processor, pl_stream *stream,
                                   const sequence *sequences, size_t n_sequences, size_t n_paths, size_t pages_a_path,
                                   size_t border)
{
    *b = (batch_of){.processor = processor};
    size_t n_runs = 0, row = 0, run = 0;
    for (size_t s = 0; s < n_sequences; s++) {
        b->n_tokens += sequences[s].n;
        n_runs += (sequences[s].n + PL_RUN_ROWS - 1) / PL_RUN_ROWS;
    }
    size_t N = b->n_tokens;
    int32_t *ids = calloc(7 * N, sizeof *ids), *positions = ids + N, *paths = ids + 2 * N, *rows = ids + 3 * N,
            *from = ids + 4 * N, *to = ids + 5 * N, *turns = ids + 6 * N;
    int32_t *pages = calloc(n_paths * pages_a_path, sizeof *pages), *runs = calloc(2 * n_runs, sizeof *runs);
    if (!ids || !pages || !runs) abort();
    for (size_t s = 0; s < n_sequences; s++) {
        const sequence *q = &sequences[s];
        for (size_t done = 0; done < q->n; done += PL_RUN_ROWS, run++) {
            runs[2 * run] = (int32_t)(row + done);
            runs[2 * run + 1] = (int32_t)(q->n - done < PL_RUN_ROWS ? q->n - done : PL_RUN_ROWS);
        }
        for (size_t t = 0; t < q->n; t++, row++) {
            ids[row] = q->ids[q->first + t];
            positions[row] = (int32_t)(q->first + t);
            turns[row] =
                (int32_t)pl_turn_row(border, pl_is_far(border, q->whole ? q->whole : q->first + q->n), q->first + t);
            paths[row] = (int32_t)q->path;
            rows[row] = (int32_t)row;
            if (t + 1 == q->n) continue;
            from[b->n_targets] = (int32_t)row;
            to[b->n_targets++] = q->ids[q->first + t + 1];
        }
    }
    for (size_t i = 0; i < n_paths * pages_a_path; i++) pages[i] = (int32_t)i;
    const int32_t counts[PL_COUNTS] = {[PL_COUNT_TOKENS] = (int32_t)N,
                                       [PL_COUNT_ROWS] = (int32_t)N,
                                       [PL_COUNT_TARGETS] = (int32_t)b->n_targets,
                                       [PL_COUNT_RUNS] = (int32_t)n_runs};
    const int32_t no_copy[2] = {0};
    pl_status status;
    PL_GOTO(status, done, batch_vector(b, &b->batch.counts, stream, counts, 1, PL_COUNTS));
    PL_GOTO(status, done, batch_vector(b, &b->batch.tokens, stream, ids, 1, N));
    PL_GOTO(status, done, batch_vector(b, &b->batch.positions, stream, positions, 1, N));
    if (border) PL_GOTO(status, done, batch_vector(b, &b->batch.turns, stream, turns, 1, N));
    PL_GOTO(status, done, batch_vector(b, &b->batch.paths, stream, paths, 1, N));
    PL_GOTO(status, done, batch_vector(b, &b->batch.page_table, stream, pages, n_paths, pages_a_path));
    PL_GOTO(status, done, batch_vector(b, &b->batch.copies, stream, no_copy, 1, 2));
    PL_GOTO(status, done, batch_vector(b, &b->batch.runs, stream, runs, n_runs, 2));
    PL_GOTO(status, done, batch_vector(b, &b->rows, stream, rows, 1, N));
    PL_GOTO(status, done, batch_vector(b, &b->target_rows, stream, from, 1, N));
    PL_GOTO(status, done, batch_vector(b, &b->target_tokens, stream, to, 1, N));
done:
    free(ids);
    free(pages);
    free(runs);
    return status;
}

static inline void batch_free(batch_of *b)
{
    pl_view *views[] = {&b->batch.counts,     &b->batch.tokens,  &b->batch.positions, &b->batch.paths,
                        &b->batch.page_table, &b->batch.copies,  &b->batch.runs,      &b->rows,
                        &b->target_rows,      &b->target_tokens, &b->batch.turns};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) pl_view_free(b->processor, views[i]);
}

#endif
