/* A safetensors file of any bytes: parsed or refused; every tensor that is listed lies inside the file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_safetensors *files;
    if (pl_safetensors_parse(&files, data, size, "fuzz") != PL_OK) return 0;
    for (size_t i = 0; i < pl_safetensors_count(files); i++) {
        const pl_tensor *t = pl_safetensors_at(files, i);
        if (t->data < data || t->bytes > size || t->data + t->bytes > data + size) abort();
        if (pl_safetensors_find(files, t->name) != t) abort();
    }
    char digest[33];
    if (pl_safetensors_digest(files, digest) != PL_OK || strlen(digest) != 32) abort();
    pl_safetensors_close(files);
    return 0;
}
