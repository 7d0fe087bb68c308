/* Inside of a directory of safetensors files: what safetensors.c (one file), shards.c (a folder) and digest.c share. */
#ifndef PLUMB_MODEL_SHARD_H
#define PLUMB_MODEL_SHARD_H

#include "base/file.h"
#include "model/safetensors.h"

typedef struct pl__shard {
    const char *path; /* in the arena */
    pl_map map;
} pl__shard;

struct pl_safetensors {
    pl_arena *arena; /* names, paths */
    pl__shard *shards;
    size_t n_shards; /* 0: parsed from memory */
    pl_tensor *tensors;
    size_t n, capacity;
};

pl_status pl__safetensors_new(pl_safetensors **out);
/* Appends the tensors of one file; `where` must live as long as `files`. */
pl_status pl__shard_parse(pl_safetensors *files, const uint8_t *data, size_t size, const char *where);
/* Sorts by name; a name that stands twice is an error. */
pl_status pl__safetensors_sort(pl_safetensors *files);
/* The mapped pages leave memory; they come back from the files where they are read. */
void pl__safetensors_drop(const pl_safetensors *files);

#endif
