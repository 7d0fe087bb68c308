/* Filling and sending of a batch. */
#include "engine/batch.h"

#include <stdlib.h>
#include <string.h>

enum { SMALLEST_BUCKET = 16 };

static const size_t list_columns[PL__LISTS] = {
#define X(name, columns) columns,
    PL__LIST_TABLE(X)
#undef X
};

const pl__gather_lists pl__gather_lists_of[PL__GATHERS] = {
    [PL__GATHER_LAST] = {PL__LAST_COUNTS, PL__LAST_ROWS, PL__LAST_SLOTS},
    [PL__GATHER_LABEL] = {PL__LABEL_COUNTS, PL__LABEL_ROWS, PL__LABEL_SLOTS},
    [PL__GATHER_SUFFIX] = {PL__SUFFIX_COUNTS, PL__SUFFIX_ROWS, PL__SUFFIX_SLOTS},
    [PL__GATHER_ALL] = {PL__ALL_COUNTS, PL__ALL_ROWS, PL__ALL_SLOTS},
};

static pl_status append(pl__list *list, const int32_t *data, size_t n)
{
    if (list->n + n > list->capacity || !list->data) PL_TRY(pl_grow(&list->data, &list->capacity, list->n + n));
    memcpy(list->data + list->n, data, n * sizeof *data);
    list->n += n;
    return PL_OK;
}

static pl_status append_one(pl__list *list, size_t value)
{
    return append(list, &(int32_t){(int32_t)value}, 1);
}

static void free_memory(pl__packed *batch, const pl_processor *processor)
{
    for (size_t i = 0; i < 2; i++) {
        if (batch->staging[i]) processor->ops->host_memory_free(processor->device, batch->staging[i]);
        batch->staging[i] = NULL;
    }
    pl_view_free(processor, &batch->block);
}

void pl__packed_free(pl__packed *batch, const pl_processor *processor)
{
    for (size_t i = 0; i < PL__LISTS; i++) free(batch->lists[i].data);
    free(batch->targets.data);
    free(batch->heads.data);
    free(batch->whole.data);
    free(batch->means.data);
    free(batch->slot_of.data);
    free_memory(batch, processor);
    for (size_t i = 0; i < 2; i++)
        if (batch->read[i]) processor->ops->event_free(batch->read[i]);
    *batch = (pl__packed){0};
}

size_t pl__bucket(size_t n, size_t limit)
{
    size_t bucket = SMALLEST_BUCKET;
    while (bucket < n) {
        size_t between = bucket / 2 * 3; /* above 1024 there is a bucket between two powers of two */
        bucket = bucket >= 1024 && between >= n ? between : bucket * 2;
    }
    return bucket > limit && n <= limit ? limit : bucket;
}

void pl__packed_clear(pl__packed *batch, size_t width)
{
    size_t power = 4;
    while (power < width) power *= 2;
    if (batch->bucketed) width = power;
    for (size_t i = 0; i < PL__LISTS; i++) batch->lists[i].n = 0;
    batch->targets.n = batch->heads.n = batch->means.n = batch->whole.n = 0;
    batch->width = width;
}

pl_status pl__packed_add(pl__packed *batch, pl__list_name list, const int32_t *data, size_t n)
{
    return append(&batch->lists[list], data, n);
}

pl_status pl__packed_row(pl__packed *batch, int32_t token, size_t position, size_t path, bool far)
{
    PL_TRY(append(&batch->lists[PL__TOKENS], &token, 1));
    PL_TRY(append_one(&batch->lists[PL__POSITIONS], position));
    if (batch->border) PL_TRY(append_one(&batch->lists[PL__TURNS], pl_turn_row(batch->border, far, position)));
    return append_one(&batch->lists[PL__PATHS], path);
}

pl_status pl__packed_head(pl__packed *batch, size_t row, int32_t *head)
{
    *head = (int32_t)batch->lists[PL__HEAD_ROWS].n;
    return append_one(&batch->lists[PL__HEAD_ROWS], row);
}

pl_status pl__packed_heads(pl__packed *batch, const int32_t pair[2])
{
    return append(&batch->heads, pair, 2);
}

