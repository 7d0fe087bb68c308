/* Near-duplicates between the evaluated items and the pool of shots: texts whose sets of character 5-grams have a
 * Jaccard similarity of at least 0.8.
 *
 * Exact, not sampled: prefix filtering (Bayardo, Ma and Srikant 2007) with an index of the rarest 5-grams proposes
 * pairs, and each proposed pair is counted out. Texts that are all made of the same few words propose nearly every
 * pair: after some hundred million the search ends, and says how many items it has looked at. */
#ifndef PLUMB_EXPERIMENT_OVERLAP_H
#define PLUMB_EXPERIMENT_OVERLAP_H

#include <stddef.h>

#include "base/status.h"

typedef struct pl_overlap {
    size_t n;                     /* items with a near-duplicate in the pool */
    size_t n_items;               /* items that were looked at: all, or as many as the bound on pairs leaves time for */
    size_t first_item, first_row; /* the first of them, and a row that it is near to; SIZE_MAX: none */
} pl_overlap;

/* Texts are valid UTF-8, already without differences of case. A text of less than five characters is one gram, an empty
 * one has none and is near nothing. own[i]: the row of the pool that item i is itself and no duplicate of; NULL: none.
 */
pl_status pl_overlap_count(pl_overlap *out, const char *const *items, size_t n_items, const char *const *pool,
                           size_t n_pool, const size_t *own);

#endif
