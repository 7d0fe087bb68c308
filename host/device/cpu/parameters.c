/* The trainable tensors of a model: the list is kept with the pieces in which its elements are gone over. */
#include "device/cpu/parameters.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Elements of a parameter in one piece of the optimizer's work. */
static size_t piece_elements(const pl_parameter *p)
{
    if (!p->weight) return PL_OPTIMIZER_CHUNK;
    const size_t group = PL__RENEW_ROWS * p->master.columns;
    return group < PL_OPTIMIZER_CHUNK ? PL_OPTIMIZER_CHUNK / group * group : group;
}

/* All parameters cut into pieces, in order. */
static pl_status cut(pl__piece **out, size_t *n_out, const pl_parameter *list, size_t n, bool by_rows)
{
    size_t total = 0;
    *n_out = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t elements = list[i].master.rows * list[i].master.columns;
        const size_t most = by_rows ? piece_elements(&list[i]) : PL_OPTIMIZER_CHUNK;
        total += (elements + most - 1) / most;
    }
    PL_TRY(pl_new(out, total + 1));
    for (size_t i = 0; i < n; i++) {
        const size_t elements = list[i].master.rows * list[i].master.columns;
        const size_t most = by_rows ? piece_elements(&list[i]) : PL_OPTIMIZER_CHUNK;
        for (size_t first = 0; first < elements; first += most)
            (*out)[(*n_out)++] = (pl__piece){i, first, elements - first < most ? elements - first : most};
    }
    return PL_OK;
}

pl_status pl__parameters_create(pl_device *device, pl_parameters **out, const pl_parameter *list, size_t n)
{
    pl_status status;
    pl_parameters *p = NULL;
    (void)device;
    *out = NULL;
    PL_GOTO(status, failed, pl_new(&p, 1));
    PL_GOTO(status, failed, pl_new(&p->list, n + 1));
    p->n = n;
    if (n) memcpy(p->list, list, n * sizeof *list);
    PL_GOTO(status, failed, cut(&p->chunks, &p->n_chunks, list, n, false));
    PL_GOTO(status, failed, cut(&p->pieces, &p->n_pieces, list, n, true));
    *out = p;
    return PL_OK;
failed:
    pl__parameters_free(p);
    return status;
}

void pl__parameters_free(pl_parameters *parameters)
{
    if (!parameters) return;
    free(parameters->pieces);
    free(parameters->chunks);
    free(parameters->list);
    free(parameters);
}

size_t pl__gradient_norm_workspace_bytes(const pl_parameters *parameters)
{
    return parameters->n_chunks * sizeof(double);
}