/* One point; *head is the head row of the same token, -1 when there is none yet. */
static pl_status add_point(pl__packed *batch, const pl__point *point, size_t row, int32_t *head)
{
    bool reads_head = point->want == PL__WANT_TARGET || point->want == PL__WANT_HEAD;
    if (reads_head && *head < 0) PL_TRY(pl__packed_head(batch, row, head));
    switch (point->want) {
    case PL__WANT_TARGET:
        PL_TRY(append(&batch->lists[PL__TARGET_ROWS], head, 1));
        PL_TRY(append(&batch->lists[PL__TARGET_TOKENS], &point->token, 1));
        return append_one(&batch->targets, point->slot);
    case PL__WANT_HEAD:
        PL_TRY(append(&batch->heads, head, 1));
        return append_one(&batch->heads, point->slot);
    case PL__WANT_LAST:
        PL_TRY(append_one(&batch->lists[PL__LAST_ROWS], row));
        return append_one(&batch->lists[PL__LAST_SLOTS], point->slot);
    case PL__WANT_LABEL:
        PL_TRY(append_one(&batch->lists[PL__LABEL_ROWS], row));
        return append_one(&batch->lists[PL__LABEL_SLOTS], point->slot);
    case PL__WANT_SUFFIX:
        PL_TRY(append_one(&batch->lists[PL__SUFFIX_ROWS], row));
        return append_one(&batch->lists[PL__SUFFIX_SLOTS], point->slot);
    }
    return PL_OK;
}

/* The part of a range that lies in first..end - 1; false: nothing. */
static bool overlap(const pl__token_range *range, size_t first, size_t end, size_t *from, size_t *n)
{
    size_t last = (size_t)range->first + range->n;
    *from = range->first > first ? range->first : first;
    *n = (last < end ? last : end) - *from;
    return *from < (last < end ? last : end);
}

pl_status pl__packed_wants(pl__packed *batch, const pl__paths *plan, const pl__chunk *chunk)
{
    size_t first = chunk->fresh, end = (size_t)chunk->first + chunk->n, from, n;
    if (first >= end) return PL_OK;
    const size_t *range = plan->points.indptr + chunk->node;
    const pl__point *point = plan->points.data + range[0], *points_end = plan->points.data + range[1];
    while (point < points_end) { /* the first point at or behind `first` */
        const pl__point *middle = point + (points_end - point) / 2;
        if (middle->position < first)
            point = middle + 1;
        else
            points_end = middle;
    }
    int32_t head = -1;
    uint32_t at = PL__NONE;
    for (points_end = plan->points.data + range[1]; point < points_end && point->position < end; point++) {
        if (point->position != at) head = -1;
        at = point->position;
        PL_TRY(add_point(batch, point, chunk->row + (at - chunk->first), &head));
    }
    range = plan->means.indptr + chunk->node;
    for (size_t i = range[0]; i < range[1]; i++) {
        if (!overlap(&plan->means.data[i], first, end, &from, &n)) continue;
        const int32_t mean[] = {(int32_t)plan->means.data[i].slot, (int32_t)(chunk->row + from - chunk->first),
                                (int32_t)n};
        PL_TRY(append(&batch->means, mean, 3));
    }
    range = plan->all.indptr + chunk->node;
    for (size_t i = range[0]; i < range[1]; i++) {
        if (!overlap(&plan->all.data[i], first, end, &from, &n)) continue;
        size_t row = chunk->row + from - chunk->first, slot = plan->all.data[i].slot + from - plan->all.data[i].first;
        if (batch->streamed) {
            PL_TRY(append(&batch->whole, (const int32_t[]){(int32_t)row, (int32_t)slot, (int32_t)n}, 3));
            continue;
        }
        for (size_t k = 0; k < n; k++) {
            PL_TRY(append_one(&batch->lists[PL__ALL_ROWS], row + k));
            PL_TRY(append_one(&batch->lists[PL__ALL_SLOTS], slot + k));
        }
    }
    return PL_OK;
}

