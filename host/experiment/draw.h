/* Which training items serve as shots, and in which order; which test items are evaluated.
 *
 * A draw is one permutation of the shot pool, balanced over classes: each round deals one item of every class that has
 * any left, so that any prefix is balanced within one. Its first k are the shots (architecture.md, "Matched examples").
 *
 * Draws are numbered paths of a tree whose every step is one choice of the next item: the number's digits, in a mixed
 * radix (how many items may stand there), say which. Hence, whatever the number of draws that are asked for,
 * - draw d is the same, and so is what follows from its first k items;
 * - no two draws begin with the same k items while the pool has others (pl_draws_distinct tells where it has not);
 * - over each block of n_classes draws every class stands once at each place, first and last included, as far as the
 *   classes' sizes allow. */
#ifndef PLUMB_EXPERIMENT_DRAW_H
#define PLUMB_EXPERIMENT_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

/* The seed of a task's own draws and orders: those of two tasks have nothing to do with each other. */
uint64_t pl_draw_seed(uint64_t seed, const char *task);

/* classes[n]: class of each item, or NULL for one class. out[n]: the permutation. seed: from pl_draw_seed. */
pl_status pl_draw_permutation(size_t *out, const size_t *classes, size_t n, uint64_t seed, uint32_t draw);
/* Reorders shots[0..k) in place; order 0 keeps the draw's own order; orders 0..k! - 1 differ. */
pl_status pl_draw_order(size_t *shots, size_t k, uint64_t seed, uint32_t draw, uint32_t order);
/* Lowers *draws and *orders to those that can differ: with k shots of n, draws from n (n - 1) .. (n - k + 1) on and
 * orders from k! on repeat earlier ones. */
void pl_draws_differing(size_t *draws, size_t *orders, size_t n, size_t k);
/* keep[order * draws + draw]: this draw in this order gives shots that no earlier one gives (a lower order is earlier,
 * then a lower draw). same[n]: items that read alike have the same number; NULL: all differ. *n_kept of draws * orders.
 */
pl_status pl_draws_distinct(bool *keep, size_t *n_kept, const size_t *classes, const size_t *same, size_t n, size_t k,
                            size_t draws, size_t orders, uint64_t seed);
/* The evaluated items: `wanted` of n at random (all when wanted >= n), ascending. out has room for n. */
pl_status pl_draw_items(size_t *out, size_t *n_out, size_t n, size_t wanted, uint64_t seed);
/* The items [n] in the order in which `wanted` of them are to keep states: by chance, or as they are when wanted >= n.
 * An item's chance is its own: whoever wants more, or evaluates fewer items, keeps the same ones first. */
pl_status pl_draw_captured(size_t *out, const size_t *items, size_t n, size_t wanted, uint64_t seed);

#endif
