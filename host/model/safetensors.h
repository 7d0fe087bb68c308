/* Safetensors files, one or many shards: a directory of named tensors in mapped memory. Hostile input: every offset is
 * checked against the file, every product for overflow, the header against a limit. */
#ifndef PLUMB_MODEL_SAFETENSORS_H
#define PLUMB_MODEL_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "device/types.h"

typedef struct pl_safetensors pl_safetensors;

enum { PL_TENSOR_DIMS = 8 };

typedef struct pl_tensor {
    const char *name;
    const char *file; /* where it stands, for messages */
    bool readable;    /* its type is F32, F16 or BF16; others (BOOL, U8, I64 buffers) are listed, not read */
    const char *type; /* as in the file: "F32" */
    pl_dtype dtype;   /* when readable */
    size_t n_dims, dims[PL_TENSOR_DIMS];
    const uint8_t *data; /* in the map; may be unaligned */
    size_t bytes;
} pl_tensor;

/* `folder` holds model.safetensors, or model.safetensors.index.json and its shards. Only pytorch_model.bin there:
 * PL_E_UNSUPPORTED with a line that says how to convert. */
pl_status pl_safetensors_open(pl_safetensors **out, const char *folder);
/* One file from memory (borrowed until close); `where` stands in errors. */
pl_status pl_safetensors_parse(pl_safetensors **out, const uint8_t *data, size_t size, const char *where);
void pl_safetensors_close(pl_safetensors *files); /* takes NULL */
size_t pl_safetensors_count(const pl_safetensors *files);
const pl_tensor *pl_safetensors_at(const pl_safetensors *files, size_t i);           /* sorted by name */
const pl_tensor *pl_safetensors_find(const pl_safetensors *files, const char *name); /* NULL: absent */
/* XXH3-128 over all tensors (name, type, dims, bytes) in name order: the same for one file or many shards. Cached in
 * the user's cache folder by path, device, inode, size and both times. PL_E_IO when a file has changed since it was
 * opened. */
pl_status pl_safetensors_digest(const pl_safetensors *files, char out[33]);
/* After the tensors were used: PL_E_IO when they are not those of the digest any more. Costs nothing where no file's
 * time has moved. */
pl_status pl_safetensors_verify(const pl_safetensors *files, const char digest[33]);

#endif