pl_status pl__packed_step(pl__packed *batch, const pl__schedule *schedule)
{
    const pl__step *step = &schedule->step;
    pl__list *table = &batch->lists[PL__PAGE_TABLE];
    PL_TRY(pl_grow(&table->data, &table->capacity, step->n_chunks * batch->width));
    table->n = step->n_chunks * batch->width;
    for (size_t i = 0; i < step->n_chunks; i++) {
        const pl__chunk *chunk = &step->chunks[i];
        const pl__node *node = &schedule->tree->nodes[chunk->node];
        size_t end = (size_t)chunk->first + chunk->n;
        for (size_t p = chunk->first; p < end; p++)
            PL_TRY(pl__packed_row(batch, node->tokens[p - node->first], p, i, node->far));
        for (uint32_t done = 0; done < chunk->n; done += PL_RUN_ROWS) {
            uint32_t n = chunk->n - done < PL_RUN_ROWS ? chunk->n - done : PL_RUN_ROWS;
            PL_TRY(pl__packed_add(batch, PL__RUNS, (const int32_t[]){(int32_t)(chunk->row + done), (int32_t)n}, 2));
        }
        pl__schedule_path(schedule, chunk->node, end, table->data + i * batch->width);
    }
    return pl__packed_add(batch, PL__COPIES, &step->copies[0][0], 2 * step->n_copies);
}

/* The triples of `means` become slots with ranges. A request's rows stand in path order, because its nodes do. */
static pl_status group_means(pl__packed *batch)
{
    const int32_t *means = batch->means.data;
    size_t n = batch->means.n / 3;
    pl__list *slots = &batch->lists[PL__MEAN_SLOTS], *indptr = &batch->lists[PL__MEAN_INDPTR];
    pl__list *ranges = &batch->lists[PL__MEAN_RANGES], *slot_of = &batch->slot_of;
    for (size_t i = 0; i < n; i++) {
        size_t request = (size_t)means[3 * i];
        while (slot_of->n <= request) PL_TRY(append_one(slot_of, 0));
        if (!slot_of->data[request]) {
            PL_TRY(append_one(slots, request));
            slot_of->data[request] = (int32_t)slots->n;
            PL_TRY(append_one(indptr, 0));
        }
        indptr->data[slot_of->data[request] - 1]++;
    }
    PL_TRY(append_one(indptr, 0));
    int32_t sum = 0;
    for (size_t i = 0; i < indptr->n; i++) { /* counts to first places */
        int32_t count = indptr->data[i];
        indptr->data[i] = sum;
        sum += count;
    }
    PL_TRY(pl_grow(&ranges->data, &ranges->capacity, 2 * n));
    ranges->n = 2 * n;
    for (size_t i = 0; i < n; i++) {
        int32_t *next = &indptr->data[slot_of->data[means[3 * i]] - 1];
        memcpy(ranges->data + 2 * (*next)++, means + 3 * i + 1, 2 * sizeof *means);
    }
    /* Filling moved each start to its end: the start of i is the end of i - 1. */
    memmove(indptr->data + 1, indptr->data, (indptr->n - 1) * sizeof *indptr->data);
    indptr->data[0] = 0;
    for (size_t i = 0; i < slots->n; i++) slot_of->data[slots->data[i]] = 0;
    return PL_OK;
}

static pl_status set_counts(pl__packed *batch)
{
    const pl__list *lists = batch->lists;
    int32_t counts[PL_COUNTS] = {0};
    counts[PL_COUNT_TOKENS] = (int32_t)lists[PL__TOKENS].n;
    counts[PL_COUNT_ROWS] = (int32_t)lists[PL__HEAD_ROWS].n;
    counts[PL_COUNT_TARGETS] = (int32_t)lists[PL__TARGET_ROWS].n;
    counts[PL_COUNT_COPIES] = (int32_t)lists[PL__COPIES].n / 2;
    counts[PL_COUNT_RUNS] = (int32_t)lists[PL__RUNS].n / 2;
    PL_TRY(pl__packed_add(batch, PL__COUNTS, counts, PL_COUNTS));
    for (size_t i = 0; i < PL__GATHERS; i++) {
        const pl__gather_lists *gather = &pl__gather_lists_of[i];
        counts[PL_COUNT_ROWS] = (int32_t)lists[gather->rows].n;
        PL_TRY(pl__packed_add(batch, gather->counts, counts, PL_COUNTS));
    }
    return append_one(&batch->lists[PL__MEAN_COUNT], lists[PL__MEAN_SLOTS].n);
}

/* Rows of a list on the device. Products run over the capacities of tokens and head rows, so these are tight; all
 * other lists keep the room of the step before while it is not far too large, so that steps look alike. */
