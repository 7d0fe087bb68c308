/* Pairs of neighbours that may merge, the first one on top: by rank, then from the left. */
#ifndef PLUMB_TOKENIZER_MERGE_HEAP_H
#define PLUMB_TOKENIZER_MERGE_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

typedef struct pl__candidate {
    uint64_t order; /* rank << 32 | the left symbol's place */
    uint32_t made;  /* what the pair was when it was put in: an entry whose pair has changed since is stale */
} pl__candidate;

/* Start from {0}. */
typedef struct pl__merge_heap {
    pl__candidate *items;
    size_t n, capacity;
} pl__merge_heap;

pl_status pl__merge_heap_push(pl__merge_heap *heap, uint32_t rank, int32_t place, uint32_t made);
/* Takes the first; there must be one. */
pl__candidate pl__merge_heap_pop(pl__merge_heap *heap);
static inline int32_t pl__candidate_place(const pl__candidate *candidate)
{
    return (int32_t)(uint32_t)candidate->order;
}

#endif
