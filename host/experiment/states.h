/* Captured layers: their names, and writing them into a unit file. */
#ifndef PLUMB_EXPERIMENT_STATES_H
#define PLUMB_EXPERIMENT_STATES_H

#include "engine/engine.h"
#include "store/unit_file.h"

/* Layer names ("all", "default", "half", "last", "final_norm" or a number) as indices of a model with L blocks:
 * ascending, each once, L + 1 for final_norm. `where` stands in errors. The arena owns *out. */
pl_status pl_layers_resolve(size_t **out, size_t *n_out, const char *const *names, size_t n, size_t L,
                            const char *where, pl_arena *arena);

/* The file of a call whose states of all tokens (and logits) are written while the call goes on. */
typedef struct pl_states_file {
    pl_sink sink; /* for pl_capture.sink */
    const char *path;
    const pl_capture *capture;
    const pl_config *config;
    size_t n_requests;
    pl_dtype storage;
    pl_unit_writer *writer; /* once the call has begun; the caller finishes or discards it */
    pl_slab **slabs;        /* [n_layers], then logits; NULL: not streamed */
} pl_states_file;

/* Makes capture->sink this file when the capture has anything to stream. path, capture and config are borrowed. */
pl_status pl_states_file_open(pl_states_file *file, const char *path, pl_capture *capture, const pl_config *config,
                              size_t n_requests, pl_dtype storage);
/* The writer, new when nothing was streamed; from here on it is the caller's. */
pl_status pl_states_file_writer(pl_states_file *file, pl_unit_writer **out);
void pl_states_file_close(pl_states_file *file); /* takes {0}; discards a writer that nobody took */

/* Puts every captured position and layer of the results into the file, and the ranges of `all`. Rows from `keep_rows`
 * on keep their place and hold NaN. all: the capture holds position `all`. */
pl_status pl_states_write(pl_unit_writer *writer, const pl_results *results, const pl_request *requests,
                          const size_t *layers, size_t L, size_t keep_rows, pl_dtype storage, bool all);

#endif