static size_t room_of(const pl__packed *batch, size_t list, size_t n)
{
    switch (list) {
    case PL__COUNTS:
    case PL__LAST_COUNTS:
    case PL__LABEL_COUNTS:
    case PL__SUFFIX_COUNTS:
    case PL__ALL_COUNTS:
    case PL__MEAN_COUNT:
        return n;
    case PL__TOKENS:
    case PL__POSITIONS:
    case PL__TURNS:
    case PL__PATHS:
    case PL__HEAD_ROWS:
        return n && batch->bucketed ? pl__bucket(n, batch->limit) : n;
    case PL__MEAN_INDPTR: /* one more than there are slots */
        return batch->bucketed ? room_of(batch, PL__MEAN_SLOTS, batch->lists[PL__MEAN_SLOTS].n) + 1 : n;
    default:
        break;
    }
    size_t room = SMALLEST_BUCKET, last = batch->lists[list].room;
    if (!batch->bucketed) return n;
    if (n <= last && last <= 4 * n) return last;
    while (room < n) room *= 2;
    return room;
}

/* Places the lists in the block, each at 16 bytes. *total: of all capacities; *used: up to the last element that is
 * set, which is little more than the elements, because the largest list is the last one. */
static void lay_out(pl__packed *batch, size_t *total, size_t *used)
{
    *total = *used = 0;
    for (size_t i = 0; i < PL__LISTS; i++) {
        pl__list *list = &batch->lists[i];
        size_t columns = list_columns[i] ? list_columns[i] : batch->width;
        bool vector = list_columns[i] == 1; /* single numbers are one row */
        list->room = room_of(batch, i, list->n / columns);
        list->view = (pl_view){.offset = *total,
                               .rows = vector ? 1 : list->room,
                               .columns = vector ? list->room : columns,
                               .dtype = PL_I32};
        list->view.stride = list->view.columns;
        if (list->n) *used = *total + list->n;
        *total += (list->room * columns + 3) / 4 * 4;
    }
}

static pl_status reserve(pl__packed *batch, const pl_processor *processor, pl_stream *stream, size_t n)
{
    for (size_t i = 0; i < 2; i++)
        if (!batch->read[i]) PL_TRY(processor->ops->event_create(processor->device, &batch->read[i]));
    if (batch->block.columns >= n) return PL_OK;
    n += n / 2 + 4096;
    PL_TRY(processor->ops->stream_wait(stream)); /* it may still read the memory that goes */
    free_memory(batch, processor);
    batch->in_use[0] = batch->in_use[1] = false;
    batch->n_moved++;
    for (size_t i = 0; i < 2; i++)
        PL_TRY(processor->ops->host_memory_create(processor->device, (void **)&batch->staging[i],
                                                  n * sizeof **batch->staging));
    return pl_view_create(processor, &batch->block, 1, n, PL_I32);
}

pl_status pl__packed_send(pl__packed *batch, const pl_processor *processor, pl_stream *stream)
{
    const pl_backend *ops = processor->ops;
    if (batch->means.n) PL_TRY(group_means(batch));
    PL_TRY(set_counts(batch));
    size_t total, used;
    lay_out(batch, &total, &used);
    PL_TRY(reserve(batch, processor, stream, total));
    size_t turn = batch->turn ^= 1;
    if (batch->in_use[turn]) PL_TRY(ops->event_wait_host(batch->read[turn]));
    int32_t *staging = batch->staging[turn];
    for (size_t i = 0; i < PL__LISTS; i++) {
        pl__list *list = &batch->lists[i];
        list->view.buffer = batch->block.buffer;
        if (list->n) memcpy(staging + list->view.offset, list->data, list->n * sizeof *list->data);
    }
    PL_TRY(pl_upload(processor, stream, pl_view_columns(batch->block, 0, used), staging));
    batch->in_use[turn] = true;
    return ops->event_record(batch->read[turn], stream);
}

pl_batch pl__packed_view(const pl__packed *batch)
{
    const pl__list *lists = batch->lists;
    return (pl_batch){.counts = lists[PL__COUNTS].view,
                      .tokens = lists[PL__TOKENS].view,
                      .positions = lists[PL__POSITIONS].view,
                      .turns = batch->border ? lists[PL__TURNS].view : (pl_view){0},
                      .paths = lists[PL__PATHS].view,
                      .page_table = lists[PL__PAGE_TABLE].view,
                      .copies = lists[PL__COPIES].view,
                      .runs = lists[PL__RUNS].view};
}
