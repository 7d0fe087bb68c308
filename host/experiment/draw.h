/* Which training items serve as shots, and in which order; which test items are evaluated.
 *
 * A draw is one permutation of the shot pool, balanced over classes: each stretch of n_classes items holds every class
 * once, so that any prefix is balanced within one. Its first k are the shots (architecture.md, "Matched examples"). */
#ifndef PLUMB_EXPERIMENT_DRAW_H
#define PLUMB_EXPERIMENT_DRAW_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

/* classes[n]: class of each item, or NULL for one class. out[n]: the permutation. */
pl_status pl_draw_permutation(size_t *out, const size_t *classes, size_t n, uint64_t seed, uint32_t draw);
/* Reorders shots[0..k) in place; order 0 keeps the draw's own order. */
pl_status pl_draw_order(size_t *shots, size_t k, uint64_t seed, uint32_t draw, uint32_t order);
/* The evaluated items: `wanted` of n at random (all when wanted >= n), ascending. out has room for n. */
pl_status pl_draw_items(size_t *out, size_t *n_out, size_t n, size_t wanted, uint64_t seed);

#endif
