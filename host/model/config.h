/* Inside of reading config.json: config.c reads the facts of a family, layers.c the layer plan, rope.c the rotary part.
 */
#ifndef PLUMB_MODEL_CONFIG_H
#define PLUMB_MODEL_CONFIG_H

#include "base/json.h"
#include "model/model.h"

/* `where` stands in errors. The result points at constants only. */
pl_status pl__config_parse(pl_config *out, const char *text, size_t size, const char *where);
/* generation_config.json: which ids end a generation. */
pl_status pl__generation_config_parse(pl_stops *out, const char *text, size_t size, const char *where);

/* Fills config->kinds and config->plan from `layer_types`, or by the family's rule; sizes are set already. */
pl_status pl__layers_parse(pl_config *config, const json_t *object, const char *where);

/* Fills config->rope, config->border, and config->local_rope where the family has it, from `rope_parameters` or
 * `rope_scaling`; sizes, theta and part of each are set already. */
pl_status pl__rope_parse(pl_config *config, const json_t *object, const char *where);

/* Of each head [n_heads], what a score loses for each position between query and key (Press et al. 2022); `rounded`: to
 * bfloat16. */
void pl__alibi_slopes(float *out, size_t n_heads, bool rounded);

/* The inverse frequencies [rope->width / 2] of near or far paths, as transformers computes them. */
void pl__rope_frequencies(float *out, const pl_rope *rope, bool far);
/* cosine and sine [n_positions, width / 2] of the angles position * frequency, times the attention factor. */
pl_status pl__rope_table(float *cosine, float *sine, const pl_rope *rope, bool far, size_t n_positions);

#endif
