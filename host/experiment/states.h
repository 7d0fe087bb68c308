/* Captured layers: their names, and writing them into a unit file. */
#ifndef PLUMB_EXPERIMENT_STATES_H
#define PLUMB_EXPERIMENT_STATES_H

#include "engine/engine.h"
#include "store/unit_file.h"

/* Layer names ("all", "default", "half", "last", "final_norm" or a number) as indices of a model with L blocks:
 * ascending, each once, L + 1 for final_norm. `where` stands in errors. The arena owns *out. */
pl_status pl_layers_resolve(size_t **out, size_t *n_out, const char *const *names, size_t n, size_t L,
                            const char *where, pl_arena *arena);

/* Puts every captured position and layer of the results into the file. Rows from `keep_rows` on keep their place and
 * hold NaN. */
pl_status pl_states_write(pl_unit_writer *writer, const pl_results *results, const size_t *layers, size_t L,
                          size_t keep_rows, pl_storage storage);

#endif
