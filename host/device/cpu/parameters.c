/* The trainable tensors of a model: the list is kept with the chunks in which its elements are gone over. */
#include "device/cpu/parameters.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static size_t elements_of(const pl_parameter *p)
{
    return p->master.rows * p->master.columns;
}

/* All parameters in chunks, in order. */
static pl_status cut(pl_parameters *p)
{
    size_t total = 0;
    for (size_t i = 0; i < p->n; i++) total += (elements_of(&p->list[i]) + PL_OPTIMIZER_CHUNK - 1) / PL_OPTIMIZER_CHUNK;
    PL_TRY(pl_new(&p->chunks, total + 1));
    for (size_t i = 0; i < p->n; i++) {
        const size_t elements = elements_of(&p->list[i]);
        for (size_t first = 0; first < elements; first += PL_OPTIMIZER_CHUNK)
            p->chunks[p->n_chunks++] = (pl__chunk){i, first, pl__least(elements - first, PL_OPTIMIZER_CHUNK)};
    }
    return PL_OK;
}

pl_status pl__parameters_create(pl_device *device, pl_parameters **out, const pl_parameter *list, size_t n)
{
    pl_status status;
    pl_parameters *p = NULL;
    (void)device;
    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        if (list[i].weight && list[i].weight->master != pl__f32(list[i].master, 0))
            return pl_fail(PL_E_INTERNAL, "parameters_create: the weight of parameter %zu is not attached to it", i);
    }
    PL_GOTO(status, failed, pl_new(&p, 1));
    PL_GOTO(status, failed, pl_new(&p->list, n + 1));
    p->n = n;
    if (n) memcpy(p->list, list, n * sizeof *list);
    PL_GOTO(status, failed, cut(p));
    *out = p;
    return PL_OK;
failed:
    pl__parameters_free(p);
    return status;
}

void pl__parameters_free(pl_parameters *parameters)
{
    if (!parameters) return;
    free(parameters->chunks);
    free(parameters->list);
    free(parameters);
}

size_t pl__gradient_norm_workspace_bytes(const pl_parameters *parameters)
{
    return parameters->n_chunks * sizeof(double);
}
