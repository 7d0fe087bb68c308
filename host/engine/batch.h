/* The batch of one step: lists of int32 filled on the host, sent to the device in one copy, and the views on it.
 *
 * Use: pl__packed_clear, add rows and wants, pl__packed_send. Two staging memories take turns, so that filling and
 * sending overlap with the step before. On the device all lists stand in one block. A view's size is its list's
 * capacity: where steps can be recorded, capacities come from a short list of buckets, so that steps of about the same
 * size have the same views; elsewhere they are the counts. Memory grows to what the largest step needs and is kept over
 * calls. */
#ifndef PLUMB_ENGINE_BATCH_H
#define PLUMB_ENGINE_BATCH_H

#include "device/device.h"
#include "engine/paths.h"
#include "engine/schedule.h"

/* The lists: name, columns of a row (0: the page table's width). */
#define PL__LIST_TABLE(X)                                                                                              \
    X(COUNTS, PL_COUNTS)                                                                                               \
    X(TOKENS, 1)                                                                                                       \
    X(POSITIONS, 1)                                                                                                    \
    X(TURNS, 1)                                                                                                        \
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
    X(SUFFIX_COUNTS, PL_COUNTS)                                                                                        \
    X(SUFFIX_ROWS, 1)                                                                                                  \
    X(SUFFIX_SLOTS, 1)                                                                                                 \
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

/* The lists of a gather: which rows of the step go to which slots of a result. */
typedef enum pl__gather {
    PL__GATHER_LAST,
    PL__GATHER_LABEL,
    PL__GATHER_SUFFIX,
    PL__GATHER_ALL,
    PL__GATHERS
} pl__gather;
typedef struct pl__gather_lists {
    pl__list_name counts, rows, slots;
} pl__gather_lists;
extern const pl__gather_lists pl__gather_lists_of[PL__GATHERS];

typedef struct pl__list {
    int32_t *data;
    size_t n, capacity; /* elements */
    size_t room;        /* rows on the device, of the last step */
    pl_view view;       /* after sending */
} pl__list;

typedef struct pl__packed {
    pl__list lists[PL__LISTS];
    size_t width;            /* of a page table row */
    size_t border;           /* pl_config.border; set when the engine is made, as is the next */
    bool bucketed;           /* capacities are buckets */
    size_t limit;            /* the largest token or head row capacity */
    pl__list targets, heads; /* host only: for each target its slot; for each wanted head row (head row, slot) */
    pl__list whole;          /* host only, when `all` is streamed: triples (row, slot, rows) */
    bool streamed;
    pl__list means;   /* host only: triples (request, first row, rows) before they are grouped */
    pl__list slot_of; /* scratch of grouping: request -> 1 + its index among the slots, 0: none; all 0 again after */
    int32_t *staging[2];
    pl_event *read[2]; /* the device has read that staging memory */
    bool in_use[2];
    size_t turn;
    pl_view block;  /* [1, capacity] i32 on the device */
    size_t n_moved; /* how often the block has moved: older views are void */
} pl__packed;

void pl__packed_free(pl__packed *batch, const pl_processor *processor); /* takes {0} */
/* `width`: of a page table row at least; batch->width is what it became. */
void pl__packed_clear(pl__packed *batch, size_t width);
/* The smallest bucket for n rows, at most `limit` (which is then the last one). */
size_t pl__bucket(size_t n, size_t limit);

/* Appends one row; its path is row `path` of the page table, and `far` by the model's border. */
pl_status pl__packed_row(pl__packed *batch, int32_t token, size_t position, size_t path, bool far);
/* Appends n elements to a list (page table rows, copies, runs). */
pl_status pl__packed_add(pl__packed *batch, pl__list_name list, const int32_t *data, size_t n);
/* A new head row for row `row` of the batch; *head is its number. */
pl_status pl__packed_head(pl__packed *batch, size_t row, int32_t *head);
/* Wants head row pair[0] whole, for slot pair[1]. */
pl_status pl__packed_heads(pl__packed *batch, const int32_t pair[2]);
/* Appends what the plan wants from the fresh rows of a chunk. */
pl_status pl__packed_wants(pl__packed *batch, const pl__paths *plan, const pl__chunk *chunk);
/* Appends a whole step: rows, runs, copies, page table. */
pl_status pl__packed_step(pl__packed *batch, const pl__schedule *schedule);

/* Sets counts and sends everything. */
pl_status pl__packed_send(pl__packed *batch, const pl_processor *processor, pl_stream *stream);
/* The views as the device's ops take them. */
pl_batch pl__packed_view(const pl__packed *batch);

#endif
