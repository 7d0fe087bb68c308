#include "tokenizer/merge_heap.h"

pl_status pl__merge_heap_push(pl__merge_heap *h, uint32_t rank, int32_t place, uint32_t made)
{
    PL_TRY(pl_grow(&h->items, &h->capacity, h->n + 1));
    pl__candidate *heap = h->items, c = {(uint64_t)rank << 32 | (uint32_t)place, made};
    size_t at = h->n++;
    for (; at > 0 && c.order < heap[(at - 1) / 2].order; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = c;
    return PL_OK;
}

pl__candidate pl__merge_heap_pop(pl__merge_heap *h)
{
    pl__candidate *heap = h->items, top = heap[0], last = heap[--h->n];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < h->n; at = child) {
        if (child + 1 < h->n && heap[child + 1].order < heap[child].order) child++;
        if (heap[child].order >= last.order) break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}
