/* The layer plan for people: what a block does, in words. */
#ifndef PLUMB_MODEL_LAYER_TEXT_H
#define PLUMB_MODEL_LAYER_TEXT_H

#include "base/memory.h"
#include "model/model.h"

/* "0-4, 6-10": the blocks that are equal to block `layer`, appended. *first: it is the first of them. */
pl_status pl_layer_numbers(pl_bytes *out, bool *first, const pl_config *config, size_t layer);
/* Mixer, heads, positions, norms and where they stand, feed-forward of a block, appended: "window of 512 keys, 4 heads
 * of 256, 1 key/value head; ...". */
pl_status pl_layer_text(pl_bytes *out, const pl_config *config, size_t layer);

#endif
