/* The batch of one step: lists of int32 filled on the host, sent to the device in one copy, and the views on it.
 *
 * Use: pl__batch_clear, add rows and wants, pl__batch_send. Sending waits for the stream first (the device may still
 * read the last batch), so filling overlaps with the step before. Memory grows to what the largest step needs and is
 * kept over calls. */
#ifndef PLUMB_ENGINE_BATCH_H
#define PLUMB_ENGINE_BATCH_H

#include "device/device.h"
#include "engine/plan.h"
#include "engine/schedule.h"

/* The lists: name, columns of a row (0: the page table's width). */
#define PL__LIST_TABLE(X)                                                                                              \
    X(COUNTS, PL_COUNTS)                                                                                               \
    X(TOKENS, 1)                                                                                                       \
    X(POSITIONS, 1)                                                                                                    \
    X(PATHS, 1)                                                                                                        \
    X(COPIES, 2)                                                                                                       \
    X(RUNS, 2)                                                                                                         \
    X(HEAD_ROWS, 1)                                                                                                    \
    X(TARGET_ROWS, 1)                                                                                                  \
    X(TARGET_TOKENS, 1)                                                                                                \
    X(LAST_COUNTS, PL_COUNTS)                                                                                          \
    X(LAST_ROWS, 1)                                                                                                    \
    X(LAST_SLOTS, 1)                                                                                                   \
    X(LABEL_COUNTS, PL_COUNTS)                                                                                         \
    X(LABEL_ROWS, 1)                                                                                                   \
    X(LABEL_SLOTS, 1)                                                                                                  \
    X(ALL_COUNTS, PL_COUNTS)                                                                                           \
    X(ALL_ROWS, 1)                                                                                                     \
    X(ALL_SLOTS, 1)                                                                                                    \
    X(MEAN_COUNT, 1)                                                                                                   \
    X(MEAN_INDPTR, 1)                                                                                                  \
    X(MEAN_RANGES, 2)                                                                                                  \
    X(MEAN_SLOTS, 1)                                                                                                   \
    X(PAGE_TABLE, 0)

typedef enum pl__list_name {
#define X(name, columns) PL__##name,
    PL__LIST_TABLE(X)
#undef X
        PL__LISTS
} pl__list_name;

typedef struct pl__list {
    int32_t *data;
    size_t n, capacity; /* elements */
    pl_view view;       /* after sending */
} pl__list;

typedef struct pl__batch {
    pl__list lists[PL__LISTS];
    size_t width;            /* of a page table row */
    pl__list targets, heads; /* host only: for each target its slot; for each wanted head row (head row, slot) */
    pl__list means;          /* host only: triples (request, first row, rows) before they are grouped */
    pl__list place;          /* scratch of grouping: request -> its index among the slots, and back to -1 */
    int32_t *staging;
    pl_view block; /* [1, capacity] i32 on the device */
} pl__batch;

void pl__batch_free(pl__batch *batch, const pl_gear *gear); /* takes {0} */
void pl__batch_clear(pl__batch *batch, size_t width);

/* Appends one row; its path is row `path` of the page table. */
pl_status pl__batch_row(pl__batch *batch, int32_t token, size_t position, size_t path);
/* Appends n elements to a list (page table rows, copies, runs). */
pl_status pl__batch_add(pl__batch *batch, pl__list_name list, const int32_t *data, size_t n);
/* A new head row for row `row` of the batch; *head is its number. */
pl_status pl__batch_head(pl__batch *batch, size_t row, int32_t *head);
/* Wants head row pair[0] whole, for slot pair[1]. */
pl_status pl__batch_heads(pl__batch *batch, const int32_t pair[2]);
/* Appends what the plan wants from the fresh rows of a chunk. */
pl_status pl__batch_wants(pl__batch *batch, const pl__plan *plan, const pl__chunk *chunk);
/* Appends a whole step: rows, runs, copies, page table. */
pl_status pl__batch_step(pl__batch *batch, const pl__schedule *schedule);

/* Sets counts, waits for the stream, and sends everything. */
pl_status pl__batch_send(pl__batch *batch, const pl_gear *gear, pl_stream *stream);
/* The views as the device's ops take them. */
pl_batch pl__batch_view(const pl__batch *batch);

#endif
