/* The trainable tensors of a model: the list goes to the device once, with the chunks in which its elements are gone
 * over. */
#include "parameters.h"

#include <stdlib.h>

static size_t elements_of(const pl_parameter *p)
{
    return p->master.rows * p->master.columns;
}

static size_t chunks_of(const pl_parameter *p)
{
    return (elements_of(p) + PL_OPTIMIZER_CHUNK - 1) / PL_OPTIMIZER_CHUNK;
}

static pl__tensor tensor_of(const pl_parameter *p)
{
    pl__tensor t = {.master = (float *)pl__at(p->master, 0),
                    .gradient = (float *)pl__at(p->gradient, 0),
                    .first = (float *)pl__at(p->first, 0),
                    .second = (float *)pl__at(p->second, 0),
                    .columns = p->master.columns,
                    .decay = p->decay};
    const uintptr_t addresses = (uintptr_t)t.master | (uintptr_t)t.gradient | (uintptr_t)t.first | (uintptr_t)t.second;
    t.packed = addresses % (4 * sizeof(float)) == 0;
    if (p->weight && p->weight->data != (void *)t.master) {
        t.copy = p->weight->data;
        t.copy_stride = p->weight->stride;
        t.copy_compute = p->weight->compute;
        t.packed = t.packed && t.columns % 4 == 0;
    }
    return t;
}

/* A table on the device. */
static pl_status upload(pl_device *device, void **out, const void *from, size_t bytes)
{
    PL_TRY(pl__memory_create(device, out, bytes, "the table of parameters"));
    if (!bytes) return PL_OK;
    PL_CUDA_TRY(device, cudaMemcpyAsync(*out, from, bytes, cudaMemcpyHostToDevice, device->setup));
    PL_CUDA_TRY(device, cudaStreamSynchronize(device->setup));
    return PL_OK;
}

/* Both tables: n tensors in all their chunks, in order. */
static pl_status fill(pl_parameters *p, const pl_parameter *list, size_t n, pl__tensor *tensors, pl__chunk *chunks)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t elements = elements_of(&list[i]);
        tensors[i] = tensor_of(&list[i]);
        for (size_t first = 0; first < elements; first += PL_OPTIMIZER_CHUNK) {
            const size_t left = elements - first;
            chunks[at++] =
                (pl__chunk){first, (uint32_t)i, (uint32_t)(left < PL_OPTIMIZER_CHUNK ? left : PL_OPTIMIZER_CHUNK)};
        }
    }
    PL_TRY(upload(p->device, (void **)&p->tensors, tensors, n * sizeof *tensors));
    return upload(p->device, (void **)&p->chunks, chunks, at * sizeof *chunks);
}

pl_status pl__parameters_create(pl_device *device, pl_parameters **out, const pl_parameter *list, size_t n)
{
    pl_status status;
    pl_parameters *p = NULL;
    pl__tensor *tensors = NULL;
    pl__chunk *chunks = NULL;
    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        const pl_weight *weight = list[i].weight;
        if (weight && pl__at(weight->master, 0) != pl__at(list[i].master, 0))
            return device->host->fail(PL_E_INTERNAL,
                                      "parameters_create: the weight of parameter %zu is not attached to it", i);
    }
    PL_TRY(pl__handle_create(device, (void **)&p, sizeof *p));
    p->device = device;
    for (size_t i = 0; i < n; i++) p->n_chunks += chunks_of(&list[i]);
    PL_GOTO(status, done, pl__handle_create(device, (void **)&tensors, (n + 1) * sizeof *tensors));
    PL_GOTO(status, done, pl__handle_create(device, (void **)&chunks, (p->n_chunks + 1) * sizeof *chunks));
    PL_GOTO(status, done, fill(p, list, n, tensors, chunks));
    *out = p;
    p = NULL;
done:
    pl__parameters_free(p);
    free(tensors);
    free(chunks);
    return status;
}

void pl__parameters_free(pl_parameters *parameters)
{
    if (!parameters) return;
    pl__memory_free(parameters->device, parameters->chunks);
    pl__memory_free(parameters->device, parameters->tensors);
    free(parameters);
}
